"""Flaky candidates, and verdicts of failures."""

import pytest
from history.facts import UNCLASSIFIED
from history.flaky import signs_of
from history.verdicts import judge


def test_the_same_commit_both_ways_is_a_sign(builds):
    """Red and green of one commit, in either order, names the red build and its green twins."""
    points = [builds.point(1), builds.point(2, "failed", "s"), builds.point(3, commit=builds.sha(2))]

    (sign,) = signs_of(points)

    assert ("same_commit", builds.id(2), [builds.id(3)]) == (sign.kind, sign.build_id, sign.green_builds)


def test_a_red_alone_between_greens_is_a_weaker_sign(builds):
    """Lost builds between do not count as neighbours; two reds in a row are a break."""
    alone = [builds.point(1), builds.point(2, "failed", "s"), builds.point(3, "lost"), builds.point(4)]
    pair = [builds.point(1), builds.point(2, "failed", "s"), builds.point(3, "failed", "s"), builds.point(4)]

    assert [sign.kind for sign in signs_of(alone)] == ["isolated"]
    assert signs_of(pair) == []


def test_an_open_red_is_no_sign(builds):
    """The newest build being red proves nothing yet."""
    assert signs_of([builds.point(1), builds.point(2, "failed", "s")]) == []


@pytest.mark.parametrize(
    ("red", "before", "green_elsewhere", "verdict"),
    [
        (("s",), (), False, "new"),
        (("s",), ("s",), False, "already_red"),
        (("s",), ("t",), False, "new"),
        (("s",), (UNCLASSIFIED,), False, "unknown"),
        ((UNCLASSIFIED,), (UNCLASSIFIED,), False, "unknown"),
        (("s",), None, False, "unknown"),
        (("s",), (), True, "flaky"),
    ],
)
def test_a_failure_is_judged_by_what_came_before(builds, red, before, green_elsewhere, verdict):
    """New after green or in a new way, already red in a shared way, and unknown wherever that cannot be told."""
    earlier = None if before is None else builds.point(1, *(("failed", *before) if before else ()))

    assert verdict == judge(builds.point(2, "failed", *red), earlier, green_elsewhere).verdict


def test_infra_is_infra_whatever_came_before(builds):
    """A fault of the machine is told by the failure itself."""
    assert judge(builds.point(2, "failed", "s", fault="infra"), builds.point(1), False).verdict == "infra"
