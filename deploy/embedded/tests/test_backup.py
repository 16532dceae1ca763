"""Backup and restore of a data directory: one moment, whole or refused, and nothing comes back that was taken away."""

import json
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from build_embedded.backup import embedded
from build_embedded.backup.cli import backup_command, restore_command
from build_embedded.backup.manifest import MANIFEST, BackupFault, check, read_manifest
from build_embedded.backup.snapshot import moment
from build_testkit.openings import IN_USE, locked, small_disk

STEP = "create table if not exists steps (number integer primary key, filler blob)"


def database(path: Path, *rows: int) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode=wal")
        connection.execute(STEP)
        connection.executemany("insert into steps values (?, x'00')", [(row,) for row in rows])
    return path


def steps(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        return int(connection.execute("select coalesce(max(number), 0) from steps").fetchone()[0])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with as much as a backup looks at."""
    data = tmp_path / "data"
    (data / "objects" / "objects").mkdir(parents=True)
    (data / "objects" / "objects" / "one").write_bytes(b"bytes" * 1000)
    database(data / "gateway.sqlite", 1)
    database(data / "bus.sqlite", 1, 2)
    (data / "secrets.json").write_text(json.dumps({"JWT_SECRET_KEY": "x" * 40, "BUILD_DASHBOARD_API_KEY": "k" * 40}))
    return data


@pytest.fixture
def backed_up(data: Path, tmp_path: Path) -> Path:
    embedded.back_up(data, tmp_path / "backup", tmp_path / "none.yaml")
    return tmp_path / "backup"


def test_all_files_are_of_one_moment(tmp_path: Path) -> None:
    """Each step is written to the first, then to the second, then to the third: no copy has a later one of a later."""
    paths = [database(tmp_path / f"{name}.sqlite") for name in "abc"]
    is_over = threading.Event()

    def write() -> None:
        connections = [sqlite3.connect(path, isolation_level=None, timeout=5) for path in paths]
        number = 0
        while not is_over.is_set():
            number += 1
            for connection in connections:
                connection.execute("insert into steps values (?, zeroblob(3000))", (number,))
        for connection in connections:
            connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for turn in range(8):
            copies = [tmp_path / f"{turn}-{path.name}" for path in paths]
            with moment(paths) as taken:
                for path, copy in zip(paths, copies, strict=True):
                    taken.copy(path, copy)
            first, second, third = (steps(copy) for copy in copies)
            assert first >= second >= third >= first - 1
            assert [] == [beside for copy in copies for beside in tmp_path.glob(f"{copy.name}-*")]
    finally:
        is_over.set()
        writer.join()
    assert first > 1


def test_a_store_that_stays_locked_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others' users wait no longer for it than they would anyway; a lock that goes is waited for."""
    monkeypatch.setattr("build_embedded.backup.snapshot.PATIENCE_SECONDS", 0)
    free, busy = database(tmp_path / "free.sqlite"), database(tmp_path / "busy.sqlite")
    with locked(busy, *IN_USE):
        with pytest.raises(BackupFault, match=r"busy\.sqlite is locked"), moment([free, busy]):
            pass
        database(free, 1)  # nobody holds it any more


def test_a_backup_goes_to_a_new_directory_or_nowhere(data: Path, backed_up: Path, tmp_path: Path) -> None:
    """What has a backup, a part of one or anything else in it is left alone, and the data directory is no place."""
    partial = tmp_path / "partial"
    partial.mkdir()
    (partial / "bus.sqlite").write_bytes(b"half")
    for target, why in (
        (backed_up, "holds a backup already"),
        (partial, "cut off"),
        (data / "backup", "is within"),
        (Path(__file__), "cannot be used"),
    ):
        with pytest.raises(BackupFault, match=why):
            embedded.back_up(data, target, tmp_path / "none.yaml")
    with pytest.raises(BackupFault, match="no dashboard's data"):
        embedded.back_up(tmp_path / "elsewhere", tmp_path / "new", tmp_path / "none.yaml")
    assert b"half" == (partial / "bus.sqlite").read_bytes()


def test_a_backup_is_its_owners_and_holds_no_key_that_signs(backed_up: Path) -> None:
    """Nobody else may read any of it, and who finds it can make no token."""
    paths = [backed_up, *backed_up.rglob("*")]
    assert all(path.stat().st_mode & 0o077 == 0 for path in paths)
    assert b"xxxx" not in b"".join(path.read_bytes() for path in paths if path.is_file())


def test_a_full_disk_leaves_nothing_behind(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen before, or on the way: the directory is empty again, and the next try may use it."""
    (data / "objects" / "objects" / "large").write_bytes(bytes(2**20))
    with small_disk(tmp_path / "disk") as disk:
        target = disk.path / "backup"
        with pytest.raises(BackupFault, match="MiB free, and up to"):
            embedded.back_up(data, target, tmp_path / "none.yaml")
        monkeypatch.setattr(embedded, "_check_room", lambda *_: None)
        with pytest.raises(BackupFault, match="No space left"):
            embedded.back_up(data, target, tmp_path / "none.yaml")
        assert [] == list(target.iterdir())


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a flipped bit": (lambda backup: flipped(backup / "bus.sqlite"), r"bus\.sqlite: its bytes differ"),
    "a cut file": (lambda backup: (backup / "gateway.sqlite").write_bytes(b""), r"gateway\.sqlite: its size differs"),
    "a lost file": (lambda backup: (backup / "objects" / "objects" / "one").unlink(), "objects/one: missing"),
    "a file more": (lambda backup: (backup / "more").write_text("?"), "more: not in the manifest"),
    "no manifest": (lambda backup: (backup / MANIFEST).unlink(), "cut off"),
    "half a manifest": (lambda backup: (backup / MANIFEST).write_bytes(b'{"format": 1,'), "is damaged"),
    "a later form": (
        lambda backup: (backup / MANIFEST).write_text(
            (backup / MANIFEST).read_text().replace('"format": 1', '"format": 9')
        ),
        "does not know",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_not_what_was_backed_up_is_found(backed_up: Path, damage: str, capsys: Any) -> None:
    """By `--verify`, which names it, and by a restore, which leaves nothing behind."""
    cause, why = DAMAGES[damage]
    cause(backed_up)
    with pytest.raises(BackupFault, match=why):
        check(backed_up, read_manifest(backed_up))
    with pytest.raises(SystemExit):
        backup_command([str(backed_up), "--verify"])
    if damage == "a file more":
        return
    target = backed_up.with_name("restored")
    with pytest.raises(SystemExit):
        restore_command([str(backed_up), "--data", str(target)])
    assert not target.exists()
    assert [] == list(target.parent.glob(".restored*"))


def test_a_restore_needs_an_empty_directory(data: Path, backed_up: Path) -> None:
    """A dashboard's data is never overwritten, whether it runs or not."""
    before = sorted(data.rglob("*"))
    with pytest.raises(SystemExit, match="is not empty"):
        restore_command([str(backed_up), "--data", str(data)])
    assert before == sorted(data.rglob("*"))
