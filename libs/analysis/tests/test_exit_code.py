"""Exit codes as evidence."""

import io
import json
from pathlib import Path

import pytest
from build_analysis.analyzer import LogAnalyzer
from build_analysis.cli import analyze_files
from build_analysis.exit_code import ExitCodeReader, meaning

WORDS = "frobnicate: error: the table has no rows"
GREEN = [f"[{i}/100] Building CXX object lib/f{i}.cpp.o" for i in range(1, 101)]


def code_of(*lines: str) -> int | None:
    reader = ExitCodeReader()
    reader.feed(lines)
    return reader.code


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("2031-01-02T03:04:05.1Z ##[error]Process completed with exit code 2.", 2),
        ("program finished with exit code 0", 0),
        ("ERROR: Job failed: exit code 137", 137),
        ("ERROR: Job failed: exit status 1", 1),
        ("##[error]Bash exited with code '139'.", 139),
        ("🚨 Error: The command exited with status 3", 3),
        ('The command "make check" exited with 2.', 2),
        ("Exited with code exit status 127", 127),
        ("Finished: SUCCESS", 0),
        ("Finished: FAILURE", 1),
        ("Job succeeded", 0),
        ("a test exits with exit code 3", None),
        ("exit code: 3", None),
    ],
)
def test_a_ci_system_s_word_is_read(line: str, code: int | None) -> None:
    """Each system's own form, behind its stamps; what a program prints of itself is none."""
    assert code == code_of(line)


def test_a_failed_step_is_not_undone_by_one_that_cleans_up() -> None:
    """A later 0 does not make a failed step good; the job's last word does."""
    assert code_of("program finished with exit code 2", "program finished with exit code 0") == 2
    assert code_of("script returned exit code 1", "Finished: SUCCESS") == 0
    assert code_of("Finished: FAILURE", "program finished with exit code 0") == 1


@pytest.mark.parametrize(
    ("lines", "options", "found"),
    [
        ([WORDS, *GREEN], {}, 0),
        ([WORDS, *GREEN], {"exit_code": 1}, 1),
        ([WORDS], {"exit_code": 0}, 0),
        ([WORDS], {}, 1),
        ([*GREEN, WORDS, *GREEN, "##[error]Process completed with exit code 2."], {"from_ci": True}, 1),
        ([WORDS, "Finished: SUCCESS"], {"from_ci": True}, 0),
        ([*GREEN, WORDS, *GREEN, "##[error]Process completed with exit code 2."], {"from_ci": True, "exit_code": 0}, 0),
    ],
)
def test_the_exit_code_decides_what_words_alone_do_not(
    lines: list[str], options: dict[str, int], found: int, tmp_path: Path
) -> None:
    """What only words call a failure counts with a code that is not 0, and does not with 0."""
    log, out = tmp_path / "build.log", io.StringIO()
    log.write_text("\n".join(lines), "utf-8")

    analyze_files([log], True, out, exit_code=options.get("exit_code"), from_ci="from_ci" in options)

    assert found == min(1, len(json.loads(out.getvalue())["failures"]))


def test_people_read_what_a_code_means_where_nothing_was_found(tmp_path: Path) -> None:
    """A log that says nothing, of a command that was killed, is not called well."""
    log, out = tmp_path / "build.log", io.StringIO()
    log.write_text("compiling", "utf-8")

    analyze_files([log], False, out, exit_code=137)

    assert "no failure found, though the command failed with exit code 137: it was killed" in out.getvalue()


def test_signals_are_read_in_both_forms() -> None:
    """Shells add 128 to a signal's number, Python takes it from 0."""
    assert meaning(139) == meaning(-11) != ""
    assert meaning(3) == ""


@pytest.mark.parametrize("chunk", [1, 500])
def test_a_command_that_failed_speaks_in_its_last_words(chunk: int) -> None:
    """Where no rule knows a word and only the exit code says so: its last alarm, and the place that it names."""
    lines = ["checking 12 files", "lib/a.tab:7: every table must have rows", "2 tables were checked"]
    analyzer = LogAnalyzer()
    for at in range(0, len(lines), chunk):
        analyzer.feed(at + 1, lines[at : at + chunk])
    first = analyzer.finish(3).first()

    assert first is not None
    assert (2, "unknown", "lib/a.tab", 7) == (first.first_line, first.category, first.file, first.line)


def test_a_command_without_a_word_of_alarm_says_nothing() -> None:
    """A green line is no message, whatever the exit code; nor is one where the code is not known."""
    for lines, code in ((["rows: 3", "done"], 1), (["lib/a.tab:7: every table must have rows"], None)):
        analyzer = LogAnalyzer()
        analyzer.feed(1, lines)

        assert analyzer.finish(code).failures == []
