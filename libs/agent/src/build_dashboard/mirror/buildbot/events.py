"""A master's events: they only make the mirror fast. What is true is read by REST, after each connection anew."""

import asyncio
import json
import logging
import random
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

logger = logging.getLogger("build_dashboard")

PATHS = ("builds/*/*", "steps/*/*", "logs/*/*")
PING_SECONDS = 20.0
BACKOFF_SECONDS = (1.0, 60.0)
MESSAGE_BYTES = 4 * 1024 * 1024


class Events:
    """Calls `take` with each event's path and row, and `connected` when all that comes from now on is received."""

    def __init__(
        self,
        base: str,
        cookies: Callable[[], str],
        take: Callable[[str, Mapping[str, Any]], None],
        connected: Callable[[], None],
    ) -> None:
        parts = urlsplit(base)
        scheme = "wss" if parts.scheme == "https" else "ws"
        self._url = urlunsplit((scheme, parts.netloc, f"{parts.path.rstrip('/')}/ws", "", ""))
        self._cookies = cookies
        self._take = take
        self._connected = connected
        self.is_connected = False

    async def run(self) -> None:
        """Receive for ever; without a WebSocket the mirror is slower, and nothing else."""
        failures = 0
        while True:
            try:
                await self._receive()
                failures = 0
            except (OSError, WebSocketException, ValueError, TimeoutError) as error:
                logger.debug("no events from %s: %s", self._url, error)
            if self.is_connected:
                failures = 0
            self.is_connected = False
            first, longest = BACKOFF_SECONDS
            failures = min(failures + 1, 10)
            await asyncio.sleep(min(longest, first * 2**failures) * random.uniform(0.5, 1))  # noqa: S311  (spreads load)

    async def _receive(self) -> None:
        headers = {"Cookie": cookies} if (cookies := self._cookies()) else None
        # The master answers pings of its own protocol, not always those of the socket.
        async with connect(
            self._url, additional_headers=headers, max_size=MESSAGE_BYTES, ping_interval=None, open_timeout=10
        ) as socket:
            for number, path in enumerate(PATHS, 1):
                await socket.send(json.dumps({"cmd": "startConsuming", "path": path, "_id": number}))
            waiting, number = set(range(1, len(PATHS) + 1)), len(PATHS)
            while True:
                try:
                    async with asyncio.timeout(PING_SECONDS):
                        message = json.loads(await socket.recv())
                except TimeoutError:
                    if number in waiting:
                        raise  # the last ping had no answer
                    number += 1
                    waiting.add(number)
                    await socket.send(json.dumps({"cmd": "ping", "_id": number}))
                    continue
                if "_id" in message:
                    waiting.discard(message["_id"])
                    if not waiting and not self.is_connected:
                        self.is_connected = True
                        self._connected()
                elif "k" in message:
                    self._take(str(message["k"]), message.get("m") or {})
