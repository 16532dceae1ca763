"""The analyser on logs that real tools printed, whole, streamed and dressed up."""

import random
from pathlib import Path

import pytest
from build_analysis.analyzer import LogAnalyzer
from build_analysis.failure import Failure, Report
from build_analysis.findings import FAILURE_LIMIT

LOGS = Path(__file__).parent / "logs"


def report_of(lines: list[str], chunk: int = 500, exit_code: int | None = None) -> Report:
    analyzer = LogAnalyzer()
    for start in range(0, len(lines), chunk):
        analyzer.feed(start + 1, lines[start : start + chunk])
    return analyzer.finish(exit_code)


def lines_of(name: str) -> list[str]:
    return (LOGS / f"{name}.log").read_text("utf-8").rstrip("\n").split("\n")


def place(failure: Failure) -> str:
    return f"{(failure.file or '').rpartition('/')[2]}:{failure.line}:{failure.col}"


# What was broken on purpose, and so is known: category, a word of the first line, the place.
BROKEN = {
    "hdr_gcc": ("missing_header", "gone.h", "a.cpp:1:10"),
    "hdr_clang": ("missing_header", "gone.h", "a.cpp:1:10"),
    "hdr_make": ("missing_header", "gone.h", "a.cpp:1:10"),
    "tmpl_gcc": ("compile_error", "nope", "t.h:1:45"),
    "tmpl_clang": ("compile_error", "member reference", "t.h:1:44"),
    "undef_gcc": ("link_error", "undefined reference", ":None:None"),
    "undef_gold": ("link_error", "undefined reference", ":None:None"),
    "dup_gcc": ("link_error", "multiple definition", ":None:None"),
    "nolib": ("link_error", "nolibz", ":None:None"),
    "werror_gcc": ("warning_as_error", "unused variable", "a.cpp:1:16"),
    "werror_clang": ("warning_as_error", "unused variable", "a.cpp:1:16"),
    "cm_dep": ("cmake_configure_error", "CMake Error at", "case.cmake:2:None"),
    "cm_fatal": ("cmake_configure_error", "CMake Error at", "case.cmake:1:None"),
    "cm_gone": ("cmake_configure_error", "CMake Error at", "case.cmake:1:None"),
    "cm_syntax": ("cmake_configure_error", "CMake Error at", "case.cmake:1:None"),
    "cust_false": ("unknown", "no rows", ":None:None"),
    "cust_notfound": ("toolchain_error", "nosuchtool", ":None:None"),
    "assert_gen": ("crash", "Assertion", "gen.cpp:2:None"),
    "assert_make": ("crash", "Assertion", "gen.cpp:2:None"),
    "segv_gen": ("crash", "Segmentation fault", ":None:None"),
    "segv_make": ("crash", "Segmentation fault", ":None:None"),
    "asan_ctest": ("sanitizer_report", "AddressSanitizer", "gen.cpp:1:None"),
    "asan_ctestv": ("sanitizer_report", "AddressSanitizer", "gen.cpp:1:None"),
    "oom_gcc": ("out_of_memory", "memory exhausted", ":None:None"),
    "norule": ("build_graph_error", "never.td", ":None:None"),
    "norule_make": ("build_graph_error", "never.td", ":None:None"),
    "multi": ("compile_error", "undefined_", "e2.cpp:1:18"),
    "pytest1": ("python_import_error", "nope_mod", "test_b.py:1:None"),
    "pytest2": ("python_test_failure", "bad a b", "test_a.py:3:None"),
    "unittest": ("python_test_failure", "KeyError", "ut.py:4:None"),
    "lit_v": ("lit_test_failure", "unknown op", "x.mlir:3:4"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_was_broken_is_found(name: str) -> None:
    """Category, first line and place agree with what was broken on purpose."""
    category, word, expected_place = BROKEN[name]
    lines = lines_of(name)

    first = report_of(lines).first()

    assert first is not None
    assert (category, expected_place) == (first.category, place(first))
    assert word in lines[first.first_line - 1]


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_chunking_changes_nothing(name: str, chunk: int) -> None:
    """However the log arrives, the report is the same."""
    lines = lines_of(name)

    assert report_of(lines, 10_000) == report_of(lines, chunk)


@pytest.mark.parametrize("name", BROKEN)
def test_another_machine_signs_the_same(name: str) -> None:
    """Other roots, stamps and colours give the same failure the same signature."""
    lines = lines_of(name)
    dressed = [
        f"2031-01-02T03:04:05.1234567Z \x1b[1m{line.replace('/home/builder/real', '/srv/ci-7/ws')}\x1b[0m"
        for line in lines
    ]

    assert [one.signature for one in report_of(lines).failures] == [
        one.signature for one in report_of(dressed).failures
    ]


@pytest.mark.parametrize("name", ["pytest_green", "lit_green"])
def test_green_runs_with_scary_words_are_green(name: str) -> None:
    """Expected failures, captured words and passing tests' output are no failures."""
    assert [] == report_of(lines_of(name)).failures


def test_a_build_that_exits_with_0_has_no_failure() -> None:
    """The command's own word stands above the log's."""
    assert [] == report_of(lines_of("hdr_gcc"), exit_code=0).failures


def test_every_failing_edge_of_keep_going_is_one_failure() -> None:
    """`ninja -k 0` goes on; each edge has its target, command and first error."""
    failures = report_of(lines_of("multi")).failures

    assert [f"CMakeFiles/l.dir/e{i}.cpp.o" for i in (2, 1, 3)] == [failure.target for failure in failures]
    assert all((failure.command or "").startswith("/usr/bin/g++") for failure in failures)
    assert len({failure.signature for failure in failures}) == 3


def test_a_failing_edge_is_certain_before_the_build_ends() -> None:
    """An alert need not wait: the edge is told as soon as the next one speaks, once."""
    analyzer = LogAnalyzer()
    lines = [
        "[1/9] Building CXX object a.cpp.o",
        "FAILED: a.cpp.o ",
        "/usr/bin/c++ -c a.cpp",
        "a.cpp:1:2: error: no",
    ]

    assert [] == analyzer.feed(1, lines)
    told = analyzer.feed(5, ["[2/9] Building CXX object b.cpp.o"])

    assert ["a.cpp.o"] == [failure.target for failure in told]
    assert [] == analyzer.feed(6, ["[3/9] Building CXX object c.cpp.o"])
    assert len(analyzer.finish().failures) == 1


def test_every_test_of_a_run_is_told_once() -> None:
    """The block and the summary of a test are one failure; each test of the run is there."""
    targets = [failure.target for failure in report_of(lines_of("lit_v")).failures]

    assert sorted(
        ["REAL :: bad.txt", "REAL :: brk.txt", "REAL :: sv.txt", "REAL :: slow.txt", "REAL :: xp.txt"]
    ) == sorted(target or "" for target in targets)


def test_what_a_passing_gtest_prints_is_no_failure() -> None:
    """A death test that ended with OK printed its assertion on purpose."""
    lines = [
        "[ RUN      ] A.Dies",
        "tool: a.cpp:3: void f(): Assertion `x' failed.",
        "[       OK ] A.Dies (3 ms)",
        "[ RUN      ] A.Fails",
        "a_test.cpp:9: Failure",
        "Expected equality of these values:",
        "[  FAILED  ] A.Fails (0 ms)",
    ]

    assert ["A.Fails"] == [failure.target for failure in report_of(lines).failures]


def test_a_retry_that_worked_is_no_failure() -> None:
    """A connection that came back is not what broke the build an hour later."""
    lines = ["error: RPC failed; curl 56 reset", "Waiting 15 seconds before trying again"]
    lines += [f"[{i}/300] Building CXX object f{i}.o" for i in range(200)]
    lines += [
        "FAILED: f200.o",
        "/usr/bin/c++ -c f200.cpp",
        "f200.cpp:1:2: error: no",
        "ninja: build stopped: subcommand failed.",
    ]

    assert ["compile_error"] == [failure.category for failure in report_of(lines).failures]


SCARY = [
    "fatal: not a git repository (or any of the parent directories): .git",
    "sccache: error: couldn't connect to server",
    "error: unable to open the optional file, going on",
    "lib/a.cpp:3:5: error: this is what the self-check prints on purpose",
    "Assertion failed: x, file a.c, line 3 (expected by the self-test)",
    "curl: (28) Connection timed out after 30001 milliseconds",
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
    "-- Performing Test HAVE_STRERROR_R - Failed",
    "CMake Warning at CMakeLists.txt:3 (message):",
    "/usr/bin/ld: DWARF error: could not find variable specification at offset 2f",
    "0 errors, 0 failures, 0 fatal",
    "remote: Counting objects: 100% (3/3), done.",
]


@pytest.mark.parametrize("line", SCARY)
def test_a_build_that_goes_on_was_not_broken(line: str) -> None:
    """Without a failing edge, an exit code or a wrapper's word, what ninja went on after is no failure."""
    steps = [f"[{i}/300] Building CXX object f{i}.o" for i in range(1, 301)]

    assert [] == report_of([*steps[:100], line, *steps[100:]]).failures


def test_failures_hide_in_a_long_green_log() -> None:
    """Twenty thousand green lines before and after do not move the answer."""
    green = [f"[{i}/90000] Building CXX object lib/ErrorHandling{i}.cpp.o" for i in range(20_000)]
    lines = [*green, *lines_of("undef_gcc"), *green]

    first = report_of(lines).first()

    assert first is not None
    assert "undefined reference" in lines[first.first_line - 1]


def test_memory_is_bounded() -> None:
    """A log of failures only keeps the first ones and counts the rest."""
    analyzer = LogAnalyzer()
    for i in range(FAILURE_LIMIT + 50):
        analyzer.feed(4 * i + 1, [f"[{i}/9] c{i}", f"FAILED: f{i}.o", "c++ -c", f"f{i}.cpp:1:1: error: e{i}"])
    report = analyzer.finish()

    assert len(report.failures) == FAILURE_LIMIT
    assert report.dropped == 50


@pytest.mark.parametrize(
    "line",
    [
        "x: error: " + "a" * 1_000_000,
        "/a" * 500_000 + ":1:2: error: x",
        "Assertion `" * 90_000,
        "(: error" * 120_000,
        "E   " * 250_000,
    ],
)
@pytest.mark.timeout(20)
def test_a_line_of_a_megabyte_costs_linear_time(line: str) -> None:
    """No regular expression meets more than a few thousand characters."""
    report_of([line] * 3)


def test_any_text_is_read_without_harm() -> None:
    """Random mixtures of real lines never raise, and every answer lies within the log."""
    dice = random.Random(7)
    pool = [line for name in BROKEN for line in lines_of(name)]
    for _ in range(30):
        lines = [dice.choice(pool) for _ in range(200)]
        for failure in report_of(lines, 50).failures:
            assert 1 <= failure.first_line <= failure.last_line <= len(lines)
            assert failure.message


def test_a_flood_and_what_is_only_counted_are_read_like_all_else() -> None:
    """Short cuts for many errors in a row, and for failures past the limit, change neither answers nor the count."""
    edges = FAILURE_LIMIT + 30
    lines = []
    for i in range(edges):
        lines += [f"[{i}/{edges}] Building CXX object f{i}.cpp.o", f"FAILED: f{i}.cpp.o", f"c++ -c f{i}.cpp"]
        lines += [f"f{i}.cpp: In function 'f':", f"f{i}.cpp:{i + 1}:2: error: 'x{i}' was not declared in this scope"]
        lines += [f"f{i}.cpp:{j}:2: error: 'y{j}' was not declared in this scope" for j in range(40)]
    lines += ["ninja: build stopped: subcommand failed."]

    class WithoutShortCuts(LogAnalyzer):
        def _adds_nothing(self, number: int, raw: str) -> bool:
            return False

    quick, slow = LogAnalyzer(), WithoutShortCuts()
    for analyzer in (quick, slow):
        for start in range(0, len(lines), 500):
            analyzer.feed(start + 1, lines[start : start + 500])

    assert quick.finish() == slow.finish()


def test_a_failed_step_s_block_ends_before_the_next_step() -> None:
    """The page marks a failure's lines: what ninja reports of the next step is none of them."""
    lines = [
        "[1/9] Building CXX object a.o",
        "FAILED: a.o",
        "/usr/bin/c++ -c a.cpp -o a.o",
        "a.cpp:3:10: error: use of undeclared identifier 'x'",
        "    3 | int y = x;",
        "      |         ^",
        "[2/9] Building CXX object b.o",
        "ninja: build stopped: subcommand failed.",
    ]
    analyzer = LogAnalyzer()
    analyzer.feed(1, lines)

    (failure,) = analyzer.finish(1).failures
    assert (failure.first_line, failure.last_line) == (4, 6)
