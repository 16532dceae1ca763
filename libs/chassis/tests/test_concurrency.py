"""Many at once, but not too many; large work leaves the loop free."""

import asyncio
import threading

import pytest
from build_chassis.concurrency import bounded_gather, in_thread_if_large


async def test_at_most_so_many_run_beside_each_other() -> None:
    """All are done, in order, and no more than that are ever under way."""
    under_way, most = 0, 0

    async def one(item: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return item * item

    assert [n * n for n in range(20)] == await bounded_gather(range(20), one, at_once=3)
    assert most == 3


async def test_an_error_of_one_is_raised() -> None:
    """Nobody takes a missing result for an empty one."""

    async def one(item: int) -> float:
        return 1 / item

    with pytest.raises(ZeroDivisionError):
        await bounded_gather([1, 0, 2], one, at_once=2)


async def test_large_work_is_done_in_a_thread() -> None:
    """Small work is done where it is asked for."""
    here = threading.get_ident()

    assert here == await in_thread_if_large(99, 100, threading.get_ident)
    assert here != await in_thread_if_large(100, 100, threading.get_ident)
