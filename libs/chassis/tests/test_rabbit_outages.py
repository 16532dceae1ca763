"""RabbitMQ goes away and comes back, is full, or loses a queue: what the bus does meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

import aio_pika
import pytest
from build_chassis.backoff import Backoff
from build_chassis.bus import Announcement, BusUnavailable, Delivery, Listener, Outgoing, PublishFailed
from build_chassis.bus.rabbit import RabbitBus
from build_chassis.bus.rabbit.announcer import Numbers
from build_chassis.bus.rabbit.link import Link, driven
from build_chassis.bus.rabbit.listener import Gaps
from build_chassis.consumer import run_consumer
from build_chassis.health import Health
from build_protocol import topology
from build_testkit.rabbitmq import Broker, PrivateBroker, private_rabbitmq

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(180)]
SHARD = topology.ingest_queue(1)
KEY = "1.BUILD_LOG.p"


@pytest.fixture(scope="module")
def own_broker(rabbitmq: Broker) -> Iterator[Broker]:
    """A broker that may be killed: the session's, when it is ours."""
    if isinstance(rabbitmq, PrivateBroker):
        yield rabbitmq
        return
    try:
        with private_rabbitmq() as broker:
            yield broker
    except FileNotFoundError as error:
        pytest.skip(f"{error}; the one at AMQP_URL is not ours to kill")


@pytest.fixture
async def bus(own_broker: Broker) -> AsyncIterator[RabbitBus]:
    opened = RabbitBus(own_broker.url)
    await opened.open()
    yield opened
    await opened.close()


async def eventually(ask: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not await ask():  # noqa: ASYNC110  a broker's state has no event
            await asyncio.sleep(0.05)


async def _nowhere() -> None:
    """The handler of the test has no store."""


async def test_a_broker_killed_in_the_middle_loses_nothing_confirmed(own_broker: Broker, bus: RabbitBus) -> None:
    """Publishing and consuming come back by themselves; every confirmed message is delivered, in order."""
    confirmed: list[int] = []
    seen: list[int] = []
    failures = 0
    stop = asyncio.Event()

    async def publish() -> None:
        nonlocal failures
        number = 0
        while not stop.is_set():
            try:
                await bus.publish([Outgoing(KEY, b"%d" % number)])
            except (PublishFailed, BusUnavailable):
                failures += 1
                await asyncio.sleep(0.05)
            else:
                confirmed.append(number)
                number += 1

    async def handle(deliveries: Sequence[Delivery]) -> None:
        seen.extend(int(delivery.body) for delivery in deliveries)

    consuming = asyncio.create_task(
        run_consumer(bus, SHARD, handle, health=Health(_nowhere), backoff=Backoff(0.05, 0.5))
    )
    publishing = asyncio.create_task(publish())
    async with bus.listen(topology.LIVE_EXCHANGE, "build.#") as listener:
        await eventually(_true_when(lambda: len(confirmed) > 100))
        before = len(confirmed)
        await asyncio.to_thread(own_broker.kill)
        await eventually(_true_when(lambda: failures > 0))
        assert await bus.missing() == ["connection"]
        assert bus.blocked
        await asyncio.to_thread(own_broker.start)
        await eventually(_true_when(lambda: len(confirmed) > before + 100))
        assert not bus.blocked
        stop.set()
        await publishing
        await eventually(_true_when(lambda: bool(seen) and seen[-1] == confirmed[-1]))

        received = asyncio.create_task(_first(listener))
        await eventually(lambda: _announced(bus, received))
        assert received.result().missed
    consuming.cancel()
    await asyncio.wait([consuming])

    # A message is published again when its confirm was lost, so it may come twice, one behind the other.
    assert list(dict.fromkeys(seen)) == confirmed
    assert await bus.missing() == []


async def _first(listener: Listener) -> Announcement:
    return await anext(aiter(listener))


async def _announced(bus: RabbitBus, received: asyncio.Task[Announcement]) -> bool:
    await bus.announce(topology.LIVE_EXCHANGE, "build.p.1", b"again")
    return received.done()


def _true_when(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        return condition()

    return ask


@pytest.mark.parametrize("fault", [StopAsyncIteration(), asyncio.CancelledError(), EOFError(), KeyError("frame")])
async def test_whatever_the_driver_raises_the_connection_is_made_again(
    own_broker: Broker, fault: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that broke while it was made raised, and cancelled, unexpectedly; giving up is for ever."""
    link = Link(own_broker.url, "test")
    await link.open()
    connect, faults = aio_pika.connect, [fault, fault]

    async def fail_first(url: str) -> aio_pika.abc.AbstractConnection:
        if faults:
            raise faults.pop()
        return await connect(url)

    monkeypatch.setattr(aio_pika, "connect", fail_first)
    before = await link.connection()
    await before.close(ConnectionResetError())

    await eventually(_true_when(lambda: not faults and link.is_open))

    assert before is not await link.connection()
    await link.close()


async def test_an_ordered_cancellation_stays_one() -> None:
    """Only what the driver cancels by itself becomes an error."""
    waiting = asyncio.Event()

    async def wait() -> None:
        with driven():
            waiting.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await waiting.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()

    lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    lost.cancel()
    with pytest.raises(ConnectionError), driven():
        await lost


async def test_an_alarm_blocks_publishing_and_only_that(own_broker: Broker, bus: RabbitBus) -> None:
    """`blocked` says so; consumers go on; the publish is confirmed once the alarm ends."""
    await bus.publish([Outgoing(KEY, b"before")])
    await asyncio.to_thread(own_broker.control, "set_vm_memory_high_watermark", "0")
    try:
        waiting = asyncio.create_task(bus.publish([Outgoing(KEY, b"during")]))
        await eventually(_true_when(lambda: bus.blocked))
        assert not waiting.done()
        async with bus.consume(SHARD) as consumer:
            before = await asyncio.wait_for(consumer.fetch(1), 10)
            await consumer.ack(before)
    finally:
        await asyncio.to_thread(own_broker.control, "set_vm_memory_high_watermark", "0.4")
    await asyncio.wait_for(waiting, 20)
    async with bus.consume(SHARD) as consumer:
        during = await asyncio.wait_for(consumer.fetch(1), 10)
        await consumer.ack(during)

    assert [delivery.body for delivery in (*before, *during)] == [b"before", b"during"]
    await eventually(_true_when(lambda: not bus.blocked))


async def test_a_full_queue_refuses_and_says_what_was_confirmed(own_broker: Broker, bus: RabbitBus) -> None:
    """reject-publish: nothing old is dropped; after the consumer caught up publishing goes on."""
    queue = topology.queue_name("history")
    await _empty(own_broker.url, queue)
    await asyncio.to_thread(
        own_broker.control, "set_policy", "small", f"^{queue}$", '{"max-length": 3}', "--apply-to", "queues"
    )
    start = Outgoing("1.BUILD_START.p", b"x")
    try:
        with pytest.raises(PublishFailed) as failed:
            await _publish_pairs(bus, start, 20)
        assert failed.value.confirmed <= 1
    finally:
        await asyncio.to_thread(own_broker.control, "clear_policy", "small")
        await _empty(own_broker.url, queue)
        await _empty(own_broker.url, SHARD)

    async def accepted() -> bool:
        try:
            await bus.publish([start])
        except (PublishFailed, BusUnavailable):
            return False
        return True

    await eventually(accepted)


async def test_a_deleted_queue_is_named_and_made_again(own_broker: Broker, bus: RabbitBus) -> None:
    """The consumer gets an error, readiness names it, and who consumes it next makes it again."""
    await _empty(own_broker.url, SHARD)
    async with bus.consume(SHARD) as consumer:
        fetching = asyncio.create_task(consumer.fetch(1))
        await _delete(own_broker.url, SHARD)
        with pytest.raises(BusUnavailable):
            await asyncio.wait_for(fetching, 10)
    assert await bus.missing() == [SHARD]

    with pytest.raises(BusUnavailable):
        await bus.consume(SHARD).__aenter__()
    assert await bus.missing() == []
    async with bus.consume(SHARD) as consumer:
        await bus.publish([Outgoing(KEY, b"found again")])
        (delivery,) = await asyncio.wait_for(consumer.fetch(1), 10)
        await consumer.ack([delivery])
    assert delivery.body == b"found again"


async def test_no_broker_is_an_error_at_once() -> None:
    """open() raises; nothing waits without limit."""
    bus = RabbitBus("amqp://guest:guest@127.0.0.1:1/")
    with pytest.raises(BusUnavailable):
        await bus.open()
    with pytest.raises(BusUnavailable):
        await bus.publish([Outgoing(KEY, b"x")])
    assert await bus.missing() == ["connection"]
    await bus.close()


def test_a_left_out_number_is_a_gap() -> None:
    """Per publisher and key; a first number and a restart are none; what was announced while unbound is none."""
    numbers, gaps = Numbers(), Gaps()
    one, two, three = (numbers.next("log.p.1") for _ in range(3))

    assert not gaps.is_after_gap("a", "log.p.1", one)
    assert gaps.is_after_gap("a", "log.p.1", three)
    assert not gaps.is_after_gap("b", "log.p.1", two)
    assert not gaps.is_after_gap("a", "log.p.2", three)
    assert not gaps.is_after_gap("a", "log.p.1", one)
    gaps.forget("log.#")
    assert not gaps.is_after_gap("a", "log.p.1", three)


async def _publish_pairs(bus: RabbitBus, message: Outgoing, count: int) -> None:
    for _ in range(count):
        await bus.publish([message, message])


async def _empty(url: str, queue: str) -> None:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        await (await channel.get_queue(queue)).purge()


async def _delete(url: str, queue: str) -> None:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        await channel.queue_delete(queue)
