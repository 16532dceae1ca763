"""Effective colours: what counts as newer, and what counts as green."""

import pytest
from build_history.builds.fact import PointMetrics, with_verdict
from build_history.projections.effective import effective
from build_history.projections.lanes import state_of


def colours(points):
    return [(point.id, point.colour) for point in effective(points)]


def built(builds, n, at, *how, contains=(), **fields):
    """Build `at` of commit n."""
    return builds.point(at, *how, commit=builds.sha(n), contains=[builds.sha(k)[-12:] for k in contains], **fields)


def test_a_retry_of_an_old_commit_never_repaints_a_newer_one(builds):
    """Commit 2 is red, then somebody builds commit 1 again: the lane stays red, by whatever build tells that 1 < 2."""
    green, red, retry = built(builds, 1, 1), built(builds, 2, 2, "failed", "s", contains=[1]), built(builds, 1, 3)

    assert [green.id, retry.id, red.id] == [found for found, _ in colours([red, retry, green])]
    assert state_of(effective([green, red, retry]), None, red).colour == "red"


def test_ancestry_is_known_over_builds_between(builds):
    """3 contains 2, 2 contains 1: a retry of 1 stands before 2, wherever the range of each was sent."""
    points = [built(builds, 2, 1, contains=[1]), built(builds, 3, 2, "failed", "s", contains=[2]), built(builds, 1, 3)]

    assert [3, 1, 2] == [(point.started_at - builds.noon_at) // builds.hour_ms for point in effective(points)]


def test_where_no_ancestry_is_known_the_start_decides(builds):
    """Two commits of which nobody reported how they are related."""
    assert [builds.id(1), builds.id(2)] == [found for found, _ in colours([built(builds, 9, 2), built(builds, 7, 1)])]


def test_a_ring_of_parents_is_survived(builds):
    """It cannot come from git; whoever sends it gets an order."""
    points = [built(builds, 1, 1, contains=[2]), built(builds, 2, 2, contains=[1]), built(builds, 1, 3)]

    assert 3 == len(colours(points))


@pytest.mark.parametrize(
    ("tests", "colour"), [(None, "none"), (0, "none"), (49, "none"), (60, "green"), (100, "green"), (300, "green")]
)
def test_a_green_build_needs_the_tests_of_its_lane(builds, tests, colour):
    """Skipped, filtered or no tests where the lane's builds ran a hundred: such a build says nothing."""
    before = [builds.point(n, metrics=PointMetrics(tests_passed=99, tests_failed=1)) for n in (1, 2)]
    metrics = None if tests is None else PointMetrics(tests_passed=tests, tests_skipped=1000)

    assert colour == colours([*before, builds.point(3, metrics=metrics)])[-1][1]


def test_a_lane_may_lose_its_tests(builds):
    """After twenty builds without any nobody waits for them any more; a lane that never had some is green at once."""
    tested = builds.point(0, metrics=PointMetrics(tests_passed=100))
    untested = [builds.point(n) for n in range(1, 25)]

    seen = [colour for _, colour in colours([tested, *untested])]

    assert ["green", *["none"] * 20, *["green"] * 4] == seen
    assert {"green"} == {colour for _, colour in colours(untested)}


def test_a_builds_range_says_what_its_commit_contains(builds):
    """The commits since the last green one and the parents of those, in short; never itself."""
    verdict = builds.verdict(4, commits=[builds.commit(4), builds.commit(3)])

    assert {builds.sha(3)[-12:], builds.sha(2)[-12:]} == set(with_verdict(None, verdict).point.contains)
