"""Roots: failures that have one cause are one group with a count."""

from build_analysis.analyzer import LogAnalyzer
from build_analysis.roots import roots


def _roots(log: str):
    analyzer = LogAnalyzer()
    analyzer.feed(1, log.splitlines())
    return [(root.first.category, root.count) for root in roots(analyzer.finish().failures)]


def test_files_that_miss_the_same_header_are_one_group() -> None:
    """However many files include a header that is not there, one thing is to be fixed; another header is another."""
    log = "\n".join(
        f"[{i}/4] Building CXX object f{i}.cpp.o\nFAILED: f{i}.cpp.o\nc++ -c f{i}.cpp\n"
        f"f{i}.cpp:{i}:10: fatal error: {'ops.h.inc' if i < 4 else 'other.h'}: No such file or directory"
        for i in range(1, 5)
    )

    assert _roots(log + "\nninja: build stopped: subcommand failed.") == [("missing_header", 3), ("missing_header", 1)]


def test_targets_that_miss_the_same_symbol_are_one_group() -> None:
    """One function without a definition fails each program that calls it."""
    log = "\n".join(
        f"[{i}/3] Linking CXX executable t{i}\nFAILED: t{i}\nc++ t{i}.o -o t{i}\n"
        f"/usr/bin/ld: t{i}.o: in function `main':\nt{i}.cpp:(.text+0x{i}): undefined reference to `{name}()'\n"
        "collect2: error: ld returned 1 exit status"
        for i, name in enumerate(["run", "run", "stop"])
    )

    assert _roots(log + "\nninja: build stopped: subcommand failed.") == [("link_error", 2), ("link_error", 1)]


def test_tests_that_fail_by_different_numbers_are_not_one_group() -> None:
    """An assertion's numbers tell two failures apart; a module that cannot be imported does not."""
    log = """
=================================== FAILURES ===================================
___________________________________ test_add ___________________________________
    def test_add():
>       assert 4 == 5
E       assert 4 == 5
test_ops.py:4: AssertionError
___________________________________ test_sub ___________________________________
    def test_sub():
>       assert 1 == 3
E       assert 1 == 3
test_ops.py:8: AssertionError
=========================== short test summary info ============================
FAILED test_ops.py::test_add - assert 4 == 5
FAILED test_ops.py::test_sub - assert 1 == 3
============================== 2 failed in 0.03s ===============================
"""

    assert _roots(log) == [("python_test_failure", 1), ("python_test_failure", 1)]


def test_what_nobody_explained_is_like_nothing_else() -> None:
    """Two steps that failed without a word have two roots as far as the log shows."""
    log = "\n".join(
        f"[{i}/2] Generating x{i}\nFAILED: x{i}\npython gen.py x{i}\nfrobnication of {i} ended" for i in (1, 2)
    )

    assert [count for _, count in _roots(log + "\nninja: build stopped: subcommand failed.")] == [1, 1]
