"""How much agents may send: one bound on unconfirmed bytes for the gateway, shut while the broker accepts none."""

import logging
import time
from collections.abc import Callable

from build_chassis.bus import Bus

logger = logging.getLogger("gateway")
STALL_SECONDS = 2.0
LOOK_SECONDS = 0.25


class Valve:
    """Shared by all agent sessions; `window()` is what each may have unconfirmed now, 0 pauses all of them."""

    def __init__(
        self,
        bus: Bus,
        *,
        window_bytes: int,
        total_bytes: int,
        smallest_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus = bus
        self._window_bytes = window_bytes
        self._total_bytes = total_bytes
        self._smallest_bytes = smallest_bytes
        self._clock = clock
        self._listeners: set[Callable[[], None]] = set()
        self._started: dict[object, float] = {}
        self._was_open = True
        self.troubled: set[object] = set()
        """Pipelines whose publishes are failing."""
        self.inflight_bytes = 0

    @property
    def is_open(self) -> bool:
        """Whether the broker accepts publishes and there is room for more."""
        oldest = next(iter(self._started.values()), None)
        is_stalled = oldest is not None and self._clock() - oldest > STALL_SECONDS
        is_full = self.inflight_bytes >= self._total_bytes
        return not (self._bus.blocked or self.troubled or is_stalled or is_full)

    def window(self) -> int:
        """Bytes each session may have unconfirmed: a fair share of the total, never less than one frame."""
        if not self.is_open:
            return 0
        share = self._total_bytes // max(1, len(self._listeners))
        return max(self._smallest_bytes, min(self._window_bytes, share))

    def started(self, publish: object, size_bytes: int) -> None:
        """A publish began."""
        self._started[publish] = self._clock()
        self.inflight_bytes += size_bytes

    def ended(self, publish: object, size_bytes: int) -> None:
        """It ended, successfully or not."""
        self._started.pop(publish, None)
        self.inflight_bytes -= size_bytes
        self.look()

    def join(self, on_change: Callable[[], None]) -> None:
        """Call `on_change` when the valve opens or shuts."""
        self._listeners.add(on_change)

    def leave(self, on_change: Callable[[], None]) -> None:
        """Stop calling it."""
        self._listeners.discard(on_change)

    def look(self) -> None:
        """Notify the sessions if the valve has opened or shut since the last look."""
        is_open = self.is_open
        if is_open == self._was_open:
            return
        self._was_open = is_open
        logger.warning("%s agents' windows", "open" if is_open else "shut")
        for on_change in list(self._listeners):
            on_change()

    async def watch(self) -> None:
        """`look`, as a duty: neither the broker's alarm nor a stalled publish triggers it."""
        self.look()
