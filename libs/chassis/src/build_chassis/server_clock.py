"""The server's clock: wall time that follows a clock nobody sets, so that a leap is seen and not adopted unasked."""

import time

from build_protocol.clock import Clock, now_ms

STEP_MS = 60_000
"""Time servers correct a clock by less; more at once is a leap."""


def uptime_ms() -> int:
    """Milliseconds since this machine booted, sleep included where the system can tell."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1_000_000


class ServerClock:
    """Says what time it is, as a `Clock`: after a leap of the wall clock it goes on as if there had been none."""

    def __init__(self, wall: Clock = now_ms, steady: Clock = uptime_ms) -> None:
        self.wall = wall
        self._steady = steady
        self._began_at = wall() - steady()

    def __call__(self) -> int:
        """Milliseconds since the Unix epoch."""
        if not self.leap_ms:
            self.go_on_from(self.wall())
        return self._steady() + self._began_at

    @property
    def leap_ms(self) -> int:
        """How far the wall clock is ahead (below zero: behind) of what is shown, if by more than a step; else 0."""
        off_ms = self.wall() - self._steady() - self._began_at
        return off_ms if abs(off_ms) > STEP_MS else 0

    def go_on_from(self, at: int) -> None:
        """Show this time now, in ms since the Unix epoch."""
        self._began_at = at - self._steady()
