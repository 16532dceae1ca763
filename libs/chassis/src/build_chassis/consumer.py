"""Ack, retry and parking, decided once for every service.

| a handler                   | its deliveries                                                          |
|-----------------------------|-------------------------------------------------------------------------|
| returns                     | are acked                                                               |
| raises a poison error       | are tried one at a time; exactly the poison is parked with the reason   |
| raises StoreUnavailable     | go back; the consumer leaves the queue until the store answers          |
| raises anything else        | go back, which counts toward the delivery limit; tried again, later     |

A message that came back three times is handled alone, so that its neighbours are not counted out with it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from build_protocol.messages import build_message
from pydantic import ValidationError

from build_chassis.backoff import Backoff
from build_chassis.bus.contract import Bus, BusUnavailable, Consumer, Delivery, PublishFailed
from build_chassis.errors import PoisonMessage, StoreUnavailable
from build_chassis.failpoints import fail_at
from build_chassis.supervisor import Duty

log = logging.getLogger(__name__)

CAREFUL_ATTEMPT = 3
"""From this attempt on a message is fetched and handled alone."""

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
    wait_for_store: Callable[[], Awaitable[object]],
    prefetch: int = 200,
    backoff: Backoff | None = None,
) -> None:
    """Consume a queue until cancelled; cancelling finishes and settles what is in flight first.

    Args:
        bus: An open bus.
        queue: The queue's name.
        handle: Answers deliveries in order, all or none; what it raises decides what becomes of them (see the module).
        wait_for_store: Returns when the store answers, or raises StoreUnavailable to be asked again after a back-off.
        prefetch: How many deliveries are fetched and handled together, at most.
        backoff: Makes the waits after a failure; the default when None.
    """
    backoff = backoff or Backoff()
    is_careful = False
    while True:
        try:
            is_careful = await _consume(bus, queue, handle, prefetch, backoff, is_careful=is_careful)
        except StoreUnavailable as error:
            log.warning("left queue %s: %s", queue, error)
            await _wait(wait_for_store, backoff)
            log.info("resumed queue %s", queue)
        except (BusUnavailable, PublishFailed) as error:
            log.warning("left queue %s: %s", queue, error)
            await asyncio.sleep(backoff.next_seconds())
        except _HandlerFailed:
            await asyncio.sleep(backoff.next_seconds())


def consumer_duty(
    bus: Bus,
    queue: str,
    handle: BatchHandler,
    *,
    wait_for_store: Callable[[], Awaitable[object]],
    prefetch: int,
) -> Duty:
    """`run_consumer` as a duty. It waits and tries again by itself: what it raises all the same stops the service.

    Args:
        bus: An open bus.
        queue: The queue's name.
        handle: Answers deliveries in order, all or none.
        wait_for_store: Returns when the store answers, or raises StoreUnavailable.
        prefetch: How many deliveries are fetched and handled together, at most.
    """
    run = partial(run_consumer, bus, queue, handle, wait_for_store=wait_for_store, prefetch=prefetch)
    return Duty(f"consume {queue}", run, interval_seconds=0.0, on_error="stop")


def one_by_one(handlers: Mapping[type, Handler]) -> BatchHandler:
    """A batch handler that decodes each message and hands it to its type's handler.

    Args:
        handlers: A handler for each type of message; messages of other types are acked unread.
    """

    async def handle(deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            message = build_message.validate_json(delivery.body)
            handler = handlers.get(type(message))
            if handler is not None:
                await handler(message)

    return handle


async def settle(consumer: Consumer, deliveries: Sequence[Delivery], handle: BatchHandler, queue: str) -> None:
    """Handle deliveries, then ack, reject or park every one of them.

    Args:
        consumer: Where they were fetched.
        deliveries: What to handle, in order.
        handle: Answers deliveries in order, all or none.
        queue: The queue's name, for the log.

    Raises:
        StoreUnavailable: The store was away: the deliveries went back to the queue.
    """
    batches = [deliveries]
    while batches:
        batch = batches.pop(0)
        try:
            await handle(batch)
        except POISON as error:
            if len(batch) == 1:
                await _park(consumer, batch[0], error, queue)
            else:
                batches = [[delivery] for delivery in batch]
        except StoreUnavailable:
            await consumer.reject([delivery for waiting in (batch, *batches) for delivery in waiting])
            raise
        except Exception as error:
            log.exception("failed to handle %d messages of %s", len(batch), queue, extra=_facts(batch[0]))
            await consumer.reject([delivery for waiting in (batch, *batches) for delivery in waiting])
            raise _HandlerFailed from error
        else:
            fail_at("bus.handled")
            await consumer.ack(batch)


class _HandlerFailed(Exception):
    """A handler raised something unexpected; already logged."""


async def _consume(
    bus: Bus, queue: str, handle: BatchHandler, prefetch: int, backoff: Backoff, *, is_careful: bool
) -> bool:
    """Consume until messages have to be handled alone (True), or no longer have to (False)."""
    at_once = 1 if is_careful else prefetch
    async with bus.consume(queue, prefetch=at_once) as consumer:
        while True:
            deliveries = await consumer.fetch(at_once)
            needs_care = any(delivery.attempt >= CAREFUL_ATTEMPT for delivery in deliveries)
            if needs_care and not is_careful:
                return True  # leaving gives them back
            await _finish(settle(consumer, deliveries, handle, queue))
            backoff.reset()
            if is_careful and not needs_care:
                return False


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


async def _wait(wait_for_store: Callable[[], Awaitable[object]], backoff: Backoff) -> None:
    while True:
        await asyncio.sleep(backoff.next_seconds())
        try:
            await wait_for_store()
        except StoreUnavailable:
            continue
        return


async def _park(consumer: Consumer, delivery: Delivery, error: Exception, queue: str) -> None:
    reason = f"{type(error).__name__}: {error}"[:REASON_CHARACTERS]
    log.error("parked a message of %s: %s", queue, reason, extra=_facts(delivery))
    await consumer.park(delivery, reason)


def _facts(delivery: Delivery) -> dict[str, str]:
    return {name: delivery.headers[name] for name in ("build_id", "message_id") if name in delivery.headers}
