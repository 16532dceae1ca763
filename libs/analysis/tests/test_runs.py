"""Whose progress it is: a build's own, or that of something that it runs."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from build_analysis.progress import Progress, ProgressReader

OUTER = [f"[{n}/98] Building CXX object lib/{n}.cpp.o" for n in range(1, 51)]
LAST = [f"[{n}/98] Building CXX object lib/{n}.cpp.o" for n in range(51, 98)] + ["[98/98] Linking CXX executable bin/x"]
CTEST = [
    "Test project /src/build",
    "      Start  1: one",
    "[17/17] Building CXX object fake.o",
    "[99/98] x",
    "[5/10] fake",
]
CTEST_END = [" 1/17 Test  #1: one ....   Passed    0.01 sec", "Total Test time (real) =   0.06 sec"]


def reported(lines: Sequence[str], *, chunk: int = 1, command: Sequence[str] = ()) -> list[Progress]:
    """What is reported of these lines, read so many at a time."""
    reader = ProgressReader(command)
    chunks = [lines[at : at + chunk] for at in range(0, len(lines), chunk)]
    return [progress for each in chunks for progress in reader.read_chunk(each)]


def last(lines: Sequence[str], *, command: Sequence[str] = ()) -> tuple[object, ...]:
    """Where a build stands after these lines, however they are cut."""
    ends = {
        (end.tool, end.phase, end.done, end.total)
        for size in (1, 7, 64, 10_000)
        if (found := reported(lines, chunk=size, command=command))
        for end in found[-1:]
    }
    assert len(ends) <= 1, "it depends on how the log is cut"
    return next(iter(ends), ())


PYTEST = [
    "===== test session starts =====",
    "collected 3 items",
    "",
    "test_a.py::test_one [5/10] fake",
    "PASSED                                     [ 33%]",
    "[1/3] Building C object a.o",
    "[2/3] Building C object b.o",
    "[3/3] Linking C executable x",
    "test_a.py::test_two PASSED                 [ 66%]",
]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (PYTEST, ("pytest", "test", None, None)),
        ([*PYTEST, "[gw1] [ 90%] PASSED test_a.py::test_c", "[7/8] fake"], ("pytest", "test", None, None)),
        ([*PYTEST, "===== 3 passed in 0.10s ====="], ("pytest", "test", None, None)),
        ([*PYTEST, "===== 3 passed in 0.10s =====", "[1/9] Building C object a.o"], ("ninja", "build", 1, 9)),
        (["..[5/10] fake", "..F.  [ 50%]", "[5/10] fake", "[6/10] fake"], ("pytest", "test", None, None)),
        (["..F.  [ 50%]", "1 failed, 3 passed in 0.12s", "[5/10] Building a.o"], ("ninja", "build", 5, 10)),
        ([*OUTER, *LAST, *CTEST], ("ctest", "test", None, None)),
        ([*OUTER, *LAST, *CTEST, *CTEST_END], ("ctest", "test", 1, 17)),
        ([*OUTER, *LAST, *CTEST, *CTEST_END, "[1/5] Building CXX object a.o"], ("ninja", "build", 1, 5)),
        ([*OUTER, *CTEST, *CTEST_END], ("ninja", "build", 50, 98)),
        ([*OUTER, *PYTEST, "[51/98] Building CXX object b.o"], ("ninja", "build", 51, 98)),
        (["[0/1] Running tests...", *CTEST], ("ctest", "test", None, None)),
        (["-- Testing: 9 tests, 2 workers --", "[1/2] x", "PASS: A :: b.mlir (3 of 9)"], ("lit", "test", 3, 9)),
        (
            [
                "[97/98] Running the MLIR regression tests",
                "-- Testing: 9 tests, 2 workers --",
                "[1/2] x",
                "[98/98] Linking CXX z",
            ],
            ("ninja", "link", 98, 98),
        ),
        (
            ["[==========] Running 7 tests from 4 test suites.", "[5/10] fake", "[       OK ] A.b (0 ms)"],
            ("gtest", "test", 1, 7),
        ),
        (["running 2 tests", "[5/10] fake", "test a::b ... ok"], ("cargo", "test", 1, 2)),
        (["=== RUN   TestA", "[5/10] fake", "--- PASS: TestA (0.00s)"], ("go", "test", None, None)),
        (["3 of 7 done", "read 3 of 7", "step 3 of 7: x", "7% (3 of 7) x", "[3 of 7] x"], ()),
    ],
)
def test_tests_do_not_move_a_build(lines: list[str], expected: tuple[object, ...]) -> None:
    """While a test driver runs, what its tests print is theirs; tests that a build step runs move nothing."""
    assert expected == last(lines)


@pytest.mark.parametrize(
    "command",
    [
        ["pytest", "-q", "-s"],
        ["python3", "-m", "pytest"],
        ["/usr/bin/env", "A=b", "ctest"],
        ["A=b", "ctest", "--preset", "x"],
        ["cargo", "test"],
    ],
)
def test_the_command_shows_who_owns_the_terminal(command: list[str]) -> None:
    """A test driver's own output may look like any build's."""
    assert () == last(["[5/10] fake", *OUTER, *LAST], command=command)


NESTED = [f"[{n}/40] Building C object inner/{n}.c.o" for n in range(1, 41)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([*OUTER, *NESTED], ("ninja", "build", 50, 98)),
        ([*OUTER, *NESTED, *LAST], ("ninja", "link", 98, 98)),
        ([*OUTER, *(f"[{n}/300] CXX {n}" for n in range(1, 301)), *LAST[:1]], ("ninja", "build", 51, 98)),
        ([*OUTER, *NESTED, *NESTED, *LAST[:1]], ("ninja", "build", 51, 98)),
        ([*OUTER, *NESTED[:20], *LAST[:1], *NESTED[20:30], *LAST[1:2]], ("ninja", "build", 52, 98)),
        (
            [*OUTER, *(f"[{n:3}%] Building C object a.o" for n in range(5, 101, 5)), *LAST[:1]],
            ("ninja", "build", 51, 98),
        ),
        ([*OUTER, "  [1/6] Building C object a.o", "[1,234 / 5,678] 3 actions running"], ("ninja", "build", 50, 98)),
        ([*OUTER, "-- Detecting C compiler ABI info", "-- Configuring done (0.1s)"], ("ninja", "build", 50, 98)),
        ([*OUTER, "[5/10] fake", "[51/60] fake"], ("ninja", "build", 50, 98)),
        ([*OUTER, "ninja: build stopped: subcommand failed.", *NESTED[:2]], ("ninja", "build", 2, 40)),
        ([*OUTER, *LAST, *NESTED[:1]], ("ninja", "build", 1, 40)),
        (
            [*(f"[{n:3}%] Building C object a.o" for n in range(1, 38)), *NESTED, "[ 38%] Building C object b.o"],
            ("make", "build", None, None),
        ),
        (
            ["[  1%] A", "[  2%] B", "[  9%] C", "make: *** [Makefile:9: all] Error 2", "[1/7] D"],
            ("ninja", "build", 1, 7),
        ),
        (["[1/3] configuring", "[2/3] building", *NESTED[:9]], ("ninja", "build", 9, 40)),
        (["[0/1] Re-running CMake...", "[1/98] Building a", "[2/98] Building b"], ("ninja", "build", 2, 98)),
        (["[1/98] a", "[2/98] b", "[3/98] c", "[4/9] Linking d", "[5/9] e", "[6/9] f"], ("ninja", "build", 6, 9)),
        (["[1/98] a", "[2/98] b", "[3/98] c", "[4/4] Linking CXX executable d"], ("ninja", "link", 4, 4)),
    ],
)
def test_wrapped_builds_do_not_move_the_build_around_them(lines: list[str], expected: tuple[object, ...]) -> None:
    """The outermost run is the build's; it ends with its last step, or when its tool says that it stopped."""
    assert expected == last(lines)


def test_percentages_of_a_wrapped_make_are_not_the_outer_makes() -> None:
    """They fall, and come back to where the outer one was."""
    outer = [f"[{n:3}%] Building C object a.o" for n in range(1, 38)]
    inner = [f"[{n:3}%] Building C object inner.o" for n in range(10, 101, 10)]

    ends = [
        progress.percent
        for progress in reported([*outer, *inner, "[ 36%] Building C object late.o", "[ 40%] Linking x"])
    ]

    assert ends[-2:] == [36.0, 40.0]
    assert max(end or 0 for end in ends) == 40.0


@pytest.mark.parametrize(
    ("status", "lines", "expected"),
    [
        ("%p (%f of %t) ", [" 16% (1 of 6) Building b", "100% (6 of 6) Linking g"], (6, 6)),
        (None, [" 16% (1 of 6) Building b", "100% (6 of 6) Linking g"], (6, 6)),
        (None, [" 16% (1 of 6) Building b", " 40% (3 of 6) prose", "downloaded 40% (3 of 6)"], (1, 6)),
        ("[%u/%r/%f] ", ["[4/2/1] a", "[3/2/2] b", "[2/2/3] d", "[2/1/4] e", "[1/1/5] f", "[0/1/6] g"], (6, 6)),
        (None, ["[4/2/1] a", "[3/2/2] b", "[2/2/3] d", "[2/1/4] e", "[1/1/5] f", "[0/1/6] g"], (6, 6)),
        ("[%f/%r/%t] ", ["[1/2/6] a", "[2/2/6] b", "[6/1/6] g"], (6, 6)),
        ("%f of %t: ", ["1 of 6: a", "6 of 6: g"], (6, 6)),
        ("%s|%r|%t ", ["2|2|6 a", "3|2|6 b"], (2, 6)),
        ("[%r+%u %f] ", ["[2+4 1] a", "[2+3 2] b", "[1+0 6] g"], (6, 6)),
        ("%e/%o> %f%% %t ", ["0.014/71.4> 1% 6 a", "0.034/71.4> 2% 6 a"], (2, 6)),
        ("[%f/%t %f] ", ["[2/6 2] a"], (2, 6)),
        ("%r:%u:%s ", ["3:2:3 a", "3:0:5 b", "1:0:5 c"], (5, 5)),
        ("@%t@%u@ ", ["@5@2@ a", "@5@0@ b"], (5, 5)),
        ("%u/%s ", ["2/3 a", "0/5 b"], (5, 5)),
        ("%r %u %t ", ["2 1 5 a"], (3, 5)),
        ("building ", ["building a", "[2/6] b"], (2, 6)),
        ("", ["[2/6] b"], (2, 6)),
        (None, ["  [1/6] Building C object m1.c.o", "  [2/6] Building C object m2.c.o"], (2, 6)),
        (None, ["  *** Building project with Ninja...", "  -- Configuring done (0.8s)", "  [2/6] Building"], (2, 6)),
    ],
)
def test_every_status_of_ninja_is_read(status: str | None, lines: list[str], expected: tuple[int, int]) -> None:
    """The format is that of the variable, or is learned from the lines; pip indents by two."""
    reader = ProgressReader((), status)

    seen = [progress for line in lines if (progress := reader.read(line))]

    assert expected == (seen[-1].done, seen[-1].total)


@pytest.mark.parametrize("size", [1, 2, 4, 100])
@pytest.mark.parametrize("status", [None, "[%u/%r/%f] "])
def test_a_status_is_read_the_same_however_the_log_is_cut(status: str | None, size: int) -> None:
    """Reading the newest line first leaves nothing behind that the others are read by."""
    lines = ["[4/2/1] a", "[3/2/2] b", "[2/2/3] d", "[2/1/4] e", "[1/1/5] f", "[0/1/6] Linking C executable g"]
    reader = ProgressReader((), status)

    seen = [one for at in range(0, len(lines), size) for one in reader.read_chunk(lines[at : at + size])]

    assert (6, 6, "link") == (seen[-1].done, seen[-1].total, seen[-1].phase)


@pytest.mark.parametrize(
    "command",
    [
        ["env", "NINJA_STATUS=%f of %t: ", "ninja"],
        ["sh", "-c", "NINJA_STATUS='%f of %t: ' ninja"],
        ["bash", "-ec", 'export NINJA_STATUS="%f of %t: "\nninja'],
    ],
)
def test_a_status_that_the_command_sets_is_known(command: list[str]) -> None:
    """It wins over the environment's."""
    reader = ProgressReader(command, "[%f/%t] ")

    seen = reader.read("2 of 6: Building")

    assert seen is not None
    assert (2, 6, "Building") == (seen.done, seen.total, seen.step)


def test_only_steps_of_a_build_are_counted_as_its_steps() -> None:
    """Neither tests nor a run that only starts something replace them."""
    lines = [
        "[98/98] Linking x",
        "[0/1] Running tests...",
        " 1/17 Test  #1: one ....   Passed    0.01 sec",
        "[0/1] Install the project...",
    ]

    seen = reported(lines)

    assert [98] == [progress.total for progress in seen if progress.counts_steps]


LOGS = Path(__file__).parent / "drivers"
PHASES = {
    "cargo-test.log": (["build", "test"], ("cargo", 7, 7)),
    "nextest.log": (["test"], ("nextest", 7, 7)),
    "meson-test.log": (["test"], ("meson", 8, 8)),
    "meson-compile.log": (["build", "link"], ("ninja", 6, 6)),
    "go-test.log": (["test"], ("go", None, None)),
    "ctest.log": (["test"], ("ctest", 11, 11)),
    "gtest.log": (["test"], ("gtest", 7, 7)),
    "pytest-n.log": (["test"], ("pytest", None, None)),
    "lit.log": (["test"], ("lit", 8, 8)),
    "pip-wheel.log": (["configure", "build", "link"], ("ninja", 6, 6)),
}


@pytest.mark.parametrize("name", PHASES)
def test_real_drivers_are_followed_to_their_end(name: str) -> None:
    """Phases and the last count of logs that the tools wrote, with `[5/10] fake` printed by tests."""
    lines = (LOGS / name).read_text().splitlines()
    phases, end = PHASES[name]

    found = reported(lines)

    assert phases == list(dict.fromkeys(progress.phase for progress in found))
    assert end == (found[-1].tool, found[-1].done, found[-1].total)
    assert all(progress.step is None or "fake" not in progress.step for progress in found)
