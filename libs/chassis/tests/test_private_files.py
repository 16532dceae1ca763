"""Files of stores and buses: readable for their owner alone."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from build_chassis.bus.embedded import EmbeddedBus
from build_chassis.private_files import private_directory, private_file
from build_chassis.store.sql_store import SqlStore
from sqlalchemy import Column, Integer, MetaData, Table


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """A process whose new files everybody may read, as most are started."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}


async def test_what_stores_and_buses_keep_is_their_owners(tmp_path: Path) -> None:
    """Every file beside the database as well, and the directory where it had to be made."""
    store = SqlStore(f"sqlite:///{tmp_path}/data/store.sqlite", MetaData())
    bus = EmbeddedBus(tmp_path / "data" / "bus.sqlite")
    await store.open()
    await bus.open()
    found = modes(tmp_path / "data")
    await bus.close()
    await store.close()

    assert {"store.sqlite", "bus.sqlite"} <= found.keys()
    assert set(found.values()) == {0o600}
    assert permissions(tmp_path / "data") == 0o700


def permissions(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_a_file_from_before_is_closed_to_others_and_keeps_its_rows(tmp_path: Path) -> None:
    """With what SQLite has beside it; a directory that somebody else may enter on purpose stays so."""
    metadata = MetaData()
    Table("rows", metadata, Column("id", Integer, primary_key=True))
    os.chmod(tmp_path, 0o755)  # noqa: PTH101  the other way counts as blocking
    path = tmp_path / "store.sqlite"
    store = SqlStore(f"sqlite:///{path}", metadata)
    await store.open()
    await store.close()
    path.chmod(0o644)
    (tmp_path / "store.sqlite-journal").touch(0o664)
    size = path.stat().st_size

    private_file(path)
    private_directory(tmp_path)

    assert set(modes(tmp_path).values()) == {0o600}
    assert (path.stat().st_size, permissions(tmp_path)) == (size, 0o755)
