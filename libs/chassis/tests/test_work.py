"""A service's work begins once its store is open."""

import asyncio

import pytest
from build_chassis import work
from build_chassis.errors import StoreUnavailable, Unusable


async def test_a_start_does_not_wait_for_a_store_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first try is ended; the next one, behind the start, may take as long as it has to."""
    monkeypatch.setattr(work, "FIRST_TRY_SECONDS", 0.01)
    ready = asyncio.Event()

    async with asyncio.timeout(10):
        assert not await work.try_open(ready.wait)  # type: ignore[arg-type]
        opening = asyncio.create_task(work.wait_until_open(ready.wait, is_open=False))  # type: ignore[arg-type]
        await asyncio.sleep(0.5)  # longer than a first try, and than the wait before the second
        assert not opening.done()
        ready.set()
        await opening


async def test_a_store_is_tried_again_while_waiting_may_help() -> None:
    """Whatever is away comes back; what can never be used is raised."""
    faults: list[Exception] = [Unusable("not a database"), StoreUnavailable("test", "locked"), Unusable("at the start")]

    async def open_store() -> None:
        raise faults.pop()

    async with asyncio.timeout(10):
        is_open = await work.try_open(open_store)
        with pytest.raises(Unusable, match="not a database"):
            await work.wait_until_open(open_store, is_open=is_open)
