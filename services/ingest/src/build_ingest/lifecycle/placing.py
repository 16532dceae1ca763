"""Placing anew: builds that were received while the server's clock was wrong get the place they would have had.

A build that was received by that clock has a skew of its agent's clock that is off by as much; others in the span were
received by a right clock that came there later, or had no clock to compare, and are left.
"""

import logging

from build_protocol.model import MAX_SAFE_INTEGER, Count, EpochMs, RequestModel, WireModel
from pydantic import Field

from build_ingest.intake.consumer import RecordConsumer
from build_ingest.lifecycle.lifecycle import BuildLifecycle
from build_ingest.records import fold
from build_ingest.store.contract import BuildStore

BUILDS_AT_ONCE = 100

log = logging.getLogger("ingest")


class WrongSpan(RequestModel):
    """From when to when, as the wrong clock had it, and how far ahead it was (below zero: behind)."""

    since_at: EpochMs
    before_at: EpochMs
    ahead_ms: int = Field(
        ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER, description="How far the clock was ahead; below zero: behind."
    )
    is_check: bool = False


class PlacedAnew(WireModel):
    """How many builds were, or would be, placed anew, and how many of the span were left as they are."""

    placed: Count
    left: Count


async def place_anew(
    store: BuildStore, consumer: RecordConsumer, lifecycle: BuildLifecycle, span: WrongSpan
) -> PlacedAnew:
    """Move the builds of the span; their verdicts are published again. Repeating moves none twice.

    Key: build id and the span. Raises StoreUnavailable: some are moved, repeat it.
    """
    placed = left = 0
    after = ""
    name = f"{span.since_at}-{span.before_at}:{span.ahead_ms}"
    while page := await store.list_received(span.since_at, span.before_at, after, BUILDS_AT_ONCE):
        for state in page:
            if not fold.was_placed_by(state, span.ahead_ms):
                left += 1
                continue
            placed += 1
            if span.is_check:
                continue
            moved = await consumer.change(state.build.id, lambda now: fold.place_anew(now, span.ahead_ms, name))
            if moved is not None:
                lifecycle.notice(moved)
        after = page[-1].build.id
    if not span.is_check:
        log.info("placed builds=%s anew, left=%s", placed, left)
    return PlacedAnew(placed=placed, left=left)
