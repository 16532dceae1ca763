"""The SQL driver: databases of earlier releases."""

from pathlib import Path

from build_protocol.messages import FailureData
from chassis.store.sql import SqlEngine
from ingest.failures import Found
from ingest.plan import plan_build
from ingest.store import BuildQuery, open_store
from ingest.store.tables import failures, feedback, metadata, results
from sqlalchemy import Connection

ADDED_COLUMNS = {"builds_by_retry": "retry_of", "builds_by_archive": "archive", None: "rules"}
"""By the index that goes with them."""


def _undo(db: Connection) -> None:
    """Take away what later releases added."""
    for table in (failures, results, feedback):
        table.drop(db)
    for index, column in ADDED_COLUMNS.items():
        if index:
            db.exec_driver_sql(f"drop index {index}")
        db.exec_driver_sql(f"alter table builds drop column {column}")


async def test_an_old_database_is_brought_up_to_date(tmp_path: Path, speaker) -> None:
    """The first release's database gets the tables and columns it lacks, and keeps what it has."""
    url = f"sqlite:///{tmp_path}/old.sqlite"
    old = SqlEngine(url)
    await old.migrate(metadata, ())
    await old.write(_undo)
    await old.close()
    repeated = speaker.start(retry_of=speaker.id)
    found = Found(items=[FailureData(category="crash", message="x", first_line=1)], count=1)

    store = open_store(url)
    await store.open()
    await store.keep_failures(speaker.id, 1, found)
    await store.advance([plan_build(None, {}, [speaker.arrival(repeated)]).step])

    assert await store.find_failures(speaker.id) == found
    assert await store.read_results(speaker.id) == []
    assert [build.id for build in await store.list_builds(BuildQuery(retry_of=speaker.id))] == [speaker.id]
    await store.close()
