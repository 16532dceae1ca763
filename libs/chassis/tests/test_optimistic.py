"""Writers of one row take turns by its version: none is lost, none waits for ever."""

import asyncio

import pytest
from build_chassis.errors import StoreUnavailable
from build_chassis.store.optimistic import ATTEMPTS, LOST, Lost, update


class Row:
    """A number with a version, written only over the version that was read."""

    def __init__(self) -> None:
        self.number = 0
        self.version = 0

    async def write(self, number: int, version: int) -> bool:
        await asyncio.sleep(0)  # others come in between
        if version != self.version:
            return False
        self.number, self.version = number, version + 1
        return True


async def test_every_writer_is_counted() -> None:
    """Each adds one; whoever loses a race adds to what the winner wrote."""
    row = Row()

    async def add() -> int | Lost:
        number, version = row.number, row.version
        return number + 1 if await row.write(number + 1, version) else LOST

    results = await asyncio.gather(*(update("test", "the row", add) for _ in range(10)))

    assert (row.number, sorted(results)) == (10, list(range(1, 11)))


async def test_a_row_that_never_rests_is_left_for_later() -> None:
    """The error names it, and means: try again."""
    attempts = 0

    async def lose() -> Lost | None:
        nonlocal attempts
        attempts += 1
        return LOST

    with pytest.raises(StoreUnavailable, match="store test unavailable: row 7 is contended") as failed:
        await update("test", "row 7", lose)
    assert attempts == ATTEMPTS
    assert failed.value.detail == "the store of test is unavailable: row 7 is contended"


async def test_nothing_is_a_result_too() -> None:
    """An attempt that finds nothing to do has not lost."""

    async def find_nothing() -> Lost | None:
        return None

    result: object = await update("test", "the row", find_nothing)
    assert result is None
