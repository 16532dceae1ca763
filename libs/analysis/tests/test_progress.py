"""Progress as real tools print it."""

import pytest
from build_analysis.progress import Progress, ProgressReader


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[12/345] Building CXX object lib/A.cpp.o", (12, 345, 3.5, "build", "ninja")),
        ("[12/345 12.3s] Building CXX object lib/A.cpp.o", (12, 345, 3.5, "build", "ninja")),
        ("[ 3% 12/345 4.1s] c++ -c a.cpp", (12, 345, 3.5, "build", "ninja")),
        ("\x1b[1m[345/345]\x1b[0m Linking CXX executable bin/mlir-opt", (345, 345, 100.0, "link", "ninja")),
        ("[10/345] Linking CXX static library lib/libMLIRIR.a", (10, 345, 2.9, "build", "ninja")),
        ("[0/1] Re-running CMake...", (0, 1, 0.0, "configure", "ninja")),
        ("[99/100] Running the MLIR regression tests", (99, 100, 99.0, "test", "ninja")),
        ("2024-05-01T10:11:12.1234567Z [12/345] Building CXX object a.o", (12, 345, 3.5, "build", "ninja")),
        ("[1/9] Building A\r[2/9] Building B", (2, 9, 22.2, "build", "ninja")),
        ("[ 12%] Building CXX object lib/CMakeFiles/a.dir/a.cpp.o", (None, None, 12.0, "build", "make")),
        ("[100%] Linking CXX executable tool", (None, None, 100.0, "link", "make")),
        ("[1,234 / 5,678] 3 actions running", (1234, 5678, 21.7, "build", "bazel")),
        ("(10:11:12) [1,234 / 5,678] Compiling llvm/lib/IR/Core.cpp; 4s", (1234, 5678, 21.7, "build", "bazel")),
        ("PASS: MLIR :: IR/parser.mlir (12 of 3000)", (12, 3000, 0.4, "test", "lit")),
        ("-- Testing: 3000 tests, 8 workers --", (0, 3000, 0.0, "test", "lit")),
        (" 20% [===========----------------------------] ETA: 00:01:02", (None, None, 20.0, "test", "lit")),
        ("Testing:  0.. 10.. 20.", (None, None, 20.0, "test", "lit")),
        ("  7/12 Test  #7: iree/base/status_test ......   Passed    0.03 sec", (7, 12, 58.3, "test", "ctest")),
        ("tests/test_a.py ....s.F          [ 12%]", (None, None, 12.0, "test", "pytest")),
        ("tests/test_a.py::test_b[x y] PASSED   [ 99%]", (None, None, 99.0, "test", "pytest")),
        ("[gw3] [ 40%] PASSED tests/test_a.py::test_c", (None, None, 40.0, "test", "pytest")),
        ("-- The C compiler identification is GNU 12.2.0", (None, None, None, "configure", "cmake")),
        ("-- Configuring done (1.2s)", (None, None, None, "configure", "cmake")),
    ],
)
def test_every_tool_is_read_in_its_own_words(line: str, expected: tuple[object, ...]) -> None:
    """One line of any supported tool tells how far it is and in which phase."""
    seen = ProgressReader().read(line)

    assert seen is not None
    assert expected == (seen.done, seen.total, seen.percent, seen.phase, seen.tool)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "a.cpp:12:3: warning: unused variable [-Wunused-variable]",
        "[ RUN      ] Suite.Test",
        "[       OK ] Suite.Test (0 ms)",
        "[ 12%",
        "[9/3] impossible",
        "  %0 = vector.load %arg0[1/2] : memref<4xf32>",
        "-- Installing: /usr/lib/libMLIR.a",
        "downloaded 3 of 9 MB",
    ],
)
def test_other_output_is_not_progress(line: str) -> None:
    """Compiler output that resembles progress moves nothing."""
    assert ProgressReader().read(line) is None


def test_the_same_progress_is_reported_once() -> None:
    """A repeated line is nothing new."""
    reader = ProgressReader()

    assert reader.read("[1/9] Building A") is not None
    assert reader.read("[1/9] Building A") is None


def test_a_chunk_answers_with_its_newest_line() -> None:
    """Only the state at the end of a chunk counts; a chunk without progress changes nothing."""
    reader = ProgressReader()

    (newest,) = reader.read_chunk(
        ["[1/9] Building A", "[2/9] Building B", "b.cpp: In function 'f':", "  12 | int x[3];"]
    )

    assert Progress(2, 9, 22.2, "build", "Building B", "ninja") == newest
    assert reader.read_chunk(["note: candidate", "[2/9] Building B"]) == []
    assert reader.read_chunk(["nothing here"]) == []


def test_no_phase_of_a_chunk_is_passed_over() -> None:
    """A small build configures, builds and tests faster than its output is read; how each phase ended is reported."""
    reader = ProgressReader()
    lines = [
        "-- Configuring done (0.0s)",
        "-- Generating done (0.0s)",
        "[1/9] Building A",
        "note: x",
        "[9/9] Building B",
    ]
    lines += ["1/2 Test #1: first ....   Passed    0.01 sec", "2/2 Test #2: second ...   Passed    0.01 sec"]

    seen = reader.read_chunk(lines)

    assert ["configure", "build", "test"] == [progress.phase for progress in seen]
    assert (seen[1].done, seen[2].done) == (9, 2)
    assert reader.read_chunk(lines[-1:]) == []


def test_a_second_ninja_run_is_reported_as_it_counts() -> None:
    """A nested run (LLVM's runtimes) starts again from its own beginning."""
    reader = ProgressReader()
    reader.read("[900/900] Linking CXX executable bin/clang")

    again = reader.read("[1/300] Building CXX object compiler-rt/a.o")

    assert again is not None
    assert (again.done, again.total, again.phase) == (1, 300, "build")


def test_the_link_phase_lasts_to_the_end_of_its_run() -> None:
    """A compilation between the last links does not flap the phase back."""
    reader = ProgressReader()
    reader.read("[95/100] Linking CXX executable bin/a")

    between = reader.read("[96/100] Building CXX object b.o")

    assert between is not None
    assert between.phase == "link"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["0.5 [4/16/900] Building A", "0.9 [7/16/900] Building B"], (7, 900)),
        (["0.5 [4/16/900] Building A", "0.9 [3/16/901] Building B"], (901, 919)),
    ],
)
def test_two_lines_settle_a_three_part_status(lines: list[str], expected: tuple[int, int]) -> None:
    """`NINJA_STATUS="%e [%f/%r/%t] "` and `"%e [%u/%r/%f] "` look alike until the second line."""
    reader = ProgressReader()

    first, second = reader.read(lines[0]), reader.read(lines[1])

    assert first is not None
    assert (first.done, first.total) == (None, None)
    assert second is not None
    assert expected == (second.done, second.total)


def test_what_is_left_settles_a_three_part_status_at_once() -> None:
    """`%f/%r/%t` never has more done than there is; the step that just finished still counts as running."""
    seen = ProgressReader().read("[4/2/1] touch a")

    assert seen is not None
    assert (1, 6) == (seen.done, seen.total)


@pytest.mark.parametrize("line", ["[" * 1_000_000, "[1/2] " + "x" * 1_000_000, " of " * 250_000, "\x1b[" * 500_000])
def test_a_huge_line_costs_linear_time(line: str) -> None:
    """A megabyte on one line is read within the suite's time limit."""
    ProgressReader().read(line)
