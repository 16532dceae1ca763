"""Incidents: one break is one incident, however many configs show it."""

import random

from build_history.builds.fact import with_verdict
from build_history.projections.incidents import explained, fold, suspects_of

CONFIGS = [f"config-{n}" for n in range(60)]


def test_sixty_configs_broken_by_one_commit_and_fixed_by_the_next_are_one_incident(builds):
    """Opened by the first, joined by the others, closed when the last is green; in any order of arrival."""
    points = [builds.point(n, *how, config=c) for c in CONFIGS for n, how in enumerate([(), ("failed", "s"), ()])]
    random.Random(7).shuffle(points)

    incidents = fold(points)

    assert [(i.state, len(i.members)) for i in incidents] == [("closed", 60)]
    assert builds.sha(1) == incidents[0].opened_commit


def test_it_stays_open_until_the_last_config_is_green(builds):
    """59 fixed configs of 60 are not a fix."""
    points = [builds.point(1, "failed", "s", config=c) for c in CONFIGS]
    points += [builds.point(2, config=c) for c in CONFIGS[1:]]

    (incident,) = fold(points)

    assert incident.state == "open"
    assert [CONFIGS[0]] == [m.config for m in incident.members if m.recovered_at is None]


def test_a_build_joins_what_it_shows_and_opens_only_what_is_new(builds):
    """A config whose first failure differs joins by any it shares; a second way to fail is a second incident."""
    joined = fold([builds.point(1, "failed", "a", "b", config="x"), builds.point(2, "failed", "b", "a", config="y")])
    changed = fold([builds.point(1, "failed", "a"), builds.point(2, "failed", "c"), builds.point(3)])

    assert [(i.signature, [m.config for m in i.members]) for i in joined] == [("a", ["x", "y"])]
    assert [(i.signature, i.state) for i in changed] == [("a", "closed"), ("c", "closed")]


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

    assert ("open", builds.id(1), builds.id(4)) == (incident.state, incident.opened_by, incident.members[0].last_build)


def test_the_same_break_after_a_fix_is_a_new_incident(builds):
    """Red, green, red is two incidents with ids of their own."""
    first, second = fold([builds.point(1, "failed", "s"), builds.point(2), builds.point(3, "failed", "s")])

    assert (first.state, second.state) == ("closed", "open")
    assert first.id != second.id


def test_folding_a_window_continues_what_older_builds_began(builds):
    """Whole history at once, or its end over what was known before: the same incidents."""
    points = [
        builds.point(1, "failed", "s", config="x"),
        builds.point(2, "failed", "s", config="y"),
        builds.point(3, config="x"),
        builds.point(4, "failed", "t", config="x"),
        builds.point(5, config="y"),
        builds.point(6, config="x"),
    ]
    whole = fold(points)

    for cut in range(1, len(points)):
        assert whole[-2:] == sorted(
            {i.id: i for i in (*fold(points[:cut]), *fold(points[cut:], fold(points[: cut + 1])))}.values(),
            key=lambda incident: incident.first_started_at,
        )


def test_suspects_are_what_every_config_suspects(builds):
    """Config x was last green before commit 1, y before commit 3: only 3 and 4 are suspect, and their authors."""
    x = with_verdict(
        None, builds.verdict(4, "failed", "s", config="x", commits=[builds.commit(n) for n in (4, 3, 2, 1)])
    )
    y = with_verdict(None, builds.verdict(4, "failed", "s", config="y", commits=[builds.commit(n) for n in (4, 3)]))
    (incident,) = fold([x.point, y.point])

    told = explained(incident, [x, y])

    assert [builds.sha(4), builds.sha(3)] == [commit.sha for commit in told.suspects]
    assert told.authors == ["author 4", "author 3"]
    assert told.failure is not None
    assert told.unknown == []


def test_an_unknown_range_is_said_to_be_unknown(builds):
    """Without any range there are no suspects, which is not the same as none."""
    fact = with_verdict(None, builds.verdict(1, "failed", "s"))
    (incident,) = fold([fact.point])

    told = explained(incident, [fact])

    assert told.suspects is None
    assert "suspect commits" in told.unknown[0]
    assert suspects_of([], None) is None
