"""Incidents: one break is one incident, however many configs show it."""

import random

from build_history.builds.fact import with_verdict
from build_history.projections.effective import effective
from build_history.projections.incidents import described, suspects_of
from build_history.projections.incidents import fold as fold_in_order


def fold(points, *arguments, **how):
    return fold_in_order(effective(points), *arguments, **how)


def state_of(incident):
    return "closed" if incident.is_over else "open"


CONFIGS = [f"config-{n}" for n in range(60)]


def test_sixty_configs_broken_by_one_commit_and_fixed_by_the_next_are_one_incident(builds):
    """Opened by the first, joined by the others, closed when the last is green; in any order of arrival."""
    points = [builds.point(n, *how, config=c) for c in CONFIGS for n, how in enumerate([(), ("failed", "s"), ()])]
    random.Random(7).shuffle(points)

    incidents = fold(points)

    assert [(state_of(i), len(i.members)) for i in incidents] == [("closed", 60)]
    assert builds.sha(1) == incidents[0].opening.commit


def test_it_stays_open_until_the_last_config_is_green(builds):
    """59 fixed configs of 60 are not a fix."""
    points = [builds.point(1, "failed", "s", config=c) for c in CONFIGS]
    points += [builds.point(2, config=c) for c in CONFIGS[1:]]

    (incident,) = fold(points)

    assert not incident.is_over
    assert [CONFIGS[0]] == [m.config for m in incident.members.values() if m.recovered_at is None]


def test_a_build_joins_what_it_shows_and_opens_only_what_is_new(builds):
    """A config whose first failure differs joins by any it shares; what looks different and hits others is another."""
    joined = fold([builds.point(1, "failed", "a", "b", config="x"), builds.point(2, "failed", "b", "a", config="y")])
    apart = fold([builds.point(1, "failed", "a", config="x"), builds.point(2, "failed", "b", config="y")])

    assert [(i.signatures, list(i.members)) for i in joined] == [(["a"], ["x", "y"])]
    assert [(i.signatures, list(i.members)) for i in apart] == [(["a"], ["x"]), (["b"], ["y"])]


def test_a_break_that_changes_its_face_is_one_incident(builds):
    """Red with a, then with c, no green between: one break with two signatures, each with its first build."""
    (incident,) = fold([builds.point(1, "failed", "a"), builds.point(2, "failed", "c"), builds.point(3, "failed", "a")])

    assert [(face.signature, face.build_id) for face in incident.faces] == [
        ("a", builds.id(1)),
        ("c", builds.id(2)),
    ]


def test_lost_cancelled_and_infra_builds_neither_open_nor_close(builds):
    """Red, lost, infra, red is one open incident."""
    (incident,) = fold(
        [
            builds.point(1, "failed", "s"),
            builds.point(2, "lost"),
            builds.point(3, "failed", "disk", fault="infra"),
            builds.point(4, "failed", "s"),
        ]
    )

    assert (False, builds.id(1), builds.id(4)) == (
        incident.is_over,
        incident.opening.build_id,
        incident.members["default"].last_build,
    )


def test_the_same_break_after_a_fix_is_a_new_incident(builds):
    """Red, green, red is two breaks."""
    first, second = fold([builds.point(1, "failed", "s"), builds.point(2), builds.point(3, "failed", "s")])

    assert (state_of(first), state_of(second)) == ("closed", "open")
    assert [builds.id(1), builds.id(3)] == [first.opening.build_id, second.opening.build_id]


def test_a_running_build_that_will_fail_is_red_until_its_verdict(builds):
    """It opens a break, and has no colour: the green before it stays its lane's."""
    (incident,) = fold([builds.point(1), builds.point(2, "running", failing=("s",), failing_at=builds.noon_at)])

    assert (incident.signatures, incident.is_over) == (["s"], False)


def test_suspects_are_what_every_config_suspects(builds):
    """Config x was last green before commit 1, y before commit 3: only 3 and 4 are suspect, and their authors."""
    x = with_verdict(
        None, builds.verdict(4, "failed", "s", config="x", commits=[builds.commit(n) for n in (4, 3, 2, 1)])
    )
    y = with_verdict(None, builds.verdict(4, "failed", "s", config="y", commits=[builds.commit(n) for n in (4, 3)]))
    (incident,) = fold([x.point, y.point])

    (face,) = described(incident, {fact.id: fact for fact in (x, y)}, None)

    assert [builds.sha(4), builds.sha(3)] == [commit.sha for commit in face.suspects or ()]
    assert face.evidence.failure is not None


def test_another_face_suspects_only_what_came_since(builds):
    """The lane was red at commit 3 already: what looks new at commit 5 came with 4 or 5."""
    reds = [(3, "a", (3, 2)), (5, "b", (5, 4, 3, 2))]
    facts = [
        with_verdict(None, builds.verdict(n, "failed", how, commits=[builds.commit(k) for k in known]))
        for n, how, known in reds
    ]
    (incident,) = fold([fact.point for fact in facts])

    first, second = described(incident, {fact.id: fact for fact in facts}, None)

    assert [builds.sha(3), builds.sha(2)] == [commit.sha for commit in first.suspects or ()]
    assert [builds.sha(5), builds.sha(4)] == [commit.sha for commit in second.suspects or ()]


def test_an_unknown_range_stays_unknown(builds):
    """Without any range there are no suspects, which is not the same as none."""
    fact = with_verdict(None, builds.verdict(1, "failed", "s"))
    (incident,) = fold([fact.point])

    (face,) = described(incident, {fact.id: fact}, None)

    assert face.suspects is None
    assert suspects_of([], None) is None
