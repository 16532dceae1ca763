"""Concurrency: many questions at once, but few enough to leave others room; and large work off the event loop."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def bounded_gather(
    items: Iterable[Item], one: Callable[[Item], Awaitable[Result]], *, at_once: int
) -> list[Result]:
    """`one` of every item, at most `at_once` at a time; the results in the items' order.

    The first error is raised at once, as `asyncio.gather` does.
    """
    slots = asyncio.Semaphore(at_once)

    async def within(item: Item) -> Result:
        async with slots:
            return await one(item)

    return list(await asyncio.gather(*(within(item) for item in items)))


async def in_thread_if_large(size_bytes: int, large_bytes: int, work: Callable[..., Result], *args: Any) -> Result:
    """The result of `work(*args)`: computed in a thread from `large_bytes` on, so that the loop answers others.

    Smaller work is done here at once: handing it to a thread would cost more than it takes.
    """
    if size_bytes < large_bytes:
        return work(*args)
    return await asyncio.to_thread(work, *args)
