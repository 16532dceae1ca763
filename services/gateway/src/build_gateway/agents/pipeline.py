"""Records of one session on their way to the broker: several publishes in flight, republished until confirmed.

Order is kept by calling `Bus.publish` in order. When a publish fails, everything unconfirmed is published again in
order; what arrived twice is dropped by the stores.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from build_chassis.bus import Bus, BusUnavailable, Outgoing, PublishFailed
from build_chassis.failpoints import fail_at

from build_gateway.agents.valve import Valve
from build_gateway.agents.window import BuildWindow, Run

logger = logging.getLogger("gateway")
BACKOFF_SECONDS = 0.2
BACKOFF_MAX_SECONDS = 5.0


@dataclass(eq=False, slots=True)
class Batch:
    """The messages of one frame, and which runs of which builds they are."""

    messages: Sequence[Outgoing]
    runs: Sequence[tuple[str, BuildWindow, Run]]
    size_bytes: int


class Pipeline:
    """The way of one session's records to the bus."""

    def __init__(self, bus: Bus, valve: Valve, on_confirmed: Callable[[Batch], None]) -> None:
        self._bus = bus
        self._valve = valve
        self._on_confirmed = on_confirmed
        self._batches: deque[Batch] = deque()
        self._publishes: set[asyncio.Task[None]] = set()
        self._recovery: asyncio.Task[None] | None = None
        self.unconfirmed_bytes = 0

    def submit(self, batch: Batch) -> None:
        """Send behind everything submitted before; `on_confirmed` is called once the broker has it."""
        fail_at("gateway.admitted")
        self._batches.append(batch)
        self.unconfirmed_bytes += batch.size_bytes
        if self._recovery is None:
            self._spawn(batch)

    async def close(self) -> None:
        """Drop what is not confirmed (the agent sends it again); publishes already handed to the bus finish."""
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)
        self._batches.clear()

    def _spawn(self, batch: Batch) -> None:
        self._valve.started(batch, batch.size_bytes)
        task = asyncio.create_task(self._publish(batch))
        self._publishes.add(task)
        task.add_done_callback(self._publishes.discard)

    async def _publish(self, batch: Batch) -> None:
        try:
            await self._bus.publish(batch.messages)
        except PublishFailed as failure:
            self._keep_rest(batch, failure)
            self._recover(failure)
        except BusUnavailable as failure:
            self._recover(failure)
        else:
            self._confirmed(batch)
        finally:
            self._valve.ended(batch, batch.size_bytes)

    def _confirmed(self, batch: Batch) -> None:
        fail_at("gateway.confirmed")
        if batch in self._batches:
            self._batches.remove(batch)
            self.unconfirmed_bytes -= batch.size_bytes
            self._on_confirmed(batch)

    def _keep_rest(self, batch: Batch, failure: PublishFailed) -> None:
        batch.messages = batch.messages[failure.confirmed :]

    def _recover(self, failure: Exception) -> None:
        if self._recovery is None and self._batches:
            logger.warning("republish after %s", failure)
            self._valve.troubled.add(self)
            self._valve.look()
            self._recovery = asyncio.create_task(self._republish())

    async def _republish(self) -> None:
        backoff = BACKOFF_SECONDS
        try:
            # Publishes overlap: only when all of them ended is it known which are left to repeat.
            while self._publishes:
                await asyncio.wait(self._publishes)
            while self._batches:
                batch = self._batches[0]
                self._valve.started(batch, batch.size_bytes)
                try:
                    await self._bus.publish(batch.messages)
                except (PublishFailed, BusUnavailable) as failure:
                    if isinstance(failure, PublishFailed):
                        self._keep_rest(batch, failure)
                    await asyncio.sleep(random.uniform(backoff / 2, backoff))  # noqa: S311  jitter, no secret
                    backoff = min(backoff * 2, BACKOFF_MAX_SECONDS)
                else:
                    backoff = BACKOFF_SECONDS
                    self._confirmed(batch)
                finally:
                    self._valve.ended(batch, batch.size_bytes)
        finally:
            self._recovery = None
            self._valve.troubled.discard(self)
            self._valve.look()
