"""An outage never counts against a message: real stores that can be read but not written, for longer than the limit."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest
from build_chassis.backoff import Backoff
from build_chassis.bus import BusUnavailable, Delivery, EmbeddedBus, Outgoing
from build_chassis.consumer import HOLD_SECONDS, BatchHandler, consumer_duty, run_consumer
from build_chassis.errors import StoreUnavailable
from build_chassis.health import Health
from build_chassis.replay import HEALTHY_SECONDS, replay_duty
from build_chassis.store.sql import SqlEngine
from build_chassis.supervisor import supervised
from build_testkit.openings import IN_USE, locked, small_disk
from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, Table, insert, select

LIMIT = 5
QUEUE, KEY = "history.builds", "3.BUILD_VERDICT.torch-mlir"
metadata = MetaData()
handled = Table("handled", metadata, Column("id", Integer, primary_key=True), Column("body", LargeBinary))


class Service:
    """A consumer that stores what it is given, with a clock that tests move."""

    def __init__(self, bus: EmbeddedBus, store: SqlEngine, handle: BatchHandler | None = None) -> None:
        self.tries = 0
        self.probes = 0
        self.attempts: list[int] = []
        self.now = 0.0
        self._store = store
        self.health = Health(self._ping, lambda: self.now)
        self._task = asyncio.create_task(
            run_consumer(
                bus,
                QUEUE,
                handle or self._handle,
                health=self.health,
                backoff=Backoff(0.001, 0.002),
                monotonic=lambda: self.now,
            )
        )

    async def _ping(self) -> None:
        self.probes += 1
        await self._store.ping()

    async def _handle(self, deliveries: Sequence[Delivery]) -> None:
        self.tries += 1
        self.attempts += [delivery.attempt for delivery in deliveries]
        rows = [{"body": delivery.body.ljust(4096)} for delivery in deliveries]
        await self._store.write(lambda connection: connection.execute(insert(handled), rows))

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


def _stored(connection: Connection) -> list[bytes]:
    return [body.strip() for body in connection.execute(select(handled.c.body).order_by(handled.c.id)).scalars()]


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[EmbeddedBus]:
    bus = EmbeddedBus(tmp_path / "bus.sqlite", delivery_limit=LIMIT)
    await bus.open()
    yield bus
    await bus.close()


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqlEngine]:
    store = SqlEngine(f"sqlite:///{path}")
    await store.migrate(metadata)
    await store.write(lambda connection: connection.exec_driver_sql("pragma busy_timeout=1"))
    try:
        yield store
    finally:
        await store.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  the condition is plain data
            await asyncio.sleep(0.001)


async def publish(bus: EmbeddedBus, *bodies: str) -> None:
    await bus.publish([Outgoing(KEY, body.encode()) for body in bodies])


async def all_stored(store: SqlEngine, *bodies: str) -> None:
    async with asyncio.timeout(10):
        while (found := await store.read(_stored)) != [body.encode() for body in bodies]:
            assert len(found) <= len(bodies)
            await asyncio.sleep(0.005)


async def consuming(bus: EmbeddedBus, store: SqlEngine) -> Service:
    """A service that has its first message."""
    service = Service(bus, store)
    await publish(bus, "first")
    await until(lambda: bool(service.attempts))
    return service


async def _probed(service: Service, times: int) -> None:
    """Wait until it has asked its store so often."""
    await until(lambda: service.probes >= times)


async def outlast(service: Service) -> None:
    """Time passes: ten times what messages are held for, and far more probes than a message may come back."""
    for _ in range(10):
        enough = service.probes + 3
        service.now += HOLD_SECONDS
        await until(lambda: service.probes >= enough)  # noqa: B023  awaited before the next round


async def test_a_disk_that_is_full_for_hours_counts_against_no_message(bus: EmbeddedBus, tmp_path: Path) -> None:
    """Everything is handled once there is room, and nothing was set aside."""
    with small_disk(tmp_path / "disk") as disk:
        async with opened(disk.path / "store.sqlite") as store:
            service = await consuming(bus, store)
            disk.fill()
            bodies = [f"message {number}" for number in range(60)]  # more than what the file has room for
            await publish(bus, *bodies)
            await until(lambda: service.probes > 2)
            await outlast(service)
            disk.grow()
            await all_stored(store, "first", *bodies)
            await service.stop()

    assert await bus.parked() == []
    assert max(service.attempts) <= 3


async def test_a_lock_held_for_hours_counts_against_no_message(bus: EmbeddedBus, tmp_path: Path) -> None:
    """A backup, a shell or a long change of a table."""
    path = tmp_path / "store.sqlite"
    async with opened(path) as store:
        service = await consuming(bus, store)
        with locked(path, *IN_USE):
            await publish(bus, "a", "b")
            await until(lambda: service.probes > 2)
            await outlast(service)
        await all_stored(store, "first", "a", "b")
        await service.stop()

    assert await bus.parked() == []
    assert max(service.attempts) <= 3


async def test_a_service_that_starts_in_an_outage_takes_no_message(bus: EmbeddedBus, tmp_path: Path) -> None:
    """However often it is started again: a process that dies with messages would count for each of them."""
    path = tmp_path / "store.sqlite"
    async with opened(path) as store:
        with locked(path, *IN_USE):
            await publish(bus, "a", "b")
            for _ in range(LIMIT * 2):
                service = Service(bus, store)
                await _probed(service, 2)
                await service.stop()
                assert service.tries == 0
        service = Service(bus, store)
        await all_stored(store, "a", "b")
        await service.stop()
    assert service.attempts == [1, 1]


async def test_a_store_whose_first_openings_fail_under_load_loses_nothing(bus: EmbeddedBus, tmp_path: Path) -> None:
    """Messages arrive all the while; once it is open they are handled, in order, at their first attempt."""
    path = tmp_path / "store.sqlite"
    store = SqlEngine(f"sqlite:///{path}?timeout=0")
    openings: list[None] = []
    attempts: list[int] = []

    async def open_store() -> None:
        openings.append(None)
        await store.migrate(metadata)

    async def handle(deliveries: Sequence[Delivery]) -> None:
        attempts.extend(delivery.attempt for delivery in deliveries)
        rows = [{"body": delivery.body} for delivery in deliveries]
        await store.write(lambda connection: connection.execute(insert(handled), rows))

    health = Health(store.ping)
    duties = [consumer_duty(bus, QUEUE, handle, health=health, prefetch=50), replay_duty(bus, "history", health)]
    bodies = [f"message {number}" for number in range(400)]
    with locked(path) as release:
        async with supervised("history", duties, open_store=open_store, first_try_seconds=0.05):
            for first in range(0, 400, 10):
                await publish(bus, *bodies[first : first + 10])
                await asyncio.sleep(0.01)
            await until(lambda: len(openings) > 3)
            release()
            await until(lambda: len(attempts) >= 400)
            await all_stored(store, *bodies)
    await store.close()

    assert attempts == [1] * 400
    assert await bus.parked() == []


async def test_an_outage_that_is_soon_over_counts_not_at_all(bus: EmbeddedBus, tmp_path: Path) -> None:
    """However often it comes: a store that flaps a hundred times, as at elections, sets nothing aside."""
    refusals = count()
    seen: list[tuple[bytes, int]] = []

    async def handle(deliveries: Sequence[Delivery]) -> None:
        if next(refusals) % 20:
            raise StoreUnavailable("history", "not primary")
        seen.extend((delivery.body, delivery.attempt) for delivery in deliveries)

    next(refusals)
    async with opened(tmp_path / "store.sqlite") as store:
        await publish(bus, "a", "b", "c")
        service = Service(bus, store, handle)
        await until(lambda: len(seen) == 3)
        await service.stop()

    assert seen == [(b"a", 1), (b"b", 1), (b"c", 1)]


async def test_what_a_handler_raises_while_its_store_is_away_is_the_stores(bus: EmbeddedBus, tmp_path: Path) -> None:
    """A driver's error that nobody foresaw is no fault of the message, as long as a probe fails, too."""
    tries = count(1)
    seen: list[int] = []
    path = tmp_path / "store.sqlite"

    async with opened(path) as store:

        async def handle(deliveries: Sequence[Delivery]) -> None:
            next(tries)
            try:
                await store.ping()
            except StoreUnavailable as error:
                raise KeyError("half an answer") from error
            seen.extend(delivery.attempt for delivery in deliveries)

        service = Service(bus, store, handle)
        await publish(bus, "first")
        await until(lambda: bool(seen))
        with locked(path, *IN_USE):
            before = next(tries)
            await publish(bus, "a")
            await until(lambda: service.probes > 2)
            await outlast(service)
        await until(lambda: len(seen) == 2)
        await service.stop()

    assert next(tries) > before + 2
    assert await bus.parked() == []
    assert max(seen) <= 3


async def test_what_came_back_too_often_replays_itself_after_ten_healthy_minutes(
    bus: EmbeddedBus, tmp_path: Path
) -> None:
    """At most three times, each after ten minutes without any outage; then it waits for a person."""
    delivered: list[str] = []

    async def handle(deliveries: Sequence[Delivery]) -> None:
        delivered.extend(delivery.headers.get("replays", "0") for delivery in deliveries)
        raise RuntimeError("a defect")

    async with opened(tmp_path / "store.sqlite") as store:
        service = Service(bus, store, handle)
        step = replay_duty(bus, "history", service.health).step
        await publish(bus, "a")
        for replays in range(4):
            await _count_parked(bus, 1)
            assert set(delivered) == {str(replays)}
            (parked,) = await bus.parked()
            assert (parked.is_final, parked.replays, parked.attempts) == (False, replays, LIMIT + 1)
            delivered.clear()

            await step()
            service.now += HEALTHY_SECONDS - 1
            assert await step() == 0  # not yet
            service.health.fail()
            await step()
            service.now += HEALTHY_SECONDS - 1
            assert await step() == 0  # an outage begins the time anew
            service.now += 1
            assert await step() == 1
            service.health.fail()
        (parked,) = await bus.parked()
        await service.stop()

    assert (parked.is_final, parked.replays, parked.queue, parked.message.routing_key) == (True, 3, QUEUE, KEY)
    assert parked.reason == "delivery limit exceeded again after every replay"


async def _count_parked(bus: EmbeddedBus, expected: int) -> None:
    async with asyncio.timeout(10):
        while await bus.count_parked() != expected:  # noqa: ASYNC110
            await asyncio.sleep(0.002)


async def test_a_bus_on_a_full_disk_says_so_and_loses_no_message(tmp_path: Path) -> None:
    """Not even one that should be set aside just then: it is, once there is room."""
    with small_disk(tmp_path / "disk") as disk:
        bus = EmbeddedBus(disk.path / "bus.sqlite", delivery_limit=2)
        await bus.open()
        await publish(bus, "a", "b")
        disk.fill()
        with pytest.raises(BusUnavailable) as full:
            await _exhaust(bus)
        assert full.value.hint.startswith("bus.sqlite has no space left on its disk")

        for _ in range(5):
            async with bus.consume(QUEUE, prefetch=1) as consumer:
                try:
                    await consumer.reject(await consumer.fetch(1))
                except Exception:  # noqa: BLE001  whatever a full disk makes of it
                    continue
        disk.grow()
        await bus.probe()
        async with bus.consume(QUEUE) as consumer, asyncio.timeout(5):
            assert [delivery.body for delivery in await consumer.fetch(10)] == [b"b"]
        (parked,) = await bus.parked()
        assert parked.message.body == b"a"
        await bus.close()


async def _exhaust(bus: EmbeddedBus) -> None:
    for _ in range(2000):
        await bus.probe()
