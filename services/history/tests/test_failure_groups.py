"""Failure groups: counted by day, never by adding up messages."""

from build_history.projections.failure_groups import DAYS_MAX, merged, refreshed


def test_counting_a_day_twice_changes_nothing(builds):
    """A redelivery recounts the day; the group stays the same."""
    points = [builds.point(n, "failed", "s") for n in range(3)]
    once = refreshed(None, "p", "s", points[0].day, points)

    assert once == refreshed(once, "p", "s", points[0].day, points)
    assert (3, points[0].started_at, points[2].started_at) == (once.count, once.first_at, once.last_at)
    assert [builds.id(2), builds.id(1), builds.id(0)] == [build.id for build in once.builds]


def test_a_build_that_no_longer_shows_the_failure_leaves_the_group(builds):
    """A later revision may take a build out; nothing of it stays."""
    points = [builds.point(n, "failed", "s") for n in range(2)]
    group = refreshed(None, "p", "s", points[0].day, points)

    group = refreshed(group, "p", "s", points[0].day, points[:1])

    assert group.count == 1
    assert [builds.id(0)] == [build.id for build in group.builds]


def test_days_that_leave_the_list_stay_counted(builds):
    """The list is bounded; first seen and the count are not."""
    group = None
    for day in range(DAYS_MAX + 10):
        point = builds.point(24 * day, "failed", "s")
        group = refreshed(group, "p", "s", point.day, [point])
    late = refreshed(group, "p", "s", builds.point(0).day, [builds.point(0, "failed", "s")])

    assert group is not None
    assert (DAYS_MAX, DAYS_MAX + 10, builds.noon_at) == (len(group.days), group.count, group.first_at)
    assert late == group


def test_several_projects_are_shown_as_one_group(builds):
    """Counts add up, the sparkline ends today, projects are named."""
    day = builds.point(0).day
    p = refreshed(None, "p", "s", day, [builds.point(0, "failed", "s")])
    q = refreshed(None, "q", "s", day - 1, [builds.point(-24, "failed", "s", project="q", config="asan")])

    group = merged([p, q], today=day, sparkline_days=3, builds_max=5)

    assert (group.count, group.projects, group.sparkline) == (2, ["p", "q"], [0, 1, 1])
    assert group.configs == ["asan", "default"]
