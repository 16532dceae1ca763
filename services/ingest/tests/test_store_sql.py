"""The SQL driver: which index serves which question."""

from pathlib import Path

import pytest
from build_ingest.store import BuildQuery, open_store
from build_ingest.store.sql import SqlBuildStore, _listing
from build_protocol.ids import read_build_name
from sqlalchemy.dialects import sqlite


@pytest.mark.parametrize("more", [{}, {"projects": ["a", "b"]}, {"statuses": ["failed"], "commit_prefix": "abc"}])
async def test_a_name_is_looked_up_by_index(tmp_path: Path, more: dict) -> None:
    """Whatever else is asked for, no build is read that does not answer to the name."""
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite")
    await store.open()
    listing = _listing(BuildQuery(name=read_build_name("0123abcd"), **more))
    query = str(listing.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))

    assert isinstance(store, SqlBuildStore)
    steps = await store._engine.read(lambda db: [row[3] for row in db.exec_driver_sql(f"explain query plan {query}")])
    await store.close()

    assert [step.partition("INDEX ")[2].partition(" ")[0] for step in steps if "builds" in step] == [
        "sqlite_autoindex_builds_1",
        "builds_by_tail",
    ]
