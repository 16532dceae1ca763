"""Work: what a service does beside answering: it begins once the store is there, goes on, and ends with the app."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from chassis.backoff import Backoff
from chassis.errors import StoreUnavailable
from chassis.peers import PeerUnavailable
from chassis.vital import vital

log = logging.getLogger(__name__)


@asynccontextmanager
async def working(name: str, work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """The work runs as a vital task while the context lasts; leaving cancels it and waits for its end."""
    task = vital(asyncio.create_task(work, name=name))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def try_open(open_store: Callable[[], Awaitable[None]]) -> bool:
    """Open a store; False, told in the log, when it is away."""
    try:
        await open_store()
    except StoreUnavailable as error:
        log.warning("waiting for the store: %s", error)
        return False
    return True


async def wait_until_open(open_store: Callable[[], Awaitable[None]], *, is_open: bool) -> None:
    """Try to open a store that a first try did not open, until it is: services start in any order."""
    backoff = Backoff()
    while not is_open:
        await asyncio.sleep(backoff.next_seconds())
        is_open = await try_open(open_store)


async def repeat(step: Callable[[], Awaitable[object]], seconds: float) -> None:
    """Take a step again and again: at once while it found something to do, else after a while.

    A step that fails is told and tried again: one thing that cannot be handled must not keep the others out for ever.
    """
    backoff = Backoff()
    while True:
        try:
            found = await step()
        except (StoreUnavailable, PeerUnavailable) as error:
            log.warning("waiting: %s", error)
            await asyncio.sleep(backoff.next_seconds())
        except Exception:
            log.exception("failed a step; it is tried again")
            await asyncio.sleep(backoff.next_seconds())
        else:
            backoff.reset()
            if not found:
                await asyncio.sleep(seconds)
