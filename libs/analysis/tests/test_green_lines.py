"""What green builds printed is evidence of what broke a red one."""

import io
import json
from pathlib import Path

import pytest
from build_analysis.analyzer import LogAnalyzer
from build_analysis.cli import analyze_files
from build_analysis.green_lines import GreenLines

GREEN = [
    "12:01:03 frobnicate: error: no table at /home/ci/w-3/a.tab, making one",
    "12:01:04 rows: 1021",
    "12:01:04 checking 3 shapes",
]


def failures_of(lines: list[str], green: list[str] | None = None) -> list[tuple[int, str, str]]:
    known = GreenLines()
    known.learn(green or [])
    analyzer = LogAnalyzer(green=known if green else None)
    analyzer.feed(1, lines)
    return [(one.first_line, one.category, one.message) for one in analyzer.finish(1).failures]


def test_a_line_of_a_green_build_is_no_cause() -> None:
    """Another path, stamp and number make it no other line."""
    lines = ["12:09:03 frobnicate: error: no table at /srv/w/a.tab, making one", "rows: 3"]

    assert [(1, "unknown", lines[0][9:])] == failures_of(lines)
    assert [] == failures_of(lines, GREEN)


def test_the_first_new_line_is_the_message_where_no_rule_knows_one() -> None:
    """An edge, and a wrapper's word: unknown tools speak for themselves."""
    edge = [
        "FAILED: a.inc",
        "cd /b && gen",
        "rows: 7",
        "sorry, no rows for me",
        "ninja: build stopped: subcommand failed.",
    ]
    recipe = [
        "rows: 1022",
        "checking 4 shapes",
        "the shapes are square",
        "so it ends",
        "make: *** [Makefile:3: a.inc] Error 3",
    ]

    assert [(3, "unknown", "rows: 7")] == failures_of(edge)
    assert [(4, "unknown", "sorry, no rows for me")] == failures_of(edge, GREEN)
    assert [(3, "unknown", "the shapes are square")] == failures_of(recipe, GREEN)


@pytest.mark.parametrize("name", ["good.log", "gone.log"])
def test_green_logs_are_named_on_the_command_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--good FILE` is read as any log is; one that cannot be read is named, and nothing is analysed without it."""
    out = io.StringIO()
    (tmp_path / "good.log").write_text("\n".join(GREEN), "utf-8")
    (tmp_path / "bad.log").write_text("frobnicate: error: no table at /x/a.tab, making one", "utf-8")

    code = analyze_files([tmp_path / "bad.log"], True, out, good=[tmp_path / name])

    assert (code, name in capsys.readouterr().err) == ((0, False) if name == "good.log" else (2, True))
    assert [] == [failure for line in out.getvalue().splitlines() for failure in json.loads(line)["failures"]]


def test_green_lines_are_kept_as_bytes_and_read_together() -> None:
    """What is packed in one process is known in another, whatever it calls a line's hash; a full set learns no more."""
    first, second = GreenLines(), GreenLines()
    first.learn(GREEN[:2])
    second.learn([*GREEN[1:], *GREEN])
    packed = [first.packed(), second.packed(), GreenLines().packed()]

    both = GreenLines.unpacked(packed)

    assert (3, 1, 0) == (len(both), first.count_new(second), both.count_new(first))
    assert both.knows("frobnicate: error: no table at /srv/x/a.tab, making one")
    assert not both.knows("frobnicate: error: the table has no rows")


def test_a_cause_within_a_failed_edge_is_one_though_a_green_build_printed_it() -> None:
    """A warning that was let pass, and now fails its edge, is what broke it."""
    diagnostic = "lib/a.cpp:3:5: error: unused variable 'x' [-Werror=unused-variable]"
    edge = ["FAILED: a.o", "c++ -c lib/a.cpp -o a.o", diagnostic, "ninja: build stopped: subcommand failed."]

    assert [(3, "warning_as_error")] == [one[:2] for one in failures_of(edge, [*GREEN, diagnostic])]
