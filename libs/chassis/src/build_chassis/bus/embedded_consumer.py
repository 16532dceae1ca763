"""Consuming a queue of the embedded bus: who is served, and what each consumer holds unsettled."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from typing_extensions import override

from build_chassis.bus.backlog import Backlog
from build_chassis.bus.contract import DELIVERY_LIMIT_EXCEEDED, BusUnavailable, Consumer, Delivery


class QueueOwner(Protocol):
    """What a consumer asks of the bus that its queue is of."""

    async def missing(self) -> list[str]:
        """What the bus lacks, so that nothing is delivered."""
        ...

    async def load(self, queue: "EmbeddedQueue") -> None:
        """Read what comes next from the file when memory has nothing ready; raises BusUnavailable."""
        ...

    def take(self, queue: "EmbeddedQueue", limit: int) -> list[Delivery]:
        """The next deliveries that are ready, at most `limit`."""
        ...

    def has_more(self, queue: "EmbeddedQueue") -> bool:
        """Whether there is something to take."""
        ...

    def is_exhausted(self, delivery: Delivery) -> bool:
        """Whether a message took the process down so often that nobody was left to reject it."""
        ...

    def settle(self, queue: "EmbeddedQueue", positions: Sequence[int]) -> None:
        """Never deliver these again."""
        ...

    async def give_back(self, queue: "EmbeddedQueue", positions: Sequence[int]) -> None:
        """Deliver these again in order; those beyond the delivery limit become dead letters."""
        ...

    async def bury(self, queue: "EmbeddedQueue", position: int, reason: str) -> None:
        """Keep a dead letter on disk, then settle its message; raises PublishFailed."""
        ...


class EmbeddedConsumer(Consumer):
    """A Consumer of the embedded bus; tags are positions."""

    def __init__(self, bus: QueueOwner, queue: "EmbeddedQueue", prefetch: int) -> None:
        self._bus = bus
        self._queue = queue
        self._prefetch = prefetch
        self._unsettled: set[int] = set()
        self._changed = asyncio.Event()

    @override
    async def fetch(self, limit: int) -> Sequence[Delivery]:
        while True:
            self._changed.clear()
            room = min(limit, self._prefetch - len(self._unsettled))
            if room > 0 and self._queue.is_served_by(self):
                await self._bus.load(self._queue)
                deliveries = self._bus.take(self._queue, room)
                self._unsettled.update(delivery.tag for delivery in deliveries)
                exhausted = [delivery for delivery in deliveries if self._bus.is_exhausted(delivery)]
                for delivery in exhausted:
                    await self.park(delivery, DELIVERY_LIMIT_EXCEEDED)
                if len(deliveries) > len(exhausted):
                    return [delivery for delivery in deliveries if delivery not in exhausted]
                if self._bus.has_more(self._queue):
                    continue
            if await self._bus.missing():
                raise BusUnavailable("the bus is closed")
            await self._changed.wait()

    @override
    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        self._bus.settle(self._queue, self._release(deliveries))

    @override
    async def reject(self, deliveries: Sequence[Delivery]) -> None:
        await self._bus.give_back(self._queue, self._release(deliveries))

    @override
    async def park(self, delivery: Delivery, reason: str) -> None:
        await self._bus.bury(self._queue, delivery.tag, reason)
        self._release([delivery])

    async def leave(self) -> None:
        """Give back what was not settled."""
        unsettled, self._unsettled = sorted(self._unsettled), set()
        if not await self._bus.missing():
            await self._bus.give_back(self._queue, unsettled)

    def wake(self) -> None:
        """Something may be there to fetch."""
        self._changed.set()

    def _release(self, deliveries: Sequence[Delivery]) -> list[int]:
        tags = [delivery.tag for delivery in deliveries if delivery.tag in self._unsettled]
        self._unsettled.difference_update(tags)
        self._changed.set()
        return tags


class EmbeddedQueue:
    """A queue and those who consume it."""

    def __init__(self, backlog: Backlog, single_active: bool) -> None:
        self.backlog = backlog
        self.single_active = single_active
        self.consumers: list[EmbeddedConsumer] = []

    def is_served_by(self, consumer: EmbeddedConsumer) -> bool:
        """Whether deliveries go to this consumer: of a single-active queue, to the first that came."""
        return not self.single_active or (bool(self.consumers) and self.consumers[0] is consumer)

    def wake(self) -> None:
        """Something may be there to fetch."""
        for consumer in self.consumers:
            consumer.wake()
