"""Regressions: where a lane's builds became lasting slower or faster.

A mark is set when the median of the last 5 succeeded builds lies more than 20 % outside the band (p10 to p90) of the
builds before them; the next mark is measured against the builds since this one.
"""

from collections.abc import Sequence
from statistics import median
from typing import Literal

from build_protocol.model import BuildId, Count, EpochMs, WireModel
from pydantic import Field

from history.facts import PinAt, Point
from history.trends import quantile

RECENT = 5
EARLIER_MIN = 8
EARLIER_MAX = 40
TOLERANCE = 0.20


class Mark(WireModel):
    """A lasting change of duration, and the first build that shows it."""

    direction: Literal["slower", "faster"]
    build_id: BuildId
    commit: str | None = None
    started_ms: EpochMs
    before_ms: Count = Field(description="Median of the earlier builds.")
    after_ms: Count = Field(description="Median of the five builds from this one on.")
    band_low_ms: Count
    band_high_ms: Count
    changed_pins: list[PinAt] = Field(default_factory=list, description="Pins that moved with this build.")


def marks_of(points: Sequence[Point]) -> list[Mark]:
    """Every mark of one lane, oldest first; only succeeded builds are measured."""
    timed = [
        (point.duration_ms, point)
        for point in sorted(points, key=lambda point: point.order)
        if point.status == "succeeded" and point.duration_ms is not None
    ]
    marks: list[Mark] = []
    origin = 0
    for end in range(RECENT, len(timed) + 1):
        first = end - RECENT
        if first - origin < EARLIER_MIN:
            continue
        earlier = [duration for duration, _ in timed[max(origin, first - EARLIER_MAX) : first]]
        after = median(duration for duration, _ in timed[first:end])
        low, high = quantile(earlier, 0.1) or 0, quantile(earlier, 0.9) or 0
        if low * (1 - TOLERANCE) <= after <= high * (1 + TOLERANCE):
            continue
        slower = after > high
        first = _first_outside(timed, first, end, high * (1 + TOLERANCE) if slower else low * (1 - TOLERANCE), slower)
        point, before = timed[first][1], timed[first - 1][1]
        marks.append(
            Mark(
                direction="slower" if slower else "faster",
                build_id=point.id,
                commit=point.commit,
                started_ms=point.started_ms,
                before_ms=int(median(earlier)),
                after_ms=int(after),
                band_low_ms=low,
                band_high_ms=high,
                changed_pins=[pin for pin in point.pins if pin.commit not in {p.commit for p in before.pins}],
            )
        )
        origin = first
    return marks


def _first_outside(timed: Sequence[tuple[int, Point]], first: int, end: int, bound: float, slower: bool) -> int:
    """The first of the five builds that itself crossed the bound; their median did, so at least three have."""
    return next(at for at in range(first, end) if (timed[at][0] > bound if slower else timed[at][0] < bound))
