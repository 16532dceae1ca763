"""Announcing on the live exchanges: unconfirmed, numbered so that listeners notice what was dropped."""

import asyncio
import logging
import secrets
from collections import OrderedDict, deque
from contextlib import suppress

from aio_pika import Message
from aio_pika.abc import AbstractChannel

from build_chassis.bus.contract import BusUnavailable
from build_chassis.bus.rabbit.link import LOST, Link, discard, driven, open_channel

log = logging.getLogger(__name__)

PUBLISHER_HEADER = "publisher"
NUMBER_HEADER = "n"
WAITING = 10_000
WAITING_BYTES = 16 * 1024**2
KEYS_NUMBERED = 10_000
FLUSH_SECONDS = 1.0
START_SECONDS = 10.0


class Numbers:
    """Numbers announcements per routing key: 1, 2, 3, ... for as long as the key is in use."""

    def __init__(self, capacity: int = KEYS_NUMBERED) -> None:
        self._last: OrderedDict[str, int] = OrderedDict()
        self._capacity = capacity

    def next(self, key: str) -> int:
        """The next number of this key; a key unused for long begins again."""
        number = self._last.pop(key, 0) + 1
        self._last[key] = number
        if len(self._last) > self._capacity:
            self._last.popitem(last=False)
        return number


class Announcer:
    """A bounded line to an unconfirmed channel: what finds no room, or no connection, is dropped."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._name = secrets.token_hex(8)
        self._numbers = Numbers()
        self._waiting: deque[tuple[str, str, bytes, int]] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._sending: asyncio.Task[None] | None = None
        self._channel: AbstractChannel | None = None

    def announce(self, exchange: str, routing_key: str, body: bytes) -> None:
        """Put it in the line; the oldest makes room."""
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all(), name="amqp-announcer")
        self._waiting.append((exchange, routing_key, body, self._numbers.next(f"{exchange} {routing_key}")))
        self._waiting_bytes += len(body)
        while len(self._waiting) > WAITING or self._waiting_bytes > WAITING_BYTES:
            self._waiting_bytes -= len(self._waiting.popleft()[2])
        self._is_idle.clear()
        self._changed.set()

    async def close(self) -> None:
        """Send what waits, if that takes no time, then stop."""
        if self._sending is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._is_idle.wait()
        self._sending.cancel()
        await asyncio.wait([self._sending])
        self._sending = None
        if self._channel is not None:
            await discard(self._channel)

    async def _send_all(self) -> None:
        while True:
            while self._waiting:
                exchange, routing_key, body, number = self._waiting.popleft()
                self._waiting_bytes -= len(body)
                try:
                    with driven():
                        await self._send(exchange, routing_key, body, number)
                except (*LOST, BusUnavailable) as error:
                    log.debug("dropped an announcement of %s: %s", routing_key, error)
                    channel, self._channel = self._channel, None
                    if channel is not None:
                        await discard(channel)
            self._is_idle.set()
            self._changed.clear()
            await self._changed.wait()

    async def _send(self, exchange: str, routing_key: str, body: bytes, number: int) -> None:
        if self._channel is None or self._channel.is_closed:
            connection = await self._link.connection()
            async with asyncio.timeout(START_SECONDS):
                self._channel = await open_channel(connection)
        live = await self._channel.get_exchange(exchange, ensure=False)
        message = Message(body, headers={PUBLISHER_HEADER: self._name, NUMBER_HEADER: number})
        await live.publish(message, routing_key, mandatory=False)
