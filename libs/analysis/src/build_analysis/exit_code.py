"""Exit codes: what a CI system prints of the command that it ran, and what a code means by itself.

A code is evidence of a failure and never its cause: 0 means that nothing failed, whatever the words in the log; any
other confirms what only words call a failure.
"""

import re
from collections.abc import Iterable

from build_analysis.prefixes import clean

_MARKS = ("exit", "Exit", "Finished: ", "Job succeeded", "Job failed", "Conclusion: ")
_CODE = re.compile(
    r"(?:Process completed with exit code|program finished with exit code|script returned exit code"
    r"|Process exited with code|Job failed: exit (?:code|status)|Exited with code(?: exit status)?"
    r"|(?:Bash|PowerShell|Cmd\.exe|Script) exited with code|The command (?:\".{0,300}\" )?exited with(?: status)?"
    r"|did not complete successfully: exit code:|returned a non-zero code:"
    r"|executor failed running \[.{0,600}\]: exit code:)"
    r" '?(?P<code>-?\d{1,10})\b"
)
_WELL = re.compile(r"(?:Finished: SUCCESS|Job succeeded|Conclusion: success)$")
_BADLY = re.compile(r"(?:Finished: (?:FAILURE|ABORTED)|Job failed\b.*|Conclusion: failure)$")

MEANINGS = {
    124: "it ran out of its time",
    126: "the command could not be run",
    127: "the command was not found",
    130: "it was interrupted",
    132: "it crashed (illegal instruction)",
    134: "it crashed (aborted)",
    136: "it crashed (arithmetic)",
    137: "it was killed, as a rule for want of memory",
    139: "it crashed (segmentation fault)",
    143: "it was asked to end",
}
"""What shells mean by the codes that are no program's own."""


class ExitCodeReader:
    """Reads the exit code of a job from its log; feed it every line, in order."""

    def __init__(self) -> None:
        self._code: int | None = None

    @property
    def code(self) -> int | None:
        """The job's exit code as far as its log shows it: its last word, else the last code that is not 0."""
        return self._code

    def feed(self, lines: Iterable[str]) -> None:
        """Read the next lines."""
        for line in lines:
            if any(mark in line for mark in _MARKS):
                self._read(clean(line).text)

    def _read(self, text: str) -> None:
        if match := _CODE.search(text):
            code = int(match["code"])
            self._code = code or self._code or 0
        elif _WELL.search(text):
            self._code = 0
        elif _BADLY.search(text):
            self._code = self._code or 1


def meaning(code: int) -> str:
    """What an exit code says, in a few words; empty where it says no more than that the command failed."""
    return MEANINGS.get(128 - code if code < 0 else code, "")
