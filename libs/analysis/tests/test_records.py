"""Test results and the structured sources beside the log."""

from pathlib import Path

import pytest
from build_analysis.ninja_files import read_compile_commands, read_ninja_log
from build_analysis.test_results import read_test_results

LOGS = Path(__file__).parent / "logs"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("PASS: MLIR :: IR/a b.mlir (1 of 9)", ("MLIR :: IR/a b.mlir", "passed", "lit", None)),
        ("XPASS: MLIR :: a.mlir (1 of 9)", ("MLIR :: a.mlir", "xpassed", "lit", None)),
        ("[       OK ] Suite.Case/3 (12 ms)", ("Suite.Case/3", "passed", "gtest", 0.012)),
        ("[  FAILED  ] Suite.Case, where GetParam() = 5 (6 ms)", ("Suite.Case", "failed", "gtest", 0.006)),
        (" 7/12 Test  #7: iree/x_test ......   Passed    0.03 sec", ("iree/x_test", "passed", "ctest", 0.03)),
        (" 7/12 Test  #7: x ......***Exception: SegFault  0.20 sec", ("x", "crashed", "ctest", 0.2)),
        ("8/9 Test #8: y ...***Timeout 60.01 sec", ("y", "timed_out", "ctest", 60.01)),
        ("tests/a.py::test_b[x y] PASSED   [ 99%]", ("tests/a.py::test_b[x y]", "passed", "pytest", None)),
        ("[gw3] [ 40%] FAILED tests/a.py::test_c", ("tests/a.py::test_c", "failed", "pytest", None)),
        ("2031-01-02T03:04:05.1Z PASS: MLIR :: a.mlir (1 of 9)", ("MLIR :: a.mlir", "passed", "lit", None)),
    ],
)
def test_each_tool_tells_results_in_its_words(line: str, expected: tuple[object, ...]) -> None:
    """Name, outcome, tool and seconds of one line; the line's number goes along."""
    (result,) = read_test_results(41, [line])

    assert expected == (result.name, result.outcome, result.tool, result.seconds)
    assert result.line == 41


@pytest.mark.parametrize(
    "line", ["[  FAILED  ] 2 tests, listed below:", "3 of 9 ms)", "a.py::b is a name", "took 3 sec"]
)
def test_other_lines_tell_no_result(line: str) -> None:
    """Words like a result's are not one."""
    assert [] == read_test_results(1, [line])


def test_a_real_lit_run_is_seven_results() -> None:
    """Every test of the run, once."""
    results = read_test_results(1, (LOGS / "lit_v.log").read_text().splitlines())

    assert {"failed": 3, "passed": 1, "xfailed": 1, "xpassed": 1, "timed_out": 1} == {
        outcome: sum(result.outcome == outcome for result in results)
        for outcome in {result.outcome for result in results}
    }


def test_cut_line_of_a_ninja_log_is_left_out() -> None:
    """ninja was killed while it wrote: what stands before is read."""
    log = "# ninja log v5\n0\t90\t1\ta.o\taa\n0\t50\t1\tb.o\tbb\n10\t20\t2\ta.o\tac\n5\t7"

    assert [("a.o", 90), ("b.o", 50), ("a.o", 10)] == [(made.output, made.duration_ms) for made in read_ninja_log(log)]


def test_compile_commands_are_read_in_both_forms() -> None:
    """`command` and `arguments` say the same."""
    text = '[{"file": "a.c", "directory": "/b", "command": "cc -c a.c"}, {"file": "b.c", "arguments": ["cc", "b.c"]}]'

    assert [("a.c", "cc -c a.c"), ("b.c", "cc b.c")] == [(one.file, one.command) for one in read_compile_commands(text)]


@pytest.mark.parametrize("text", ["{}", "[3]", "nonsense"])
def test_broken_structured_files_are_refused(text: str) -> None:
    """Each raises ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - any
        read_compile_commands(text)
    with pytest.raises(ValueError, match="not a ninja log"):
        read_ninja_log(text)
