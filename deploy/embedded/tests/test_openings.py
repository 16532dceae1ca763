"""Opening any service's store on any driver: what fails leaves nothing behind, and works once its cause is gone."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import build_artifacts.store
import build_gateway.store
import build_history.store
import build_ingest.store
import build_notifier.store
import pytest
from build_chassis.errors import StoreUnavailable, Unusable
from build_chassis.store import mongo, sql
from build_testkit import openings
from build_testkit.openings import away, held, locked, released, small_disk
from sqlalchemy import create_engine, text


class Store(Protocol):
    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def ping(self) -> None: ...


STORES: dict[str, Callable[[str], Store]] = {
    "gateway": build_gateway.store.open_store,
    "ingest": build_ingest.store.open_store,
    "history": build_history.store.open_store,
    "notifier": build_notifier.store.open_store,
    "artifacts": build_artifacts.store.open_store,
}


Cause = openings.Cause[str]


@asynccontextmanager
async def locked_file(request: pytest.FixtureRequest, *before: str) -> AsyncIterator[Cause]:
    path = request.getfixturevalue("tmp_path") / "store.sqlite"
    with locked(path, *before, "begin exclusive") as release:
        # The driver's own wait of 5 s is not what is tested.
        yield Cause(f"sqlite:///{path}?timeout=0", "store.sqlite is locked by another process", release)


def locked_own_file(request: pytest.FixtureRequest) -> AbstractAsyncContextManager[Cause]:
    """As a restart finds it: the file is in WAL mode, and somebody else excludes even readers."""
    return locked_file(request, "pragma journal_mode=wal", "pragma locking_mode=exclusive")


@asynccontextmanager
async def no_directory(request: pytest.FixtureRequest) -> AsyncIterator[Cause]:
    parent = request.getfixturevalue("tmp_path") / "data"
    parent.write_text("in the way")
    yield Cause(f"sqlite:///{parent}/new/store.sqlite", "store.sqlite cannot be opened", parent.unlink)


@asynccontextmanager
async def full_disk(request: pytest.FixtureRequest) -> AsyncIterator[Cause]:
    with small_disk(request.getfixturevalue("tmp_path") / "disk") as disk:
        disk.fill()
        yield Cause(f"sqlite:///{disk.path}/store.sqlite", "store.sqlite has no space left on its disk", disk.grow)


@asynccontextmanager
async def read_only_disk(request: pytest.FixtureRequest) -> AsyncIterator[Cause]:
    with small_disk(request.getfixturevalue("tmp_path") / "disk") as disk:
        sqlite3.connect(disk.path / "store.sqlite").close()
        disk.remount("ro")
        yield Cause(
            f"sqlite:///{disk.path}/store.sqlite", "store.sqlite cannot be", partial(disk.remount, "rw,size=8m")
        )


@asynccontextmanager
async def server_away(request: pytest.FixtureRequest, kind: str) -> AsyncIterator[Cause]:
    async with away(str(request.getfixturevalue(f"{kind}_url"))) as (url, listen):
        yield Cause(url, "it does not answer", listen)


@asynccontextmanager
async def migrating_replica(request: pytest.FixtureRequest) -> AsyncIterator[Cause]:
    """Another replica holds the lock of the schema for longer than we wait."""
    url = str(request.getfixturevalue("mariadb_url"))
    engine = create_engine(url.replace("mysql://", "mysql+pymysql://").rpartition("/")[0])
    replica = engine.connect()
    name = url.rpartition("/")[2]
    assert replica.execute(text("select get_lock(:name, 1)"), {"name": f"{name}.schema"}).scalar() == 1

    def release() -> None:
        replica.close()
        engine.dispose()

    yield Cause(url, "another replica is bringing its schema up to date", release)
    release()


CAUSES: list[Any] = [
    locked_file,
    locked_own_file,
    no_directory,
    full_disk,
    read_only_disk,
    pytest.param(lambda request: server_away(request, "mariadb"), marks=pytest.mark.mariadb, id="mariadb_away"),
    pytest.param(migrating_replica, marks=pytest.mark.mariadb),
    pytest.param(lambda request: server_away(request, "mongodb"), marks=pytest.mark.mongodb, id="mongodb_away"),
]


@pytest.fixture(params=CAUSES)
async def cause(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cause]:
    monkeypatch.setattr(mongo, "SELECTION_TIMEOUT_MS", 50)
    monkeypatch.setattr(sql, "MIGRATION_LOCK_SECONDS", 0)
    async with request.param(request) as found:
        yield found


@pytest.fixture(params=STORES)
def make_store(request: pytest.FixtureRequest) -> Callable[[str], Store]:
    return STORES[request.param]


async def refused(store: Store, hint: str) -> None:
    with pytest.raises(StoreUnavailable) as failed:
        await store.open()
    assert failed.value.hint.startswith(hint), failed.value
    # Readiness says the same, at once.
    with pytest.raises(StoreUnavailable) as missing:
        async with asyncio.timeout(1):
            await store.ping()
    assert missing.value.hint == failed.value.hint


async def test_a_store_that_could_not_be_opened_is_opened_once_the_cause_is_gone(
    make_store: Callable[[str], Store], cause: Cause
) -> None:
    """It says what is missing until then, and opening it again, or twice, is harmless; so is closing it twice."""
    store = make_store(cause.subject)
    with pytest.raises(StoreUnavailable):
        await store.ping()
    for _ in range(2):
        await refused(store, cause.hint)
    await cause.end()

    async with asyncio.timeout(20):
        while True:  # a driver's own back-off may still run
            with suppress(StoreUnavailable):
                await store.open()
                break
    await store.open()
    await store.ping()
    await store.close()
    await store.close()

    with pytest.raises(StoreUnavailable):
        await store.ping()
    with pytest.raises(StoreUnavailable):
        await store.open()


async def test_failed_openings_pile_nothing_up(cause: Cause) -> None:
    """After fifty no more files, connections and threads are there than after two; after `close` none of ours."""
    before = held()
    store = build_notifier.store.open_store(cause.subject)
    for _ in range(2):
        await refused(store, cause.hint)
    files, threads = held()
    for _ in range(48):
        await refused(store, cause.hint)
    later = held()
    await store.close()

    assert len(later[0]) <= len(files) + 2  # a driver that tries by itself may be at it
    # Four readers at the most come as they are needed.
    assert {name for name in later[1] - threads if not name.startswith("sql-read")} == set()
    # A connection that pymongo was about to make when it was closed goes with its client, by the collector.
    del store
    await released(before, collect=cause.subject.startswith("mongodb"))


@pytest.mark.parametrize("content", [b"not a database\n" * 1000, b"SQLite format 3\0" + b"\xff" * 8176])
async def test_a_file_that_is_no_database_is_no_outage(
    make_store: Callable[[str], Store], tmp_path: Path, content: bytes
) -> None:
    """Waiting would be for ever: the error names the file and what to do, and the file stays as it was."""
    path = tmp_path / "store.sqlite"
    path.write_bytes(content)
    before = held()
    store = make_store(f"sqlite:///{path}")
    for _ in range(2):
        with pytest.raises(Unusable, match=r"store\.sqlite is .*; restore it from a backup, or move it away"):
            await store.open()
    assert path.read_bytes() == content

    path.unlink()
    await store.open()
    await store.ping()
    await store.close()
    assert {file.split(" ")[1] for file in held()[0] - before[0]} == set()


async def test_a_cancelled_opening_leaves_nothing(make_store: Callable[[str], Store], tmp_path: Path) -> None:
    """Whoever gave up, and closes then, finds every file and thread given back."""
    before = held()
    for turns in range(6):
        store = make_store(f"sqlite:///{tmp_path}/store.sqlite")
        opening = asyncio.create_task(store.open())
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        await store.close()
        assert held() == before


async def test_a_store_closed_while_it_opens_is_closed(make_store: Callable[[str], Store], tmp_path: Path) -> None:
    """Neither call hangs, and nothing stays open behind them."""
    before = held()
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite")
    opening = asyncio.create_task(store.open())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await store.close()
        (opened,) = await asyncio.gather(opening, return_exceptions=True)

    assert opened is None or isinstance(opened, StoreUnavailable)
    assert held() == before
