"""The SQL driver: databases of earlier releases."""

from pathlib import Path

import pytest
from build_chassis.store.sql import SqlEngine
from build_ingest.findings.failures import Found
from build_ingest.records.plan import plan_build
from build_ingest.store import BuildQuery, open_store
from build_ingest.store.sql import _listing
from build_ingest.store.tables import builds, failures, feedback, results
from build_protocol.ids import read_build_name, short_id
from build_protocol.messages import FailureData
from sqlalchemy import Connection, MetaData
from sqlalchemy.dialects import sqlite

ADDED_COLUMNS = {"builds_by_retry": "retry_of", "builds_by_archive": "archive", None: "rules", "builds_by_tail": "tail"}
"""By the index that goes with them."""


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def sql_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each dialect."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/old.sqlite"
    return str(request.getfixturevalue("mariadb_url"))


def _undo(db: Connection) -> None:
    """Take away what later releases added."""
    db.exec_driver_sql("update schema_version set version = 1")
    for table in (failures, results, feedback):
        table.drop(db)
    indexes = {index.name: index for index in builds.indexes}
    for index, column in ADDED_COLUMNS.items():
        if index:
            indexes[index].drop(db)
        db.exec_driver_sql(f"alter table builds drop column {column}")


async def test_an_old_database_is_brought_up_to_date(sql_url: str, reporter, make_reporter) -> None:
    """The first release's database gets the tables and columns it lacks, and keeps what it has."""
    earlier = make_reporter()
    first = open_store(sql_url)
    await first.open()
    await first.advance([plan_build(None, {}, [earlier.record_delivery(earlier.start())]).step])
    await first.close()
    old = SqlEngine(sql_url)
    await old.migrate(MetaData())
    await old.write(_undo)
    await old.close()
    repeated = reporter.start(retry_of=reporter.id)
    found = Found(items=[FailureData(category="crash", message="x", first_line=1)], count=1)

    store = open_store(sql_url)
    await store.open()
    await store.keep_failures(reporter.id, 1, found)
    await store.advance([plan_build(None, {}, [reporter.record_delivery(repeated)]).step])

    assert await store.find_failures(reporter.id) == found
    assert await store.read_results(reporter.id) == []
    assert [build.id for build in await store.list_builds(BuildQuery(retry_of=reporter.id))] == [reporter.id]
    for known in (earlier.id, reporter.id):
        named = BuildQuery(name=read_build_name(short_id(known)))
        assert [build.id for build in await store.list_builds(named)] == [known]
    await store.close()


@pytest.mark.parametrize("more", [{}, {"projects": ["a", "b"]}, {"statuses": ["failed"], "commit_prefix": "abc"}])
async def test_a_name_is_looked_up_by_index(tmp_path: Path, more: dict) -> None:
    """Whatever else is asked for, no build is read that does not answer to the name."""
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite")
    await store.open()
    listing = _listing(BuildQuery(name=read_build_name("0123abcd"), **more))
    query = str(listing.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))

    steps = await store._engine.read(lambda db: [row[3] for row in db.exec_driver_sql(f"explain query plan {query}")])
    await store.close()

    assert [step.partition("INDEX ")[2].partition(" ")[0] for step in steps if "builds" in step] == [
        "sqlite_autoindex_builds_1",
        "builds_by_tail",
    ]
