"""Leases: which running builds have given a sign of life, and when silence becomes a badge or a verdict.

Judged by this server's monotonic clock only. After an outage of our own nobody is judged for a whole lease.
"""

from dataclasses import dataclass
from typing import Literal

from build_protocol.limits import DISCONNECTED_SECONDS, LOST_SECONDS

OUTAGE_SECONDS = 20.0
"""A judge who slept this long (suspended, overloaded) has missed signs of life himself."""

Silence = Literal["disconnected", "lost"]


@dataclass(slots=True)
class _Lease:
    renewed_at: float
    is_reported: bool = False


class Leases:
    """The leases of the builds this replica looks after."""

    def __init__(self) -> None:
        self._leases: dict[str, _Lease] = {}
        self._judged_at: float | None = None

    def __contains__(self, build_id: object) -> bool:
        return build_id in self._leases

    def renew(self, build_id: str, now: float) -> bool:
        """Take a sign of life; True when the build had been judged silent."""
        known = self._leases.get(build_id)
        self._leases[build_id] = _Lease(now)
        return known is not None and known.is_reported

    def end(self, build_id: str) -> None:
        """The build ended, or somebody else looks after it."""
        self._leases.pop(build_id, None)

    def hold(self, now: float) -> None:
        """After an outage of ours: everyone gets a whole lease from now on."""
        for lease in self._leases.values():
            lease.renewed_at = now

    def judge(self, now: float) -> list[tuple[str, Silence]]:
        """Builds whose silence became worse since the last call; call it every few seconds."""
        if self._judged_at is not None and now - self._judged_at > OUTAGE_SECONDS:
            self.hold(now)
        self._judged_at = now
        judged: list[tuple[str, Silence]] = []
        for build_id, lease in list(self._leases.items()):
            silent_seconds = now - lease.renewed_at
            if silent_seconds >= LOST_SECONDS:
                # A sign of life begins a new lease.
                del self._leases[build_id]
                judged.append((build_id, "lost"))
            elif silent_seconds >= DISCONNECTED_SECONDS and not lease.is_reported:
                lease.is_reported = True
                judged.append((build_id, "disconnected"))
        return judged
