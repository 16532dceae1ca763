"""Listening on a live exchange: an exclusive queue of the broker's naming, made anew after every reconnection."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Self

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from build_protocol import topology
from typing_extensions import override

from build_chassis.backoff import Backoff
from build_chassis.bus.announcements import Mailbox
from build_chassis.bus.contract import Announcement, BusUnavailable, Listener
from build_chassis.bus.rabbit.announcer import KEYS_NUMBERED, NUMBER_HEADER, PUBLISHER_HEADER
from build_chassis.bus.rabbit.link import LOST, Link, discard, driven, open_channel

log = logging.getLogger(__name__)

START_SECONDS = 10.0


class Gaps:
    """Notices numbers that were left out, per publisher and routing key."""

    def __init__(self, capacity: int = 4 * KEYS_NUMBERED) -> None:
        self._last: OrderedDict[tuple[object, str], int] = OrderedDict()
        self._capacity = capacity

    def is_after_gap(self, publisher: object, key: str, number: int) -> bool:
        """Whether some of this key were dropped before this one; a first, or a smaller, number begins anew."""
        last = self._last.pop((publisher, key), None)
        self._last[publisher, key] = number
        if len(self._last) > self._capacity:
            self._last.popitem(last=False)
        return last is not None and number > last + 1

    def forget(self, pattern: str) -> None:
        """A pattern is bound or unbound: what was announced under its keys meanwhile was not for us."""
        for publisher, key in [known for known in self._last if topology.matches(pattern, known[1])]:
            del self._last[publisher, key]


class RabbitListener(Listener):
    """A Listener on RabbitMQ."""

    def __init__(self, link: Link, exchange: str, keys: Sequence[str], capacity: int) -> None:
        self._link = link
        self._exchange = exchange
        self._keys = dict.fromkeys(keys or ("",))
        self._capacity = capacity
        self._mailbox = Mailbox(capacity)
        self._gaps = Gaps()
        self._queue: AbstractQueue | None = None

    @classmethod
    @asynccontextmanager
    async def opened(cls, link: Link, exchange: str, keys: Sequence[str], capacity: int) -> AsyncIterator[Self]:
        """A listener that receives while the context lasts. Raises BusUnavailable when it cannot begin."""
        listener = cls(link, exchange, keys, capacity)
        channel = await listener._attach()
        keeping = asyncio.create_task(listener._keep(channel), name=f"amqp-listen {exchange}")
        try:
            yield listener
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])
            listener._mailbox.close()

    @override
    async def bind(self, key: str) -> None:
        if key in self._keys:
            return
        self._keys[key] = None
        self._gaps.forget(key)
        if self._queue is not None:
            with suppress(*LOST), driven():  # lost meanwhile: the next channel binds all keys
                await self._queue.bind(self._exchange, key)

    @override
    async def unbind(self, key: str) -> None:
        if self._keys.pop(key, False) is False:
            return
        self._gaps.forget(key)
        if self._queue is not None:
            with suppress(*LOST), driven():
                await self._queue.unbind(self._exchange, key)

    def __aiter__(self) -> AsyncIterator[Announcement]:
        """Announcements as they come; ends when the listener is closed."""
        return aiter(self._mailbox)

    async def _keep(self, channel: AbstractChannel) -> None:
        backoff = Backoff()
        while True:
            try:
                await channel.closed()
            finally:
                self._queue = None
                await discard(channel)
            backoff.reset()
            channel = await self._attach_again(backoff)
            # Not before: what is announced until we listen again would be missed, unnoticed.
            self._mailbox.miss()

    async def _attach_again(self, backoff: Backoff) -> AbstractChannel:
        while True:
            await asyncio.sleep(backoff.next_seconds())
            try:
                return await self._attach()
            except BusUnavailable as error:
                log.info("waiting to listen on %s: %s", self._exchange, error)

    async def _attach(self) -> AbstractChannel:
        connection = await self._link.connection()
        channel: AbstractChannel | None = None
        try:
            async with asyncio.timeout(START_SECONDS):
                with driven():
                    channel = await open_channel(connection)
                    # A name of our own could still be held by our last connection when we are back.
                    queue = await channel.declare_queue(
                        "", exclusive=True, auto_delete=True, arguments={"x-max-length": self._capacity}
                    )
                    for key in list(self._keys):
                        await queue.bind(self._exchange, key)
                    await queue.consume(self._receive, no_ack=True)
        except BaseException as error:
            if channel is not None:  # its queue would fill up, and nobody would read it
                await discard(channel)
            if not isinstance(error, LOST):
                raise
            raise BusUnavailable(f"exchange {self._exchange}: {error or type(error).__name__}") from error
        self._queue = queue
        return channel

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        # In a task per message, begun in the broker's order: it must not wait for anything.
        key, number = message.routing_key or "", message.headers.get(NUMBER_HEADER)
        if isinstance(number, int) and self._gaps.is_after_gap(message.headers.get(PUBLISHER_HEADER), key, number):
            self._mailbox.miss()
        self._mailbox.put(Announcement(key, message.body))
