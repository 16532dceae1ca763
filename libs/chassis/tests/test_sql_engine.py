"""The SQL engine: results come after the commit, a failing write fails alone, schemas only move forward."""

import asyncio
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from build_chassis.errors import StoreUnavailable, Unusable
from build_chassis.store.contract import FIRST_VERSION, Schema
from build_chassis.store.sql import SqlEngine, Step, additions
from build_testkit.mariadb import Database
from sqlalchemy import (
    Column,
    Connection,
    Index,
    Insert,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    insert,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

metadata = MetaData()
things = Table(
    "things", metadata, Column("id", Integer, primary_key=True), Column("name", String(50)), Column("raw", LargeBinary)
)


def _names(connection: Connection) -> list[str]:
    return list(connection.execute(select(things.c.name).order_by(things.c.id)).scalars())


def _insert(number: int, name: str) -> Insert:
    return insert(things).values(id=number, name=name)


@pytest.fixture(params=["file", "memory", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "mariadb":
        return str(request.getfixturevalue("mariadb_url"))
    return f"sqlite:///{tmp_path}/new/store.sqlite" if request.param == "file" else "sqlite://"


@pytest.fixture
async def engine(url: str) -> AsyncIterator[SqlEngine]:
    opened = SqlEngine(url)
    await opened.migrate(metadata)
    yield opened
    await opened.close()


async def test_a_read_sees_every_write_reported_before(engine: SqlEngine) -> None:
    """write() returns after its commit, with the function's result."""
    result = await engine.write(lambda connection: connection.execute(_insert(1, "one")).rowcount)

    assert result == 1
    assert await engine.read(_names) == ["one"]


async def test_writes_that_wait_together_commit_together(tmp_path: Path) -> None:
    """A burst of concurrent writes takes far fewer transactions than writes."""
    engine = SqlEngine(f"sqlite:///{tmp_path}/store.sqlite")
    await engine.migrate(metadata)
    transactions: set[int] = set()

    def write(connection: Connection, number: int) -> None:
        transactions.add(id(connection.get_transaction()))
        kept.append(connection.get_transaction())  # so that no two transactions share an id
        connection.execute(_insert(number, str(number)))

    kept: list[object] = []
    await asyncio.gather(*(engine.write(partial(write, number=n)) for n in range(200)))

    assert await engine.read(_names) == [str(n) for n in range(200)]
    assert len(transactions) <= 20
    await engine.close()


async def test_a_failing_write_fails_alone(engine: SqlEngine) -> None:
    """Neighbours in the same transaction are committed; the failing one gets its own error."""
    results = await asyncio.gather(
        engine.write(lambda connection: connection.execute(_insert(1, "one")).rowcount),
        engine.write(lambda connection: connection.execute(_insert(1, "again")).rowcount),
        engine.write(lambda connection: connection.execute(_insert(2, "two")).rowcount),
        return_exceptions=True,
    )

    assert (results[0], results[2]) == (1, 1)
    assert isinstance(results[1], IntegrityError)
    assert await engine.read(_names) == ["one", "two"]


async def test_a_wrong_statement_is_not_an_outage(engine: SqlEngine) -> None:
    """A mistake of ours must not look like a store that is away, or consumers would wait for ever."""
    with pytest.raises(DBAPIError):
        await engine.read(lambda connection: connection.execute(text("select * from nowhere")))


async def test_a_full_store_is_an_outage(tmp_path: Path) -> None:
    """What the database cannot take now is StoreUnavailable, and it goes on once there is room."""
    engine = SqlEngine(f"sqlite:///{tmp_path}/store.sqlite")
    await engine.migrate(metadata)
    pages = await engine.write(lambda connection: connection.execute(text("pragma page_count")).scalar())

    def limit(connection: Connection, count: object) -> None:
        connection.execute(text(f"pragma max_page_count={count}"))

    def fill(connection: Connection) -> None:
        limit(connection, pages)
        connection.execute(insert(things).values(id=1, raw=b"x" * 100_000))

    with pytest.raises(StoreUnavailable):
        await engine.write(fill)
    await engine.write(lambda connection: limit(connection, 100_000))
    await engine.write(lambda connection: connection.execute(insert(things).values(id=1, name="fits")))
    await engine.close()


async def test_a_closed_engine_is_an_outage(engine: SqlEngine) -> None:
    """Late writers get an error and are not left waiting."""
    await engine.close()

    with pytest.raises(StoreUnavailable):
        await engine.write(_names)


async def test_bytes_and_text_come_back_as_they_went(engine: SqlEngine) -> None:
    """Any byte in a binary column, any character in a text column, upper and lower case apart."""
    raw, name = bytes(range(256)) * 100, "naïve \U0001f40d \\ % ' Ω"

    def round_trip(connection: Connection) -> tuple[object, ...]:
        connection.execute(insert(things).values(id=1, name=name, raw=raw))
        found = connection.execute(select(things.c.name, things.c.raw).where(things.c.name == name)).one()
        other = connection.execute(select(things.c.id).where(things.c.name == name.upper())).first()
        return (*found, other)

    assert await engine.write(round_trip) == (name, raw, None)


async def test_what_is_new_is_added_to_a_store_that_has_rows(engine: SqlEngine) -> None:
    """Tables, columns and indexes; rows stay, an earlier release goes on writing, again changes nothing."""
    await engine.write(lambda connection: connection.execute(_insert(1, "one")))
    grown = MetaData()
    size = Column("size", Integer, nullable=False, server_default="7")
    more = Table("things", grown, *(column._copy() for column in things.columns), size, Column("owner", String(9)))
    Index("by_owner", more.c.owner)
    Table("others", grown, Column("id", Integer, primary_key=True))

    for _ in range(2):
        assert await engine.migrate(grown, [additions(grown)]) == FIRST_VERSION + 1
        await engine.write(additions(grown))

    await engine.write(lambda connection: connection.execute(_insert(2, "two")))
    rows = await engine.read(lambda connection: connection.execute(select(more).order_by(more.c.id)).all())
    assert [(1, "one", 7, None), (2, "two", 7, None)] == [(row.id, row.name, row.size, row.owner) for row in rows]
    assert await engine.read(lambda connection: connection.execute(text("select count(*) from others")).scalar()) == 0


async def test_an_old_schema_is_brought_forward_once(engine: SqlEngine) -> None:
    """Steps run in order from the stored version; a second start and an older program change nothing."""
    ran: list[int] = []
    steps: list[Step] = [lambda _: ran.append(2), lambda _: ran.append(3)]

    assert (await engine.schema()).version == FIRST_VERSION
    assert await engine.migrate(metadata, steps) == FIRST_VERSION + 2
    assert await engine.migrate(metadata, steps) == FIRST_VERSION + 2
    assert await engine.migrate(metadata, steps[:1]) == FIRST_VERSION + 2
    assert (ran, (await engine.schema()).version) == ([2, 3], FIRST_VERSION + 2)


async def test_a_store_of_a_later_release_is_refused_and_left_alone(url: str) -> None:
    """The release before goes on with it; one before that says in a sentence whose it is, and changes nothing."""
    engine = SqlEngine(url)
    assert await engine.schema() == Schema(0)
    steps: list[Step] = [lambda _: None, lambda _: None]
    await engine.migrate(metadata, steps, FIRST_VERSION + 1)

    assert await engine.migrate(metadata, steps[:1]) == FIRST_VERSION + 2
    with pytest.raises(Unusable, match=rf"later release, in schema {FIRST_VERSION + 2}, and this one knows 10: run"):
        await engine.migrate(metadata)
    assert await engine.schema() == Schema(FIRST_VERSION + 2, FIRST_VERSION + 1)
    await engine.close()


async def test_an_empty_database_gets_todays_schema_at_once(url: str) -> None:
    """No step runs against tables that create_all has just made in their newest form."""
    engine = SqlEngine(url)

    assert await engine.migrate(metadata, [lambda connection: pytest.fail("ran")]) == FIRST_VERSION + 1
    await engine.close()


async def test_a_start_that_died_before_it_noted_a_version_is_done_again(url: str) -> None:
    """Where the database keeps each table by itself, as MySQL does."""
    engine = SqlEngine(url)
    await engine.migrate(MetaData())
    await engine.write(lambda connection: connection.exec_driver_sql("delete from schema_version"))
    assert await engine.migrate(metadata) == FIRST_VERSION
    await engine.close()


async def test_a_store_of_a_release_before_0_1_0_is_refused_and_left_alone(url: str) -> None:
    """One clear sentence, and nothing in it is changed."""
    engine = SqlEngine(url)
    await engine.migrate(metadata)
    await engine.write(lambda connection: connection.exec_driver_sql("update schema_version set version = 7"))

    with pytest.raises(Unusable, match=r"before 0\.1\.0.*name an empty store"):
        await engine.migrate(metadata, [lambda connection: pytest.fail("ran")])
    assert (await engine.schema()).version == 7
    await engine.close()


@pytest.mark.mariadb
async def test_two_replicas_may_migrate_at_once(mariadb_url: str) -> None:
    """They take turns: one makes the schema, the other finds it."""
    engines = [SqlEngine(mariadb_url) for _ in range(2)]

    assert await asyncio.gather(*(engine.migrate(metadata) for engine in engines)) == [FIRST_VERSION] * 2
    for engine in engines:
        await engine.close()


@pytest.mark.mariadb
async def test_a_server_that_died_is_an_outage_and_found_again(mariadb: Database, mariadb_url: str) -> None:
    """StoreUnavailable while it is away; what was reported as written is there when it is back."""
    engine = SqlEngine(mariadb_url)
    await engine.migrate(metadata)
    await engine.write(lambda connection: connection.execute(_insert(1, "kept")))
    await asyncio.to_thread(mariadb.kill)
    try:
        with pytest.raises(StoreUnavailable):
            await engine.write(lambda connection: connection.execute(_insert(2, "refused")))
        with pytest.raises(StoreUnavailable):
            await engine.ping()
    finally:
        await asyncio.to_thread(mariadb.start)
    await engine.ping()
    await engine.write(lambda connection: connection.execute(_insert(3, "after")))

    assert await engine.read(_names) == ["kept", "after"]
    await engine.close()


@pytest.mark.mariadb
async def test_a_server_that_dies_in_a_migration_is_an_outage(mariadb: Database, mariadb_url: str) -> None:
    """Not a mistake of ours, although the lock can no longer be given back; the next try finishes the work."""
    engine = SqlEngine(mariadb_url)
    await engine.migrate(metadata)
    begun = threading.Event()

    def step(connection: Connection) -> None:
        if not begun.is_set():
            begun.set()
            connection.execute(text("select sleep(20)"))

    migrating = asyncio.create_task(engine.migrate(metadata, [step]))
    await asyncio.to_thread(begun.wait)
    await asyncio.to_thread(mariadb.kill)
    try:
        with pytest.raises(StoreUnavailable):
            await migrating
    finally:
        await asyncio.to_thread(mariadb.start)

    assert await engine.migrate(metadata, [step]) == FIRST_VERSION + 1
    await engine.close()


@pytest.mark.mariadb
async def test_a_failed_migration_gives_its_lock_back(mariadb_url: str) -> None:
    """Another replica, or this one again, does not wait for it."""
    engines = [SqlEngine(mariadb_url) for _ in range(2)]
    await engines[0].migrate(metadata)
    with pytest.raises(Unusable):
        await engines[0].migrate(metadata, [_wrong])

    async with asyncio.timeout(5):
        assert await engines[1].migrate(metadata, [lambda connection: None]) == FIRST_VERSION + 1
    for engine in engines:
        await engine.close()


async def test_a_schema_that_cannot_be_brought_up_to_date_is_no_outage(url: str) -> None:
    """Waiting would be for ever: the error says what the database answered; it is not taken for open."""
    engine = SqlEngine(url)
    await engine.migrate(metadata)
    with pytest.raises(Unusable, match="nowhere"):
        await engine.migrate(metadata, [_wrong])
    await engine.ping()  # it was open before
    await engine.close()

    if not url.endswith("://"):
        again = SqlEngine(url)
        with pytest.raises(Unusable, match="nowhere"):
            await again.migrate(metadata, [_wrong])
        with pytest.raises(StoreUnavailable):
            await again.ping()
        await again.close()


def _wrong(connection: Connection) -> None:
    connection.execute(text("update nowhere set x = 1"))


def test_an_engine_that_is_never_used_has_no_thread(tmp_path: Path) -> None:
    """Whoever makes one and never opens it has nothing to close, on the disk neither."""
    before = set(threading.enumerate())
    SqlEngine(f"sqlite:///{tmp_path}/new/store.sqlite")

    assert set(threading.enumerate()) == before
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_scheme_is_refused() -> None:
    """The error names what is allowed."""
    with pytest.raises(ValueError, match="sqlite:// or mysql://"):
        SqlEngine("postgresql://localhost/x")
