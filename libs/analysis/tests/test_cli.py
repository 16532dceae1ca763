"""The command line of the analyser."""

import gzip
import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from build_analysis import rule_set
from build_analysis.cli import CHUNK_BYTES, analyze, analyze_files, check_rule_files
from build_analysis.rule_set import default_rules, own_rules

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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gzip"])
def test_logs_are_read_however_they_are_written(encoding: str, tmp_path: Path) -> None:
    """Marks, UTF-16 as PowerShell writes it, and gzip give the same answer at the same line."""
    text = (LOGS / "undef_gcc.log").read_text("utf-8")
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    log = tmp_path / "build.log"
    log.write_bytes(gzip.compress(text.encode()) if encoding == "gzip" else mark + text.encode(encoding))

    assert analyze(LOGS / "undef_gcc.log") == analyze(log)


def test_a_damaged_gzip_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A cut file says so on standard error; nothing of it reads as green."""
    log = tmp_path / "cut.log.gz"
    log.write_bytes(gzip.compress(b"[1/2] Building\n" * 9999)[:-20])
    out = io.StringIO()

    assert analyze_files([log], True, out) == 2
    assert "cut.log.gz" in capsys.readouterr().err
    assert not out.getvalue()


RULE = """
tool: mytool
rules:
  - id: mytool.broken
    category: toolchain_error
    fault: config
    has: ["mytool is broken"]
    match: '^(?P<message>mytool is broken: .*)'
    examples:
      - text: "mytool is broken: no licence"
        expect: {category: toolchain_error}
    counter_examples: ["mytool is not broken"]
"""


def test_rules_come_from_a_folder_without_a_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of further rules is in force at once; a file of it that does not read costs only itself."""
    (tmp_path / "mine.yaml").write_text(RULE)
    (tmp_path / "broken.yaml").write_text("tool: [")
    monkeypatch.setenv("BUILD_DASHBOARD_RULES", str(tmp_path))
    default_rules.cache_clear()
    log = tmp_path / "build.log"
    log.write_text("mytool is broken: no licence\n")

    try:
        first = analyze(log).first()
    finally:
        monkeypatch.undo()
        default_rules.cache_clear()

    assert first is not None
    assert ("toolchain_error", "mytool.broken") == (first.category, first.rule)


def test_rules_check_names_what_is_wrong_with_a_folder(tmp_path: Path) -> None:
    """Files that do not read, and examples that do not hold, are complaints."""
    (tmp_path / "mine.yaml").write_text(RULE.replace("{category: toolchain_error}", "{category: link_error}"))
    (tmp_path / "broken.yaml").write_text("tool: [")
    out = io.StringIO()

    assert check_rule_files(tmp_path, out) == 1
    assert "mytool.broken: category is 'toolchain_error'" in out.getvalue()
    assert "broken.yaml: " in out.getvalue()
    assert "2 complaints" in out.getvalue()


def test_a_rule_of_a_folder_replaces_the_one_of_its_name(tmp_path: Path) -> None:
    """What a release got wrong can be put right before the next."""
    rule = next(rule for rule in own_rules() if rule.id == "ninja.stopped")
    (tmp_path / "mine.yaml").write_text(RULE.replace("mytool.broken", rule.id))
    out = io.StringIO()

    check_rule_files(tmp_path, out)

    assert f"{len(own_rules())} rules" in out.getvalue()


def test_a_file_of_the_package_that_does_not_read_is_a_complaint(tmp_path: Path, monkeypatch) -> None:
    """Whoever adds a tool and mistypes its file is not answered that all is well."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "loom.yaml").write_text("tool: loom\nrules:\n  - text: |\n      a\n    b\n")
    monkeypatch.setattr(rule_set, "resources", SimpleNamespace(files=lambda _: tmp_path))
    own_rules.cache_clear()
    out = io.StringIO()
    try:
        assert check_rule_files(None, out) == 1
    finally:
        own_rules.cache_clear()

    assert "loom.yaml: " in out.getvalue()
    assert "1 complaints" in out.getvalue()
