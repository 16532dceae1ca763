"""Printed logs: what a wrapper shows below its own words, of the program that it ran.

ExternalProject's logs, the last lines of a nix builder, what a cargo build script wrote, buildx's last words: the
wrapper speaks first, the cause stands below it. Within a printed log scopes and diagnostics begin anew; when it ends,
the wrapper is a failure of its own only if nothing in its log was.
"""

import re
from dataclasses import dataclass, field

from build_analysis.candidate import Candidate
from build_analysis.rule import PACKAGER_RANK, Rule
from build_analysis.scope import Scope

READ_LINES = 300
"""So many lines of a printed log are read one by one; then the gate decides again what is worth a look."""

LOG_LIMIT_LINES = 5_000
"""A printed log whose end never comes is given up after this many lines."""


@dataclass(slots=True)
class PrintedLog:
    """An open printed log, and what was open around it."""

    rule: Rule
    first_line: int
    wrapper: Scope
    """The scope whose failure this log explains."""
    scopes: list[Scope]
    root: Scope
    found: int
    """How many failures were known when it began."""
    is_rolled_up: bool = False
    """Whether a wrapper within it confirmed what it shows; the next such word is about what lies around it."""
    last_output: tuple[int, str] = field(default=(0, ""))

    def without_margin(self, text: str) -> str:
        """The line as its program printed it."""
        pattern = self.rule.strips_pattern
        match: re.Match[str] | None = pattern.match(text) if pattern else None
        return text[match.end() :] if match else text

    def ends_with(self, candidate: Candidate) -> bool:
        """Whether the wrapper goes on in its own words: CMake's script says once more that it stops."""
        best = self.wrapper.best
        return best is not None and candidate.rule is best.rule and candidate.fields.get("file") == best.fields["file"]

    def adapt(self, candidate: Candidate) -> None:
        """What a crash, or words that no rule knows, mean here: a build script panics where it lacks something."""
        if candidate.category == "crash" and self.rule.panics_are:
            candidate.category, candidate.fault = self.rule.panics_are, self.rule.fault
            candidate.rank = PACKAGER_RANK
            candidate.fields.pop("target", None)
        elif candidate.category == "unknown" and self.rule.category != "unknown":
            candidate.category, candidate.fault = self.rule.category, self.rule.fault

    def note(self, number: int, text: str) -> None:
        """Remember what no rule knows: its first alarm, else its last line, is the wrapper's message."""
        self.wrapper.note_output(number, text)
        if text:
            self.last_output = (number, text)

    def wrapper_in_its_words(self) -> Scope:
        """The wrapper, in the last words of its log where nothing in it began like an error."""
        number, text = self.last_output
        if number and not self.wrapper.first_alarm_line:
            self.wrapper.first_alarm_line, self.wrapper.first_alarm = number, text
        return self.wrapper
