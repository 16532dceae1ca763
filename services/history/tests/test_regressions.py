"""Regressions: a mark stands where builds became lastingly slower or faster, and nowhere else."""

from build_history.builds.fact import PointMetrics
from build_history.projections.regressions import marks_of
from build_protocol.messages import PinAt


def lane(builds, *durations, **fields):
    return [builds.point(n, duration_ms=duration, **fields) for n, duration in enumerate(durations)]


def test_a_lasting_step_is_marked_once_at_its_first_build(builds):
    """Ten builds of ~100, then ten of 150: one mark, at the first slow one, with the pin that moved there."""
    points = lane(builds, *[98, 100, 102, 99, 101] * 2, *[150] * 10)
    old, new = PinAt(name="llvm", commit="a" * 40), PinAt(name="llvm", commit="b" * 40)
    points = [p.model_copy(update={"pins": (old if n < 10 else new,)}) for n, p in enumerate(points)]

    marks = marks_of(points)

    assert [("duration_ms", "up", points[10].id, 100, 150)] == [
        (m.measure, m.direction, m.build_id, m.before, m.after) for m in marks
    ]
    assert [new] == marks[0].changed_pins


def test_a_step_down_is_marked_faster(builds):
    """A cache that starts to work shows as a mark, too."""
    marks = marks_of(lane(builds, *[100] * 10, *[40] * 6))

    assert [(m.measure, m.direction, m.before, m.after) for m in marks] == [("duration_ms", "down", 100, 40)]


def test_one_slow_build_and_noise_are_no_mark(builds):
    """Neither an outlier nor a drift within 20 % of the band is a regression."""
    assert marks_of(lane(builds, *[100] * 12, 500, *[100] * 12)) == []
    assert marks_of(lane(builds, *[100] * 12, *[119] * 12)) == []


def test_failed_builds_are_not_measured(builds):
    """A build that stops early is not a fast build."""
    points = lane(builds, *[100] * 12) + [builds.point(n, "failed", "s", duration_ms=5) for n in range(12, 24)]

    assert marks_of(points) == []


def test_few_builds_make_no_band(builds):
    """Below eight earlier builds nothing is claimed."""
    assert marks_of(lane(builds, *[100] * 7, *[200] * 5)) == []


def measured(builds, count, **metrics):
    return [
        builds.point(n, metrics=PointMetrics(**{name: values[n] for name, values in metrics.items()}))
        for n in range(count)
    ]


def test_memory_cache_and_tests_are_marked_like_durations(builds):
    """Each measure by itself: what rose, what fell, at the first build that shows it."""
    points = measured(
        builds,
        20,
        peak_rss_bytes=[2 * 1024**3] * 10 + [3 * 1024**3] * 10,
        cache_hits=[90] * 12 + [10] * 8,
        cache_misses=[10] * 12 + [90] * 8,
        tests_passed=[1000] * 20,
        disk_bytes=[None] * 20,
    )

    marks = {m.measure: (m.direction, m.build_id, m.before, m.after) for m in marks_of(points)}

    assert marks == {
        "peak_rss_bytes": ("up", points[10].id, 2 * 1024**3, 3 * 1024**3),
        "cache_hit_percent": ("down", points[12].id, 90, 10),
    }


def test_a_change_of_next_to_nothing_is_no_mark(builds):
    """From 1 MB to 2 MB, from 1 % to 5 % of hits: large in percent, and nobody's business."""
    points = measured(
        builds,
        20,
        peak_rss_bytes=[1_000_000] * 10 + [2_000_000] * 10,
        cache_hits=[1] * 10 + [5] * 10,
        cache_misses=[99] * 10 + [95] * 10,
    )

    assert marks_of(points) == []
