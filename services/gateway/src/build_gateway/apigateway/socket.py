"""One connection of an API Gateway, as the sessions' socket: requests bring its frames, posts carry the answers."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from build_protocol.frames import Close, Closed

from build_gateway.apigateway.limits import IDLE_SECONDS, LATE_SECONDS, LIFE_SECONDS, MESSAGE_BYTES
from build_gateway.apigateway.management import Connections
from build_gateway.apigateway.ordering import Ordering
from build_gateway.socket import SEND_SECONDS, SocketGone
from build_gateway.viewers.events import resync

WAITING_CHARACTERS = 8 * 1024 * 1024
"""What may wait to be read: the windows of agents are smaller, so that only whoever keeps to none gets there."""


class ApiGatewaySocket:
    """A connection, shared by the tasks that read from it and write to it. `clock`: seconds, monotonic."""

    def __init__(
        self, connection_id: str, connections: Connections, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.connection_id = connection_id
        self._connections = connections
        self._clock = clock
        self._ordering = Ordering()
        self._waiting_characters = 0
        self._arrived = asyncio.Event()
        self._is_gone = False
        self._is_welcome = False
        self._opened_at = self._active_at = clock()
        self._sending_since: float | None = None

    # --- requests of API Gateway

    def deliver(self, text: str) -> None:
        """The client sent a frame."""
        self._active_at = self._clock()
        if self._waiting_characters + len(text) > WAITING_CHARACTERS:
            self.disconnected()
            return
        self._waiting_characters += len(text)
        self._ordering.put(text, self._active_at)
        self._arrived.set()

    def disconnected(self) -> None:
        """The client is gone."""
        self._is_gone = True
        self._arrived.set()

    # --- the session's side

    @property
    def is_stuck(self) -> bool:
        """Whether a post has been waiting for too long."""
        return self._sending_since is not None and self._clock() - self._sending_since > SEND_SECONDS

    async def receive(self) -> str | bytes:
        """The next frame. Raises SocketGone at the end, or once API Gateway must have ended it without a word."""
        while True:
            if self._is_gone:
                raise SocketGone
            if (text := self._ordering.take()) is not None:
                self._waiting_characters -= len(text)
                return text
            now = self._clock()
            ends_in = min(self._active_at + IDLE_SECONDS, self._opened_at + LIFE_SECONDS) + LATE_SECONDS - now
            lost_in = self._ordering.lost_in_seconds(now)
            wait = ends_in if lost_in is None else min(ends_in, lost_in)
            if wait <= 0:
                self.disconnected()
                await self._connections.delete(self.connection_id)
                raise SocketGone
            self._arrived.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._arrived.wait()

    async def send(self, text: str) -> None:
        """Send one frame. Raises SocketGone."""
        if self._is_gone:
            raise SocketGone
        if not self._is_welcome and '"WELCOME"' in text[:100]:
            self._is_welcome = True
            self._ordering.welcomed(text)
        self._sending_since = self._clock()
        try:
            await self._connections.post(self.connection_id, _fitting(text))
        except SocketGone:
            self.disconnected()
            raise
        self._active_at, self._sending_since = self._clock(), None

    def push(self, text: str) -> Awaitable[None] | None:
        """Return what to await: a post takes a while. Raises SocketGone."""
        if self._is_gone:
            raise SocketGone
        return self.send(text)

    async def close(self, code: Close, reason: str) -> None:
        """Say why this ends, as a frame: API Gateway closes with a code of its own. Twice is harmless."""
        if self._is_gone:
            return
        try:
            await self.send(Closed(code=code, reason=reason).to_json())
        except SocketGone:
            return
        self.disconnected()
        await self._connections.delete(self.connection_id)


def _fitting(text: str) -> str:
    """A frame that passes: rows and lines that do not are read by REST."""
    if len(text) * 4 <= MESSAGE_BYTES or len(text.encode()) <= MESSAGE_BYTES:
        return text
    frame = json.loads(text)
    build_id = frame.get("buildId") or frame.get("build", {}).get("id")
    return resync(build_id, "this is more than API Gateway lets through: read it")
