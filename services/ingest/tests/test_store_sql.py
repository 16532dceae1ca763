"""The SQL driver: which index serves which question."""

from pathlib import Path
from typing import Any

import pytest
from build_ingest.store import BuildQuery, open_store
from build_ingest.store.sql import SqlBuildStore, _listing
from build_protocol.ids import read_build_name
from sqlalchemy.dialects import sqlite


async def indexes(path: Path, asked: BuildQuery) -> list[str]:
    """By which indexes SQLite reads the builds of a listing; one that is read as it stands has an empty name."""
    store = open_store(f"sqlite:///{path}/store.sqlite")
    assert isinstance(store, SqlBuildStore)
    await store.open()
    query = str(_listing(asked).compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    steps = await store._engine.read(lambda db: [row[3] for row in db.exec_driver_sql(f"explain query plan {query}")])
    await store.close()
    return [step.partition("INDEX ")[2].partition(" ")[0] for step in steps if "builds" in step]


@pytest.mark.parametrize("more", [{}, {"projects": ["a", "b"]}, {"statuses": ["failed"], "commit_prefix": "abc"}])
async def test_a_name_is_looked_up_by_index(tmp_path: Path, more: dict) -> None:
    """Whatever else is asked for, no build is read that does not answer to the name."""
    asked = BuildQuery(name=read_build_name("0123abcd"), **more)
    assert await indexes(tmp_path, asked) == ["sqlite_autoindex_builds_1", "builds_by_tail"]


@pytest.mark.parametrize("more", [{}, {"projects": ["a"]}, {"projects": ["a", "b"], "statuses": ["failed"]}])
@pytest.mark.parametrize("name", ["branch", "config", "agent"])
async def test_what_few_builds_have_is_looked_up_by_index(tmp_path: Path, name: str, more: dict) -> None:
    """Also within a project: what no build has is answered without reading all of the project's."""
    asked: dict[str, Any] = {name: "x", **more}
    assert await indexes(tmp_path, BuildQuery(**asked)) == [f"builds_by_{name}"]
