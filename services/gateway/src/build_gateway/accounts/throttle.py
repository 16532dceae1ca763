"""How often a login may be tried: each failure doubles the wait of that account and that address. Pure."""

from collections import OrderedDict
from dataclasses import dataclass

REMEMBERED = 10_000
LONGEST_SECONDS = 300.0
FORGOTTEN_SECONDS = 3600.0


@dataclass(slots=True)
class _Failures:
    count: int
    last_at: float


class Throttle:
    """Counts failures per name; the first `free` cost nothing."""

    def __init__(self, free: int) -> None:
        self._free = free
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def wait_seconds(self, name: str, now: float) -> float:
        """How long this name must still wait; 0 when it may try."""
        failures = self._failures.get(name)
        if failures is None or failures.count < self._free:
            return 0.0
        pause = min(2.0 ** min(failures.count - self._free, 16), LONGEST_SECONDS)
        return max(0.0, failures.last_at + pause - now)

    def failed(self, name: str, now: float) -> None:
        """One more failure."""
        failures = self._failures.pop(name, None)
        count = failures.count if failures is not None and now - failures.last_at < FORGOTTEN_SECONDS else 0
        self._failures[name] = _Failures(count + 1, now)
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """Forget the failures."""
        self._failures.pop(name, None)
