"""The buses beside their yardstick: RabbitBus against raw aio-pika on the same private broker, and the embedded bus.

`python -m bench.bus`: publish + confirm and consume + ack of 1 KiB persistent messages to one quorum queue, 256 in
flight, medians of rounds that alternate between the two; then the embedded bus with the same messages.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import aio_pika
from build_chassis.bus import Bus, EmbeddedBus, Outgoing
from build_chassis.bus.rabbit import RabbitBus
from build_protocol import topology
from build_testkit.rabbitmq import private_rabbitmq

MESSAGES = 10_000
IN_FLIGHT = 256
ROUNDS = 5
BODY = b"x" * 1024
QUEUE = topology.ingest_queue(0)
KEY = "0.BUILD_LOG.bench"


async def publish_raw(exchange: aio_pika.abc.AbstractExchange) -> float:
    """Messages a second, published and confirmed one by one as aio-pika's users do."""
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def publish() -> None:
        async with slots:
            message = aio_pika.Message(BODY, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await exchange.publish(message, KEY, mandatory=True)

    begun = time.perf_counter()
    await asyncio.gather(*(publish() for _ in range(MESSAGES)))
    return MESSAGES / (time.perf_counter() - begun)


async def publish_bus(bus: Bus, per_call: int = 1) -> float:
    """Messages a second, published and confirmed in calls of `per_call`."""
    slots = asyncio.Semaphore(max(1, IN_FLIGHT // per_call))

    async def publish() -> None:
        async with slots:
            await bus.publish([Outgoing(KEY, BODY)] * per_call)

    begun = time.perf_counter()
    await asyncio.gather(*(publish() for _ in range(MESSAGES // per_call)))
    return MESSAGES / (time.perf_counter() - begun)


async def consume_raw(channel: aio_pika.abc.AbstractChannel) -> float:
    """Messages a second, iterated and acked each."""
    await channel.set_qos(prefetch_count=IN_FLIGHT)
    queue = await channel.get_queue(QUEUE)
    taken = 0
    begun = time.perf_counter()
    async with queue.iterator() as messages:
        async for message in messages:
            await message.ack()
            taken += 1
            if taken == MESSAGES:
                break
    return MESSAGES / (time.perf_counter() - begun)


async def consume_bus(bus: Bus) -> float:
    """Messages a second, fetched and acked in batches."""
    taken = 0
    begun = time.perf_counter()
    async with bus.consume(QUEUE, prefetch=IN_FLIGHT) as consumer:
        while taken < MESSAGES:
            deliveries = await consumer.fetch(IN_FLIGHT)
            await consumer.ack(deliveries)
            taken += len(deliveries)
    return MESSAGES / (time.perf_counter() - begun)


async def on_rabbitmq(url: str) -> None:
    """Alternate between the bus and raw aio-pika, and print their ratio."""
    bus = RabbitBus(url)
    await bus.open()
    raw = await aio_pika.connect(url)
    channel = await raw.channel(publisher_confirms=True)
    exchange = await channel.get_exchange(topology.EXCHANGE)
    rates: dict[str, list[float]] = {"raw publish": [], "bus publish": [], "raw consume": [], "bus consume": []}
    for _ in range(ROUNDS):
        rates["raw publish"].append(await publish_raw(exchange))
        rates["raw consume"].append(await consume_raw(await raw.channel()))
        rates["bus publish"].append(await publish_bus(bus))
        rates["bus consume"].append(await consume_bus(bus))
    await raw.close()
    await bus.close()
    for what in ("publish", "consume"):
        ours, theirs = (statistics.median(rates[f"{who} {what}"]) for who in ("bus", "raw"))
        label = "publish + confirm" if what == "publish" else "consume + ack"
        print(
            f"RabbitBus {label}: {ours:,.0f} messages/s [{min(rates[f'bus {what}']):,.0f} - "
            f"{max(rates[f'bus {what}']):,.0f}]; raw aio-pika {theirs:,.0f} [{min(rates[f'raw {what}']):,.0f} - "
            f"{max(rates[f'raw {what}']):,.0f}]; ratio {ours / theirs:.2f}"
        )


async def on_file(directory: Path) -> None:
    """The embedded bus, message by message and in calls of 20 as a gateway makes them."""
    for per_call in (1, 20):
        published, consumed = [], []
        for round_ in range(ROUNDS):
            bus = EmbeddedBus(directory / f"{per_call}-{round_}.sqlite")
            await bus.open()
            published.append(await publish_bus(bus, per_call))
            consumed.append(await consume_bus(bus))
            await bus.close()
        print(
            f"EmbeddedBus, {per_call} a call: publish + confirm {statistics.median(published):,.0f} messages/s "
            f"[{min(published):,.0f} - {max(published):,.0f}]; consume + ack {statistics.median(consumed):,.0f}"
        )


def main() -> None:
    """Print one line a figure."""
    with private_rabbitmq() as broker:
        asyncio.run(on_rabbitmq(broker.url))
    with tempfile.TemporaryDirectory(prefix="bench-bus-") as directory:
        asyncio.run(on_file(Path(directory)))


if __name__ == "__main__":
    main()
