"""Back-off: when to try again. Windows double up to a minute; a try falls anywhere in its window.

After a try the rest of its window is waited out too, so that a thousand agents cut off at once spread and stay spread.
"""

from build_protocol.limits import BACKOFF_MAX_SECONDS


class Backoff:
    """The waits of one connection. `draw` is a random number in 0..1."""

    def __init__(self, first_seconds: float = 1.0, attempts_before_offline: int = 5) -> None:
        self._first_seconds = first_seconds
        self._attempts_before_offline = attempts_before_offline
        self._rest_seconds = 0.0
        self.attempts = 0

    def next_wait(self, draw: float) -> float:
        """Seconds until the next try."""
        window = min(self._first_seconds * 2.0 ** min(self.attempts, 16), BACKOFF_MAX_SECONDS)
        wait = self._rest_seconds + window * draw
        self._rest_seconds = window * (1 - draw)
        self.attempts += 1
        return wait

    def reset(self) -> None:
        """Records were stored: only that is progress, a connection alone is not."""
        self.attempts = 0
        self._rest_seconds = 0.0

    @property
    def is_offline(self) -> bool:
        """Whether so many tries failed that the agent should say so; it goes on trying."""
        return self.attempts > self._attempts_before_offline
