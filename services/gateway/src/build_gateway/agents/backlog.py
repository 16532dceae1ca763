"""A session's backlog: what the broker has of it and ingest has not stored. Pure.

Whoever sends faster than ingest stores would fill its queue, and every other agent of that shard would wait behind it.
So a session with a large backlog gets no window until some of it is stored. Where ingest stores nothing at all it is
no backlog of this agent's making: then the broker holds what comes.
"""

from collections import deque

BACKLOG_BYTES = 4 * 1024 * 1024
"""About one batch of ingest: enough to keep it at work, and little enough that others wait a second at most."""

STILL_SECONDS = 20.0
"""Nothing was stored for so long: ingest is away, or what is missing will never be stored."""


class Backlog:
    """What one session sent that is not stored yet, by build."""

    def __init__(self, max_bytes: int = BACKLOG_BYTES) -> None:
        self._max_bytes = max_bytes
        self._sent: dict[str, deque[tuple[int, int]]] = {}
        self._bytes = 0
        self._moved_at = 0.0

    def sent(self, build_id: str, last_seq: int, size_bytes: int, now: float) -> None:
        """Records up to this one were sent; `now` in seconds, monotonic."""
        if not self._bytes:
            self._moved_at = now
        self._sent.setdefault(build_id, deque()).append((last_seq, size_bytes))
        self._bytes += size_bytes

    def stored(self, build_id: str, upto: int, now: float) -> None:
        """Ingest has the build up to this record."""
        waiting = self._sent.get(build_id)
        while waiting and waiting[0][0] <= upto:
            self._bytes -= waiting.popleft()[1]
            self._moved_at = now
        if not waiting:
            self._sent.pop(build_id, None)

    def forget(self, build_id: str) -> None:
        """The session has nothing to do with the build any more."""
        self._bytes -= sum(size_bytes for _, size_bytes in self._sent.pop(build_id, ()))

    def is_large(self, now: float) -> bool:
        """Whether the session has to wait until ingest stored some of it."""
        return self._bytes > self._max_bytes and now - self._moved_at < STILL_SECONDS
