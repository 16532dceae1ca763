"""Test reports: JUnit XML that the build's tests wrote, found by the command's own words, known names and `--junit`."""

import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from build_analysis.test_results import TestResult

from build_dashboard.evidence.missing import MissingFact
from build_dashboard.file_search import is_pattern, search_files
from build_dashboard.recording.fitting import chunks

FILES_MAX = 200
LOOK_SECONDS = 10.0
FILE_BYTES = 64 * 1024 * 1024
TESTS_MAX = 500
"""Results in one record, as the protocol has it."""

PROBLEMS_MAX = 10
NAME_CHARACTERS = 1000
SECONDS_MAX = 1e9
"""No test runs for thirty years: the report is wrong there."""

REMEDY = f"let the tests write whole JUnit XML, at most {FILES_MAX} files of {FILE_BYTES // 2**20} MiB, and name it"

KNOWN = (
    *("*junit*.xml", "*xunit*.xml", "TEST-*.xml", "test-results*.xml", "test_results*.xml", "test-reports/*.xml"),
    *("meson-logs/*.junit.xml", "target/nextest/*/*.xml", "target/surefire-reports/TEST-*.xml"),
)
_BAZEL_LOGS, _BAZEL_REPORTS = "bazel-testlogs", "**/test.xml"
"""Bazel keeps its reports behind a link that leads out of the directory."""

_NAMED = re.compile(r"--(?:junit-?xml|xunit-xml-output|output-junit|gtest_output)[= ](?:xml:)?[\"']?([^\s\"';&|]+)")
_VARIABLES = ("LIT_OPTS", "PYTEST_ADDOPTS", "GTEST_OUTPUT")
_COUNTS = {"passed": "testsPassed", "flaky": "testsPassed", "xfailed": "testsPassed", "skipped": "testsSkipped"}


class Reports:
    """The test results of one build, and what of its reports could not be read."""

    def __init__(self, results: "Sequence[TestResult]", problems: Sequence[str] = ()) -> None:
        self._results = results
        self._problems = problems

    def updates(self) -> Iterator[dict[str, Any]]:
        """The results, in as many updates as they need; then the problems, as facts that are missing."""
        for chunk in chunks(map(_fields, self._results), TESTS_MAX):
            yield {"tests": chunk}
        if self._problems:
            more = len(self._problems) - PROBLEMS_MAX
            rest = [f"{more} more test reports could not be read whole"] if more > 0 else []
            problems = (*self._problems[:PROBLEMS_MAX], *rest)
            yield {"missingFacts": [MissingFact("tests", problem, REMEDY).to_wire() for problem in problems]}

    def metrics(self) -> dict[str, int]:
        """How many passed, failed and were skipped; nothing without results."""
        counts: dict[str, int] = {}
        for result in self._results:
            name = _COUNTS.get(result.outcome, "testsFailed")
            counts[name] = counts.get(name, 0) + 1
        return counts


def find_reports(
    command: Sequence[str],
    environment: Mapping[str, str],
    directories: Sequence[str],
    patterns: Sequence[str],
    since: float,
) -> Reports:
    """The results in reports written since this time (Unix seconds).

    Args:
        command: The build's, which may name reports.
        environment: Options of test tools in it may, too.
        directories: Where the build works; the first is the one it runs in.
        patterns: What the person named as reports.
        since: When the build began.
    """
    search = _Search(since)
    words = " ".join([*command, *(environment.get(name, "") for name in _VARIABLES)])
    named = [match[1] for match in _NAMED.finditer(words)]
    for directory in map(Path, directories):
        for name in (*patterns, *named):
            search.look(name, directory, is_named=True)
        for name in KNOWN:
            search.look(name, directory, is_named=False)
        search.look(_BAZEL_REPORTS, directory / _BAZEL_LOGS, is_named=False)
    for pattern in patterns:
        if pattern not in search.matched:
            search.problems.append(f"no test report that this build wrote is named {pattern}")
    if not search.results:
        return Reports((), search.problems)
    from build_analysis.junit import RESULTS_MAX  # noqa: PLC0415  (few builds write reports)

    if len(search.results) > RESULTS_MAX:
        search.problems.append(f"the test reports have {len(search.results)} results: {RESULTS_MAX} of them are shown")
    return Reports(search.results[:RESULTS_MAX], search.problems)


class _Search:
    """Reads each report once, under whatever names it is found."""

    def __init__(self, since: float) -> None:
        self.results: list[TestResult] = []
        self.problems: list[str] = []
        self.matched: set[str] = set()
        self._since = since
        self._seen: set[str] = set()
        self._files = 0

    def look(self, name: str, directory: Path, *, is_named: bool) -> None:
        """Read what this name stands for; of what nobody named, only a report that is broken is worth a word."""
        for path in _matching(name, directory):
            try:
                status, whole = path.stat(), str(path.resolve())
            except OSError:
                continue
            if status.st_mtime < self._since or not stat.S_ISREG(status.st_mode):
                continue
            self.matched.add(name)
            if whole in self._seen:
                continue
            self._seen.add(whole)
            self._files += 1
            if self._files > FILES_MAX:
                self._give_up(path, f"more than {FILES_MAX} reports were written")
            elif status.st_size > FILE_BYTES:
                self._give_up(path, f"it is larger than {FILE_BYTES // 2**20} MiB")
            else:
                self._read(path, is_named=is_named)

    def _read(self, path: Path, *, is_named: bool) -> None:
        from build_analysis.junit import NotJUnit, read_junit  # noqa: PLC0415  (few builds write reports)

        try:
            report = read_junit(path.read_bytes())
        except OSError as error:
            self._give_up(path, str(error.strerror))
        except NotJUnit as error:
            # Coverage and other XML have names like these; what has no root is no XML of any tool.
            if is_named or not error.root:
                self._give_up(path, str(error))
        else:
            self.results += report.results
            if report.problem:
                kept = f"results read from it: {len(report.results)}"
                self.problems.append(f"test report {path.name} is damaged: {report.problem}; {kept}")

    def _give_up(self, path: Path, why: str) -> None:
        self.problems.append(f"test report {path.name} could not be read: {why}")


def _matching(name: str, directory: Path) -> Iterator[Path]:
    """The file that is spelled out, wherever it is; else those below the directory that match the pattern."""
    if is_pattern(name):
        yield from (path for _, path in search_files([name], directory, limit_seconds=LOOK_SECONDS).files)
    else:
        yield directory / name


def _fields(result: "TestResult") -> dict[str, Any]:
    fields = {"name": result.name[:NAME_CHARACTERS], "outcome": result.outcome, "tool": result.tool}
    is_time = result.seconds is not None and 0 <= result.seconds < SECONDS_MAX  # a NaN is not
    return {**fields, "seconds": result.seconds} if is_time else fields
