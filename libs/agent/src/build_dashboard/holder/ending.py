"""Ending: what the holder reports of the command's end."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class End:
    """How the command ended."""

    exit_code: int
    signal: str | None = None
    reason: str | None = None
    """Why it was ended; None where it ended by itself."""
    wall_ms: int | None = None
    cpu_ms: int | None = None
    peak_rss_bytes: int | None = None
    lost: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """Of descriptors 1 and 2: bytes that could not be written there (they are recorded), and the error's number."""

    @property
    def status(self) -> str:
        """The build's status on the wire."""
        if self.reason in ("timeout", "silence_timeout"):
            return "timed_out"
        if self.reason and self.reason.startswith("cancelled"):
            return "cancelled"
        if self.exit_code == 0:
            return "succeeded"
        # A person's Ctrl-C or a stopped CI job says nothing about the code.
        return "cancelled" if self.reason in ("interrupted", "terminated", "hangup", "quit") else "failed"


def parse_end(text: str) -> End:
    """Read the holder's exit frame."""
    fields = dict(word.split("=", 1) for word in text.split() if "=" in word)
    user, system = fields.get("user_ms"), fields.get("system_ms")
    return End(
        exit_code=int(fields["code"]),
        signal=fields.get("signal") or None,
        reason=fields.get("reason") or None,
        wall_ms=_number(fields.get("wall_ms")),
        cpu_ms=int(user) + int(system) if user and system else None,
        peak_rss_bytes=_number(fields.get("peak_rss_bytes")),
        lost={fd: _loss(fields[f"lost{fd}"]) for fd in (1, 2) if f"lost{fd}" in fields},
    )


def _loss(text: str) -> tuple[int, int]:
    size, _, problem = text.partition(":")
    return int(size), int(problem)


def _number(text: str | None) -> int | None:
    return int(text) if text else None
