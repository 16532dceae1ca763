"""The SQL driver: databases of earlier releases."""

from pathlib import Path

from build_protocol.messages import FailureData
from chassis.store.sql import SqlEngine
from ingest.failures import Found
from ingest.store import open_store
from ingest.store.tables import failures, metadata


async def test_a_database_without_failures_is_brought_up_to_date(tmp_path: Path, speaker) -> None:
    """The first release's database gets the table it lacks, and keeps what it has."""
    url = f"sqlite:///{tmp_path}/old.sqlite"
    old = SqlEngine(url)
    await old.migrate(metadata, ())
    await old.write(failures.drop)
    await old.close()
    found = Found(items=[FailureData(category="crash", message="x", first_line=1)], count=1)

    store = open_store(url)
    await store.open()
    await store.keep_failures(speaker.id, 1, found)

    assert await store.find_failures(speaker.id) == found
    await store.close()
