"""Concurrently: many questions to the store at once, but few enough to leave it room for others."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

_AT_ONCE = 4
Item = TypeVar("Item")
Result = TypeVar("Result")


async def each(items: Iterable[Item], one: Callable[[Item], Awaitable[Result]]) -> list[Result]:
    """`one` of every item, a few at a time, in order."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def within(item: Item) -> Result:
        async with slots:
            return await one(item)

    return list(await asyncio.gather(*(within(item) for item in items)))
