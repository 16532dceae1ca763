"""One viewer's session: the shell around its socket, from AUTH to the last frame."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from build_chassis.auth import Principal
from build_chassis.errors import StoreUnavailable
from build_protocol import clock, limits
from build_protocol.frames import Auth, Close, Ping, Pong, Ready, Subscribe, Subscribed, viewer_frame
from pydantic import ValidationError

from build_gateway.accounts.directory import Directory
from build_gateway.accounts.tokens import Claims, TokenInvalid
from build_gateway.metrics import Metrics
from build_gateway.rate import Rate
from build_gateway.socket import Socket, SocketGone
from build_gateway.viewers.audience import Audience
from build_gateway.viewers.events import BuildEvent, LogEvent
from build_gateway.viewers.outbox import Outbox
from build_gateway.viewers.subscription import Subscription

logger = logging.getLogger("gateway")
FRAMES_PER_SECOND = 20
FRAME_CHARACTERS = 64 * 1024


@dataclass(frozen=True, slots=True)
class ViewerEdges:
    """What every viewer session of this gateway shares."""

    directory: Directory
    audience: Audience
    metrics: Metrics


class ViewerSession:
    """The session of one page."""

    def __init__(self, socket: Socket, edges: ViewerEdges, authenticated: Callable[[], None]) -> None:
        self._socket = socket
        self._edges = edges
        self._authenticated = authenticated
        self._outbox = Outbox()
        self._wake = asyncio.Event()
        self._ended = asyncio.Event()
        self._is_idle = False
        """Nothing waits and the peer reads: a frame may go straight to the socket."""
        self._rest: Awaitable[None] | None = None
        """What is left of the last push."""
        self._subscription: Subscription | None = None
        self._principal: Principal
        self._claims: Claims
        self._ending: tuple[Close, str] | None = None
        self.user = ""

    async def run(self) -> None:
        """Serve the viewer until either side ends the session."""
        if not await self._authenticate():
            return
        self._authenticated()
        self._edges.audience.join(self)
        tasks = [asyncio.create_task(step) for step in (self._send(), self._read(), self._ended.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._edges.audience.leave(self, self._followed())
            self._edges.metrics.resyncs.inc(self._outbox.resyncs)
            if self._ending is not None:
                await self._socket.close(*self._ending)

    # --- called by others

    def offer_build(self, event: BuildEvent) -> None:
        """Show a changed row, if it is wanted."""
        if self._subscription is None or not self._subscription.wants_build(event):
            return
        if self._is_idle:
            self._push(event.text)
        else:
            self._outbox.offer_build(event)

    def offer_log(self, event: LogEvent) -> None:
        """Show log lines, if they are wanted."""
        if self._subscription is None or not self._subscription.wants_log(event):
            return
        if self._is_idle:
            self._push(event.text)
        else:
            self._outbox.offer_log(event)

    def resync(self, build_id: str | None, reason: str) -> None:
        """Ask the page to read again."""
        self._outbox.resync(build_id, reason)
        self._send_waiting()

    async def look(self) -> None:
        """End the session when the page reads nothing or the person's rights ended; else apply them as they are now."""
        if self._socket.is_stuck:
            self._end(Close.TRY_LATER, "you read too slowly")
        try:
            self._principal = await self._edges.directory.still(self._claims)
        except TokenInvalid as error:
            self._end(Close.BAD_TOKEN, str(error))
        except StoreUnavailable:
            # No rights are known to have ended; the next look decides.
            return
        else:
            if self._subscription is not None:
                self._subscription.seen_by(self._principal)

    # --- reading

    async def _authenticate(self) -> bool:
        try:
            async with asyncio.timeout(limits.HELLO_SECONDS):
                frame = _decode(await self._socket.receive())
        except TimeoutError:
            await self._socket.close(Close.HELLO_LATE, f"send AUTH within {limits.HELLO_SECONDS:g} s")
            return False
        except SocketGone:
            return False
        if not isinstance(frame, Auth):
            await self._socket.close(Close.BAD_FRAME, "the first frame is AUTH")
            return False
        if not await self._accept(frame):
            assert self._ending is not None  # noqa: S101  a token that is not accepted ends the session
            await self._socket.close(*self._ending)
            return False
        return True

    async def _accept(self, auth: Auth) -> bool:
        try:
            principal, claims = await self._edges.directory.principal(auth.token)
        except TokenInvalid as error:
            self._end(Close.BAD_TOKEN, str(error))
            return False
        except StoreUnavailable:
            self._end(Close.TRY_LATER, "accounts cannot be read now")
            return False
        if self.user not in ("", principal.name):
            self._end(Close.BAD_TOKEN, "this token is another person's")
            return False
        self.user = principal.name
        self._principal, self._claims = principal, claims
        ready = Ready(user=principal.name, server_at=clock.now_ms(), expires_at=claims.expires_at * 1000)
        self._reply(ready.to_json())
        return True

    async def _read(self) -> None:
        rate = Rate(FRAMES_PER_SECOND)
        try:
            while True:
                message = await self._socket.receive()
                if not rate.take(time.monotonic()):
                    self._end(Close.RATE_LIMITED, f"at most {FRAMES_PER_SECOND} frames a second")
                    return
                await self._take(_decode(message))
        except SocketGone:
            return

    async def _take(self, frame: Auth | Subscribe | Ping | str | None) -> None:
        if isinstance(frame, str):
            self._end(Close.BAD_FRAME, frame)
        elif isinstance(frame, Auth):
            await self._accept(frame)
        elif isinstance(frame, Subscribe):
            before = self._followed()
            self._subscription = Subscription(self._principal, frame)
            await self._edges.audience.follow(self, before=before, after=self._subscription.followed)
            self._reply(Subscribed().to_json())
        elif isinstance(frame, Ping):
            self._reply(Pong(server_at=clock.now_ms()).to_json())
        else:
            self._edges.metrics.unknown_frames.inc()

    def _followed(self) -> frozenset[str]:
        return self._subscription.followed if self._subscription is not None else frozenset()

    # --- writing

    def _reply(self, text: str) -> None:
        self._outbox.reply(text)
        self._send_waiting()

    def _send_waiting(self) -> None:
        # From here on nothing overtakes what waits.
        self._is_idle = False
        self._wake.set()

    def _push(self, text: str) -> None:
        """Send at once; a peer that does not read as fast from here on has its frames wait in the outbox."""
        try:
            self._rest = self._socket.push(text)
        except SocketGone:
            self._ended.set()
        if self._rest is not None:
            self._send_waiting()

    def _end(self, code: Close, reason: str) -> None:
        if self._ending is None:
            self._ending = (code, reason)
            self._ended.set()

    async def _send(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._is_idle = False
                await self._finish()
                while self._outbox:
                    self._rest = self._socket.push(self._outbox.take())
                    await self._finish()
                self._is_idle = True
        except SocketGone:
            return

    async def _finish(self) -> None:
        rest, self._rest = self._rest, None
        if rest is not None:
            await rest


def _decode(message: str | bytes) -> Auth | Subscribe | Ping | str | None:
    """The frame; a sentence when it is malformed; None when its type is not known here (ignored and counted)."""
    if isinstance(message, bytes):
        return "send text frames: JSON, UTF-8"
    if len(message) > FRAME_CHARACTERS:
        return f"a viewer's frame has at most {FRAME_CHARACTERS} characters"
    try:
        frame: Auth | Subscribe | Ping = viewer_frame.validate_json(message, strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if fault["type"] == "union_tag_invalid":
            return None
        return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
    return frame
