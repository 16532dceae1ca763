"""What a bus promises, on both drivers: the embedded file and a real RabbitMQ."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from build_chassis.bus import Announcement, Bus, Consumer, Delivery, Listener, Outgoing, Parked, PublishFailed
from build_chassis.measured_bus import measured
from build_protocol import topology
from prometheus_client import CollectorRegistry

from .conftest import Driver

SHARD = topology.ingest_queue(5)
KEY = "5.BUILD_LOG.torch-mlir"


def message(body: object, key: str = KEY) -> Outgoing:
    return Outgoing(key, str(body).encode(), {"agent": "a1", "seq": str(body)})


def bodies(deliveries: Sequence[Delivery]) -> list[str]:
    return [delivery.body.decode() for delivery in deliveries]


async def take(consumer: Consumer, count: int, *, ack: bool = True) -> list[Delivery]:
    """Exactly this many deliveries, in as many fetches as it takes."""
    taken: list[Delivery] = []
    async with asyncio.timeout(10):
        while len(taken) < count:
            deliveries = await consumer.fetch(count - len(taken))
            if ack:
                await consumer.ack(deliveries)
            taken += deliveries
    return taken


async def nothing_comes(consumer: Consumer, bus: Bus) -> bool:
    """Whether the next delivery is the one published now, so that nothing was waiting before it."""
    await bus.publish([message("last")])
    (last,) = await take(consumer, 1)
    return last.body == b"last"


async def eventually(ask: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not await ask():  # noqa: ASYNC110  a broker's state has no event
            await asyncio.sleep(0.02)


async def received(listener: Listener, count: int) -> list[Announcement]:
    found: list[Announcement] = []
    async with asyncio.timeout(10):
        async for announcement in listener:
            found.append(announcement)
            if len(found) == count:
                break
    return found


async def test_messages_arrive_whole_and_in_order(bus: Bus) -> None:
    """Key, body and headers as sent; the order of a queue is the order of publishing."""
    await bus.publish([message(n) for n in range(500)])

    async with bus.consume(SHARD) as consumer:
        deliveries = await take(consumer, 500)

    assert bodies(deliveries) == [str(n) for n in range(500)]
    first = deliveries[0]
    assert (first.routing_key, first.headers, first.attempt) == (KEY, {"agent": "a1", "seq": "0"}, 1)


async def test_overlapping_publishes_keep_the_order_of_the_calls(bus: Bus) -> None:
    """A caller need not wait for one call's confirm before it makes the next."""
    await asyncio.gather(*(bus.publish([message(n), message(n + 1)]) for n in range(0, 400, 2)))

    async with bus.consume(SHARD) as consumer:
        assert bodies(await take(consumer, 400)) == [str(n) for n in range(400)]


async def test_what_was_confirmed_outlives_the_bus(driver: Driver) -> None:
    """Confirmed means on disk: another bus on the same ground delivers it."""
    first = await driver.open()
    await first.publish([message(n) for n in range(10)])
    await first.close()

    second = await driver.open()
    async with second.consume(SHARD) as consumer:
        assert bodies(await take(consumer, 10)) == [str(n) for n in range(10)]


async def test_what_was_acked_never_comes_again(driver: Driver) -> None:
    """Neither to the next consumer, nor after a restart."""
    first = await driver.open()
    await first.publish([message(n) for n in range(4)])
    async with first.consume(SHARD) as consumer:
        await take(consumer, 3)
    async with first.consume(SHARD) as consumer:
        assert bodies(await take(consumer, 1)) == ["3"]
    await first.close()

    second = await driver.open()
    async with second.consume(SHARD) as consumer:
        assert await nothing_comes(consumer, second)


async def test_what_was_not_settled_comes_again_in_order(bus: Bus) -> None:
    """A consumer that leaves gives back what it held, as another attempt, before what nobody had yet."""
    await bus.publish([message(n) for n in range(6)])
    async with bus.consume(SHARD, prefetch=4) as consumer:
        held = await take(consumer, 4, ack=False)
        await consumer.ack(held[:1])

    async with bus.consume(SHARD) as consumer:
        again = await take(consumer, 5)

    assert bodies(again) == ["1", "2", "3", "4", "5"]
    # What only waited in the consumer may count too: a broker cannot know how far it was fetched.
    assert [delivery.attempt for delivery in again[:3]] == [2, 2, 2]


async def test_rejected_messages_come_again_before_those_behind_them(bus: Bus) -> None:
    """reject keeps the queue's order, also with messages already waiting in the consumer."""
    await bus.publish([message(n) for n in range(8)])

    async with bus.consume(SHARD) as consumer:
        first = await consumer.fetch(3)
        await consumer.reject(first)
        again = await take(consumer, 8)

    assert bodies(again) == [str(n) for n in range(8)]
    assert {delivery.attempt for delivery in again[: len(first)]} == {2}


async def test_acks_may_come_in_any_order(bus: Bus) -> None:
    """Acking later deliveries settles exactly those."""
    await bus.publish([message(n) for n in range(5)])
    async with bus.consume(SHARD) as consumer:
        held = await take(consumer, 5, ack=False)
        await consumer.ack([held[1], held[3]])
        await consumer.ack([held[4]])

    async with bus.consume(SHARD) as consumer:
        assert bodies(await take(consumer, 2)) == ["0", "2"]
        assert await nothing_comes(consumer, bus)


async def test_beyond_the_delivery_limit_a_message_becomes_a_dead_letter(bus: Bus, driver: Driver) -> None:
    """It is delivered limit + 1 times, counted, and then kept aside; what is behind it goes on."""
    await bus.publish([message("hopeless")])
    attempts = []
    async with bus.consume(SHARD, prefetch=1) as consumer:
        for _ in range(topology.DELIVERY_LIMIT + 1):
            (delivery,) = await take(consumer, 1, ack=False)
            attempts.append(delivery.attempt)
            await consumer.reject([delivery])
        assert await nothing_comes(consumer, bus)
    parked: list[tuple[str, bytes]] = []

    async def arrived() -> bool:
        parked.extend(await driver.dead_letters())
        return bool(parked)

    await eventually(arrived)

    assert attempts == list(range(1, topology.DELIVERY_LIMIT + 2))
    assert [body for _, body in parked] == [b"hopeless"]


async def test_a_parked_message_keeps_its_reason_and_leaves_its_queue(bus: Bus, driver: Driver) -> None:
    """Parking is confirmed before the message is acked; its neighbours stay."""
    await bus.publish([message("poison"), message("good")])
    async with bus.consume(SHARD) as consumer:
        poison, good = await take(consumer, 2, ack=False)
        await consumer.park(poison, "ValidationError: data")
        await consumer.ack([good])
        assert await nothing_comes(consumer, bus)

    assert await driver.dead_letters() == [("ValidationError: data", b"poison")]


async def test_each_queue_gets_what_it_is_bound_to(bus: Bus) -> None:
    """A message goes to every queue whose binding takes its key, and is settled in each on its own."""
    start, verdict = message("start", "5.BUILD_START.a.b-c"), message("verdict", "2.BUILD_VERDICT.a.b-c")
    await bus.publish([start, message("log"), verdict])

    found = {}
    for queue, count in ((SHARD, 2), ("history.builds", 2), ("notifier.builds", 1), ("artifacts.builds", 1)):
        async with bus.consume(queue) as consumer:
            found[queue] = bodies(await take(consumer, count))

    assert found == {
        SHARD: ["start", "log"],
        "history.builds": ["start", "verdict"],
        "notifier.builds": ["verdict"],
        "artifacts.builds": ["verdict"],
    }


async def test_a_message_for_nobody_is_not_confirmed(bus: Bus) -> None:
    """What no queue takes fails loudly; what was published before it in the call is confirmed."""
    with pytest.raises(PublishFailed) as failed:
        await bus.publish([message("a"), message("b", "5.UNKNOWN_TYPE.p")])

    assert failed.value.confirmed == 1
    await bus.publish([message("c")])
    async with bus.consume(SHARD) as consumer:
        assert bodies(await take(consumer, 2)) == ["a", "c"]


async def test_a_shard_has_one_consumer_at_a_time(bus: Bus) -> None:
    """The second takes over, in order, when the first leaves."""
    await bus.publish([message(n) for n in range(4)])
    async with bus.consume(SHARD) as second_place:
        first = await take(second_place, 1)
        async with bus.consume(SHARD) as waiting:
            fetching = asyncio.create_task(take(waiting, 1))
            rest = await take(second_place, 3)
            await bus.publish([message("next")])
            rest += await take(second_place, 1)
            assert not fetching.done()
            fetching.cancel()
    assert bodies([*first, *rest]) == ["0", "1", "2", "3", "next"]

    await bus.publish([message("after")])
    async with bus.consume(SHARD) as successor:
        assert bodies(await take(successor, 1)) == ["after"]


async def test_consumers_of_a_shared_queue_share_its_messages(bus: Bus) -> None:
    """Each message goes to one of them."""
    queue, key = "history.builds", "1.BUILD_VERDICT.p"
    async with bus.consume(queue, prefetch=1) as one, bus.consume(queue, prefetch=1) as other:
        await bus.publish([message(n, key) for n in range(2)])
        found = bodies([*await take(one, 1, ack=False), *await take(other, 1, ack=False)])

    assert sorted(found) == ["0", "1"]


async def test_no_more_than_prefetch_is_held_unsettled(bus: Bus) -> None:
    """The next one comes when one was settled."""
    await bus.publish([message(n) for n in range(3)])
    async with bus.consume(SHARD, prefetch=2) as consumer:
        held = await take(consumer, 2, ack=False)
        waiting = asyncio.create_task(consumer.fetch(10))
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        assert not done
        await consumer.ack(held[:1])
        assert bodies(await asyncio.wait_for(waiting, 10)) == ["2"]


async def test_announcements_reach_those_who_are_bound(bus: Bus) -> None:
    """By topic, from the moment of binding to the moment of unbinding."""
    exchange = topology.LIVE_EXCHANGE
    async with bus.listen(exchange, "build.#") as listener:
        await bus.announce(exchange, "log.p.1", b"not bound")
        await bus.announce(exchange, "build.p.1", b"1")
        before = await received(listener, 1)
        await listener.bind("log.p.1")
        await bus.announce(exchange, "log.p.1", b"2")
        await bus.announce(exchange, "log.p.2", b"other build")
        await bus.announce(exchange, "build.p.1", b"3")
        before += await received(listener, 2)
        await listener.unbind("log.p.1")
        await bus.announce(exchange, "log.p.1", b"not any more")
        await bus.announce(exchange, "build.p.1", b"4")
        after = await received(listener, 1)

    assert [(found.body, found.missed) for found in (*before, *after)] == [
        (b"1", False),
        (b"2", False),
        (b"3", False),
        (b"4", False),
    ]


async def test_control_reaches_every_listener(bus: Bus) -> None:
    """The control exchange knows no topics."""
    exchange = topology.CONTROL_EXCHANGE
    async with bus.listen(exchange) as one, bus.listen(exchange) as other:
        await bus.announce(exchange, "revoked", b"key 1")
        assert [found.body for found in (*await received(one, 1), *await received(other, 1))] == [b"key 1", b"key 1"]


async def test_a_listener_that_falls_behind_is_notified(bus: Bus) -> None:
    """Memory stays bounded: the oldest are dropped, and the next one read, and only that one, says so."""
    exchange = topology.LIVE_EXCHANGE
    found: list[Announcement] = []
    async with bus.listen(exchange, "build.#", capacity=5) as slow, bus.listen(exchange, "build.#") as quick:
        for first in range(0, 1000, 20):
            for number in range(first, first + 20):
                await bus.announce(exchange, "build.p.1", str(number).encode())
            await received(quick, 20)
            found += await received(slow, 1)
            if found[-1].missed:
                break
        found += await received(slow, 2)

    numbers = [int(announcement.body) for announcement in found]
    gaps = [number != last + 1 for last, number in zip([-1, *numbers], numbers, strict=False)]
    assert True in gaps
    assert [announcement.missed for announcement in found] == gaps


async def test_a_bus_knows_what_it_lacks(driver: Driver) -> None:
    """Readiness: nothing while it is open, the connection once it is closed."""
    bus = await driver.open()
    assert await bus.missing() == []
    assert not bus.blocked
    await bus.close()
    assert await bus.missing() == ["connection"]


HISTORY = topology.queue_name("history")
VERDICT = "3.BUILD_VERDICT.torch-mlir"


async def exhaust(bus: Bus, queue: str) -> None:
    """Bring one message back until the bus sets it aside."""
    before = await bus.count_parked()
    for _ in range(topology.DELIVERY_LIMIT + 1):
        async with bus.consume(queue, prefetch=1) as consumer, asyncio.timeout(10):
            await consumer.reject(await consumer.fetch(1))
    await eventually(lambda: _counts(bus, before + 1))


async def _counts(bus: Bus, expected: int) -> bool:
    return await bus.count_parked() == expected


async def drained(bus: Bus, queue: str) -> list[Delivery]:
    """What waits in a queue, before a last message."""
    await bus.publish([Outgoing(topology.replay_key(queue, VERDICT), b"last")])
    async with bus.consume(queue) as consumer, asyncio.timeout(10):
        found: list[Delivery] = []
        while not found or found[-1].body != b"last":
            found += await take(consumer, 1)
    return found[:-1]


async def both_parked(bus: Bus) -> Sequence[Parked]:
    """Whoever looked last gives them back in a moment; a broker notes whole seconds, so their order is open."""
    async with asyncio.timeout(20):
        while len(parked := await bus.parked()) != 2:  # noqa: ASYNC110  a broker behind a network
            await asyncio.sleep(0.05)
    return parked


async def test_what_is_set_aside_can_be_looked_at_again_and_again(bus: Bus) -> None:
    """What a handler judged waits for a person, what came back too often for its turn; looking changes neither."""
    await bus.publish([Outgoing(VERDICT, b"poison", {"build_id": "b"})])
    async with bus.consume(HISTORY) as consumer:
        await consumer.park((await take(consumer, 1, ack=False))[0], "PoisonMessage: unreadable")
    await drained(bus, topology.queue_name("notifier"))
    await drained(bus, topology.queue_name("artifacts"))
    await bus.publish([Outgoing(topology.replay_key(HISTORY, VERDICT), b"unlucky", {"build_id": "c"})])
    await exhaust(bus, HISTORY)

    for _ in range(2):
        first, second = sorted(await both_parked(bus), key=lambda parked: parked.message.body)
        assert first.message == Outgoing(VERDICT, b"poison", {"build_id": "b"})
        assert (first.queue, first.reason, first.attempts, first.is_final) == (
            HISTORY,
            "PoisonMessage: unreadable",
            0,
            True,
        )
        assert second.message == Outgoing(VERDICT, b"unlucky", {"build_id": "c"})
        assert (second.queue, second.reason, second.attempts, second.is_final) == (
            HISTORY,
            "delivery limit exceeded",
            topology.DELIVERY_LIMIT + 1,
            False,
        )
        assert 0 < first.parked_at <= second.parked_at + 1000  # a broker notes whole seconds
        assert first.id != second.id
    assert await bus.count_parked() == 2


async def test_replaying_reaches_only_the_queue_it_came_from(bus: Bus) -> None:
    """As it was published, one replay older; other queues that take its key had it long ago."""
    await bus.publish([Outgoing(VERDICT, b"poison", {"build_id": "b"}), Outgoing(VERDICT, b"stays")])
    async with bus.consume(HISTORY) as consumer:
        for delivery in await take(consumer, 2, ack=False):
            await consumer.park(delivery, "a defect")
    others = [topology.queue_name("notifier"), topology.queue_name("artifacts")]
    assert [len(await drained(bus, other)) for other in others] == [2, 2]

    ids = [parked.id for parked in await bus.parked() if parked.message.body == b"poison"]
    assert await bus.replay_parked([*ids, "0", "unknown"]) == 1

    (again,) = await drained(bus, HISTORY)
    assert (again.routing_key, again.body, again.attempt) == (VERDICT, b"poison", 1)
    assert again.headers == {"build_id": "b", "replays": "1"}
    assert [await drained(bus, other) for other in others] == [[], []]
    assert [parked.message.body for parked in await bus.parked()] == [b"stays"]


async def test_what_is_dropped_is_gone(bus: Bus) -> None:
    """Exactly what was named."""
    await bus.publish([Outgoing(VERDICT, b"one"), Outgoing(VERDICT, b"two")])
    async with bus.consume(HISTORY) as consumer:
        for delivery in await take(consumer, 2, ack=False):
            await consumer.park(delivery, "a defect")

    one = next(parked.id for parked in await bus.parked() if parked.message.body == b"one")
    assert await bus.drop_parked([one]) == 1
    assert [parked.message.body for parked in await bus.parked()] == [b"two"]
    assert await bus.drop_parked([one]) == 0


async def test_what_came_back_too_often_is_replayed_three_times_then_parked(bus: Bus) -> None:
    """By the service it came back to; another one moves nothing of it."""
    await bus.publish([Outgoing(topology.replay_key(HISTORY, VERDICT), b"unlucky")])
    for replays in range(3):
        await exhaust(bus, HISTORY)
        assert await bus.replay_returned("notifier") == 0
        assert await bus.replay_returned("history") == 1
        assert await bus.count_parked() == 0, replays
    await exhaust(bus, HISTORY)
    assert await bus.replay_returned("history") == 1

    (parked,) = await bus.parked()
    assert (parked.is_final, parked.replays, parked.message.routing_key) == (True, 3, VERDICT)
    assert parked.reason == "delivery limit exceeded again after every replay"
    assert await bus.replay_returned("history") == 0
    assert await bus.replay_parked([parked.id]) == 1  # a person may all the same
    assert [delivery.body for delivery in await drained(bus, HISTORY)] == [b"unlucky"]


async def test_a_bus_that_takes_writes_says_so(bus: Bus) -> None:
    """A probe leaves nothing that anybody receives."""
    await bus.probe()
    async with bus.consume(SHARD) as consumer:
        assert await nothing_comes(consumer, bus)


async def test_a_queue_s_depth_is_what_waits_in_it(bus: Bus) -> None:
    """What nobody was handed yet, of this queue and of no other; also what a consumer has not come to."""

    async def depth_is(expected: int) -> bool:
        return (await bus.depths())[SHARD] == expected

    await bus.publish([message(n) for n in range(7)])
    await eventually(lambda: depth_is(7))
    other = next(queue.name for queue in topology.QUEUES if queue.name.startswith("ingest.") and queue.name != SHARD)
    assert 0 == (await bus.depths())[other]
    async with bus.consume(SHARD, prefetch=3) as consumer:
        await take(consumer, 3, ack=False)
        await eventually(lambda: depth_is(4))
    await eventually(lambda: depth_is(7))


async def test_a_measured_bus_does_what_it_measures(bus: Bus) -> None:
    """Confirms, deliveries and what became of them are counted; a publish that fails is counted as failed."""
    registry = CollectorRegistry()
    used = measured(bus, registry)
    await used.publish([message(n) for n in range(3)])
    with pytest.raises(PublishFailed):
        await used.publish([message("a", "5.UNKNOWN_TYPE.p")])
    async with used.consume(SHARD) as consumer:
        one, two, three = await take(consumer, 3, ack=False)
        await consumer.ack([one])
        await consumer.park(two, "poison")
        await consumer.reject([three])
        await take(consumer, 1)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert (1, 1) == (
        value("bus_publish_seconds_count", result="confirmed"),
        value("bus_publish_seconds_count", result="failed"),
    )
    assert (4, 2) == (value("bus_deliveries_total", queue=SHARD), value("bus_settle_seconds_count", queue=SHARD))
    assert (2, 1, 1) == tuple(
        value("bus_settled_total", queue=SHARD, outcome=outcome) for outcome in ("acked", "parked", "rejected")
    )
    assert await used.count_parked() == 1
