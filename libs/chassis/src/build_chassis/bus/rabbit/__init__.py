"""The bus on RabbitMQ.

Built on aio-pika without its robust layer: what that adds (replaying consumers, waiting without limit for a
connection) is what these promises must decide for themselves. Two connections: an alarm of the broker blocks those
that publish, never those that consume.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from aio_pika.exceptions import ChannelNotFoundEntity
from typing_extensions import override

from build_chassis.bus.contract import DEPTH_COUNTED, Bus, BusUnavailable, Outgoing, Parked
from build_chassis.bus.rabbit import declare
from build_chassis.bus.rabbit.announcer import Announcer
from build_chassis.bus.rabbit.consumer import RabbitConsumer
from build_chassis.bus.rabbit.link import LOST, Link, driven
from build_chassis.bus.rabbit.listener import RabbitListener
from build_chassis.bus.rabbit.parking import Parking
from build_chassis.bus.rabbit.publisher import Publisher
from build_chassis.bus.rabbit.rights import user_of

__all__ = ["RabbitBus"]
log = logging.getLogger(__name__)


class RabbitBus(Bus):
    """A Bus on the broker that an `amqp://` or `amqps://` URL names; it reconnects by itself once it was open."""

    def __init__(self, url: str) -> None:
        self._user = user_of(url)
        self._publishing = Link(url, "publish", declare.topology)
        self._consuming = Link(url, "consume")
        self._publisher = Publisher(self._publishing, self._user)
        self._announcer = Announcer(self._publishing)
        self._parking = Parking(self._consuming, self._publisher)
        self._turn = asyncio.Lock()

    @override
    async def open(self) -> None:
        async with self._turn:
            try:
                await self._publishing.open()
                await self._consuming.open()
            except BaseException:
                await self._publishing.close()
                raise

    @override
    async def close(self) -> None:
        async with self._turn:
            await self._publisher.close()
            await self._announcer.close()
            await self._consuming.close()
            await self._publishing.close()

    @override
    async def publish(self, messages: Sequence[Outgoing]) -> None:
        await self._publisher.publish(messages)

    @asynccontextmanager
    @override
    async def consume(self, queue: str, *, prefetch: int = 200) -> AsyncIterator[RabbitConsumer]:
        connection = await self._consuming.connection()
        consumer = RabbitConsumer(connection, queue, prefetch, publisher=self._publisher, user=self._user)
        try:
            await consumer.start()
            yield consumer
        except BusUnavailable as error:
            if isinstance(error.__cause__, ChannelNotFoundEntity):
                await self._declare_again()
            raise
        finally:
            await consumer.stop()

    @override
    async def announce(self, exchange: str, routing_key: str, body: bytes) -> None:
        """Best effort: handed to the connection if there is one, in order, dropped when too many wait."""
        self._announcer.announce(exchange, routing_key, body)

    @override
    def listen(self, exchange: str, *keys: str, capacity: int = 10_000) -> AbstractAsyncContextManager[RabbitListener]:
        """Receive announcements while the context lasts, over reconnections too. Raises BusUnavailable at its start."""
        return RabbitListener.opened(self._consuming, exchange, keys, capacity)

    @override
    async def parked(self) -> list[Parked]:
        return await self._parking.list()

    @override
    async def count_parked(self) -> int:
        return await self._parking.count()

    @override
    async def depths(self) -> Mapping[str, int]:
        try:
            with driven():
                found = await declare.depths(await self._consuming.connection())
        except LOST as error:
            raise BusUnavailable(str(error) or "no connection to the broker") from error
        return {name: min(count, DEPTH_COUNTED) for name, count in found.items()}

    @override
    async def replay_parked(self, ids: Collection[str]) -> int:
        return await self._parking.replay(ids)

    @override
    async def drop_parked(self, ids: Collection[str]) -> int:
        return await self._parking.drop(ids)

    @override
    async def replay_returned(self, service: str) -> int:
        return await self._parking.replay_returned(service)

    @override
    async def probe(self) -> None:
        """Return while connected; of an alarm, which stops those who publish only, `blocked` informs."""
        if not (self._publishing.is_open and self._consuming.is_open):
            raise BusUnavailable("no connection to the broker")

    @override
    async def missing(self) -> list[str]:
        if not (self._publishing.is_open and self._consuming.is_open):
            return ["connection"]
        try:
            with driven():
                return await declare.missing_queues(await self._consuming.connection())
        except LOST:
            return ["connection"]

    async def _declare_again(self) -> None:
        # Somebody deleted the queue. Its messages are gone from here, not from the agents' spools.
        log.error("declaring the topology again: a queue is gone")
        with suppress(*LOST), driven():
            await declare.topology(await self._publishing.connection())

    @property
    @override
    def blocked(self) -> bool:
        """The broker is away, has an alarm (memory, disk), or has not confirmed anything for seconds."""
        return not self._publishing.is_open or self._publishing.is_blocked or self._publisher.is_stalled
