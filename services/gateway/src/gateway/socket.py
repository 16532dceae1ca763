"""One WebSocket: text in, text out, at most one close; a peer that does not read is given up after ten seconds."""

import asyncio

from build_protocol.frames import Close
from starlette.websockets import WebSocket, WebSocketDisconnect

SEND_SECONDS = 10.0


class SocketGone(ConnectionError):
    """The peer is gone, or reads nothing any more."""


class Socket:
    """An accepted WebSocket, shared by the tasks that read from it and write to it."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._is_closed = False

    async def receive(self) -> str | bytes:
        """The next message. Raises SocketGone at the end."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            self._is_closed = True
            raise SocketGone
        text = message.get("text")
        return text if text is not None else bytes(message.get("bytes") or b"")

    async def send(self, text: str) -> None:
        """Send one text frame. Raises SocketGone."""
        if self._is_closed:
            raise SocketGone
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._websocket.send({"type": "websocket.send", "text": text})
        except (TimeoutError, WebSocketDisconnect, RuntimeError) as error:
            self._is_closed = True
            raise SocketGone from error

    async def close(self, code: Close, reason: str) -> None:
        """Close with a code and a reason (at most 123 bytes); closing twice is harmless."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            async with asyncio.timeout(1):
                await self._websocket.close(code, reason.encode()[:123].decode(errors="ignore"))
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            # The peer does not read: the server drops the connection when the endpoint returns.
            return
