"""Records as they stand on the wire."""

import json
from pathlib import Path

import pytest
from build_dashboard.holder import raw
from build_dashboard.holder.raw import RawWriter
from build_dashboard.recording.log_recorder import LogRecorder
from build_dashboard.recording.normalise import Block, Normaliser
from build_dashboard.recording.records import Recorder
from build_dashboard.recording.spool import Spool
from build_dashboard.redaction.redactor import Redactor
from build_protocol.limits import RECORD_BYTES
from build_protocol.messages import BuildLog, agent_record
from hypothesis import given, settings
from hypothesis import strategies as st

BUILD = "01a20a9f-9028-77f4-a411-c8af79849228"
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=40)


def read(records: list[bytes]) -> list[str]:
    lines: list[str] = []
    for seq, record in enumerate(records, 1):
        assert len(record) <= RECORD_BYTES
        message = agent_record.validate_json(record)
        assert isinstance(message, BuildLog)
        assert message.seq == seq
        first, *rest = message.data.lines
        if message.data.continues:
            assert message.data.first_line == len(lines)
            lines[-1] += first
        else:
            assert message.data.first_line == len(lines) + 1
            lines.append(first)
        lines += rest
    return lines


@settings(max_examples=75, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["out", "err"]), st.lists(TEXT, min_size=1, max_size=5), st.integers(0, 3))))
def test_lines_survive_encoding(parts) -> None:
    """Any text in any blocks comes out of the protocol's own models as it went in."""
    blocks, number = [], 1
    for stream, lines, stamped_at in parts:
        blocks.append(Block(stream, number, lines, stamped_at))
        number += len(lines)

    assert read(Recorder(BUILD, "p").log(blocks)) == [line for _, lines, _ in parts for line in lines]


@pytest.mark.parametrize("line", ["x" * 200_000, "\x01" * 50_000, "漢" * 30_000, '"' * 60_000])
def test_long_line_goes_on_in_the_next_record(line) -> None:
    """A line longer than a record is carried by several, each within the limit."""
    blocks = [Block("out", 1, ["before", line, "after"], 1)]

    assert read(Recorder(BUILD, "p").log(blocks)) == ["before", line, "after"]


def test_flood_fills_records() -> None:
    """Many lines make few records, none over the limit."""
    lines = [f"[{place}/9000] Building CXX object some/where/{place}.o" for place in range(9000)]
    records = Recorder(BUILD, "p").log([Block("out", 1, lines, 1)])

    assert read(records) == lines
    assert len(records) < sum(map(len, lines)) / 20_000


def test_each_line_keeps_its_time() -> None:
    """Lines of different moments carry them; a time that holds on is written once."""
    recorder = Recorder(BUILD, "p")
    (record,) = recorder.log([Block("out", 1, ["a", "b"], 10), Block("out", 3, ["c"], 50)])
    (same,) = recorder.log([Block("out", 4, ["d", "e"], 60)])

    assert json.loads(record)["data"]["timesMs"] == [10, 10, 50]
    assert json.loads(same)["data"]["timesMs"] == [60]


def test_totals_survive_a_restart() -> None:
    """Counting the spooled records again gives the same totals."""
    first, second = Recorder(BUILD, "p"), Recorder(BUILD, "p")
    blocks = [Block("out", 1, ["a", "é" * 30_000], 1), Block("out", 2, ["more"], 1, continues=True)]
    for record in first.log(blocks):
        second.recount(record)

    assert second.totals() == first.totals()
    totals = first.totals()
    assert totals is not None
    assert totals["lines"] == 2


@pytest.mark.parametrize("records_between", [0, 3])
def test_how_a_command_ended_outlives_the_agent_that_read_it(tmp_path, records_between) -> None:
    """An agent that dies between the command's end and BUILD_COMPLETE leaves the result to whoever adopts the build."""
    (tmp_path / "raw").mkdir()
    writer = RawWriter(str(tmp_path / "raw"))
    first = log_recorder(tmp_path)
    first.start({}, 1)
    first.step()
    writer.append(raw.OUT, 2, b"line\n")
    writer.close(3, "code=4 signal= reason=interrupted wall_ms=5 user_ms=6 system_ms=7 peak_rss_bytes=8 lost1=9:28")
    while first.step():
        pass
    for _ in range(records_between):
        first.update({"metrics": {"wallMs": 1}}, 3)

    adopting = log_recorder(tmp_path)
    while adopting.step():
        pass

    assert first.end is not None
    assert first.end == adopting.end


def test_a_short_build_is_written_in_two_pieces(tmp_path, monkeypatch) -> None:
    """Its start with what it printed meanwhile, and what was found out at its end with that: each is one sync."""
    synced: list[int] = []
    monkeypatch.setattr("build_dashboard.recording.spool._sync", synced.append)
    (tmp_path / "raw").mkdir()
    writer = RawWriter(str(tmp_path / "raw"))
    writer.append(raw.OUT, 2, b"a\nb\nc\n")
    writer.close(3, "code=0 signal= reason= wall_ms=5")
    recorder = log_recorder(tmp_path)
    recorder.start({}, 1)
    while recorder.step():
        pass
    assert len(synced) == 1
    for seconds in range(3):
        recorder.update({"metrics": {"wallMs": seconds}}, 4)
    assert recorder.end is not None
    recorder.complete(recorder.end, {}, 5)

    assert len(synced) == 2
    types = [json.loads(record)["type"] for record in Spool(tmp_path).records()]
    assert types == ["BUILD_START", "BUILD_LOG", *["BUILD_UPDATE"] * 3, "BUILD_COMPLETE"]


def test_a_build_that_prints_nothing_is_there_at_once(tmp_path) -> None:
    """Its start does not wait for output, and neither does what is found out while it runs."""
    (tmp_path / "raw").mkdir()
    RawWriter(str(tmp_path / "raw"))
    recorder = log_recorder(tmp_path)
    recorder.start({}, 1)
    recorder.step()
    recorder.update({"commit": "c"}, 2)

    types = [json.loads(record)["type"] for record in Spool(tmp_path).records()]
    assert types == ["BUILD_START", "BUILD_UPDATE"]


def log_recorder(directory: Path) -> LogRecorder:
    """A log recorder as a process has it that begins, or goes on with, the build in this directory."""
    recorder = Recorder("01900000-0000-7000-8000-000000000000", "p")
    return LogRecorder(str(directory / "raw"), Spool(directory), recorder, Normaliser(Redactor()))
