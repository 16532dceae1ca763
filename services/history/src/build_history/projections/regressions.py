"""Regressions: where a lane's builds became lastingly slower or faster, or need more or less of something.

A mark is set when the median of the last 5 succeeded builds lies more than 20 % outside the band (p10 to p90) of the
builds before them; the next mark is measured against the builds since this one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Literal, NamedTuple

from build_protocol.messages import PinAt
from build_protocol.model import BuildId, Count, EpochMs, WireModel
from pydantic import Field

from build_history.builds.fact import Point, PointMetrics
from build_history.projections.trends import quantile

RECENT = 5
EARLIER_MIN = 8
EARLIER_MAX = 40
TOLERANCE = 0.20

Measure = Literal["duration_ms", "peak_rss_bytes", "disk_bytes", "cpu_ms", "cache_hit_percent", "tests"]


class Mark(WireModel):
    """A lasting change of a measure, and the first build that shows it; the unit is in the measure's name."""

    measure: Measure
    direction: Literal["up", "down"]
    before: Count = Field(description="Median of the earlier builds.")
    after: Count = Field(description="Median of the five builds from this one on.")
    band_low: Count
    band_high: Count
    build_id: BuildId
    commit: str | None = None
    started_at: EpochMs
    changed_pins: list[PinAt] = Field(default_factory=list, description="Pins that moved with this build.")


class _Shift(NamedTuple):
    """Where a series leaves its band."""

    is_up: bool
    point: Point
    before: int
    after: int
    low: int
    high: int
    changed_pins: list[PinAt]


class _Kind(NamedTuple):
    read: Callable[[Point], int | None]
    least: int
    """A change smaller than this is noise, however small the numbers are."""


def _of_metrics(read: Callable[[PointMetrics], int | None], least: int) -> _Kind:
    return _Kind(lambda point: None if point.metrics is None else read(point.metrics), least)


_MEASURES: Mapping[Measure, _Kind] = {
    "duration_ms": _Kind(lambda point: point.duration_ms, 0),
    "peak_rss_bytes": _of_metrics(lambda metrics: metrics.peak_rss_bytes, 64 * 1024**2),
    "disk_bytes": _of_metrics(lambda metrics: metrics.disk_bytes, 64 * 1024**2),
    "cpu_ms": _of_metrics(lambda metrics: metrics.cpu_ms, 10_000),
    "cache_hit_percent": _of_metrics(lambda metrics: metrics.cache_hit_percent, 10),
    "tests": _of_metrics(lambda metrics: metrics.tests, 5),
}


def marks_of(points: Sequence[Point]) -> list[Mark]:
    """Every lasting change of each measure in one lane, oldest first; only succeeded builds are measured."""
    succeeded = _succeeded(points)
    marks = [
        Mark(
            measure=measure,
            direction="up" if shift.is_up else "down",
            before=shift.before,
            after=shift.after,
            band_low=shift.low,
            band_high=shift.high,
            build_id=shift.point.id,
            commit=shift.point.commit,
            started_at=shift.point.started_at,
            changed_pins=shift.changed_pins,
        )
        for measure, kind in _MEASURES.items()
        for shift in _shifts(_series(kind, succeeded), kind.least)
    ]
    return sorted(marks, key=lambda mark: (mark.started_at, mark.measure))


def _series(kind: _Kind, points: Sequence[Point]) -> list[tuple[int, Point]]:
    read = [(kind.read(point), point) for point in points]
    return [(value, point) for value, point in read if value is not None]


def _succeeded(points: Sequence[Point]) -> list[Point]:
    return sorted((point for point in points if point.status == "succeeded"), key=lambda point: point.order)


def _shifts(series: Sequence[tuple[int, Point]], least: int) -> Iterator[_Shift]:
    """Where the series, in order of start, lastingly leaves its band by more than the tolerance and by `least`."""
    origin = 0
    for end in range(RECENT, len(series) + 1):
        begin = end - RECENT
        if begin - origin < EARLIER_MIN:
            continue
        earlier = [value for value, _ in series[max(origin, begin - EARLIER_MAX) : begin]]
        after = median(value for value, _ in series[begin:end])
        low, high = quantile(earlier, 0.1) or 0, quantile(earlier, 0.9) or 0
        floor, ceiling = min(low * (1 - TOLERANCE), low - least), max(high * (1 + TOLERANCE), high + least)
        if floor <= after <= ceiling:
            continue
        is_up = after > high
        # The median of the five crossed the bound, so at least three of them did.
        first = next(at for at in range(begin, end) if (series[at][0] > ceiling if is_up else series[at][0] < floor))
        point, before = series[first][1], series[first - 1][1]
        changed = [pin for pin in point.pins if pin.commit not in {p.commit for p in before.pins}]
        yield _Shift(is_up, point, int(median(earlier)), int(after), low, high, changed)
        origin = first
