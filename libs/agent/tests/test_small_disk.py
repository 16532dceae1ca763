"""A build whose output fills the disk of its spool: it is delivered all the same, and what was lost is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from build_dashboard.holder import raw
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
