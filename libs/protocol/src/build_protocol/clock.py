"""Clocks: the time comes in as an argument, in milliseconds since the Unix epoch; and how long its units are."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Says what time it is: milliseconds since the Unix epoch."""

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
HOUR_SECONDS = 3_600
DAY_SECONDS = 24 * HOUR_SECONDS


def now_ms() -> int:
    """Milliseconds since the Unix epoch, by this machine's clock."""
    return int(time.time() * 1000)
