"""A service's duties begin once its store is open, and go on whatever happens to one of them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from build_chassis import supervisor
from build_chassis.backoff import Backoff
from build_chassis.bus.contract import BusUnavailable, PublishFailed
from build_chassis.errors import StoreUnavailable, Unusable
from build_chassis.service_client import ServiceUnavailable
from build_chassis.supervisor import Duty, run_duty, supervise

LONG_SECONDS = 3600.0


class Script:
    """A step that returns or raises what is listed, in order, and then ends its duty as a stop of the service does."""

    def __init__(self, *results: object) -> None:
        self.results = list(results)

    async def step(self) -> Any:
        if not self.results:
            raise asyncio.CancelledError
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result


def fixed_backoff() -> Backoff:
    """0.2, 0.4, 0.8 ... seconds."""
    return Backoff(draw=lambda: 1.0)


async def rests_of(*results: object, **options: Any) -> list[float | None]:
    """How long a duty rested between these results of its step."""
    rests: list[float | None] = []

    async def rest(seconds: float | None, wake: asyncio.Event | None) -> None:
        rests.append(seconds)

    duty = Duty("test", Script(*results).step, **{"interval_seconds": 60.0, "backoff": fixed_backoff, **options})
    with pytest.raises(asyncio.CancelledError):
        await run_duty(duty, rest)
    return rests


async def test_a_duty_rests_for_its_interval_unless_there_is_more_to_do() -> None:
    """What was found makes the next step follow at once."""
    assert [60.0, 60.0] == await rests_of(None, True, 3, 0)


async def test_a_duty_may_rest_before_its_first_step() -> None:
    """At a service's start others come first."""
    assert [60.0, 60.0] == await rests_of(None, rests_first=True)


@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailable("test", "locked"),
        ServiceUnavailable("ingest", "refused"),
        BusUnavailable("gone"),
        PublishFailed("full"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_is_unavailable_is_tried_again_after_a_growing_wait(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """One line in the log, no traceback; once it is back, the waits begin anew."""
    rests = await rests_of(error, error, None, error)

    assert rests == [0.2, 0.4, 60.0, 0.2]
    assert {(record.levelname, record.exc_info) for record in caplog.records} == {("WARNING", None)}
    assert f"waiting to test: {error}" in caplog.text


async def test_an_error_nobody_foresaw_is_logged_and_the_duty_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """It is tried again after its interval, and never without a wait."""
    assert [60.0, 60.0] == await rests_of(RuntimeError("odd"), None)
    assert [0.2, 0.4, 0.0] == await rests_of(RuntimeError("odd"), RuntimeError("odd"), None, interval_seconds=0.0)
    assert "failed to test" in caplog.text
    assert "RuntimeError: odd" in caplog.text


async def test_a_duty_without_which_the_service_is_none_stops_it() -> None:
    """The error reaches whoever supervises, unwrapped, and the other duties are ended."""
    ended = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fail() -> None:
        await asyncio.sleep(0)  # let the other begin
        raise RuntimeError("odd")

    with pytest.raises(RuntimeError, match="odd"):
        await supervise([Duty("go on", endless, 0.0), Duty("fail", fail, 0.0, on_error="stop")])
    assert ended.is_set()


async def test_what_can_never_be_used_stops_the_service() -> None:
    """Whatever a duty does about other errors."""
    with pytest.raises(Unusable, match="not a database"):
        await supervise([Duty("read", Script(Unusable("not a database")).step, 0.0)])


async def test_a_failing_duty_ends_no_other() -> None:
    """Another duty takes its steps while the first one fails again and again."""
    steps = 0

    async def count() -> bool:
        nonlocal steps
        steps += 1
        await asyncio.sleep(0)
        if steps == 100:
            raise asyncio.CancelledError
        return True

    async def fail() -> None:
        raise RuntimeError("odd")

    async def rest(seconds: float | None, wake: asyncio.Event | None) -> None:
        await asyncio.sleep(0)

    failing = asyncio.create_task(run_duty(Duty("fail", fail, LONG_SECONDS), rest))
    with pytest.raises(asyncio.CancelledError):
        await run_duty(Duty("count", count, 0.0), rest)
    assert (steps, failing.done()) == (100, False)
    failing.cancel()


async def test_an_event_ends_a_rest_early() -> None:
    """Also an event that was set during the step, which may have come too late for it."""
    wake = asyncio.Event()
    taken: asyncio.Queue[bool] = asyncio.Queue()

    async def step() -> None:
        taken.put_nowait(wake.is_set())
        if taken.qsize() == 1:
            wake.set()

    for interval_seconds in (LONG_SECONDS, None):
        duty = asyncio.create_task(run_duty(Duty("test", step, interval_seconds, wake=wake)))
        async with asyncio.timeout(10):
            assert [False, False] == [await taken.get(), await taken.get()]
        duty.cancel()


async def test_a_start_does_not_wait_for_a_store_that_takes_long() -> None:
    """The first try is ended; the next one, behind the start, may take as long as it has to."""
    may_open, was_ended, begun_again = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def open_store() -> None:
        (begun_again if was_ended.is_set() else asyncio.Event()).set()
        try:
            await may_open.wait()
        except asyncio.CancelledError:
            was_ended.set()
            raise

    worked = asyncio.Event()
    async with asyncio.timeout(10):
        async with supervisor.supervised(
            "test", [Duty("work", _set(worked), LONG_SECONDS)], open_store=open_store, first_try_seconds=0.01
        ):
            assert was_ended.is_set()
            await begun_again.wait()
            assert not worked.is_set()
            may_open.set()
            await worked.wait()


async def test_a_store_is_tried_again_while_waiting_may_help() -> None:
    """Whatever is away comes back; what can never be used is raised."""
    faults: list[Exception] = [Unusable("not a database"), StoreUnavailable("test", "locked"), Unusable("at the start")]

    async def open_store() -> None:
        raise faults.pop()

    async with asyncio.timeout(10):
        is_open = await supervisor.try_open(open_store)
        with pytest.raises(Unusable, match="not a database"):
            await supervisor.wait_until_open(open_store, is_open=is_open)


def _set(event: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def step() -> None:
        event.set()

    return step
