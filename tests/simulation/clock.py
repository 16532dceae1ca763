"""Time of the simulation: `time` as the product reads it, answered by the machine whose code is running.

Imported before anything of the product: default arguments keep what they find. Outside a simulation all of it is real.
"""

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol

EPOCH_SECONDS = 1_780_000_000.0
"""The true time at which every simulation begins."""


class Clocks(Protocol):
    """What a machine's clocks show."""

    def wall(self) -> float:
        """Seconds since the Unix epoch; may be wrong, and leap."""

    def monotonic(self) -> float:
        """Seconds of a clock that nobody sets."""

    def uptime(self) -> float:
        """Seconds since boot, sleep included."""


CLOCKS: ContextVar[Clocks | None] = ContextVar("clocks", default=None)
"""Of the machine whose code is running; None: the simulation's own."""

_real: dict[str, Callable[..., Any]] = {}


def install() -> None:
    """Have `time` ask the simulated machine, where there is one. Doing so again changes nothing."""
    if _real:
        return
    for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "clock_gettime_ns", "sleep"):
        _real[name] = getattr(time, name)
    time.time = lambda: _ask("time", lambda clocks: clocks.wall())
    time.time_ns = lambda: _ask("time_ns", lambda clocks: int(clocks.wall() * 1e9))
    time.monotonic = lambda: _ask("monotonic", lambda clocks: clocks.monotonic())
    time.monotonic_ns = lambda: _ask("monotonic_ns", lambda clocks: int(clocks.monotonic() * 1e9))
    time.perf_counter = lambda: _ask("perf_counter", lambda clocks: clocks.monotonic())
    time.clock_gettime_ns = _clock_gettime_ns


def real_seconds() -> float:
    """Seconds of the real clock, for measuring the simulation itself."""
    return float(_real.get("perf_counter", time.perf_counter)())


def _ask(name: str, ask: Callable[[Clocks], Any]) -> Any:
    clocks = CLOCKS.get()
    return _real[name]() if clocks is None else ask(clocks)


def _clock_gettime_ns(clock: int) -> int:
    clocks = CLOCKS.get()
    if clocks is None:
        return int(_real["clock_gettime_ns"](clock))
    if clock == time.CLOCK_REALTIME:
        return int(clocks.wall() * 1e9)
    return int((clocks.uptime() if clock == getattr(time, "CLOCK_BOOTTIME", -1) else clocks.monotonic()) * 1e9)
