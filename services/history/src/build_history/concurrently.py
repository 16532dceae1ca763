"""Concurrently: many questions to the store at once, but few enough to leave it room for others."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from build_chassis.concurrency import bounded_gather

_AT_ONCE = 4
Item = TypeVar("Item")
Result = TypeVar("Result")


async def each(items: Iterable[Item], one: Callable[[Item], Awaitable[Result]]) -> list[Result]:
    """`one` of every item, a few at a time, in order."""
    return await bounded_gather(items, one, at_once=_AT_ONCE)
