"""A setback: a project could not be built from its repository; how long to wait, and what to report. Pure."""

from dataclasses import dataclass
from typing import Any

WAIT_SECONDS_MAX = 1800
"""A repository that comes back is noticed within this time, or within `poll_seconds` where that is longer."""

REASON_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Setback:
    """Failures in a row, each of which doubles the wait."""

    reason: str
    since_at: int
    failures: int = 1

    def again(self, reason: str) -> "Setback":
        """It failed once more."""
        return Setback(reason, self.since_at, self.failures + 1)

    def wait_seconds(self, poll_seconds: int) -> int:
        """From the newest failure to the next try."""
        # Bounded before it is shifted: a daemon may fail for months.
        return max(poll_seconds, min(poll_seconds << min(self.failures, 20), WAIT_SECONDS_MAX))

    def to_wire(self, project: str, poll_seconds: int) -> dict[str, Any]:
        """As HEARTBEAT carries it."""
        return {
            "project": project,
            "reason": self.reason[:REASON_CHARACTERS],
            "sinceAt": self.since_at,
            "failures": self.failures,
            "retrySeconds": self.wait_seconds(poll_seconds),
        }
