"""Racing: what everything that rewrites rows shares; other replicas rewrite them too, and one of them wins."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from history.store import Row

RACES = 8
"""Times a row is counted again because another replica was faster, before the messages go back to the queue."""

_READS_AT_ONCE = 4
Item = TypeVar("Item")
Result = TypeVar("Result")


async def each(items: Iterable[Item], one: Callable[[Item], Awaitable[Result]]) -> list[Result]:
    """`one` of every item, a few at a time, in order."""
    slots = asyncio.Semaphore(_READS_AT_ONCE)

    async def within(item: Item) -> Result:
        async with slots:
            return await one(item)

    return list(await asyncio.gather(*(within(item) for item in items)))


def version_of(known: Mapping[str, Row], key: str) -> int:
    """The version a row is written over: the one read, 0 where there was none."""
    return known[key].version if key in known else 0


def differs(old: Row, new: Row) -> bool:
    """Whether the row says something else than the one stored."""
    return old != new or old.body != new.body
