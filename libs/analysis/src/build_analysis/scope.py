"""Scopes: stretches of a log that belong to one edge, test or action, whose outcome decides what their lines mean."""

import re
from dataclasses import dataclass

from build_analysis.candidate import Candidate
from build_analysis.failure import Failure
from build_analysis.rule import SPECIFIC, UNKNOWN, WRAPPER, Rule

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


_ENDING = {"crash": "crashed", "timeout": "timed out"}
_ALARM = re.compile(
    r"\s*(?:\S{1,80}: )?\[?(?:\w*error|fatal|failed|failure|panic|abort(?:ed|ing)?|\w*exception|cannot \w+)\b", re.I
)


# Between these lies what a lit test's tools printed; the rest of its block is the script.
_LIT_OUTPUT = re.compile(r"Command Output \(stderr\):|# \.---command std(?:err|out)-|# command (?:stderr|output):")
_LIT_SCRIPT = re.compile(r"Command Output \(stdout\):|# `---|# RUN: ")
_LIT_CHATTER = re.compile(
    r"--$|\$ |(?:\S+: )?[Ww]arning: |\+ |RUN: at line|FileCheck command line: |# |\*{5}|note: command had no output"
)


def _once(target: str) -> str:
    """The outputs of an edge, each once: ninja names those of a custom command again from the root."""
    names = target.split()
    if len(names) < 2 or not names[-1].startswith("/"):
        return target
    return " ".join(
        name for name in names if not (name.startswith("/") and any(name.endswith(f"/{own}") for own in names))
    )


@dataclass(slots=True)
class Scope:
    """An open stretch of the log."""

    kind: str
    first_line: int
    rule: Rule | None = None
    channel: str | None = None
    target: str | None = None
    command: str | None = None
    failed: bool | None = None
    """None while its outcome is not known."""
    becomes: str | None = None
    best: Candidate | None = None
    unit: str | None = None
    """The source file whose compilation printed what is known."""
    last_candidate_line: int = 0
    flood: tuple[Rule, ...] | None = None
    """The rules that ask about line after line of the same kind; None while there are few."""
    followers: int = 0
    awaits_command: bool = False
    follows_words: bool = False
    """Whether what was found last stands just before the step of this edge."""
    first_output_line: int = 0
    first_output: str = ""
    first_alarm_line: int = 0
    first_alarm: str = ""
    """The first line that no rule knows and that yet begins like an error."""
    is_explained: bool = False
    is_in_output: bool = False
    """Whether a lit test's block has come to what its tools printed."""

    @classmethod
    def opened(cls, rule: Rule, match: re.Match[str], number: int, channel: str | None) -> "Scope":
        """The scope that a rule opens on line `number`."""
        groups = match.groupdict()
        return cls(
            rule.scope or "test",
            number,
            rule,
            channel,
            target=_once((groups.get("target") or "").strip()) or None,
            command=groups.get("command"),
            failed=None if rule.outcome is None else rule.outcome == "failed",
            becomes=rule.becomes,
        )

    def note_output(self, number: int, text: str) -> None:
        """Remember the first line of a failed scope, and the first that begins like an error, which no rule knows."""
        if not self.failed:
            return
        if not self.first_alarm_line and _ALARM.match(text):
            self.first_alarm_line, self.first_alarm = number, text
        if not self.first_output_line and text and self._is_output(text):
            self.first_output_line, self.first_output = number, text

    def _is_output(self, text: str) -> bool:
        """Whether a tool printed this, as far as the scope can distinguish its output from a script."""
        if not self._is_lit():
            return self.kind == "edge" and not text.startswith(("--", "$ "))
        if _LIT_OUTPUT.match(text):
            self.is_in_output = True
            return False
        if _LIT_SCRIPT.match(text):
            self.is_in_output = False
        return self.is_in_output and not _LIT_CHATTER.match(text)

    def has_better_words(self) -> bool:
        """Whether the output of a lit test's tools is preferred to lit's own line that a command failed."""
        return self.best is not None and self.best.rule.id == "lit.command_failed" and self.first_output_line > 0

    def _is_lit(self) -> bool:
        return self.kind == "test" and self.rule is not None and self.rule.tool == "lit"

    def bare_failure(self, rule: Rule, number: int) -> Failure:
        """The failure of a scope that ended on line `number` without a known cause, in the words it printed first."""
        line = self.first_alarm_line or self.first_output_line or self.first_line
        message = (
            self.first_alarm or self.first_output or f"{self.target or 'a step'} {_ENDING.get(rule.category, 'failed')}"
        )
        rank = UNKNOWN if rule.category == "unknown" else max(rule.effective_rank, WRAPPER if rule.rank is None else 0)
        candidate = Candidate(rule, line, number, rule.category, rule.fault, rank)
        candidate.fields.update(message=message.strip(), tool=rule.tool or "")
        return candidate.failure(self.target, self.command)

    def look_ahead(self, number: int, text: str) -> None:
        """Let what was found take its place or its words from a line after it."""
        if self.best is not None and self.best.awaited and self.best.first_line < number:
            self.best.look_ahead(number, text)

    def follow(self, number: int) -> None:
        """Line `number` adds to what is known already."""
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
