"""The supervisor: what a service does beside answering, declared as duties and run in one place.

| a duty's step                                | what follows                                                         |
|----------------------------------------------|----------------------------------------------------------------------|
| returns nothing, or nothing true             | a rest: the interval, or shorter when the duty's event is set        |
| returns something true                       | the next step at once: there may be more to do                       |
| finds a store, service or bus unavailable    | a back-off, then the same step again                                 |
| raises any other error                       | by `on_error`: logged and tried again after the interval, or stop    |
| raises Unusable                              | the service stops: waiting never changes what was found              |

No duty ends another one, unless it stops the service; cancelling ends them all.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal, NoReturn

from build_chassis.backoff import Backoff
from build_chassis.bus.contract import BusUnavailable, PublishFailed
from build_chassis.errors import StoreUnavailable, Unusable
from build_chassis.service_client import ServiceUnavailable
from build_chassis.vital import vital

log = logging.getLogger(__name__)

FIRST_TRY_SECONDS = 3.0

UNAVAILABLE = (StoreUnavailable, ServiceUnavailable, BusUnavailable, PublishFailed)
"""What comes back by itself: nobody has to read more than one line about it."""

Rest = Callable[[float | None, asyncio.Event | None], Awaitable[None]]
"""Waits for so many seconds (None: without end), or until the event is set."""


@dataclass(frozen=True, slots=True)
class Duty:
    """A step that a service takes again and again.

    Attributes:
        name: What the step does, as the log has it: "waiting to <name>", "failed to <name>".
        step: One step; it must be safe to repeat. What it did is returned where there may be more to do at once, as a
            count or as true: zero, false or nothing rests.
        interval_seconds: The rest between two steps; None rests until `wake` is set.
        wake: Ends a rest early. It is cleared before each step: what arrives during a step is met by the next one.
        on_error: What an unexpected error does. A consumer, which handles its own errors, stops the service.
        rests_first: Whether the first step comes after a rest.
        backoff: Makes the waits while something is unavailable.
    """

    name: str
    step: Callable[[], Awaitable[int | None]]
    interval_seconds: float | None
    wake: asyncio.Event | None = None
    on_error: Literal["retry", "stop"] = "retry"
    rests_first: bool = False
    backoff: Callable[[], Backoff] = Backoff


async def rest(seconds: float | None, wake: asyncio.Event | None) -> None:
    """Wait for some time, or until an event is set.

    Args:
        seconds: How long at most; None without end.
        wake: Ends the wait early.
    """
    if wake is None and seconds is not None:
        await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await (wake or asyncio.Event()).wait()
    except TimeoutError:
        return


async def run_duty(duty: Duty, rest: Rest = rest) -> NoReturn:
    """Run one duty until cancelled.

    Args:
        duty: What to run, and how often.
        rest: How to wait between steps; tests pass their own.

    Raises:
        Unusable: Waiting never changes what a step found: the service stops.
        Exception: What a step raised, if the duty's `on_error` is `stop`.
    """
    backoff = duty.backoff()
    if duty.rests_first:
        await rest(duty.interval_seconds, duty.wake)
    while True:
        if duty.wake is not None:
            duty.wake.clear()
        try:
            found = await duty.step()
        except Unusable:
            raise
        except UNAVAILABLE as error:
            log.warning("waiting to %s: %s", duty.name, error)
            await rest(backoff.next_seconds(), None)
        except Exception:
            if duty.on_error == "stop":
                raise
            log.exception("failed to %s; it is tried again", duty.name)
            # A step that never succeeds neither spins nor fills the log.
            await rest(max(duty.interval_seconds or 0.0, backoff.next_seconds()), None)
        else:
            backoff.reset()
            if not found:
                await rest(duty.interval_seconds, duty.wake)


async def supervise(duties: Sequence[Duty], rest: Rest = rest) -> None:
    """Run all duties until cancelled.

    Args:
        duties: What to run, side by side.
        rest: How to wait between steps; tests pass their own.

    Raises:
        Exception: The error of the first duty that stops the service; the others are cancelled.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            for duty in duties:
                tasks.create_task(run_duty(duty, rest), name=duty.name)
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


@asynccontextmanager
async def supervised(
    name: str,
    duties: Sequence[Duty],
    *,
    open_store: Callable[[], Awaitable[None]],
    first_try_seconds: float = FIRST_TRY_SECONDS,
) -> AsyncIterator[None]:
    """Open the store, then run the duties, while the context lasts; leaving cancels them and waits for their end.

    A store that is not open in time is waited for behind the context: services start in any order.

    Args:
        name: The task's name in the log.
        duties: What to run once the store is open.
        open_store: Opens the store; it may be called again after it failed.
        first_try_seconds: How long entering the context waits for the store, at most.
    """
    is_open = await try_open(open_store, first_try_seconds)

    async def work() -> None:
        await wait_until_open(open_store, is_open=is_open)
        await supervise(duties)

    task = vital(asyncio.create_task(work(), name=name))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])  # a failure was reported where it happened


def supervised_lifespan(
    name: str,
    duties: Sequence[Duty],
    *,
    open_store: Callable[[], Awaitable[None]],
    closing: Sequence[Callable[[], Awaitable[object]]],
    first_try_seconds: float = FIRST_TRY_SECONDS,
) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """The lifespan of a service's app: `supervised`, and everything in `closing` after it.

    Args:
        name: The task's name in the log.
        duties: What to run once the store is open.
        open_store: Opens the store; it may be called again after it failed.
        closing: What to close at the end, in order.
        first_try_seconds: How long a start waits for the store, at most.
    """

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for close in reversed(closing):
                stack.push_async_callback(close)
            await stack.enter_async_context(
                supervised(name, duties, open_store=open_store, first_try_seconds=first_try_seconds)
            )
            yield

    return lifespan


async def try_open(open_store: Callable[[], Awaitable[None]], first_try_seconds: float = FIRST_TRY_SECONDS) -> bool:
    """Try to open a store at a service's start.

    A start waits for nothing: whoever watches the process sees it alive, and reads what it lacks in `/readyz`.

    Args:
        open_store: Opens the store; it may be called again after it failed.
        first_try_seconds: How long to wait for it, at most.

    Returns:
        Whether the store is open; if not, `wait_until_open` goes on with it.
    """
    try:
        async with asyncio.timeout(first_try_seconds):
            await open_store()
    except (StoreUnavailable, TimeoutError) as error:
        log.warning("waiting for the store: %s", error or f"it is not open after {first_try_seconds:g} s")
        return False
    except Unusable:
        return False  # the next try finds the same, as a vital task, which ends the process in order
    return True


async def wait_until_open(open_store: Callable[[], Awaitable[None]], *, is_open: bool) -> None:
    """Try to open a store that a first try did not open, until it is: services start in any order.

    Args:
        open_store: Opens the store; it may be called again after it failed.
        is_open: What `try_open` returned.

    Raises:
        Unusable: Waiting never changes what was found.
    """
    backoff = Backoff()
    while not is_open:
        await asyncio.sleep(backoff.next_seconds())
        try:
            await open_store()
        except StoreUnavailable as error:
            log.warning("waiting for the store: %s", error)
        else:
            is_open = True
            log.info("the store is open")
