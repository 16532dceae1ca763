"""`build-dashboard migrate`: what each store has, and what a start would make of it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from build_embedded.migrate import migrate
from build_embedded.serve import SERVICES


def migrated(data: Path, *options: str) -> int:
    with pytest.raises(SystemExit) as ended:
        migrate([*options, "--data", str(data)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_a_check_says_what_there_is_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1 while there is something to do; once migrated, 0."""
    assert 1 == migrated(tmp_path, "--check")
    assert ["empty"] * (len(SERVICES) + 1) == [line.rsplit(": ")[-1] for line in capsys.readouterr().out.splitlines()]
    assert [] == list(tmp_path.iterdir())

    assert [0, 0] == [migrated(tmp_path), migrated(tmp_path, "--check")]

    lines = capsys.readouterr().out.splitlines()
    assert all(line.endswith("as it should be") for line in lines)
    assert "gateway    schema 11, this release's 11: as it should be" in lines


def test_a_later_release_s_stores_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By a check and by a migration, which leaves them as they are."""
    migrated(tmp_path)
    change(tmp_path / "history.sqlite", "insert into schema_least values (1, 12)")
    change(tmp_path / "history.sqlite", "update schema_version set version = 13")
    change(tmp_path / "bus.sqlite", "pragma user_version=2")
    for options in ((), ("--check",)):
        capsys.readouterr()
        assert 1 == migrated(tmp_path, *options)
        printed = [line for line in capsys.readouterr().out.splitlines() if "later release" in line]
        assert ["history", "bus"] == [line.split()[0] for line in printed]
        assert "restore a backup" in printed[0]


def test_what_is_no_data_directory_is_named(tmp_path: Path) -> None:
    """Nothing is made there."""
    with pytest.raises(SystemExit, match="no dashboard's data"):
        migrate(["--data", str(tmp_path / "nowhere")])
    assert not (tmp_path / "nowhere").exists()
