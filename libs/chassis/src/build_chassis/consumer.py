"""Ack, retry and parking, decided once for every service.

| a handler                            | its deliveries                                                              |
|--------------------------------------|-----------------------------------------------------------------------------|
| returns                              | are acked                                                                   |
| raises a poison error                | are tried one at a time; exactly the poison is parked with the reason       |
| finds a store, service or bus away   | are held and tried again whenever the store takes a write; after            |
|                                      | `HOLD_SECONDS` they go back once, and the consumer leaves the queue until a |
|                                      | probe write succeeds                                                        |
| raises anything else                 | the same if a probe write fails; else they go back, which counts toward the |
|                                      | delivery limit, and are tried again, later                                  |

So an outage counts once at most, however long it lasts, and one that is over before `HOLD_SECONDS` not at all.
A message that came back three times is handled alone, so that its neighbours are not counted out with it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from pydantic import ValidationError

from build_chassis.backoff import Backoff
from build_chassis.bus.contract import Bus, BusUnavailable, Consumer, Delivery, PublishFailed
from build_chassis.errors import PoisonMessage, StoreUnavailable
from build_chassis.failpoints import fail_at
from build_chassis.health import Health
from build_chassis.supervisor import UNAVAILABLE, Duty

log = logging.getLogger(__name__)

CAREFUL_ATTEMPT = 3
"""From this attempt on a message is fetched and handled alone."""

HOLD_SECONDS = 120.0
"""How long messages are held while what they need is away. A broker takes back what is held for 30 minutes."""

REASON_CHARACTERS = 2_000
POISON = (PoisonMessage, ValidationError)

Handler = Callable[[Any], Awaitable[None]]
"""Answers one decoded message."""

BatchHandler = Callable[[Sequence[Delivery]], Awaitable[None]]
"""Answers deliveries in order, all or none: it may see any of them again."""


async def run_consumer(
    bus: Bus,
    queue: str,
    handle: BatchHandler,
    *,
    health: Health,
    prefetch: int = 200,
    backoff: Backoff | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Consume a queue until cancelled; cancelling finishes and settles what is in flight first.

    Args:
        bus: An open bus.
        queue: The queue's name.
        handle: Answers deliveries in order, all or none; what it raises decides what becomes of them (see the module).
        health: Probes what the handler needs, and is informed of what was away.
        prefetch: How many deliveries are fetched and handled together, at most.
        backoff: Makes the waits after a failure; the default when None.
        monotonic: Seconds of a clock that never leaps.
    """
    backoff = backoff or Backoff()
    consuming = _Consuming(bus, queue, handle, health, backoff=backoff, monotonic=monotonic)
    is_careful = False
    try:
        await health.probe()  # a service that starts in an outage takes nothing that it would have to give back
    except StoreUnavailable as error:
        log.warning("waiting to consume %s: %s", queue, error)
        await _wait(bus, health, backoff)
    while True:
        try:
            is_careful = await consuming.run(prefetch, is_careful=is_careful)
        except UNAVAILABLE as error:
            health.fail()
            log.warning("left queue %s: %s", queue, error)
            is_careful = True  # what comes first shows whether it is over
            await _wait(bus, health, backoff)
            log.info("resumed queue %s", queue)
        except _HandlerFailed:
            await asyncio.sleep(backoff.next_seconds())


def consumer_duty(bus: Bus, queue: str, handle: BatchHandler, *, health: Health, prefetch: int) -> Duty:
    """`run_consumer` as a duty. It waits and tries again by itself: what it raises all the same stops the service.

    Args:
        bus: An open bus.
        queue: The queue's name.
        handle: Answers deliveries in order, all or none.
        health: Probes what the handler needs.
        prefetch: How many deliveries are fetched and handled together, at most.
    """
    run = partial(run_consumer, bus, queue, handle, health=health, prefetch=prefetch)
    return Duty(f"consume {queue}", run, interval_seconds=0.0, on_error="stop")


class _HandlerFailed(Exception):
    """A handler raised something unexpected; already logged."""


class _Away(Exception):
    """Something that a handler needs is away; these deliveries are not settled yet."""

    def __init__(self, left: Sequence[Delivery], cause: Exception) -> None:
        super().__init__(str(cause))
        self.left = left
        self.cause = cause


class _Consuming:
    """One consumer's way through its queue."""

    def __init__(
        self,
        bus: Bus,
        queue: str,
        handle: BatchHandler,
        health: Health,
        *,
        backoff: Backoff,
        monotonic: Callable[[], float],
    ) -> None:
        self._bus = bus
        self._queue = queue
        self._handle = handle
        self._health = health
        self._backoff = backoff
        self._monotonic = monotonic

    async def run(self, prefetch: int, *, is_careful: bool) -> bool:
        """Consume until messages have to be handled alone (True), or no longer have to (False).

        Raises:
            StoreUnavailable: Or what else was found away, for as long as messages are held; leaving gave them back.
        """
        at_once = 1 if is_careful else prefetch
        async with self._bus.consume(self._queue, prefetch=at_once) as consumer:
            while True:
                deliveries = await consumer.fetch(at_once)
                needs_care = any(delivery.attempt >= CAREFUL_ATTEMPT for delivery in deliveries)
                if needs_care and not is_careful:
                    return True  # leaving gives them back
                await self._hold(consumer, deliveries)
                self._backoff.reset()
                if is_careful and not needs_care:
                    return False

    async def _hold(self, consumer: Consumer, deliveries: Sequence[Delivery]) -> None:
        """Settle deliveries, which are held meanwhile: an outage that is over before `HOLD_SECONDS` counts for none."""
        batches: list[Sequence[Delivery]] = [deliveries]
        begun_at, is_held = self._monotonic(), False
        while True:
            try:
                return await _finish(self._settle(consumer, batches))
            except _Away as away:
                self._health.fail()
                if self._monotonic() - begun_at >= HOLD_SECONDS:
                    raise away.cause from away
                if not is_held:
                    log.warning("holding %d messages of %s: %s", len(away.left), self._queue, away)
                # A store that is nearly full takes one message after the other where it does not take all of them.
                batches = [[delivery] for delivery in away.left] if is_held else [away.left]
                is_held = True
            await self._until_healthy(begun_at + HOLD_SECONDS)

    async def _until_healthy(self, until: float) -> None:
        while True:
            await asyncio.sleep(self._backoff.next_seconds())
            try:
                return await self._health.probe()
            except StoreUnavailable:
                if self._monotonic() >= until:
                    raise

    async def _settle(self, consumer: Consumer, batches: list[Sequence[Delivery]]) -> None:
        """Handle deliveries, then ack, reject or park every one of them, or raise _Away with those that are left."""
        while batches:
            batch = batches.pop(0)
            left = [delivery for waiting in (batch, *batches) for delivery in waiting]
            try:
                await self._handle(batch)
            except POISON as error:
                if len(batch) == 1:
                    await self._park(consumer, batch[0], error, left)
                else:
                    batches = [[delivery] for delivery in batch]
            except UNAVAILABLE as error:
                raise _Away(left, error) from error
            except Exception as error:
                log.exception("failed to handle %d messages of %s", len(batch), self._queue, extra=_facts(batch[0]))
                await self._blame(left)
                await consumer.reject(left)
                raise _HandlerFailed from error
            else:
                fail_at("bus.handled")
                await consumer.ack(batch)

    async def _blame(self, left: Sequence[Delivery]) -> None:
        """Return if messages are to blame for what their handler raised: what they need takes writes."""
        try:
            await self._health.probe()
        except StoreUnavailable as error:
            raise _Away(left, error) from error

    async def _park(self, consumer: Consumer, delivery: Delivery, error: Exception, left: Sequence[Delivery]) -> None:
        reason = f"{type(error).__name__}: {error}"[:REASON_CHARACTERS]
        try:
            await consumer.park(delivery, reason)
        except PublishFailed as away:
            raise _Away(left, away) from away
        log.error("parked a message of %s: %s", self._queue, reason, extra=_facts(delivery))


async def _finish(work: Awaitable[None]) -> None:
    """Await the work; a cancellation arrives only after it is done."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            await asyncio.wait([task])
        finally:
            if not task.cancel() and not task.cancelled():  # a second cancellation means now
                task.exception()  # already logged, and the delivery is back in its queue
        raise


async def _wait(bus: Bus, health: Health, backoff: Backoff) -> None:
    while True:
        await asyncio.sleep(backoff.next_seconds())
        try:
            await health.probe()
            return await bus.probe()
        except (StoreUnavailable, BusUnavailable):
            continue


def _facts(delivery: Delivery) -> dict[str, str]:
    return {name: delivery.headers[name] for name in ("build_id", "message_id") if name in delivery.headers}
