"""Pace: how fast a source is asked."""

import asyncio
import time


class Pace:
    """At most so many requests a second, one at a time, after a burst of a few."""

    def __init__(self, per_second: float, burst: float = 4.0) -> None:
        self._per_second = per_second
        self._burst = burst
        self._left = burst
        self._counted_at = time.monotonic()
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> None:
        await self._turn.acquire()
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._counted_at) * self._per_second)
        self._counted_at = now
        self._left -= 1
        if self._left < 0:
            await asyncio.sleep(-self._left / self._per_second)

    async def __aexit__(self, *_: object) -> None:
        self._turn.release()
