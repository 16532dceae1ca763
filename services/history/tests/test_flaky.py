"""Flaky candidates."""

from build_history.projections.flaky import signs_of


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
