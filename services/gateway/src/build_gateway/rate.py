"""A token bucket: so many a second, with a burst. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class Rate:
    """Allows `per_second` sustained and twice as many at once."""

    per_second: float
    _level: float = 0.0
    _looked_at: float = 0.0

    def take(self, now: float) -> bool:
        """Whether one more is allowed at `now` (seconds, monotonic)."""
        self._level = max(0.0, self._level - (now - self._looked_at) * self.per_second)
        self._looked_at = now
        if self._level >= 2 * self.per_second:
            return False
        self._level += 1
        return True
