"""Stores that can be read but not written: an outage like any other, which a ping finds and which ends by itself."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from build_chassis.errors import StoreUnavailable
from build_chassis.store import mongo
from build_chassis.store.mongo_store import MongoStore
from build_chassis.store.sql import SqlEngine
from build_testkit.mariadb import Database
from build_testkit.openings import IN_USE, Disk, locked, small_disk
from pymongo.errors import BulkWriteError, OperationFailure, WriteConcernError
from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, Table, create_engine, func, insert, select
from sqlalchemy.engine import make_url
from typing_extensions import override

metadata = MetaData()
things = Table("things", metadata, Column("id", Integer, primary_key=True), Column("raw", LargeBinary))


def _count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(things)).scalar() or 0


async def _add(engine: SqlEngine, size_bytes: int = 100) -> None:
    await engine.write(lambda connection: connection.execute(insert(things).values(raw=os.urandom(size_bytes))))


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[SqlEngine]:
    engine = SqlEngine(url)
    await engine.migrate(metadata)
    try:
        yield engine
    finally:
        await engine.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk") as mounted:
        yield mounted


async def fill(engine: SqlEngine, disk: Disk) -> None:
    """Until the store itself refuses: what its files had room for is used up."""
    await _add(engine)
    disk.fill()
    with pytest.raises(StoreUnavailable, match="no space left"):
        await _add_many(engine)


async def _add_many(engine: SqlEngine) -> None:
    for _ in range(500):
        await _add(engine, 4096)


async def test_a_full_disk_is_found_by_a_ping_although_it_answers_reads(disk: Disk) -> None:
    """Whoever waits for the store waits until it takes writes again, then goes on with the same store."""
    async with opened(f"sqlite:///{disk.path}/store.sqlite") as engine:
        await fill(engine, disk)
        before = await engine.read(_count)
        with pytest.raises(StoreUnavailable, match="no space left"):
            await engine.ping()

        disk.grow()
        await engine.ping()
        await _add(engine)
        assert await engine.read(_count) == before + 1


async def test_a_full_disk_is_named_to_whoever_opens_the_file_then(disk: Disk) -> None:
    """Before it can say that it has no room for a write, SQLite has none for what it shares with others."""
    async with opened(f"sqlite:///{disk.path}/store.sqlite") as engine:
        disk.fill()
        with pytest.raises(StoreUnavailable, match="no space left"):
            await engine.ping()
        disk.grow()
        await engine.ping()


async def test_a_connection_that_is_read_only_is_not_kept(tmp_path: Path) -> None:
    """One that found its file read-only would refuse for ever, however long the file can be written again."""
    async with opened(f"sqlite:///{tmp_path}/store.sqlite") as engine:
        await engine.write(lambda connection: connection.exec_driver_sql("pragma query_only=on"))
        with pytest.raises(StoreUnavailable, match="cannot be written"):
            await engine.ping()
        await engine.ping()


async def test_a_lock_held_for_long_fails_all_who_wait_at_once(tmp_path: Path) -> None:
    """Not one after the other, each after a wait of its own: ten writers would keep the eleventh for a minute."""
    path = tmp_path / "store.sqlite"
    async with opened(f"sqlite:///{path}") as engine:
        await engine.write(lambda connection: connection.exec_driver_sql("pragma busy_timeout=50"))
        with locked(path, *IN_USE) as release:
            async with asyncio.timeout(2):
                failed = await asyncio.gather(*(_add(engine) for _ in range(200)), return_exceptions=True)
            assert {type(error) for error in failed} == {StoreUnavailable}
            release()
        await engine.ping()


async def test_a_damaged_file_is_an_outage_that_names_what_to_do(tmp_path: Path) -> None:
    """No message is to blame for it: whoever restores the file finds them all."""
    path = tmp_path / "store.sqlite"
    async with opened(f"sqlite:///{path}") as engine:
        for _ in range(40):
            await _add(engine, 4096)
    async with opened(f"sqlite:///{path}") as engine:
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(8192)
            file.write(os.urandom(size - 8192))
        with pytest.raises(StoreUnavailable) as damaged:
            await _add_many(engine)
    assert "restore it from a backup" in damaged.value.hint


async def test_a_caller_that_left_costs_nothing(tmp_path: Path) -> None:
    """Probes that timed out while the store was stuck are not made up for when it is back."""
    ran: list[int] = []
    path = tmp_path / "store.sqlite"
    async with opened(f"sqlite:///{path}") as engine:
        await engine.write(lambda connection: connection.exec_driver_sql("pragma busy_timeout=200"))
        with locked(path, *IN_USE):
            first = asyncio.create_task(_add(engine))
            await asyncio.sleep(0)
            left = [asyncio.create_task(engine.write(lambda _: ran.append(1))) for _ in range(20)]
            await asyncio.sleep(0)
            for task in left:
                task.cancel()
            with pytest.raises(StoreUnavailable):
                await first
        await engine.ping()
    assert ran == []


@pytest.fixture
def clerk(mariadb: Database, mariadb_url: str) -> Iterator[tuple[str, object]]:
    """A database as an account reaches it that may not write to a read-only server, and the server's own connection."""
    url, name, word = make_url(mariadb_url), f"clerk{secrets.token_hex(3)}", "w"
    server = create_engine(url.set(drivername="mysql+pymysql", database=""), isolation_level="AUTOCOMMIT")
    with server.connect() as root:
        root.exec_driver_sql(f"create database {url.database} character set utf8mb4 collate utf8mb4_bin")
        root.exec_driver_sql(f"create user '{name}'@'%%' identified by '{word}'")
        root.exec_driver_sql(f"grant all on {url.database}.* to '{name}'@'%%'")
        yield url.set(username=name, password=word).render_as_string(hide_password=False), root
        root.exec_driver_sql("set global read_only=0")
        root.exec_driver_sql(f"drop user '{name}'@'%%'")
    server.dispose()


@pytest.mark.mariadb
async def test_a_read_only_server_is_an_outage_until_it_takes_writes(clerk: tuple[str, Connection]) -> None:
    """As after a failover to a replica: it answers reads, and neither a ping nor a write."""
    url, root = clerk
    async with opened(url) as engine:
        root.exec_driver_sql("set global read_only=1")
        assert await engine.read(_count) == 0
        for attempt in (engine.ping(), _add(engine)):
            with pytest.raises(StoreUnavailable):
                await attempt
        root.exec_driver_sql("set global read_only=0")
        await engine.ping()
        await _add(engine)


@pytest.mark.mariadb
async def test_an_account_that_may_no_longer_write_is_an_outage(clerk: tuple[str, Connection]) -> None:
    """As hosting providers do at a quota; the grant that comes back ends it."""
    url, root = clerk
    name, database = make_url(url).username, make_url(url).database
    async with opened(url) as engine:
        root.exec_driver_sql(f"revoke insert, update, delete on {database}.* from '{name}'@'%%'")
        for attempt in (engine.ping(), _add(engine)):
            with pytest.raises(StoreUnavailable):
                await attempt
        root.exec_driver_sql(f"grant all on {database}.* to '{name}'@'%%'")
        await engine.ping()
        await _add(engine)


class _Empty(MongoStore):
    @override
    async def _prepare(self) -> None:
        """It has no indexes."""


@pytest.mark.mongodb
async def test_a_ping_of_a_mongo_store_is_a_write(mongodb_url: str) -> None:
    """On disk on most servers: one without a primary answers reads only."""
    store = _Empty(mongodb_url)
    await store.open()
    await store.ping()
    await store.ping()
    database = mongo.connect(mongodb_url)
    assert await database[mongo.VERSION].find_one({"_id": "write_probe"}) == {"_id": "write_probe", "written": 2}
    await mongo.close(database)
    await store.close()


@pytest.mark.parametrize(
    "error",
    [
        OperationFailure("no space left", 14031),
        OperationFailure("you are over your space quota", 8000),
        OperationFailure("request rate is large", 16500),
        OperationFailure("lock timeout", 24),
        OperationFailure("interrupted", 11601),
        OperationFailure("not authorized", 13),
        OperationFailure("election", 20, {"errorLabels": ["RetryableWriteError"]}),
        WriteConcernError("stepped down before it was replicated", 64),
        BulkWriteError({"writeErrors": [{"code": 14031, "index": 0}], "writeConcernErrors": []}),
        BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 91}]}),
    ],
)
def test_what_a_server_refuses_for_a_while_is_an_outage(error: OperationFailure) -> None:
    """Space, quota, throttling, elections, lost write concern, on single and on bulk writes."""
    assert mongo.is_outage(error)
    assert not (isinstance(error, BulkWriteError) and mongo.is_only_duplicates(error))


def test_duplicates_of_a_bulk_write_are_no_outage() -> None:
    """They are how a second writer is found."""
    error = BulkWriteError({"writeErrors": [{"code": 11000, "index": 0}], "writeConcernErrors": []})
    assert mongo.is_only_duplicates(error)
    assert not mongo.is_outage(error)
