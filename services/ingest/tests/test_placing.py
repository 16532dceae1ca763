"""What was received while the server's clock was wrong is placed anew, once, and nothing else."""

import pytest
from build_ingest.lifecycle.placing import PlacedAnew, WrongSpan, place_anew
from build_protocol.clock import DAY_MS, HOUR_MS
from build_protocol.clocks import CLOCK_HEADER, RECEIVED_AT_HEADER, AgentClock

NOON_AT = 1_700_000_000_000
AHEAD_MS = 3 * DAY_MS


def clock_at(wall_at: int) -> str:
    return AgentClock(wall_at=wall_at, boot_id="b", uptime_ms=wall_at - NOON_AT + DAY_MS).to_json()


async def deliver(bench, reporter, received_at: int, wall_at: int, *, is_over: bool = True) -> None:
    """A build whose BUILD_START was made a minute before, by its machine's clock."""
    began = AgentClock(wall_at=wall_at - 60_000, boot_id="b", uptime_ms=wall_at - 60_000 - NOON_AT + DAY_MS)
    start = reporter.start(clock=began.model_dump(by_alias=True))
    headers = {RECEIVED_AT_HEADER: str(received_at), CLOCK_HEADER: clock_at(wall_at)}
    deliveries = [reporter.delivery(start, **headers)]
    if is_over:
        end = {RECEIVED_AT_HEADER: str(received_at + 1000)}
        deliveries.append(reporter.delivery(reporter.complete(metrics={"wallMs": 60_000}), **end))
    await bench.consumer.handle(deliveries)
    while is_over and (state := await bench.store.load(reporter.id)) and state.is_open:
        await bench.lifecycle.settle_due()


@pytest.mark.parametrize("is_over", [True, False])
async def test_builds_of_a_wrong_clock_get_their_place(bench, store, bus, make_reporter, is_over: bool) -> None:
    """Three days ahead: receipt, start and end go back by as much, in order; the verdict comes again once."""
    wrong, right, later = make_reporter(), make_reporter(), make_reporter()
    await deliver(bench, right, NOON_AT, NOON_AT)
    await deliver(bench, wrong, NOON_AT + HOUR_MS + AHEAD_MS, NOON_AT + HOUR_MS, is_over=is_over)
    # Received by a right clock that came to where the wrong one had been.
    await deliver(bench, later, NOON_AT + AHEAD_MS + 2 * HOUR_MS, NOON_AT + AHEAD_MS + 2 * HOUR_MS)
    before = (await store.load(wrong.id)).build
    span = WrongSpan(since_at=NOON_AT + AHEAD_MS, before_at=NOON_AT + AHEAD_MS + DAY_MS, ahead_ms=AHEAD_MS)

    counted = await place_anew(store, bench.consumer, bench.lifecycle, span.model_copy(update={"is_check": True}))
    assert PlacedAnew(placed=1, left=1) == counted
    assert before == (await store.load(wrong.id)).build
    published = len(bus.verdicts)
    for _ in range(2):
        await place_anew(store, bench.consumer, bench.lifecycle, span)
        await bench.lifecycle.settle_due()

    moved = (await store.load(wrong.id)).build
    assert (NOON_AT + HOUR_MS, NOON_AT + HOUR_MS - 60_000) == (moved.received_at, moved.server_started_at)
    assert before.started_at == moved.started_at
    if is_over:
        assert NOON_AT + HOUR_MS == moved.server_ended_at
        (again,) = bus.verdicts[published:]
        assert (wrong.id, 2, moved.server_started_at) == (
            again.build_id,
            again.data.revision,
            again.data.server_started_at,
        )
    else:
        assert published == len(bus.verdicts)
    listed = await store.list_received(0, 2**50, "", 10)
    order = sorted(listed, key=lambda state: state.build.server_started_at)
    assert [right.id, wrong.id, later.id] == [state.build.id for state in order]
    assert [] == await store.list_received(0, NOON_AT, "", 10)
