"""Tests as records: what each lit, gtest, ctest or pytest line says of a test, in one shape."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from build_analysis.prefixes import clean

Outcome = Literal["passed", "failed", "skipped", "xfailed", "xpassed", "timed_out", "crashed", "flaky", "unresolved"]


@dataclass(frozen=True, slots=True)
class TestResult:
    """One run of one test; `seconds` is None where the tool does not say."""

    __test__ = False  # pytest collects classes named Test*

    name: str
    outcome: Outcome
    tool: str
    seconds: float | None = None
    line: int | None = None


_LIT = re.compile(
    r"(PASS|FAIL|XFAIL|XPASS|UNSUPPORTED|SKIPPED|EXCLUDED|TIMEOUT|UNRESOLVED|FLAKYPASS): (\S.{0,800}) \(\d+ of \d+\)$"
)
_LIT_OUTCOMES: dict[str, Outcome] = {
    "PASS": "passed",
    "FAIL": "failed",
    "XFAIL": "xfailed",
    "XPASS": "xpassed",
    "UNSUPPORTED": "skipped",
    "SKIPPED": "skipped",
    "EXCLUDED": "skipped",
    "TIMEOUT": "timed_out",
    "UNRESOLVED": "unresolved",
    "FLAKYPASS": "flaky",
}
_GTEST = re.compile(r"\[ +(OK|FAILED|SKIPPED) +\] (\S+?)(?:, where .*)? \((\d+) ms\)$")
_GTEST_OUTCOMES: dict[str, Outcome] = {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}
_CTEST = re.compile(r" *\d+/\d+ (?:Test|MemCheck):? +#\d+: (\S+) \.*\s*(.{0,80}?) +(\d+(?:\.\d+)?) sec")
_PYTEST = re.compile(
    r"(?:\[gw\d+\] \[ *\d+%\] (?P<x_outcome>[A-Z]+) (?P<x_name>\S.*)"
    r"|(?P<name>[^\s:]{1,300}\.py::\S.{0,400}?) (?P<outcome>PASSED|FAILED|SKIPPED|ERROR|XFAIL|XPASS)\b.*)$"
)
_PYTEST_OUTCOMES: dict[str, Outcome] = {
    "PASSED": "passed",
    "FAILED": "failed",
    "ERROR": "failed",
    "SKIPPED": "skipped",
    "XFAIL": "xfailed",
    "XPASS": "xpassed",
}


MARKERS = ("of ", " ms)", " sec", ".py::")
"""One of these is in every line that reports a result: text without any of them need not be read line by line."""


def read_test_results(first_line: int, lines: Sequence[str]) -> list[TestResult]:
    """The test results that these lines of a log report, in order.

    Args:
        first_line: The number of the first of `lines`, counted from 1.
        lines: Lines of the log, without their ends.
    """
    results = []
    of, milliseconds, seconds, pytest = MARKERS
    for number, raw in enumerate(lines, first_line):
        # A few searches decide for nearly every line that is no test's.
        has_marker = of in raw or milliseconds in raw or seconds in raw or pytest in raw
        if has_marker and (result := _read(number, raw)):
            results.append(result)
    return results


def _read(number: int, raw: str) -> TestResult | None:
    text = clean(raw).text
    if match := _LIT.match(text):
        return TestResult(match[2], _LIT_OUTCOMES[match[1]], "lit", None, number)
    if match := _GTEST.match(text):
        return TestResult(match[2], _GTEST_OUTCOMES[match[1]], "gtest", int(match[3]) / 1000, number)
    if match := _CTEST.match(text):
        outcome = _ctest_outcome(match[2])
        return TestResult(match[1], outcome, "ctest", float(match[3]), number) if outcome else None
    if match := _PYTEST.match(text):
        outcome = _PYTEST_OUTCOMES.get(match["x_outcome"] or match["outcome"] or "")
        return TestResult(match["x_name"] or match["name"], outcome, "pytest", None, number) if outcome else None
    return None


def _ctest_outcome(word: str) -> Outcome | None:
    if word == "Passed":
        return "passed"
    if "Timeout" in word:
        return "timed_out"
    if "Exception" in word or "aborted" in word:
        return "crashed"
    if "Skipped" in word or "Disabled" in word:
        return "skipped"
    return "failed" if "***" in word else None
