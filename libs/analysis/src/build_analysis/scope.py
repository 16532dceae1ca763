"""Scopes: stretches of a log that belong to one edge, test or action, whose outcome decides what their lines mean."""

from dataclasses import dataclass

from build_analysis.candidate import Candidate
from build_analysis.rule import SPECIFIC, WRAPPER, Rule

SCOPE_LIMIT_LINES = 50_000
"""A scope whose end never comes (a cut log) is given up after this many lines."""

_OWN_MEANING = frozenset(
    {
        "lit_test_failure",
        "gtest_failure",
        "ctest_failure",
        "python_test_failure",
        "crash",
        "sanitizer_report",
        "compiler_crash",
        "python_import_error",
        "test_harness_error",
        "timeout",
        "device_error",
        "disk_full",
        "out_of_memory",
        "permission_error",
        "network_error",
        "cache_error",
        "runner_lost",
    }
)


@dataclass(slots=True)
class Scope:
    """An open stretch of the log; `failed` is None while its outcome is not known."""

    kind: str
    first_line: int
    rule: Rule | None = None
    channel: str | None = None
    target: str | None = None
    command: str | None = None
    failed: bool | None = None
    becomes: str | None = None
    best: Candidate | None = None
    last_candidate_line: int = 0
    flood: tuple[Rule, ...] | None = None
    """The rules that ask about line after line of the same kind; None while there are few."""
    followers: int = 0
    awaits_command: bool = False
    first_output_line: int = 0
    first_output: str = ""
    first_alarm_line: int = 0
    first_alarm: str = ""
    """The first line that no rule knows and that yet begins like an error."""
    is_explained: bool = False

    def look_ahead(self, number: int, text: str) -> None:
        """Let what was found take its place or its words from a line after it."""
        if self.best is not None and self.best.awaited and self.best.first_line < number:
            self.best.look_ahead(number, text)

    def follow(self, number: int) -> None:
        """Line `number` tells more of what is known already."""
        self.followers = self.followers + 1 if number == self.last_candidate_line + 1 else 0
        self.last_candidate_line = number
        if self.best is not None:
            self.best.last_line = max(self.best.last_line, number)

    def add(self, candidate: Candidate) -> None:
        """Take the candidate if it is nearer to the cause than what is known."""
        if self.becomes and candidate.category not in _OWN_MEANING:
            # Inside a test, a diagnostic is what the test saw, not a broken build.
            candidate.category = self.becomes
            candidate.rank = min(max(candidate.rank, SPECIFIC), WRAPPER)
        elif candidate.category == "unknown" and self.rule is not None:
            # What no rule explains is at least what the scope says of itself: a failed test.
            candidate.category, candidate.fault = self.rule.category, self.rule.fault
        if self.best is not None and self.best.rank <= candidate.rank:
            self.follow(candidate.first_line)
            return
        self.last_candidate_line = candidate.first_line
        self.followers, self.flood = 0, None
        self.best = candidate
