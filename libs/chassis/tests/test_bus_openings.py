"""Opening a bus of either driver: what fails leaves nothing behind, and is done once its cause is gone."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from build_chassis.bus import Bus, BusUnavailable, EmbeddedBus, Outgoing, journal
from build_chassis.bus.journal import Journal
from build_chassis.bus.rabbit import RabbitBus, declare, link
from build_chassis.bus.rabbit.link import Link
from build_chassis.errors import Unusable
from build_protocol import topology
from build_testkit import openings
from build_testkit.openings import IN_USE, away, held, locked, released, small_disk
from build_testkit.stack import free_port

SHARD = topology.ingest_queue(4)
KEY = "4.BUILD_LOG.p"


Cause = openings.Cause[Callable[[], Bus]]


@asynccontextmanager
async def locked_file(request: pytest.FixtureRequest) -> AsyncIterator[Cause]:
    path = request.getfixturevalue("tmp_path") / "bus.sqlite"
    with locked(path) as release:
        yield Cause(lambda: EmbeddedBus(path), "bus.sqlite is locked by another process", release)


@asynccontextmanager
async def own_file_in_use(request: pytest.FixtureRequest) -> AsyncIterator[Cause]:
    """As a restart may find it: our try gets a lock before it fails, which shuts our next one out if it is kept."""
    path = request.getfixturevalue("tmp_path") / "bus.sqlite"
    bus = EmbeddedBus(path)
    await bus.open()
    await bus.close()
    with locked(path, *IN_USE) as release:
        yield Cause(lambda: EmbeddedBus(path), "bus.sqlite is locked by another process", release)


@asynccontextmanager
async def file_of_another_bus(request: pytest.FixtureRequest) -> AsyncIterator[Cause]:
    """Two buses of one file would each hand out the same messages."""
    path = request.getfixturevalue("tmp_path") / "bus.sqlite"
    first = EmbeddedBus(path)
    await first.open()
    try:
        yield Cause(lambda: EmbeddedBus(path), "bus.sqlite is locked by another process", first.close)
    finally:
        await first.close()


@asynccontextmanager
async def full_disk(request: pytest.FixtureRequest) -> AsyncIterator[Cause]:
    """The file is there and can be read, and opening it has to write."""
    with small_disk(request.getfixturevalue("tmp_path") / "disk") as disk:
        path = disk.path / "bus.sqlite"
        bus = EmbeddedBus(path)
        await bus.open()
        await bus.close()
        disk.fill()
        yield Cause(lambda: EmbeddedBus(path), "bus.sqlite has no space left on its disk", disk.grow)


@asynccontextmanager
async def read_only_disk(request: pytest.FixtureRequest) -> AsyncIterator[Cause]:
    with small_disk(request.getfixturevalue("tmp_path") / "disk") as disk:
        disk.remount("ro")
        path = disk.path / "bus.sqlite"
        yield Cause(lambda: EmbeddedBus(path), "bus.sqlite cannot be", partial(disk.remount, "rw"))


@asynccontextmanager
async def no_directory(request: pytest.FixtureRequest) -> AsyncIterator[Cause]:
    parent = request.getfixturevalue("tmp_path") / "data"
    parent.write_text("in the way")
    yield Cause(lambda: EmbeddedBus(parent / "new" / "bus.sqlite"), "bus.sqlite cannot be opened", parent.unlink)


@asynccontextmanager
async def broker_away(request: pytest.FixtureRequest) -> AsyncIterator[Cause]:
    async with away(request.getfixturevalue("amqp_url")) as (url, listen):
        yield Cause(lambda: RabbitBus(url), "it does not answer", listen)


@asynccontextmanager
async def silent_broker(request: pytest.FixtureRequest) -> AsyncIterator[Cause]:
    """Something takes the connection, as a proxy does whose broker is away, and says nothing."""
    real, patch = request.getfixturevalue("amqp_url"), request.getfixturevalue("monkeypatch")
    patch.setattr(link, "CONNECT_SECONDS", 0.05)
    port = free_port()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    buses: list[RabbitBus] = []

    def make() -> Bus:
        buses.append(RabbitBus(f"amqp://guest:guest@127.0.0.1:{port}/"))
        return buses[-1]

    def end() -> None:
        patch.setattr(link, "CONNECT_SECONDS", 10)
        for bus in buses:
            bus._publishing._url = bus._consuming._url = real

    async with await asyncio.start_server(take, "127.0.0.1", port):
        yield Cause(make, "it does not answer", end)


@asynccontextmanager
async def refusing_broker(request: pytest.FixtureRequest) -> AsyncIterator[Cause]:
    """The connection is there, and declaring the topology on it fails."""
    url, patch = request.getfixturevalue("amqp_url"), request.getfixturevalue("monkeypatch")
    declare_queue = declare._declare_queue

    async def refuse(connection: aio_pika.abc.AbstractConnection, *_: object) -> None:
        await link.open_channel(connection)
        raise ConnectionError("refused")

    patch.setattr(declare, "_declare_queue", refuse)
    yield Cause(
        lambda: RabbitBus(url),
        "it does not answer",
        lambda: patch.setattr(declare, "_declare_queue", declare_queue),
    )


BROKERS = (broker_away, silent_broker, refusing_broker)
CAUSES = [
    locked_file,
    own_file_in_use,
    file_of_another_bus,
    full_disk,
    read_only_disk,
    no_directory,
    *(pytest.param(cause, marks=pytest.mark.rabbitmq) for cause in BROKERS),
]


@pytest.fixture(params=CAUSES)
def wanted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    if request.param in BROKERS:
        request.getfixturevalue("amqp_url")  # here: it runs a loop of its own
    monkeypatch.setattr(journal, "BUSY_SECONDS", 0)  # the waiting is not what is tested
    return lambda: request.param(request)


@pytest.fixture
async def cause(wanted: Callable[[], Any]) -> AsyncIterator[Cause]:
    async with wanted() as found:
        yield found


@pytest.fixture(params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def make_bus(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Bus]:
    if request.param == "embedded":
        return lambda: EmbeddedBus(tmp_path / "bus.sqlite")
    url = request.getfixturevalue("amqp_url")
    return lambda: RabbitBus(url)


async def refused(bus: Bus, hint: str) -> None:
    with pytest.raises(BusUnavailable) as failed:
        await bus.open()
    assert failed.value.hint.startswith(hint), failed.value
    assert await bus.missing() == ["connection"]
    assert bus.blocked


async def carries(bus: Bus) -> None:
    """What is published arrives, when a connection that waits before its next try has made it."""
    await bus.publish([Outgoing(KEY, b"through")])
    async with asyncio.timeout(60), bus.consume(SHARD) as consumer:
        (delivery,) = await consumer.fetch(1)
        await consumer.ack([delivery])
    assert delivery.body == b"through"


async def test_a_bus_that_could_not_be_opened_is_opened_once_the_cause_is_gone(cause: Cause) -> None:
    """It says that it is missing until then; opening twice and closing twice is harmless."""
    before = held()
    bus = cause.subject()
    for _ in range(2):
        await refused(bus, cause.hint)
    await bus.close()  # nothing is open, and it may be opened still
    await refused(bus, cause.hint)
    await released(before)
    await cause.end()
    before = held()  # what leads to a broker of the test's own listens now

    await bus.open()
    await bus.open()
    await carries(bus)
    assert await bus.missing() == []
    await bus.close()
    await bus.close()
    await released(before)


@pytest.mark.timeout(180)
async def test_failed_openings_pile_nothing_up(cause: Cause) -> None:
    """After each of fifty nothing is left of it, no file, no connection, no thread, no task."""
    before, tasks = held(), len(asyncio.all_tasks())
    bus = cause.subject()
    for _ in range(50):
        await refused(bus, cause.hint)
        # A server of the test's own sees a connection's end a moment later.
        await released(before)

    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) > tasks:  # noqa: ASYNC110  no event
            await asyncio.sleep(0.01)


async def test_a_cancelled_opening_gives_back_what_it_gets(make_bus: Callable[[], Bus]) -> None:
    """Also what a thread gets only afterwards; the next try begins anew and succeeds."""
    bus = make_bus()
    before = held()
    for milliseconds in range(40):  # also just as the driver has made a connection, which it then loses
        opening = asyncio.create_task(bus.open())
        await asyncio.sleep(milliseconds / 1000)  # to be cancelled in different places, in none of them for a result
        opening.cancel()
        await asyncio.wait([opening])
        if not opening.cancelled():  # too late, or the driver made an error of it
            await bus.close()
        assert await bus.missing() == ["connection"]
        await released(before)

    await bus.open()
    await carries(bus)
    await bus.close()
    await released(before)


async def test_a_bus_cancelled_again_and_again_gives_the_file_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for the thread's end may be cancelled too; the file is closed all the same."""
    path = tmp_path / "bus.sqlite"
    go_on, inside = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    begin = Journal.begin

    def slow(opened: Journal, durable: bool) -> Any:
        loop.call_soon_threadsafe(inside.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)
        return begin(opened, durable)

    monkeypatch.setattr(Journal, "begin", slow)
    bus = EmbeddedBus(path)
    opening = asyncio.create_task(bus.open())
    await inside.wait()
    for _ in range(3):
        opening.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([opening])
    go_on.set()
    monkeypatch.setattr(Journal, "begin", begin)

    async with asyncio.timeout(10):
        while any(file.endswith(str(path)) for file in held()[0]):  # noqa: ASYNC110  no event
            await asyncio.sleep(0.01)
    other = EmbeddedBus(path)
    await other.open()
    await other.close()


async def test_a_bus_closed_while_it_opens_is_closed(make_bus: Callable[[], Bus]) -> None:
    """Neither call hangs, nothing stays open behind them, and it may be opened again."""
    bus = make_bus()
    before = held()
    opening = asyncio.create_task(bus.open())
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await bus.close()
        with suppress(BusUnavailable):
            await opening
    assert await bus.missing() == ["connection"]
    await released(before)

    await bus.open()
    await bus.close()
    await released(before)


@pytest.mark.rabbitmq
async def test_a_connection_closed_at_once_is_closed(amqp_url: str) -> None:
    """Also before the task that keeps it has taken its first step."""
    before = held()
    kept = Link(amqp_url, "test")
    await kept.open()
    await kept.close()

    assert not kept.is_open
    await released(before)


@pytest.mark.rabbitmq
async def test_a_first_connection_may_fail_in_any_way(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error is followed by another try, as when a connection is lost: giving up would be for ever."""
    connect = aio_pika.connect

    async def fail(url: str) -> aio_pika.abc.AbstractConnection:
        raise KeyError("frame")

    monkeypatch.setattr(aio_pika, "connect", fail)
    bus = RabbitBus(amqp_url)
    with pytest.raises(BusUnavailable):
        await bus.open()
    monkeypatch.setattr(aio_pika, "connect", connect)

    await bus.open()
    await carries(bus)
    await bus.close()


@pytest.mark.rabbitmq
async def test_a_listener_that_cannot_begin_leaves_no_channel(amqp_url: str) -> None:
    """Its queue would fill up, and nobody would read it."""
    bus = RabbitBus(amqp_url)
    await bus.open()
    connection = await bus._consuming.connection()
    assert connection.transport is not None
    channels = connection.transport.connection.channels
    before = len(channels)
    for _ in range(3):
        with pytest.raises(BusUnavailable):
            await bus.listen("no such exchange", "build.#").__aenter__()
    assert len(channels) == before
    await bus.close()


@pytest.mark.parametrize(
    "content", [b"not a database\n" * 1000, b"SQLite format 3\0" + b"\xff" * 8176], ids=["text", "damaged"]
)
async def test_a_file_that_is_no_bus_is_no_outage(tmp_path: Path, content: bytes) -> None:
    """Waiting would be for ever: the error names the file and what to do, and the file stays as it was."""
    path = tmp_path / "bus.sqlite"
    path.write_bytes(content)
    before = held()
    bus = EmbeddedBus(path)
    for _ in range(50):
        with pytest.raises(Unusable, match=r"bus\.sqlite is .*; restore it from a backup, or move it away"):
            await bus.open()
    assert held() == before
    assert path.read_bytes() == content

    path.unlink()
    await bus.open()
    await carries(bus)
    await bus.close()


async def test_a_bus_file_of_a_later_release_is_refused_and_left_alone(tmp_path: Path) -> None:
    """The error says whose it is and what to do."""
    path = tmp_path / "bus.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma user_version=9")
    with pytest.raises(
        Unusable, match=r"bus\.sqlite was written by a later release, in schema 9, and this one knows 1"
    ):
        await EmbeddedBus(path).open()
    with closing(sqlite3.connect(path)) as connection:
        assert (9,) == connection.execute("pragma user_version").fetchone()


async def test_a_bus_file_that_says_nonsense_is_no_outage(tmp_path: Path) -> None:
    """A database, but not ours: the error says what was found."""
    path = tmp_path / "bus.sqlite"
    bus = EmbeddedBus(path)
    await bus.open()
    await bus.close()
    written = Journal(path, lambda queue, key: True)
    written._connection.execute("update queues set settled_ahead = 'nonsense'")
    written.close()

    before = held()
    with pytest.raises(Unusable, match="holds something else than what belongs there"):
        await bus.open()
    assert held() == before


async def test_a_bus_file_of_a_release_before_0_1_0_is_refused_and_left_alone(tmp_path: Path) -> None:
    """One clear sentence; what waits in it is still there for the release that wrote it."""
    path = tmp_path / "bus.sqlite"
    bus = EmbeddedBus(path)
    await bus.open()
    await bus.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma user_version=0")
    before = path.read_bytes()

    with pytest.raises(Unusable, match=r"bus\.sqlite was written by a release before 0\.1\.0"):
        await EmbeddedBus(path).open()
    assert before == path.read_bytes()
