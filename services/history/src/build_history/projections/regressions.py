"""Regressions: where a lane's builds became lastingly slower or faster, or need more or less of something.

A mark is set when the median of the last 5 succeeded builds lies more than 20 % outside the band (p10 to p90) of the
builds before them; the next mark is measured against the builds since this one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any, Literal, NamedTuple

from build_protocol.model import BuildId, Count, EpochMs, WireModel
from pydantic import Field

from build_history.builds.fact import PinAt, Point, PointMetrics
from build_history.projections.trends import quantile

RECENT = 5
EARLIER_MIN = 8
EARLIER_MAX = 40
TOLERANCE = 0.20

Measure = Literal["peak_rss_bytes", "disk_bytes", "cpu_ms", "cache_hit_percent", "tests"]


class _Change(WireModel):
    """A lasting change of something, and the first build that shows it."""

    build_id: BuildId
    commit: str | None = None
    started_at: EpochMs
    changed_pins: list[PinAt] = Field(default_factory=list, description="Pins that moved with this build.")


class Mark(_Change):
    """A lasting change of duration."""

    direction: Literal["slower", "faster"]
    before_ms: Count = Field(description="Median of the earlier builds.")
    after_ms: Count = Field(description="Median of the five builds from this one on.")
    band_low_ms: Count
    band_high_ms: Count


class MeasureMark(_Change):
    """A lasting change of a measure other than duration; its unit is in the measure's name, `tests` counts them."""

    measure: Measure
    direction: Literal["up", "down"]
    before: Count = Field(description="Median of the earlier builds.")
    after: Count = Field(description="Median of the five builds from this one on.")
    band_low: Count
    band_high: Count


class _Shift(NamedTuple):
    """Where a series leaves its band."""

    is_up: bool
    point: Point
    before: int
    after: int
    low: int
    high: int
    changed_pins: list[PinAt]

    @property
    def change(self) -> dict[str, Any]:
        """What every mark says of it."""
        point = self.point
        return {
            "build_id": point.id,
            "commit": point.commit,
            "started_at": point.started_at,
            "changed_pins": self.changed_pins,
        }


class _Kind(NamedTuple):
    read: Callable[[PointMetrics], int | None]
    least: int
    """A change smaller than this is noise, however small the numbers are."""


_MEASURES: Mapping[Measure, _Kind] = {
    "peak_rss_bytes": _Kind(lambda metrics: metrics.peak_rss_bytes, 64 * 1024**2),
    "disk_bytes": _Kind(lambda metrics: metrics.disk_bytes, 64 * 1024**2),
    "cpu_ms": _Kind(lambda metrics: metrics.cpu_ms, 10_000),
    "cache_hit_percent": _Kind(lambda metrics: metrics.cache_hit_percent, 10),
    "tests": _Kind(lambda metrics: metrics.tests, 5),
}


def marks_of(points: Sequence[Point]) -> list[Mark]:
    """Every lasting change of duration in one lane, oldest first; only succeeded builds are measured."""
    return [
        Mark(
            direction="slower" if shift.is_up else "faster",
            before_ms=shift.before,
            after_ms=shift.after,
            band_low_ms=shift.low,
            band_high_ms=shift.high,
            **shift.change,
        )
        for shift in _shifts([(p.duration_ms, p) for p in _succeeded(points) if p.duration_ms is not None], 0)
    ]


def measure_marks_of(points: Sequence[Point]) -> list[MeasureMark]:
    """Every lasting change of the other measures in one lane, oldest first; only succeeded builds are measured."""
    measured = [(p.metrics, p) for p in _succeeded(points) if p.metrics is not None]
    marks = [
        MeasureMark(
            measure=measure,
            direction="up" if shift.is_up else "down",
            before=shift.before,
            after=shift.after,
            band_low=shift.low,
            band_high=shift.high,
            **shift.change,
        )
        for measure, kind in _MEASURES.items()
        for shift in _shifts(_series(kind, measured), kind.least)
    ]
    return sorted(marks, key=lambda mark: (mark.started_at, mark.measure))


def _series(kind: _Kind, measured: Sequence[tuple[PointMetrics, Point]]) -> list[tuple[int, Point]]:
    read = [(kind.read(metrics), point) for metrics, point in measured]
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
