"""Frames that an agent posts where no WebSocket passes: one request is one short session, with one answer.

Nothing of it is needed by the next one, which any gateway may answer: who the agent is, what it holds and from where on
it sends stands in its HELLO.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

from build_protocol.frames import Close, Closed, Hello, LastGreen

from build_gateway.agents.pipeline import Batch
from build_gateway.agents.roster import Posting
from build_gateway.agents.session import AgentSession
from build_gateway.rate import Rate
from build_gateway.socket import SocketGone
from build_gateway.store.rows import Transport

STORED_SECONDS = 0.1
"""How long an answer that has its confirmations waits for `stored`, which saves the agent a question."""

_KEPT = ("connected_at", "spool_bytes", "oldest_unacked_ms", "disk_free_bytes", "builds", "unbuildable", "sources")


class Post:
    """A request's body as a session's socket: a line is a frame; what is sent is gathered for the answer."""

    def __init__(self, body: AsyncIterator[bytes], frame_bytes: int) -> None:
        self._body = body
        self._frame_bytes = frame_bytes
        self._begun = b""
        self._lines: list[bytes] = []
        self._sent: list[str] = []
        self._closed: str | None = None

    async def receive(self) -> str | bytes:
        """The next line. Raises SocketGone behind the last one."""
        while not self._lines:
            piece = await anext(self._body, None)
            if piece is None:
                last, self._begun = self._begun, b""
                if not last:
                    raise SocketGone
                self._lines = [last]
            else:
                *whole, self._begun = (self._begun + piece).split(b"\n")
                self._lines = [line for line in reversed(whole) if line]
            if len(self._begun) > self._frame_bytes:
                self._lines.insert(0, self._begun)
                self._begun = b""
        line = self._lines.pop()
        if len(line) > self._frame_bytes:
            await self.close(Close.BAD_FRAME, f"a frame has at most {self._frame_bytes} bytes")
            raise SocketGone
        try:
            return line.decode()
        except UnicodeDecodeError:
            await self.close(Close.BAD_FRAME, "frames are UTF-8")
            raise SocketGone from None

    async def send(self, text: str) -> None:
        """Add a line to the answer."""
        self._sent.append(text)

    async def close(self, code: Close, reason: str) -> None:
        """Say why this ends, as the answer's last line."""
        self._closed = self._closed or Closed(code=code, reason=reason).to_json()

    def answer(self) -> bytes:
        """The lines to answer with."""
        last = [] if self._closed is None else [self._closed]
        return "".join(f"{line}\n" for line in (*self._sent, *last)).encode()


@dataclass(eq=False)
class PostSession(AgentSession):
    """The session of one post: it ends when there is something to answer, at the latest after `wait_seconds`."""

    transport: ClassVar[Transport] = "post"
    wait_seconds: float = 0.0
    _awaited: dict[str, int] = field(default_factory=dict)
    """Builds of which the agent holds more than it knows to be stored, and up to where."""
    _posting: Posting | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._is_read = False
        self._was_shut = not self.edges.valve.is_open

    async def _welcome(self, hello: Hello) -> None:
        await super()._welcome(hello)
        self._awaited = {b.build_id: b.last_spooled for b in hello.builds if b.last_spooled >= b.first_unacked}
        self._posting = self.edges.roster.posting(self.key.name, hello.instance, self.edges.frames_per_second)
        if (known := self._posting.row) is not None:
            # What its earlier posts reported, until this one reports it anew.
            kept = {name: getattr(known, name) for name in _KEPT}
            self.row = self.row.model_copy(update=kept).with_projects(known.projects)

    def _join(self) -> None:
        self.edges.roster.join_post(self)

    def _leave(self) -> None:
        if self._posting is not None:
            self._posting.row = self.row
        self.edges.roster.leave_post(self, self._builds)

    async def _announce(self, hello: Hello) -> None:
        """Nobody: a socket of this process at another gateway is gone, or about to be."""

    async def _last_green(self, hello: Hello) -> list[LastGreen]:  # noqa: ARG002  asked with every post, it would cost more than all else
        """None: an agent that posts asks by LAST_GREEN_QUERY."""
        return []

    def _rate(self) -> Rate:
        return super()._rate() if self._posting is None else self._posting.rate

    async def _read(self) -> None:
        await super()._read()
        self._is_read = True
        self._wake.set()
        await asyncio.Event().wait()  # the answer ends the session, not the body's end

    async def _send(self) -> None:
        """Return once there is something to answer, and all of it is gathered."""
        loop = asyncio.get_running_loop()
        ends, stored_by = loop.time() + self.wait_seconds, math.inf
        while self._ending is None:
            until = None
            if self._is_read:
                if self._carries_records() and not self._pipeline.unconfirmed_bytes:
                    stored_by = min(stored_by, loop.time() + STORED_SECONDS)
                until = min(ends, stored_by)
                if loop.time() >= until or self._has_news():
                    break
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._wake.wait()
        await self._flush()

    def _confirmed(self, batch: Batch) -> None:
        super()._confirmed(batch)
        self._wake.set()  # also where the agent learns nothing new by it

    def _carries_records(self) -> bool:
        return any(build.window.next_seq is not None for build in self._builds.values())

    def _has_news(self) -> bool:
        """Whether the agent should be answered now: more than WELCOME, or that what it waits for is stored."""
        if self._was_shut == self.edges.valve.is_open:
            return True
        if self._pipeline.unconfirmed_bytes and self._carries_records():
            return False
        if len(self._outbox) > 1:
            return True
        sent = [build.window for build in self._builds.values() if build.window.next_seq is not None]
        if sent:
            return all(window.stored >= (window.next_seq or 0) - 1 for window in sent)
        return any(self._is_awaited(build_id) for build_id in self._dirty)

    def _is_awaited(self, build_id: str) -> bool:
        build = self._builds.get(build_id)
        if build is None or build.window.resend_from is not None or build.window.verified:
            return True
        return build_id in self._awaited and build.window.stored >= self._awaited[build_id]
