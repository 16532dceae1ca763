"""Trends: the numbers of a lane's day and of its recent builds."""

import pytest
from build_history.builds.fact import PointMetrics
from build_history.projections.trends import day_of, pace_of, quantile


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([7], 0.9, 7), ([1, 2, 3], 0.5, 2), (range(1, 101), 0.9, 90), ([1, 2, 3, 4], 0.5, 2)],
)
def test_quantiles_are_values_that_occurred(values, share, expected):
    """The nearest-rank quantile is one of the values, never between them."""
    assert expected == quantile(values, share)


def test_a_day_counts_each_build_once(builds):
    """Every status has its column; infra failures are not failures of the code."""
    day = day_of(
        [
            builds.point(0, duration_ms=100),
            builds.point(1, duration_ms=300, metrics=PointMetrics(cache_hits=8, peak_rss_bytes=10)),
            builds.point(2, "failed", "s", duration_ms=50, metrics=PointMetrics(cache_hits=1, peak_rss_bytes=30)),
            builds.point(3, "failed", "s", fault="infra", duration_ms=1),
            builds.point(4, "lost", duration_ms=None),
            builds.point(5, "running", duration_ms=None),
            builds.point(6, "timed_out", duration_ms=9),
        ]
    )

    assert (
        day.builds, day.succeeded, day.failed, day.infra, day.lost, day.running, day.other,
    ) == (7, 2, 1, 1, 1, 1, 1)  # fmt: skip
    assert (day.p50_ms, day.p90_ms, day.build_ms) == (100, 300, 460)
    assert (day.cache_hits, day.peak_rss_bytes, day.disk_bytes) == (9, 30, None)
    assert builds.sha(6) == day.last_commit


def test_recovery_runs_from_the_first_red_verdict_to_the_next_green_one(builds):
    """Two red builds and a green one are one spell; a lost build in between ends nothing."""
    pace = pace_of([builds.point(0), builds.point(1, "failed", "s"), builds.point(2, "lost"), builds.point(4)])

    assert 3 * builds.hour_ms == pace.time_to_recover_ms
    assert builds.hour_ms // 2 == pace.time_to_red_ms
    assert pace.success_rate == 0.6667


def test_nothing_known_reads_as_unknown(builds):
    """A lane that never ended a build has no rate and no duration, not zero."""
    pace = pace_of([builds.point(0, "running", duration_ms=None, ended_at=None)])

    assert (pace.success_rate, pace.p50_ms, pace.time_to_red_ms, pace.queue_p50_ms) == (None, None, None, None)
