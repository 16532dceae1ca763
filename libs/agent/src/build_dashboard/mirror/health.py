"""Health: how well a source is followed, as the page shows it."""

import time
from typing import Any

from build_dashboard.mirror.source import Source, SourceUnavailable


class Health:
    """What is known of one source's answers."""

    def __init__(self, source: Source) -> None:
        self.lost_logs = 0
        self._source = source
        self._behind: dict[str, float] = {}
        self._read_at: int | None = None
        self._failing_since_at: int | None = None
        self._problem: str | None = None

    @property
    def behind(self) -> list[str]:
        """Builds of which there is more than is recorded, the longest so first."""
        return list(self._behind)

    def mark_behind(self, build_id: str) -> None:
        """The source may have more of this build."""
        self._behind.setdefault(build_id, time.monotonic())

    def mark_current(self, build_id: str) -> None:
        """All that the source had is recorded."""
        self._behind.pop(build_id, None)

    def answered(self) -> None:
        """The source answered."""
        self._read_at = time.time_ns() // 1_000_000
        self._failing_since_at = self._problem = None

    def failed(self, error: SourceUnavailable) -> bool:
        """The source did not answer; whether that is news."""
        is_news = self._problem != str(error)
        self._problem = str(error)[:1000]
        self._failing_since_at = self._failing_since_at or time.time_ns() // 1_000_000
        self._source.state.refused += error.is_refusal
        return is_news

    def to_wire(self, now: int, *, open_builds: int, waiting_builds: int) -> dict[str, Any]:
        """As HEARTBEAT carries it."""
        source = self._source
        oldest = min(self._behind.values(), default=None)
        lags = [round((time.monotonic() - oldest) * 1000)] if oldest is not None else [0]
        if self._failing_since_at is not None:
            lags.append(max(0, now - (self._read_at or self._failing_since_at)))
        health = {
            "name": source.name,
            "kind": source.kind,
            "url": source.url,
            "projects": source.projects[:100],
            "readAt": self._read_at,
            "lagMs": max(lags),
            "failingSinceAt": self._failing_since_at,
            "problem": self._problem,
            "openBuilds": open_builds,
            "waitingBuilds": waiting_builds,
            "requestsPerMinute": source.state.requests_per_minute,
            "requestsLeft": source.state.requests_left,
            "requestsRenewedAt": source.state.requests_renewed_at,
            "refusedRequests": source.state.refused,
            "lostLogs": self.lost_logs,
        }
        return {name: value for name, value in health.items() if value is not None}
