"""Trends: how long builds take and how they end, per lane and day, and over a lane's recent builds."""

from collections.abc import Iterable, Sequence
from math import ceil
from statistics import median

from build_protocol.messages import TrendMetrics
from build_protocol.model import Count, WireModel
from pydantic import Field

from build_history.builds.fact import Point, PointMetrics
from build_history.builds.in_lane import InLane


class Day(InLane, TrendMetrics):
    """The builds of one lane that started on one day (UTC), in numbers; tests are those of its last that ran any."""

    day: Count = Field(description="Days since the Unix epoch, UTC.")
    builds: Count
    succeeded: Count
    failed: Count
    infra: Count = Field(description="Failed by fault of the machine; not in `failed`.")
    lost: Count
    other: Count = Field(description="Cancelled and timed out.")
    running: Count
    build_ms: Count = Field(description="Sum of all durations.")
    p50_ms: Count | None = Field(None, description="Over succeeded builds, as p90.")
    p90_ms: Count | None = None
    queue_p50_ms: Count | None = Field(None, description="Absent when no agent reported when builds were queued.")
    queue_ms: Count | None = Field(None, description="Sum of all waits, as far as known.")
    last_commit: str | None = None
    last_pins: list[str] = Field(default_factory=list, description="`name@commit` of the day's last build.")


class Pace(WireModel):
    """How a lane's recent builds went; `builds` says over how many."""

    builds: Count
    succeeded: Count
    failed: Count
    success_rate: float | None = Field(None, description="Of the builds that have a colour; absent when none has.")
    p50_ms: Count | None = Field(None, description="Over succeeded builds, as p90.")
    p90_ms: Count | None = None
    build_ms: Count
    queue_p50_ms: Count | None = None
    queue_ms: Count | None = Field(None, description="Sum of all waits, as far as known.")
    time_to_red_ms: Count | None = Field(None, description="Median from a build's start to its red verdict.")
    time_to_recover_ms: Count | None = Field(None, description="Median from first red to next green verdict.")


def quantile(values: Iterable[int], share: float) -> int | None:
    """The nearest-rank quantile (`share` 0.5 is the median, 0.9 the p90); None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, ceil(len(ordered) * share) - 1)]


def day_of(points: Sequence[Point]) -> Day:
    """The numbers of one lane's day; the points are of that lane and day, at least one."""
    newest = max(points, key=lambda point: point.order)
    durations = [p.duration_ms for p in points if p.status == "succeeded" and p.duration_ms is not None]
    infra = sum(p.status == "failed" and p.fault == "infra" for p in points)
    metrics = [p.metrics for p in sorted(points, key=lambda point: point.order) if p.metrics is not None]
    tested = next((m for m in reversed(metrics) if m.tests is not None), PointMetrics())
    return Day(
        project=newest.project,
        branch=newest.branch,
        config=newest.config,
        day=newest.day,
        builds=len(points),
        succeeded=sum(p.status == "succeeded" for p in points),
        failed=sum(p.status == "failed" for p in points) - infra,
        infra=infra,
        lost=sum(p.status == "lost" for p in points),
        other=sum(p.status in ("cancelled", "timed_out") for p in points),
        running=sum(p.status in ("queued", "running") for p in points),
        build_ms=sum(p.duration_ms or 0 for p in points),
        p50_ms=quantile(durations, 0.5),
        p90_ms=quantile(durations, 0.9),
        queue_p50_ms=quantile((p.queue_ms for p in points if p.queue_ms is not None), 0.5),
        queue_ms=_total(p.queue_ms for p in points),
        cache_hits=_total(m.cache_hits for m in metrics),
        cache_misses=_total(m.cache_misses for m in metrics),
        peak_rss_bytes=_largest(m.peak_rss_bytes for m in metrics),
        disk_bytes=_largest(m.disk_bytes for m in metrics),
        cpu_ms=_total(m.cpu_ms for m in metrics),
        **tested.model_dump(include={"tests_passed", "tests_failed", "tests_skipped"}),
        last_commit=newest.commit,
        last_pins=[f"{pin.name}@{pin.commit}" for pin in newest.pins],
    )


def pace_of(points: Sequence[Point]) -> Pace:
    """How these builds of one lane went, whatever order they come in."""
    ordered = sorted(points, key=lambda point: point.order)
    durations = [p.duration_ms for p in ordered if p.status == "succeeded" and p.duration_ms is not None]
    greens = sum(p.colour == "green" for p in ordered)
    reds = sum(p.colour == "red" for p in ordered)
    to_red = [p.ended_at - p.started_at for p in ordered if p.colour == "red" and p.ended_at is not None]
    return Pace(
        builds=len(ordered),
        succeeded=greens,
        failed=reds,
        success_rate=round(greens / (greens + reds), 4) if greens + reds else None,
        p50_ms=quantile(durations, 0.5),
        p90_ms=quantile(durations, 0.9),
        build_ms=sum(p.duration_ms or 0 for p in ordered),
        queue_p50_ms=quantile((p.queue_ms for p in ordered if p.queue_ms is not None), 0.5),
        queue_ms=_total(p.queue_ms for p in ordered),
        time_to_red_ms=_middle(to_red),
        time_to_recover_ms=_middle(_recoveries(ordered)),
    )


def _recoveries(ordered: Sequence[Point]) -> list[int]:
    """Milliseconds each red spell lasted, from its first red verdict to the green one that ended it."""
    spells: list[int] = []
    red_since: int | None = None
    for point in ordered:
        if point.colour == "red" and red_since is None:
            red_since = point.ended_at
        elif point.colour == "green":
            if red_since is not None and point.ended_at is not None:
                spells.append(max(0, point.ended_at - red_since))
            red_since = None
    return spells


def _middle(values: Sequence[int]) -> int | None:
    return int(median(values)) if values else None


def _total(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _largest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
