"""Test results and the structured sources beside the log."""

from pathlib import Path

import pytest
import yaml
from build_analysis.ninja_files import read_ninja_log
from build_analysis.test_results import TestResultReader

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
        ("9/9 Test #9: with space ...   Passed 0.01 sec", ("with space", "passed", "ctest", 0.01)),
        ("test a::panics - should panic ... ok", ("a::panics", "passed", "cargo", None)),
        ("test src/lib.rs - f (line 2) ... ok", ("src/lib.rs - f (line 2)", "passed", "cargo", None)),
        ("test a::off ... ignored, needs a GPU", ("a::off", "skipped", "cargo", None)),
        ("        SIGSEGV [   0.018s] (1/7) nx tests::a", ("nx tests::a", "crashed", "nextest", 0.018)),
        ("        PASS [   0.019s] nx tests::a", ("nx tests::a", "passed", "nextest", 0.019)),
        ("    --- FAIL: TestSub/two_words (0.01s)", ("TestSub/two_words", "failed", "go", 0.01)),
        ("7/8 deep - ms:with space OK              0.04s", ("deep - ms:with space", "passed", "meson", 0.04)),
        ("tests/a.py::test_b[x y] PASSED   [ 99%]", ("tests/a.py::test_b[x y]", "passed", "pytest", None)),
        ("[gw3] [ 40%] FAILED tests/a.py::test_c", ("tests/a.py::test_c", "failed", "pytest", None)),
        ("2031-01-02T03:04:05.1Z PASS: MLIR :: a.mlir (1 of 9)", ("MLIR :: a.mlir", "passed", "lit", None)),
    ],
)
def test_each_tool_tells_results_in_its_words(line: str, expected: tuple[object, ...]) -> None:
    """Name, outcome, tool and seconds of one line; the line's number goes along."""
    (result,) = TestResultReader().read(41, [line])

    assert expected == (result.name, result.outcome, result.tool, result.seconds)
    assert result.line == 41


@pytest.mark.parametrize(
    "line",
    [
        "[  FAILED  ] 2 tests, listed below:",
        "3 of 9 ms)",
        "a.py::b is a name",
        "took 3 sec",
        "test of it ... fine",
        "4: 5/5 Test #5: x .... Passed 0.01 sec",
        "4: [       OK ] A.b (0 ms)",
    ],
)
def test_other_lines_tell_no_result(line: str) -> None:
    """Words like a result's are not one."""
    assert [] == TestResultReader().read(1, [line])


def test_a_real_lit_run_is_seven_results() -> None:
    """Every test of the run, once."""
    results = TestResultReader().read(1, (LOGS / "lit_v.log").read_text().splitlines())

    assert {"failed": 3, "passed": 1, "xfailed": 1, "xpassed": 1, "timed_out": 1} == {
        outcome: sum(result.outcome == outcome for result in results)
        for outcome in {result.outcome for result in results}
    }


DRIVERS = Path(__file__).parent / "drivers"
RESULTS = yaml.safe_load((DRIVERS / "results.yaml").read_text())


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("size", [1, 10_000])
def test_real_drivers_report_each_test_once(name: str, size: int) -> None:
    """What they list again in the end, and tries that were not the last, are no results of their own."""
    lines, reader = (DRIVERS / name).read_text().splitlines(), TestResultReader()

    results = [one for at in range(0, len(lines), size) for one in reader.read(at + 1, lines[at : at + size])]

    assert RESULTS[name] == [f"{result.outcome} {result.name}" for result in results]


def test_cut_line_of_a_ninja_log_is_left_out() -> None:
    """ninja was killed while it wrote: what stands before is read."""
    log = "# ninja log v5\n0\t90\t1\ta.o\taa\n0\t50\t1\tb.o\tbb\n10\t20\t2\ta.o\tac\n5\t7"

    assert [("a.o", 90), ("b.o", 50), ("a.o", 10)] == [(made.output, made.duration_ms) for made in read_ninja_log(log)]


@pytest.mark.parametrize("text", ["{}", "[3]", "nonsense"])
def test_broken_structured_files_are_refused(text: str) -> None:
    """Each raises ValueError."""
    with pytest.raises(ValueError, match="not a ninja log"):
        read_ninja_log(text)
