"""Optimistic updates: read a version, decide, write if that version still stands; whoever loses begins anew."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Final, TypeVar

from build_chassis.errors import StoreUnavailable

T = TypeVar("T")

ATTEMPTS = 20
"""So often others may be faster: each of them made progress, so that a row moves on whoever waits for it."""


class Lost(Enum):
    """Another writer was faster."""

    LOST = "lost"


LOST: Final = Lost.LOST


async def update(store: str, what: str, attempt: Callable[[], Awaitable[T | Lost]]) -> T:
    """The result of the first attempt that is not lost.

    Args:
        store: The service whose store it is, for the error.
        what: What is written, for the error: `build 0197...`.
        attempt: Reads, decides and writes; returns LOST when what it read was changed before it wrote.

    Raises:
        StoreUnavailable: All attempts were lost. Nothing was written; trying again later is safe.
    """
    for _ in range(ATTEMPTS):
        result = await attempt()
        if not isinstance(result, Lost):
            return result
    raise StoreUnavailable(store, f"{what} is contended", f"{what} is contended")
