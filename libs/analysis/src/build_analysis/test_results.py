"""Tests as records: what each line of a test driver says of a test, in one shape.

lit, googletest, ctest, pytest, cargo test, nextest, go test -v and meson test.
"""

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
_CTEST = re.compile(
    r" *\d+/\d+ (?:Test|MemCheck):? +#\d+: (\S.{0,800}?) \.*\s*"
    r"((?:[A-Z][a-z ]{0,40})?\*\*\*.{0,80}?|Passed|Not Run.{0,80}?) +(\d+(?:\.\d+)?) sec"
)
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


_CARGO = re.compile(
    r"test (\S.{0,800}?)(?: - should panic)?(?: - compile(?: fail)?)? \.\.\. (ok|FAILED|ignored)(?:[, <].*)?$"
)
_CARGO_OUTCOMES: dict[str, Outcome] = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}
_NEXTEST = re.compile(
    r" *(?:TRY (?P<try>\d+) )?(?P<word>PASS|FAIL|SIG[A-Z]+|ABRT|TIMEOUT|TMT|LEAK|LEAK-FAIL|SKIP|FAIL \+ LEAK)"
    r" \[ *>? *(?P<seconds>\d+\.\d+)s\] (?:\( *\d+/\d+\) )?(?P<name>[\w.:$-]+ \S.{0,800})$"
)
_NEXTEST_OUTCOMES: dict[str, Outcome] = {
    "PASS": "passed",
    "LEAK": "passed",
    "SKIP": "skipped",
    "TIMEOUT": "timed_out",
    "TMT": "timed_out",
    "ABRT": "crashed",
}
_GO = re.compile(r" *--- (PASS|FAIL|SKIP): (\S{1,800}) \((\d+\.\d+)s\)$")
_GO_OUTCOMES: dict[str, Outcome] = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}
_MESON = re.compile(
    r" *\d+/\d+ (\S.{0,800}?) +(OK|FAIL|SKIP|TIMEOUT|ERROR|EXPECTEDFAIL|UNEXPECTEDPASS|INTERRUPT) +"
    r"(\d+\.\d+)s(?: +(.*))?$"
)
_MESON_OUTCOMES: dict[str, Outcome] = {
    "OK": "passed",
    "FAIL": "failed",
    "SKIP": "skipped",
    "TIMEOUT": "timed_out",
    "ERROR": "failed",
    "EXPECTEDFAIL": "xfailed",
    "UNEXPECTEDPASS": "xpassed",
    "INTERRUPT": "unresolved",
}
_REPEATS = {"     Summary [": "nextest", "Summary of Failures:": "meson"}
"""From here to the end of its run a driver names failed tests again."""

_BEGINS = {" tests across ": "nextest", "Ok:  ": "meson"}
"""Here the next run begins, or this one ends."""

_MESON_WORDS = ("OK  ", "FAIL  ", "SKIP  ", "TIMEOUT  ", "ERROR  ", "EXPECTEDFAIL", "UNEXPECTEDPASS", "INTERRUPT")
MARKERS = ("of ", " ms)", " sec", ".py::", " ... ", "s] ", "--- ", *_MESON_WORDS, *_BEGINS)
"""One of these is in every line that reports a result: text without any of them need not be read line by line."""


def markers_in(text: str) -> tuple[str, ...]:
    """Which of the markers this text contains."""
    return tuple(marker for marker in MARKERS if marker in text)


class TestResultReader:
    """Reads the results of one log; remembers whether a driver repeats what it reported before."""

    __test__ = False  # pytest collects classes named Test*

    def __init__(self) -> None:
        self._repeating: set[str] = set()

    def read(self, first_line: int, lines: Sequence[str], markers: Sequence[str] = MARKERS) -> list[TestResult]:
        """The test results that the next lines report, in order.

        Args:
            first_line: The number of the first of `lines`, counted from 1.
            lines: Lines of the log, without their ends.
            markers: Those that occur in these lines.
        """
        results = []
        for number, raw in enumerate(lines, first_line):
            for marker in markers:
                if marker in raw:
                    if (result := self._read(number, raw)) is not None:
                        results.append(result)
                    break
        return results

    def _read(self, number: int, raw: str) -> TestResult | None:
        text, channel, _ = clean(raw)
        if channel is not None and channel.startswith("ctest"):
            return None  # what a test of ctest prints: its result is ctest's to report
        if result := _read_counted(number, text) or _read_pytest(number, text):
            return result
        if result := _read_listed(number, text):
            return None if result.tool in self._repeating else result
        self._repeating |= {tool for heading, tool in _REPEATS.items() if text.startswith(heading)}
        self._repeating -= {tool for mark, tool in _BEGINS.items() if mark in text}
        return None


def _read_counted(number: int, text: str) -> TestResult | None:
    if match := _LIT.match(text):
        return TestResult(match[2], _LIT_OUTCOMES[match[1]], "lit", None, number)
    if match := _GTEST.match(text):
        return TestResult(match[2], _GTEST_OUTCOMES[match[1]], "gtest", int(match[3]) / 1000, number)
    if (match := _CTEST.match(text)) and (outcome := _ctest_outcome(match[2])):
        return TestResult(match[1], outcome, "ctest", float(match[3]), number)
    return None


def _read_pytest(number: int, text: str) -> TestResult | None:
    if (match := _PYTEST.match(text)) is None:
        return None
    outcome = _PYTEST_OUTCOMES.get(match["x_outcome"] or match["outcome"] or "")
    return TestResult(match["x_name"] or match["name"], outcome, "pytest", None, number) if outcome else None


def _read_listed(number: int, text: str) -> TestResult | None:
    if match := _CARGO.match(text):
        return TestResult(match[1], _CARGO_OUTCOMES[match[2]], "cargo", None, number)
    if match := _GO.match(text):
        return TestResult(match[2], _GO_OUTCOMES[match[1]], "go", float(match[3]), number)
    if match := _MESON.match(text):
        is_crash = match[2] == "FAIL" and (match[4] or "").startswith("killed by signal")
        return TestResult(
            match[1], "crashed" if is_crash else _MESON_OUTCOMES[match[2]], "meson", float(match[3]), number
        )
    if match := _NEXTEST.match(text):
        # A try that is not the last has no count.
        if match["try"] and "(" not in text[: match.start("name")]:
            return None
        word = match["word"]
        outcome = _NEXTEST_OUTCOMES.get(word, "crashed" if word.startswith("SIG") else "failed")
        if outcome == "passed" and (match["try"] or "1") != "1":
            outcome = "flaky"
        return TestResult(match["name"], outcome, "nextest", float(match["seconds"]), number)
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
