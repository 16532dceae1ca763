"""How often a password may be tried: each failure doubles the wait of its name, and what runs counts already. Pure."""

from collections import Counter, OrderedDict
from dataclasses import dataclass

REMEMBERED = 10_000
LONGEST_SECONDS = 300.0
FORGOTTEN_SECONDS = 3600.0


@dataclass(slots=True)
class _Failures:
    count: int
    last_at: float


class Throttle:
    """Counts failures per name; the first `free` cost nothing. Times are in seconds, of any one monotonic clock."""

    def __init__(self, free: int) -> None:
        self._free = free
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._running: Counter[str] = Counter()

    def count(self, name: str, now: float) -> int:
        """Failures of this name that are not forgotten yet."""
        failures = self._failures.get(name)
        return failures.count if failures is not None and now - failures.last_at < FORGOTTEN_SECONDS else 0

    def is_crowded(self, name: str, now: float, free: int | None = None) -> bool:
        """Whether one more attempt must wait for the results of those that run: each of them may be a failure."""
        running = self._running[name]
        return running > 0 and self.count(name, now) + running >= (self._free if free is None else free)

    def wait_seconds(self, name: str, now: float, free: int | None = None) -> float:
        """How long this name must still wait; 0 when it may try."""
        count = self.count(name, now)
        beyond = count - (self._free if free is None else free)
        if count == 0 or beyond < 0:
            return 0.0
        pause = min(2.0 ** min(beyond, 16), LONGEST_SECONDS)
        return max(0.0, self._failures[name].last_at + pause - now)

    def began(self, name: str) -> None:
        """An attempt runs; `ended` follows, whatever becomes of it."""
        self._running[name] += 1

    def ended(self, name: str) -> None:
        """It no longer runs."""
        self._running[name] -= 1
        if self._running[name] <= 0:
            del self._running[name]

    def failed(self, name: str, now: float) -> None:
        """One more failure."""
        count = self.count(name, now)
        self._failures.pop(name, None)
        self._failures[name] = _Failures(count + 1, now)
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """Forget the failures."""
        self._failures.pop(name, None)
