"""The SQL engine: results come after the commit, a failing write fails alone, schemas only move forward."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from chassis.errors import StoreUnavailable
from chassis.store.sql import SqlEngine, Step
from sqlalchemy import Column, Connection, Insert, Integer, LargeBinary, MetaData, String, Table, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

metadata = MetaData()
things = Table(
    "things", metadata, Column("id", Integer, primary_key=True), Column("name", String(50)), Column("raw", LargeBinary)
)


def _names(connection: Connection) -> list[str]:
    return list(connection.execute(select(things.c.name).order_by(things.c.id)).scalars())


def _insert(number: int, name: str) -> Insert:
    return insert(things).values(id=number, name=name)


@pytest.fixture(params=["file", "memory"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlEngine]:
    opened = SqlEngine(f"sqlite:///{tmp_path}/new/store.sqlite" if request.param == "file" else "sqlite://")
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
    with pytest.raises(OperationalError):
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
    """Late writers are told, not left waiting."""
    await engine.close()

    with pytest.raises(StoreUnavailable):
        await engine.write(_names)


async def test_an_old_schema_is_brought_forward_once(tmp_path: Path) -> None:
    """Steps run in order from the stored version; a second start and an older program change nothing."""
    engine = SqlEngine(f"sqlite:///{tmp_path}/store.sqlite")
    ran: list[int] = []
    steps: list[Step] = [lambda _: ran.append(2), lambda _: ran.append(3)]

    assert await engine.schema_version() == 0
    assert await engine.migrate(metadata) == 1
    assert await engine.migrate(metadata, steps) == 3
    assert await engine.migrate(metadata, steps) == 3
    assert await engine.migrate(metadata, steps[:1]) == 3
    assert (ran, await engine.schema_version()) == ([2, 3], 3)
    await engine.close()


async def test_an_empty_database_gets_todays_schema_at_once(tmp_path: Path) -> None:
    """No step runs against tables that create_all has just made in their newest form."""
    engine = SqlEngine(f"sqlite:///{tmp_path}/store.sqlite")

    assert await engine.migrate(metadata, [lambda connection: pytest.fail("ran")]) == 2
    await engine.close()


def test_an_unknown_scheme_is_refused() -> None:
    """The error names what is allowed."""
    with pytest.raises(ValueError, match="sqlite:// or mysql://"):
        SqlEngine("postgresql://localhost/x")
