"""One WebSocket: text in, text out, at most one close; a peer that does not read is dropped after ten seconds."""

import asyncio
import time
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, cast

from build_protocol.frames import Close
from starlette.types import Send
from starlette.websockets import WebSocket, WebSocketDisconnect

SEND_SECONDS = 10.0
CLOSE_SECONDS = 10.0
"""A peer that begins to read again within this time still receives the close code and reason."""


class SocketGone(ConnectionError):
    """The peer is gone, or reads nothing any more."""


class Socket:
    """An accepted WebSocket, shared by the tasks that read from it and write to it."""

    def __init__(self, websocket: WebSocket, send: Send) -> None:
        self._websocket = websocket
        self._send = send
        self._is_closed = False
        self._sending_since: float | None = None

    @property
    def is_stuck(self) -> bool:
        """Whether a `push` has been waiting for the peer to read for too long."""
        return self._sending_since is not None and time.monotonic() - self._sending_since > SEND_SECONDS

    async def receive(self) -> str | bytes:
        """The next message. Raises SocketGone at the end."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            self._is_closed = True
            raise SocketGone
        text = message.get("text")
        return text if text is not None else bytes(message.get("bytes") or b"")

    async def send(self, text: str) -> None:
        """Send one text frame within ten seconds. Raises SocketGone."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                rest = self.push(text)
                if rest is not None:
                    await rest
        except TimeoutError as error:
            self._is_closed = True
            raise SocketGone from error

    def push(self, text: str) -> Awaitable[None] | None:
        """Send one text frame at once where the peer reads as fast as we send (None); else return what to await.

        While awaiting it, check `is_stuck`. Raises SocketGone.
        """
        if self._is_closed:
            raise SocketGone
        # Past the framework's own bookkeeping, and without a task switch: for hundreds of viewers each of them
        # costs as much as the sending itself.
        sending = cast("Coroutine[Any, Any, None]", self._send({"type": "websocket.send", "text": text}))
        try:
            waited_for = sending.send(None)
        except StopIteration:
            return None
        except (OSError, RuntimeError) as error:
            self._is_closed = True
            raise SocketGone from error
        self._sending_since = time.monotonic()
        return self._finish(sending, waited_for)

    async def _finish(self, sending: Coroutine[Any, Any, None], waited_for: object) -> None:
        try:
            await _Begun(sending, waited_for)
        except (OSError, RuntimeError) as error:
            self._is_closed = True
            raise SocketGone from error
        self._sending_since = None

    async def close(self, code: Close, reason: str) -> None:
        """Close with a code and a reason (at most 123 bytes), once the peer reads; closing twice is harmless."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            async with asyncio.timeout(CLOSE_SECONDS if self.is_stuck else 1):
                await self._websocket.close(code, reason.encode()[:123].decode(errors="ignore"))
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            # The peer does not read: the server drops the connection when the endpoint returns.
            return


class _Begun:
    """A coroutine that already ran to its first wait: awaiting this waits for the same thing, then runs the rest."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], waited_for: object) -> None:
        self._coroutine = coroutine
        self._waited_for = waited_for

    def __await__(self) -> Generator[Any, Any, None]:
        try:
            yield self._waited_for
        except BaseException:
            self._coroutine.close()
            raise
        yield from self._coroutine.__await__()
