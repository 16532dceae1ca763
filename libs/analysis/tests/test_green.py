"""Green logs stay green, whatever words are in them."""

import random
from pathlib import Path

import pytest
from build_analysis.analyzer import LogAnalyzer
from build_analysis.failure import Failure

SCARY = Path(__file__).with_name("scary.txt").read_text("utf-8").splitlines()
# What is green only as a whole: tests that want an error, a retry that worked.
SCENES = [
    [
        "[ RUN      ] DeathTest.Aborts",
        "terminate called after throwing an instance of 'std::runtime_error'",
        "Segmentation fault (core dumped)",
        "[       OK ] DeathTest.Aborts (12 ms)",
    ],
    [
        "[ RUN      ] ParserTest.RejectsBadInput",
        "a.mlir:3:5: error: expected ')'",
        "tool: a.cpp:3: void f(): Assertion `x' failed.",
        "[       OK ] ParserTest.RejectsBadInput (1 ms)",
    ],
    [
        "curl: (56) Recv failure: Connection reset by peer",
        "Retrying download of https://e.example/x.tar.gz (attempt 2 of 3)",
        "Downloaded 12 MB",
    ],
    [
        "error: RPC failed; curl 92 HTTP/2 stream 5 was not closed cleanly: CANCEL (err 8)",
        "fatal: early EOF",
        "Waiting 15 seconds before trying again",
        "Submodule path 'third_party/llvm': checked out '1111111'",
    ],
    [
        "1/1 Test #12: ops_test ...........***Failed    0.10 sec",
        "cannot open the device",
        "    Test #12: ops_test ...........   Passed    0.10 sec",
        "100% tests passed, 0 tests failed out of 99",
    ],
    [
        "FAIL: //lib:ops_test (see /b/testlogs/lib/ops_test/test_attempts/attempt_1.log)",
        "//lib:ops_test   FLAKY, failed in 1 out of 2 in 3.0s",
        "INFO: Build completed successfully, 3 total actions",
    ],
    [
        "  ERROR: Failed building wheel for tally",
        "  Running setup.py install for tally: finished with status 'done'",
        "Successfully installed tally-1.0",
    ],
    [
        "Err:3 http://archive.example jammy InRelease",
        "  Temporary failure resolving 'archive.example'",
        "W: Failed to fetch http://archive.example/jammy  Temporary failure resolving 'archive.example'",
        "W: Some index files failed to download. They have been ignored, or old ones used instead.",
        "Setting up ninja-build (1.11.1-1) ...",
    ],
]
STEPS = [f"[{i}/300] Building CXX object lib/f{i}.cpp.o" for i in range(1, 301)]


def failures_of(lines: list[str]) -> list[Failure]:
    analyzer = LogAnalyzer()
    for start in range(0, len(lines), 500):
        analyzer.feed(start + 1, lines[start : start + 500])
    return analyzer.finish().failures


@pytest.mark.parametrize("line", SCARY)
def test_a_scary_line_is_no_failure(line: str) -> None:
    """Alone, in a run that goes on, in one that ends unseen, and at the end: it says nothing of a failure."""
    for lines in ([line], [*STEPS[:150], line, *STEPS[150:]], [*STEPS[:150], line, *STEPS[150:250]], [*STEPS, line]):
        assert [] == failures_of(lines)


@pytest.mark.parametrize("seed", range(8))
def test_a_green_log_of_scary_lines_is_green(seed: int) -> None:
    """Mixed at random into three thousand steps that go well, with tests that want errors and retries that work."""
    dice = random.Random(seed)
    lines: list[str] = []
    for i in range(2400):
        lines.append(f"[{i + 1}/2400] Building CXX object lib/f{i}.cpp.o")
        if dice.random() < 0.2:
            lines.append(dice.choice(SCARY))
        elif dice.random() < 0.02:
            lines += dice.choice(SCENES)

    assert [] == failures_of(lines)


@pytest.mark.parametrize("seed", range(4))
def test_one_failure_among_scary_lines_is_the_one_found(seed: int) -> None:
    """Thousands of scary lines around a failing edge do not hide it and are not mistaken for it."""
    dice = random.Random(100 + seed)
    around = [dice.choice(SCARY) if dice.random() < 0.3 else dice.choice(STEPS[:299]) for _ in range(4000)]
    broken = [
        "FAILED: a.cpp.o",
        "/usr/bin/c++ -c a.cpp -o a.cpp.o",
        "a.cpp:3:5: error: 'x' was not declared in this scope",
    ]
    lines = [*around[:2000], *broken, *around[2000:], "ninja: build stopped: subcommand failed."]

    assert [(2003, "compile_error", "a.cpp")] == [
        (failure.first_line, failure.category, failure.file) for failure in failures_of(lines)
    ]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene[0][:40])
def test_what_went_well_in_the_end_is_no_failure(scene: list[str]) -> None:
    """A death that a test wants, an attempt that a later one made good: alone, and after a run."""
    for lines in (scene, [*STEPS, *scene]):
        assert [] == failures_of(lines)


def test_cleaning_up_after_a_job_breaks_no_build() -> None:
    """What a CI system does when a job is over may fail; what failed before it did."""
    cleanup = [
        "Post job cleanup.",
        "fatal: No url found for submodule path 'third_party/x' in .gitmodules",
        "##[warning]The process '/usr/bin/git' failed with exit code 128",
    ]

    assert [] == failures_of([*STEPS, *cleanup])
    assert ["compile_error"] == [
        failure.category for failure in failures_of([*STEPS[:9], "a.cpp:3:5: error: expected ';'", *cleanup])
    ]


def test_an_attempt_counts_when_the_last_one_failed() -> None:
    """Of attempts that all failed, the first is where it began."""
    attempt = "fatal: unable to access 'https://git.example/x.git/': The requested URL returned error: 504"
    lines = [attempt, "Waiting 15 seconds before trying again", attempt, "##[error]The process failed"]

    assert [("network_error", 1)] == [(failure.category, failure.first_line) for failure in failures_of(lines)][:1]


LET_PASS = [
    ["touch: cannot touch '/var/cache/x': Permission denied"],
    ["bash: nproc: command not found"],
    ["fatal: bad revision 'HEAD^2'"],
    ["ModuleNotFoundError: No module named 'yaml'"],
    ["wget: unable to resolve host address 'mirror.example'"],
    ["/tmp/probe.c:1:10: fatal error: 'x.h' file not found"],
    ["ERROR: No matching distribution found for tally==99"],
    ["make: *** No rule to make target 'clean'.  Stop."],
]


@pytest.mark.parametrize("stray", LET_PASS, ids=lambda stray: stray[0][:40])
def test_what_a_script_let_pass_long_before_is_not_the_failure(stray: list[str]) -> None:
    """A build that went on for hundreds of steps broke at what its end tells, and not at all if it ended well."""
    steps = [f"[{i}/900] Building CXX object lib/f{i}.cpp.o" for i in range(1, 500)]
    broken = [
        "FAILED: a.cpp.o",
        "/usr/bin/c++ -c a.cpp -o a.cpp.o",
        "a.cpp:3:5: error: 'x' was not declared in this scope",
    ]
    lines = [*stray, *steps, *broken, "ninja: build stopped: subcommand failed."]

    assert [(len(stray) + 502, "compile_error")] == [
        (failure.first_line, failure.category) for failure in failures_of(lines)
    ]
    assert [] == failures_of([*stray, *steps, "[900/900] Linking CXX executable bin/tally"])
