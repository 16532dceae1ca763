"""What one failure is, and the report of a log."""

from dataclasses import dataclass, field
from typing import Any, Literal

Fault = Literal["code", "config", "infra", "flaky"]

MESSAGE_LIMIT_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure found in a log. What the log does not show is None, never guessed.

    `first_line` is the 1-based line that says what went wrong, `last_line` the last line of its block.
    `file`, `line` and `col` are the place the tool names; `project_location` ("file:line[:col]") is the place in the
    project that led there, when the tool names both. `rank` orders: the smaller, the nearer to the root cause.
    """

    category: str
    message: str
    first_line: int
    last_line: int
    signature: str
    signature_parts: tuple[str, ...]
    rule: str
    rank: int
    fault: Fault | None = None
    """Whose it is, where the rule that found it knows."""
    tool: str | None = None
    file: str | None = None
    line: int | None = None
    col: int | None = None
    project_location: str | None = None
    """`file:line[:col]` in the project, where the tool names one besides."""
    target: str | None = None
    command: str | None = None
    why: tuple[str, ...] = ()
    """What spoke most for this line, where no rule knows it and it was weighed against others."""

    def to_json(self) -> dict[str, Any]:
        """The failure in the wire's camelCase; every field is there, None where the log does not show it."""
        return {
            "category": self.category,
            "fault": self.fault,
            "tool": self.tool,
            "file": self.file,
            "line": self.line,
            "col": self.col,
            "projectLocation": self.project_location,
            "message": self.message,
            "target": self.target,
            "command": self.command,
            "firstLine": self.first_line,
            "lastLine": self.last_line,
            "signature": self.signature,
            "signatureParts": list(self.signature_parts),
            "rule": self.rule,
            "why": list(self.why),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All failures of a log, the first real one first; `dropped` counts those beyond the limit."""

    failures: list[Failure] = field(default_factory=list)
    dropped: int = 0

    def first(self) -> Failure | None:
        """The first real failure; None when the log shows none."""
        return self.failures[0] if self.failures else None
