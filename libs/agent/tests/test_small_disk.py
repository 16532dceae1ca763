"""A build whose output fills the disk of its spool: it is delivered all the same, and what was lost is named."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from build_dashboard.builds import reporter as reporting
from build_dashboard.builds.reporter import BuildReporter
from build_dashboard.delivery.delivery import Delivery
from build_dashboard.endpoint import Endpoint
from build_dashboard.holder import raw
from build_dashboard.holder.ending import End
from build_dashboard.holder.holding import Holding
from build_dashboard.recording.directory import BuildDirectory, build_facts
from build_dashboard.redaction.redactor import Redactor
from build_testkit.openings import Disk, small_disk

LINES = "seq -f 'line %.0f of a build that prints far more than its disk takes' 200000; exit 3"


@pytest.fixture
def disk(spool: Path) -> Iterator[Disk]:
    """The spool lies on 3 MB."""
    with small_disk(spool) as mounted:
        mounted.remount("size=3m")
        yield mounted


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["long lines", "short lines", "control characters"])
def test_output_that_fills_the_disk_keeps_no_build_from_arriving(
    disk: Disk, lone_agent, agent, gateway, shape: str
) -> None:
    """200,000 lines while the dashboard is away; when it is back, what the disk took arrives, and the build's end."""
    script = {
        "long lines": LINES,
        "short lines": "seq 200000; exit 3",
        "control characters": r"yes \"$(printf '\033[1m\001\002\003')\" | head -n 100000; exit 3",
    }[shape]
    done = lone_agent.build("sh", "-c", script)
    assert done.returncode == 3

    resumed = agent.run("run", "--resume")
    assert resumed.returncode == 0, resumed.stderr.decode()
    build = gateway.only_build()
    complete = gateway.of(build, "BUILD_COMPLETE")[0]["data"]
    assert (complete["status"], complete["exitCode"]) == ("failed", 3)
    gaps = [record["data"]["gap"] for record in gateway.of(build, "BUILD_UPDATE") if "gap" in record["data"]]
    assert gaps
    assert {gap["reason"] for gap in gaps} == {"disk_full"}
    assert len(gateway.log(build)) > 1000
    assert agent.left() == []


@pytest.mark.slow
def test_a_disk_that_the_build_itself_fills_keeps_no_end_back(disk: Disk, lone_agent, agent, gateway) -> None:
    """What the command writes beside its output leaves no room at all; its end arrives once that is gone."""
    done = lone_agent.build("sh", "-c", f"printf x; dd if=/dev/zero of={disk.path}/other bs=64k status=none; exit 3")
    (disk.path / "other").unlink()
    assert done.returncode == 3
    assert agent.run("run", "--resume").returncode == 0
    assert gateway.of(gateway.only_build(), "BUILD_COMPLETE")[0]["data"]["exitCode"] == 3


@pytest.mark.parametrize("file_bytes", [64 * 1024, 10 * 1024 * 1024])
@pytest.mark.parametrize("is_ended", [True, False])
def test_cutting_keeps_what_was_read_and_the_end(tmp_path: Path, file_bytes: int, is_ended: bool) -> None:
    """Whatever files the output lies in; what is cut is counted, and cutting again changes nothing."""
    writer = raw.RawWriter(str(tmp_path), file_bytes)
    for number in range(300):
        assert writer.append(raw.OUT, number, b"%04d" % number * 256)
    if is_ended:
        writer.close(300, "0")
    reader = raw.RawReader(str(tmp_path))
    read = reader.read(70 * 1024)
    place = reader.number, reader.offset
    for _ in range(2):
        raw.RawReader(str(tmp_path), *place).cut(7)

    rest = raw.RawReader(str(tmp_path), *place)
    assert rest.read(10**6) == [
        (raw.GAP, 7, b"%d disk_full" % (1024 * (300 - len(read)))),
        *([(raw.EXIT, 300, b"0")] if is_ended else []),
    ]
    assert rest.read(10**6) == []
    whole = raw.RawReader(str(tmp_path))
    assert whole.read(70 * 1024)[: len(read)] == read
    assert sum(path.stat().st_size for path in tmp_path.glob("*.raw")) < 80 * 1024


def _on_a_read_only_disk(disk: Disk, printed: bytes) -> tuple[BuildReporter, Delivery]:
    """A build that printed, and ended with 3 just before its disk became read-only."""
    directory = BuildDirectory.create(disk.path, build_facts("alpha", ["ninja"]))
    delivery = Delivery(Endpoint("ws://127.0.0.1:9/ws", ""), "host", str(disk.path))
    reporter = BuildReporter(directory, Redactor(), delivery, is_new=True)
    reporter.start(None)
    disk.remount("size=32m")
    writer = raw.RawWriter(directory.raw)
    assert writer.append(raw.OUT, 1, b"first\n")
    reporter.pump()
    assert writer.append(raw.OUT, 2, printed)
    writer.close(3, "code=3 reason= wall_ms=5")
    reporter.spool.close()  # no disk becomes read-only while a file on it is open for writing
    directory.close()
    disk.remount("ro")
    return reporter, delivery


def _follow(reporter: BuildReporter) -> End:
    """Follow a holder that is gone already."""
    status, ticks = os.pipe()
    os.close(ticks)
    try:
        return reporter.follow(Holding(os.getpid(), status))
    finally:
        os.close(status)


def _check_whole(reporter: BuildReporter, printed: bytes) -> None:
    records = [json.loads(record) for record in reporter.spool.records()]
    assert [record["data"]["exitCode"] for record in records if record["type"] == "BUILD_COMPLETE"] == [3]
    lines = [line for record in records if record["type"] == "BUILD_LOG" for line in record["data"]["lines"]]
    assert lines == ["first", *printed.decode().splitlines()]


PRINTED = pytest.mark.parametrize(
    "printed", [b"a\n", b"x" * 100 + b"\n", b"line\n" * 250_000], ids=["less than a gap takes", "more", "not yet read"]
)


@PRINTED
def test_a_disk_that_takes_nothing_at_all_ends_no_reporting(
    disk: Disk, printed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even overwriting what is there: the build's own result is returned, and the next agent reads on."""
    monkeypatch.setattr(reporting, "DISK_FULL_SECONDS", 0.2)
    reporter, delivery = _on_a_read_only_disk(disk, printed)

    end = _follow(reporter)

    assert (end.exit_code, end.reason) == (3, None)
    assert ["cannot be delivered yet" in notice for notice in delivery.notices] == [True]
    disk.remount("rw")
    later = BuildReporter(reporter.directory, Redactor(), delivery, is_new=False)
    assert later.follow(None) == end
    _check_whole(later, printed)


@PRINTED
def test_a_disk_that_takes_something_again_gets_all_of_it(disk: Disk, printed: bytes) -> None:
    """While it is waited for, in the same process."""
    reporter, delivery = _on_a_read_only_disk(disk, printed)
    again = threading.Timer(0.3, disk.remount, ["rw"])
    again.start()

    end = _follow(reporter)
    again.join()

    assert (end.exit_code, end.reason) == (3, None)
    assert delivery.notices == []
    _check_whole(reporter, printed)
