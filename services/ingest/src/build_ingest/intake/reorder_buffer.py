"""ReorderBuffer: records beyond a hole, kept in memory until what is missing arrives.

They are not stored and never reported stored: their agent keeps them too, so dropping them costs a resend, not data.
"""

from collections.abc import Mapping

from build_ingest.records.delivery import RecordDelivery

MAX_BYTES_PER_BUILD = 4 * 1024 * 1024
MAX_BYTES = 64 * 1024 * 1024


class ReorderBuffer:
    """Bounded per build and in all; the records nearest to the hole are kept."""

    def __init__(self) -> None:
        self._builds: dict[str, dict[int, RecordDelivery]] = {}
        self._size_bytes: dict[str, int] = {}

    def of(self, build_id: str) -> Mapping[int, RecordDelivery]:
        """What waits for a build, by seq."""
        return self._builds.get(build_id, {})

    @property
    def count(self) -> int:
        """Records that wait."""
        return sum(map(len, self._builds.values()))

    def keep(self, build_id: str, ahead: Mapping[int, RecordDelivery]) -> bool:
        """Let these wait instead of what waited; True when a hole is new."""
        is_new = bool(ahead) and build_id not in self._builds
        self.drop(build_id)
        if not ahead:
            return False
        kept: dict[int, RecordDelivery] = {}
        room = min(MAX_BYTES_PER_BUILD, MAX_BYTES - sum(self._size_bytes.values()))
        for seq in sorted(ahead):
            room -= len(ahead[seq].body)
            if room < 0:
                break
            kept[seq] = ahead[seq]
        if kept:
            self._builds[build_id] = kept
            self._size_bytes[build_id] = sum(len(delivery.body) for delivery in kept.values())
        return is_new

    def drop(self, build_id: str) -> None:
        """Forget what waits for a build."""
        self._builds.pop(build_id, None)
        self._size_bytes.pop(build_id, None)

    def has_hole(self, build_id: str) -> bool:
        """Whether records of this build wait."""
        return build_id in self._builds
