"""The command line of the analyser."""

import io
import json
from pathlib import Path

import pytest
from build_analysis.cli import CHUNK_BYTES, analyze, analyze_files, check_rule_files

LOGS = Path(__file__).parent / "logs"


def test_json_is_one_line_a_file() -> None:
    """Scripts read a line per log, with every field named."""
    out = io.StringIO()

    assert analyze_files([LOGS / "multi.log", LOGS / "lit_green.log"], True, out) == 0
    first, second = (json.loads(line) for line in out.getvalue().splitlines())

    assert first["file"].endswith("multi.log")
    assert {
        *("category", "fault", "tool", "file", "line", "col", "projectLocation", "message"),
        *("target", "command", "firstLine", "lastLine", "signature"),
    } <= set(first["failures"][0])
    assert second["failures"] == []


def test_people_get_a_summary() -> None:
    """The first failure whole, the others by a line each."""
    out = io.StringIO()
    analyze_files([LOGS / "multi.log"], False, out)

    assert "compile_error at log line 14" in out.getvalue()
    assert "and 2 more" in out.getvalue()
    assert "\x1b[" not in out.getvalue()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The other files are still analysed; the exit code tells."""
    out = io.StringIO()

    assert analyze_files([tmp_path / "gone.log", LOGS / "multi.log"], True, out) == 2
    assert "gone.log" in capsys.readouterr().err
    assert len(out.getvalue().splitlines()) == 1


def test_line_ends_bytes_and_chunk_edges_do_not_matter(tmp_path: Path) -> None:
    """CRLF, bytes that are not UTF-8 and a file larger than a chunk give the same line numbers."""
    body = (LOGS / "undef_gcc.log").read_bytes().replace(b"\n", b"\r\n")
    green = b"\xff green line of some length to fill chunks\r\n" * (CHUNK_BYTES // 20)
    log = tmp_path / "big.log"
    log.write_bytes(green + body)

    first = analyze(log).first()

    assert first is not None
    assert b"undefined reference" in log.read_bytes().split(b"\n")[first.first_line - 1]


def test_the_rules_check_themselves() -> None:
    """`rules check` says how many examples hold."""
    out = io.StringIO()

    assert check_rule_files(out=out) == 0
    assert "0 complaints" in out.getvalue()
