"""Test reports: JUnit XML that the build's tests wrote, found by the command's own words, known names and `--junit`."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from build_analysis.test_results import TestResult

from build_dashboard.file_search import is_pattern, search_files
from build_dashboard.recording.fitting import chunks

FILES_MAX = 200
LOOK_SECONDS = 10.0
FILE_BYTES = 64 * 1024 * 1024
TESTS_MAX = 500
"""Results in one record, as the protocol has it."""

RESULTS_MAX = 200_000
NAME_CHARACTERS = 1000
SECONDS_MAX = 1e9
"""No test runs for thirty years: the report is wrong there."""

KNOWN = ("*junit*.xml", "*xunit*.xml", "TEST-*.xml", "test-results*.xml", "test_results*.xml", "test-reports/*.xml")
_NAMED = re.compile(r"--(?:junit-?xml|xunit-xml-output|output-junit|gtest_output)[= ](?:xml:)?[\"']?([^\s\"';&|]+)")
_VARIABLES = ("LIT_OPTS", "PYTEST_ADDOPTS", "GTEST_OUTPUT")
_COUNTS = {"passed": "testsPassed", "flaky": "testsPassed", "xfailed": "testsPassed", "skipped": "testsSkipped"}


class Reports:
    """The test results of one build."""

    def __init__(self, results: "Sequence[TestResult]") -> None:
        self._results = results

    def updates(self) -> Iterator[dict[str, Any]]:
        """The results, in as many updates as they need."""
        for chunk in chunks(map(_fields, self._results), TESTS_MAX):
            yield {"tests": chunk}

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
    """The results in reports written since this time (Unix seconds)."""
    from build_analysis.junit import NotJUnit, read_junit  # noqa: PLC0415  (few builds write reports)

    results: list[TestResult] = []
    for path in itertools.islice(_written(command, environment, directories, patterns, since), FILES_MAX):
        try:
            results += read_junit(path.read_text(errors="replace"))
        except (OSError, NotJUnit):
            continue  # another tool's XML, or gone again
    return Reports(results[:RESULTS_MAX])


def _written(
    command: Sequence[str],
    environment: Mapping[str, str],
    directories: Sequence[str],
    patterns: Sequence[str],
    since: float,
) -> Iterator[Path]:
    words = " ".join([*command, *(environment.get(name, "") for name in _VARIABLES)])
    named = [match[1] for match in _NAMED.finditer(words)]
    seen: set[str] = set()
    for directory, name in itertools.product(directories, (*patterns, *named, *KNOWN)):
        for path in _matching(name, Path(directory)):
            try:
                status, whole = path.stat(), str(path.resolve())
            except OSError:
                continue
            if whole not in seen and status.st_mtime >= since and 0 < status.st_size <= FILE_BYTES:
                seen.add(whole)
                yield path


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
