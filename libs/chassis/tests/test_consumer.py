"""Settlement: what a handler does decides what becomes of its deliveries."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from build_chassis.backoff import Backoff
from build_chassis.bus import Delivery, EmbeddedBus, Outgoing
from build_chassis.consumer import BatchHandler, run_consumer
from build_chassis.errors import PoisonMessage, StoreUnavailable
from build_chassis.health import Health

QUEUE = "ingest.3"
KEY = "3.BUILD_LOG.torch-mlir"


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[EmbeddedBus]:
    opened = EmbeddedBus(tmp_path / "bus.sqlite", delivery_limit=5)
    await opened.open()
    yield opened
    await opened.close()


class Consuming:
    """A consumer running beside the test."""

    def __init__(self, bus: EmbeddedBus, handle: BatchHandler) -> None:
        self.store_is_up = asyncio.Event()
        self.store_is_up.set()
        self.asked_store = 0
        self._task = asyncio.create_task(
            run_consumer(bus, QUEUE, handle, health=Health(self._ping), backoff=Backoff(0.001, 0.002))
        )

    async def _ping(self) -> None:
        self.asked_store += 1
        if not self.store_is_up.is_set():
            raise StoreUnavailable("test", "down")

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        assert self._task.cancelled()


async def publish(bus: EmbeddedBus, *bodies: str) -> None:
    await bus.publish([Outgoing(KEY, body.encode(), {"build_id": "b"}) for body in bodies])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  the condition is plain data
            await asyncio.sleep(0.001)


async def remaining(bus: EmbeddedBus) -> list[str]:
    """What is still in the queue, seen by publishing a last message behind it."""
    await publish(bus, "end")
    seen: list[str] = []
    async with bus.consume(QUEUE) as consumer:
        while "end" not in seen:
            deliveries = await consumer.fetch(100)
            seen += [delivery.body.decode() for delivery in deliveries]
            await consumer.ack(deliveries)
    return seen[:-1]


async def test_what_a_handler_took_is_never_delivered_again(bus: EmbeddedBus) -> None:
    """Return means ack."""
    seen: list[str] = []

    async def handle(deliveries: Sequence[Delivery]) -> None:
        seen.extend(delivery.body.decode() for delivery in deliveries)

    consuming = Consuming(bus, handle)
    await publish(bus, "a", "b", "c")
    await until(lambda: len(seen) == 3)
    await consuming.stop()

    assert seen == ["a", "b", "c"]
    assert await remaining(bus) == []


async def test_exactly_the_poison_is_parked_with_its_reason(bus: EmbeddedBus) -> None:
    """Its neighbours in the batch are handled, in order."""
    taken: list[str] = []

    async def handle(deliveries: Sequence[Delivery]) -> None:
        if any(delivery.body == b"poison" for delivery in deliveries):
            raise PoisonMessage("cannot be read")
        taken.extend(delivery.body.decode() for delivery in deliveries)

    await publish(bus, "a", "poison", "b")
    consuming = Consuming(bus, handle)
    await until(lambda: taken == ["a", "b"])
    await consuming.stop()

    parked = [(one.queue, one.message.body, one.reason) for one in await bus.dead_letters()]
    assert parked == [(QUEUE, b"poison", "PoisonMessage: cannot be read")]
    assert await remaining(bus) == []


async def test_while_its_store_is_away_a_consumer_waits(bus: EmbeddedBus) -> None:
    """Nothing is lost, nothing is parked, and the handler is not called again before the store answers."""
    calls: list[list[str]] = []
    consuming: Consuming

    async def handle(deliveries: Sequence[Delivery]) -> None:
        calls.append([delivery.body.decode() for delivery in deliveries])
        if not consuming.store_is_up.is_set():
            raise StoreUnavailable("test", "down")

    consuming = Consuming(bus, handle)
    await until(lambda: consuming.asked_store == 1)
    consuming.store_is_up.clear()
    await publish(bus, "a", "b")
    await until(lambda: consuming.asked_store >= 4)
    assert calls == [["a", "b"]]
    consuming.store_is_up.set()
    await until(lambda: len(calls) == 2)
    await consuming.stop()

    assert calls[1] == ["a", "b"]
    assert await bus.dead_letters() == []
    assert await remaining(bus) == []


async def test_a_message_nobody_can_handle_is_counted_out_alone(bus: EmbeddedBus) -> None:
    """An unforeseen error goes back until the limit; the neighbours it was fetched with are not dead-lettered."""
    taken: list[str] = []

    async def handle(deliveries: Sequence[Delivery]) -> None:
        if any(delivery.body == b"bug" for delivery in deliveries):
            raise RuntimeError("nobody foresaw this")
        taken.extend(delivery.body.decode() for delivery in deliveries)

    await publish(bus, "bug", *(f"good {n}" for n in range(20)))
    consuming = Consuming(bus, handle)
    await until(lambda: len(taken) >= 20)
    await consuming.stop()

    assert taken == [f"good {n}" for n in range(20)]
    assert [(one.message.body, one.attempts) for one in await bus.dead_letters()] == [(b"bug", 6)]
    assert await remaining(bus) == []


async def test_cancelling_finishes_what_is_in_flight(bus: EmbeddedBus) -> None:
    """A batch whose handler has begun is finished and acked; what comes after stays in the queue."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    finished: list[str] = []

    async def handle(deliveries: Sequence[Delivery]) -> None:
        begun.set()
        await go_on.wait()
        finished.extend(delivery.body.decode() for delivery in deliveries)

    consuming = Consuming(bus, handle)
    await publish(bus, "first")
    await begun.wait()
    await publish(bus, "second")
    stopping = asyncio.create_task(consuming.stop())
    await asyncio.sleep(0)
    go_on.set()
    await stopping

    assert finished == ["first"]
    assert await remaining(bus) == ["second"]


async def test_a_bus_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    """The consumer comes back by itself and goes on where it was."""
    bus = EmbeddedBus(tmp_path / "bus.sqlite")
    await bus.open()
    seen: list[str] = []

    async def handle(deliveries: Sequence[Delivery]) -> None:
        seen.extend(delivery.body.decode() for delivery in deliveries)

    consuming = Consuming(bus, handle)
    await publish(bus, "before")
    await until(lambda: seen == ["before"])
    await bus.close()
    await asyncio.sleep(0.01)
    await bus.open()
    await publish(bus, "after")
    await until(lambda: seen == ["before", "after"])
    await consuming.stop()
    await bus.close()


def test_backoff_doubles_to_its_cap_and_begins_again() -> None:
    """Windows 1, 2, 4, 4 seconds; reset goes back to the first."""
    backoff = Backoff(1, 4, draw=lambda: 1.0)

    assert [backoff.next_seconds() for _ in range(4)] == [1, 2, 4, 4]
    backoff.reset()
    assert backoff.next_seconds() == 1
