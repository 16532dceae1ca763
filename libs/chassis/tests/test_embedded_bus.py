"""The embedded bus alone: killed processes, a bounded file and memory, one process at a time."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from build_chassis.bus import BusUnavailable, EmbeddedBus, Outgoing, PublishFailed, open_bus
from build_protocol import topology
from build_testkit.stores import opened

SHARD = topology.ingest_queue(4)
KEY = "4.BUILD_LOG.p"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bus.sqlite"


@pytest.fixture
async def bus(path: Path) -> AsyncIterator[EmbeddedBus]:
    async with opened(EmbeddedBus(path)) as made:
        yield made


async def drain(bus: EmbeddedBus, count: int, queue: str = SHARD) -> list[bytes]:
    taken: list[bytes] = []
    async with asyncio.timeout(20), bus.consume(queue) as consumer:
        while len(taken) < count:
            deliveries = await consumer.fetch(100)
            await consumer.ack(deliveries)
            taken += [delivery.body for delivery in deliveries]
    return taken


_VICTIM = """
import asyncio, os, signal, sys
from pathlib import Path
from build_chassis.bus import EmbeddedBus, Outgoing
from build_testkit.stores import opened

async def main():
    bus = EmbeddedBus(Path(sys.argv[1]), delivery_limit=3)
    await bus.open()
    if sys.argv[2] == "publish":
        for number in range(1_000_000):
            await bus.publish([Outgoing("4.BUILD_LOG.p", b"%d" % number)])
            print(number, flush=True)
    async with bus.consume("ingest.4", prefetch=1) as consumer:
        (delivery,) = await consumer.fetch(1)
        print(delivery.attempt, delivery.body.decode(), flush=True)
        if delivery.body == b"good":
            return
        # What a message that takes its process down does, a moment after it was handed over.
        await asyncio.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def victim(path: Path, what: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _VICTIM, str(path), what]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
async def test_what_a_killed_process_had_confirmed_is_there(path: Path) -> None:
    """kill -9 in the middle of publishing: every confirmed message is delivered, in order, without a hole."""
    with victim(path, "publish") as process:
        assert process.stdout is not None
        confirmed = [int(process.stdout.readline()) for _ in range(200)]
        os.kill(process.pid, signal.SIGKILL)
        confirmed += [int(line) for line in process.stdout.read().split()]
    bus = EmbeddedBus(path)
    await bus.open()
    delivered = await drain(bus, len(confirmed))
    await bus.close()

    # The one on its way when the process died may be there too.
    assert [int(body) for body in delivered][: len(confirmed)] == confirmed


@pytest.mark.slow
async def test_a_message_that_kills_its_process_is_counted_out(path: Path) -> None:
    """Nobody is left to reject it, so its hand-overs are counted; then it is a dead letter and the next one comes."""
    bus = EmbeddedBus(path, delivery_limit=3)
    await bus.open()
    await bus.publish([Outgoing(KEY, b"deadly"), Outgoing(KEY, b"good")])
    await bus.close()

    printed = []
    for _ in range(5):
        with victim(path, "consume") as process:
            assert process.stdout is not None
            printed.append(process.stdout.read().strip())
    await bus.open()
    parked = await bus.dead_letters()
    await bus.close()

    assert printed == ["1 deadly", "2 deadly", "3 deadly", "4 deadly", "1 good"]
    assert [(one.message.body, one.reason) for one in parked] == [(b"deadly", "delivery limit exceeded")]


async def test_the_file_belongs_to_one_process(path: Path, bus: EmbeddedBus) -> None:
    """A second bus on it is refused; the file is not corrupted."""
    await bus.publish([Outgoing(KEY, b"x")])
    other = EmbeddedBus(path)

    with pytest.raises(BusUnavailable):
        await other.open()


async def test_those_who_fall_behind_read_from_the_file(path: Path) -> None:
    """Memory is bounded; what did not fit arrives all the same, in order, also when it mixes with what is new."""
    bus = EmbeddedBus(path, memory_bytes=20_000)
    await bus.open()
    for first in range(0, 1000, 100):
        await bus.publish([Outgoing(KEY, b"%0100d" % number) for number in range(first, first + 100)])
    async with bus.consume(SHARD, prefetch=50) as consumer:
        taken: list[int] = []
        published = 1000
        while len(taken) < 1500:
            deliveries = await consumer.fetch(50)
            await consumer.ack(deliveries)
            taken += [int(delivery.body) for delivery in deliveries]
            more = range(published, min(published + len(deliveries), 1500))
            await bus.publish([Outgoing(KEY, b"%0100d" % number) for number in more])
            published += len(more)
    await bus.close()

    assert taken == list(range(1500))


def size_bytes(path: Path) -> int:
    return path.stat().st_size


async def test_settled_messages_leave_the_file(bus: EmbeddedBus, path: Path) -> None:
    """What every queue has passed is deleted, so the file does not grow with the builds."""
    body = b"x" * 10_000
    for _ in range(20):
        await bus.publish([Outgoing(KEY, body)] * 500)
        await drain(bus, 500)

    assert size_bytes(path) < 20 * 500 * len(body) / 4


async def test_a_full_bus_refuses_and_goes_on_when_there_is_room(path: Path) -> None:
    """`blocked` says so; nothing old is dropped for something new."""
    bus = EmbeddedBus(path, max_bytes=1_000_000)
    await bus.open()
    body = b"x" * 1000
    await bus.publish([Outgoing(KEY, body)] * 1000)
    assert bus.blocked
    with pytest.raises(PublishFailed) as failed:
        await bus.publish([Outgoing(KEY, body)])
    assert failed.value.confirmed == 0

    await drain(bus, 1000)
    async with asyncio.timeout(10):
        while bus.blocked:  # noqa: ASYNC110  trimming has no event
            await asyncio.sleep(0.005)
    await bus.publish([Outgoing(KEY, b"fits")])
    assert await drain(bus, 1) == [b"fits"]
    await bus.close()


async def test_a_cancelled_publisher_does_not_keep_its_message_from_others(bus: EmbeddedBus) -> None:
    """What was committed is delivered, whether or not somebody still waits for the confirm."""
    publishing = asyncio.create_task(bus.publish([Outgoing(KEY, b"left behind")]))
    await asyncio.sleep(0)
    publishing.cancel()
    await asyncio.wait([publishing])

    assert await drain(bus, 1) == [b"left behind"]


@pytest.mark.parametrize(("url", "kind"), [("sqlite:///bus.sqlite", "EmbeddedBus"), ("amqp://localhost/", "RabbitBus")])
async def test_the_scheme_chooses_the_bus(url: str, kind: str) -> None:
    """Nothing is connected yet."""
    assert type(open_bus(url)).__name__ == kind


def test_an_unknown_scheme_is_refused() -> None:
    """The error names what is allowed."""
    with pytest.raises(ValueError, match="sqlite:///"):
        open_bus("redis://localhost")


async def test_a_file_in_use_is_read_and_briefly_locked_by_others(bus: EmbeddedBus, path: Path) -> None:
    """As a backup does: it reads what was confirmed, and once it lets go of its lock the bus goes on by itself."""
    await bus.publish([Outgoing(KEY, b"first")])
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("begin")
        assert reader.execute("select body from messages").fetchall() == [(b"first",)]
        await bus.publish([Outgoing(KEY, b"second")])
        assert reader.execute("select count(*) from messages").fetchone() == (1,)
        reader.execute("commit")
        reader.execute("begin immediate")
        with pytest.raises(PublishFailed, match="locked"):
            await bus.publish([Outgoing(KEY, b"third")])
        reader.execute("commit")
    await bus.publish([Outgoing(KEY, b"third")])
    assert await drain(bus, 3) == [b"first", b"second", b"third"]
