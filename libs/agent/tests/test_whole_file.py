"""Small files that matter are the old one or the new one, whole; a damaged one is named, with what to do."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from build_dashboard.daemon.memory import Memory
from build_dashboard.daemon.trigger import Trigger
from build_dashboard.recording.directory import BuildDirectory, build_facts, left_builds
from build_dashboard.whole_file import write_whole
from build_testkit.openings import small_disk

_WRITER = """
import sys
from pathlib import Path
from build_dashboard.whole_file import write_whole
while True:
    for sign in "ab":
        write_whole(Path(sys.argv[1]), sign * 100_000)
        print(sign, flush=True)
"""


def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    """Whenever it is killed, and what it was writing does not stay for the next one to trip over."""
    path = tmp_path / "file"
    for lines in (1, 2, 5):
        with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(lines):
                writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
        assert path.read_text() in ("a" * 100_000, "b" * 100_000)
        assert path.stat().st_mode & 0o777 == 0o600
    write_whole(path, "next")
    assert path.read_text() == "next"


def test_contents_and_name_are_on_the_disk_in_that_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes before the name, and the name before it returns: a power cut finds nothing empty."""
    done: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(fd: int) -> None:
        done.append("sync " + Path(f"/proc/self/fd/{fd}").readlink().name.partition(".")[0])
        real_fsync(fd)

    def replace(self: Path, target: Path) -> Path:
        done.append("rename")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    (tmp_path / "folder").mkdir()
    write_whole(tmp_path / "folder" / "file", "text")

    assert done == ["sync file", "rename", "sync folder"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """The error is the disk's; nothing half written stays beside it."""
    with small_disk(tmp_path / "disk") as disk:
        write_whole(disk.path / "file", "old")
        disk.fill()
        with pytest.raises(OSError, match="No space left"):
            write_whole(disk.path / "file", "new" * 10_000)
        assert (disk.path / "file").read_text() == "old"
        assert sorted(path.name for path in disk.path.iterdir()) == ["file", "filler"]


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"pending": 3}', '{"attempt": {"x": 1}}', '{"pending": [{}]}'])
def test_a_damaged_memory_of_a_daemon_is_named(tmp_path: Path, text: str) -> None:
    """One sentence with what to do: going on from nothing it would follow orders twice."""
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"p\.json cannot be read .*put it back from a backup, or delete it"):
        Memory(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}"])
def test_a_damaged_build_in_the_spool_is_named_and_keeps_no_other(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The builds beside it are delivered."""
    good, bad = (BuildDirectory.create(tmp_path, build_facts("p", ["true"])) for _ in range(2))
    good.close()
    bad.close()
    (bad.path / "build.json").write_text(text)

    left = list(left_builds(tmp_path))
    for directory in left:
        directory.close()
    assert [directory.build_id for directory in left] == [good.build_id]
    assert bad.build_id in caplog.text


def test_an_order_that_cannot_be_kept_is_not_taken(tmp_path: Path) -> None:
    """On a full disk: neither now nor by half, so that the same order may come again."""
    with small_disk(tmp_path / "disk") as disk:
        memory = Memory(disk.path / "p.json")
        disk.fill()
        for _ in range(2):
            with pytest.raises(OSError, match="No space left"):
                memory.take(Trigger("c" * 5000))
        assert memory.pending == []
        disk.grow()
        assert memory.take(Trigger("c" * 5000))
        assert Memory(disk.path / "p.json").pending == [Trigger("c" * 5000)]


def test_a_command_that_was_noted_in_part_does_not_swallow_the_next(tmp_path: Path) -> None:
    """A torn line is no command: what follows it acts once, as every other."""
    directory = BuildDirectory.create(tmp_path, build_facts("p", ["true"]))
    (directory.path / "commands").write_text("first\nsec")
    assert not directory.journal_command("first")
    assert directory.journal_command("third")
    assert not directory.journal_command("third")
    directory.close()


def test_a_damaged_anchor_is_replaced_by_the_next(tmp_path: Path) -> None:
    """It only helps to place builds of an earlier boot."""
    from build_dashboard.recording.clock import keep_anchor, newest_anchor

    (tmp_path / ".anchors").write_text("")
    assert newest_anchor(tmp_path) is None
    keep_anchor(tmp_path, 5, {"bootId": "b", "uptimeMs": 1})
    assert json.loads((tmp_path / ".anchors").read_text()) == [{"serverAt": 5, "bootId": "b", "uptimeMs": 1}]
    assert [path.name for path in tmp_path.iterdir()] == [".anchors"]
