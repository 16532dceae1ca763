"""A bus as one service uses it, measured: how long confirms and settling take, what comes, what goes wrong."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from prometheus_client import CollectorRegistry, Counter, Histogram

from build_chassis.bus import Bus, Consumer, Delivery, Outgoing

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


def measured(bus: Bus, registry: CollectorRegistry, monotonic: Callable[[], float] = time.monotonic) -> Bus:
    """The same bus, with a service's metrics of it in this registry."""
    return cast("Bus", MeasuredBus(bus, registry, monotonic))


class MeasuredBus:
    """Whatever is not measured is the bus's own."""

    def __init__(self, bus: Bus, registry: CollectorRegistry, monotonic: Callable[[], float]) -> None:
        self._bus = bus
        self._monotonic = monotonic
        self._publish_seconds = Histogram(
            "bus_publish_seconds",
            "From a call to the broker's confirm of its last message, or to its failure.",
            ["result"],
            buckets=SECONDS,
            registry=registry,
        )
        self.deliveries = Counter("bus_deliveries", "Messages handed over.", ["queue"], registry=registry)
        self.settled = Counter(
            "bus_settled", "Messages acked, rejected or parked.", ["queue", "outcome"], registry=registry
        )
        self.settle_seconds = Histogram(
            "bus_settle_seconds",
            "From a delivery to its ack: how long a message is in work.",
            ["queue"],
            buckets=SECONDS,
            registry=registry,
        )

    def __getattr__(self, name: str) -> Any:
        """The bus's own."""
        return getattr(self._bus, name)

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """As the bus does."""
        begun_at, result = self._monotonic(), "failed"
        try:
            await self._bus.publish(messages)
            result = "confirmed"
        finally:
            self._publish_seconds.labels(result).observe(self._monotonic() - begun_at)

    @asynccontextmanager
    async def consume(self, queue: str, *, prefetch: int = 200) -> AsyncIterator[Consumer]:
        """As the bus does."""
        async with self._bus.consume(queue, prefetch=prefetch) as consumer:
            yield MeasuredConsumer(consumer, queue, self, self._monotonic)


class MeasuredConsumer(Consumer):
    """One queue's consumer; remembers since when what it handed over is in work."""

    def __init__(self, consumer: Consumer, queue: str, bus: MeasuredBus, monotonic: Callable[[], float]) -> None:
        self._consumer = consumer
        self._queue = queue
        self._bus = bus
        self._monotonic = monotonic
        self._fetched_at: dict[int, float] = {}

    async def fetch(self, limit: int) -> Sequence[Delivery]:
        """As the consumer does."""
        deliveries = await self._consumer.fetch(limit)
        now = self._monotonic()
        self._fetched_at.update((delivery.tag, now) for delivery in deliveries)
        self._bus.deliveries.labels(self._queue).inc(len(deliveries))
        return deliveries

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """As the consumer does."""
        await self._consumer.ack(deliveries)
        now, seconds = self._monotonic(), self._bus.settle_seconds.labels(self._queue)
        for delivery in deliveries:
            seconds.observe(now - self._fetched_at.pop(delivery.tag, now))
        self._count(deliveries, "acked")

    async def reject(self, deliveries: Sequence[Delivery]) -> None:
        """As the consumer does."""
        await self._consumer.reject(deliveries)
        self._count(deliveries, "rejected")

    async def park(self, delivery: Delivery, reason: str) -> None:
        """As the consumer does."""
        await self._consumer.park(delivery, reason)
        self._count([delivery], "parked")

    def _count(self, deliveries: Sequence[Delivery], outcome: str) -> None:
        for delivery in deliveries:
            self._fetched_at.pop(delivery.tag, None)
        self._bus.settled.labels(self._queue, outcome).inc(len(deliveries))
