"""Work: what a service does beside answering: it begins once the store is there, goes on, and ends with the app."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from build_chassis.backoff import Backoff
from build_chassis.errors import StoreUnavailable, Unusable
from build_chassis.service_client import ServiceUnavailable
from build_chassis.vital import vital

log = logging.getLogger(__name__)

FIRST_TRY_SECONDS = 3.0


@asynccontextmanager
async def working(name: str, work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """The work runs as a vital task while the context lasts; leaving cancels it and waits for its end."""
    task = vital(asyncio.create_task(work, name=name))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Unusable):  # vital reported it
            await task


async def try_open(open_store: Callable[[], Awaitable[None]]) -> bool:
    """Open a store at a service's start; False when that takes long, or fails: `wait_until_open` goes on with it.

    A start waits for nothing: whoever watches the process sees it alive, and reads what it lacks in `/readyz`.
    """
    try:
        async with asyncio.timeout(FIRST_TRY_SECONDS):
            await open_store()
    except (StoreUnavailable, TimeoutError) as error:
        log.warning("waiting for the store: %s", error or f"it is not open after {FIRST_TRY_SECONDS:g} s")
        return False
    except Unusable:
        return False  # the next try finds the same, as a vital task, which ends the process in order
    return True


async def wait_until_open(open_store: Callable[[], Awaitable[None]], *, is_open: bool) -> None:
    """Try to open a store that a first try did not open, until it is: services start in any order. Raises Unusable."""
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


async def repeat(step: Callable[[], Awaitable[object]], seconds: float) -> None:
    """Take a step again and again: at once while it found something to do, else after a while.

    A step that fails is told and tried again: one thing that cannot be handled must not keep the others out for ever.
    """
    backoff = Backoff()
    while True:
        try:
            found = await step()
        except (StoreUnavailable, ServiceUnavailable) as error:
            log.warning("waiting: %s", error)
            await asyncio.sleep(backoff.next_seconds())
        except Exception:
            log.exception("failed a step; it is tried again")
            await asyncio.sleep(backoff.next_seconds())
        else:
            backoff.reset()
            if not found:
                await asyncio.sleep(seconds)
