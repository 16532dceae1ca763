"""Concurrency: many questions at once, but few enough to leave others room; and large work off the event loop."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def bounded_gather(
    items: Iterable[Item], one: Callable[[Item], Awaitable[Result]], *, at_once: int
) -> list[Result]:
    """Apply a function to every item, several at a time.

    Args:
        items: What to apply it to.
        one: What to do with one item.
        at_once: How many run at the same time, at most.

    Returns:
        The results, in the items' order.

    Raises:
        Exception: The first error, at once, as `asyncio.gather` does.
    """
    slots = asyncio.Semaphore(at_once)

    async def within(item: Item) -> Result:
        async with slots:
            return await one(item)

    return list(await asyncio.gather(*(within(item) for item in items)))


async def in_thread_if_large(size_bytes: int, large_bytes: int, work: Callable[..., Result], *args: Any) -> Result:
    """Compute something in a thread if it is large, so that the event loop answers others meanwhile.

    Smaller work is done at once: handing it to a thread would cost more than it takes.

    Args:
        size_bytes: How large the work is.
        large_bytes: From which size on a thread does it.
        work: A function without effects on the event loop.
        *args: Its arguments.

    Returns:
        The result of `work(*args)`.
    """
    if size_bytes < large_bytes:
        return work(*args)
    return await asyncio.to_thread(work, *args)
