"""Commits: first-parent order, and does this commit pass everywhere."""

import random

from build_history.projections.commits import CommitInfo, CommitRow, answers, cells_of, in_order, informed
from build_history.projections.lanes import state_of


def row(builds, n, *, parents=None, committed_at=None):
    info = CommitInfo(sha=builds.sha(n), parents=parents, committed_at=committed_at)
    return CommitRow(project="p", branch="main", info=info)


def test_known_parents_decide_the_order_whatever_the_clocks_say(builds):
    """A committer's wrong clock does not move a commit past its parent."""
    rows = [row(builds, n, parents=[builds.sha(n - 1)], committed_at=1000 - n) for n in range(1, 20)]
    random.Random(3).shuffle(rows)

    assert [builds.sha(n) for n in range(19, 0, -1)] == [r.info.sha for r in in_order(rows)]


def test_a_merged_branch_does_not_push_in_between(builds):
    """Only the first parent orders: the merge's second parent stands by its time."""
    merge = row(builds, 3, parents=[builds.sha(2), builds.sha(9)], committed_at=300)
    rows = [merge, row(builds, 2, parents=[builds.sha(1)], committed_at=200), row(builds, 9, committed_at=100)]

    assert [builds.sha(n) for n in (3, 2, 9)] == [r.info.sha for r in in_order(rows)]


def test_unknown_parents_stand_by_time_and_a_ring_loses_nobody(builds):
    """Whatever agents send, every row is shown once."""
    rows = [row(builds, n, committed_at=n) for n in (1, 2)]
    ring = [row(builds, 5, parents=[builds.sha(6)]), row(builds, 6, parents=[builds.sha(5)])]

    assert [builds.sha(2), builds.sha(1)] == [r.info.sha for r in in_order(rows)]
    assert {builds.sha(n) for n in (1, 2, 5, 6)} == {r.info.sha for r in in_order([*rows, *ring])}


def test_what_is_known_of_a_commit_is_only_added_to(builds):
    """A later message fills gaps and overwrites nothing."""
    known = CommitInfo(sha=builds.sha(1), author="ann")

    assert CommitInfo(sha=builds.sha(1), author="ann", subject="s") == informed(
        known, CommitInfo(sha=builds.sha(1), author="bob", subject="s")
    )


def test_the_newest_attempt_is_the_cell_and_both_ways_is_shown(builds):
    """A retry that passed shows green, with two attempts and both results."""
    attempts = [builds.point(1, "failed", "s"), builds.point(2, commit=builds.sha(1))]

    (cell,) = cells_of(attempts, {})

    assert (cell.colour, cell.attempts, cell.both_ways) == ("green", 2, True)


def test_every_config_answers(builds):
    """Own build first, then the first later build that includes the commit, then the running one, else not built."""
    now_ms = builds.noon_at + 20 * builds.hour_ms
    lanes = [
        state_of([builds.point(n, config=config) for n in range(3)], None, None)
        for config in ("own", "later", "includes", "never", "now", "inconclusive")
    ]
    own = [
        builds.point(5, "failed", "s", config="own"),
        builds.point(5, "running", config="now", ended_at=None),
        builds.point(5, "lost", config="inconclusive"),
    ]
    known = CommitRow(project="p", branch="main", info=CommitInfo(sha=builds.sha(5)), cells=cells_of(own, {}))
    including = [
        builds.point(7, config="later"),
        builds.point(6, "lost", config="later"),
        builds.point(8, "failed", "t", config="later"),
        builds.point(20, "running", config="includes", ended_at=None),
    ]

    shown = {a.config: (a.answer, a.exact, a.expected_at) for a in answers(known, lanes, including, now_ms)}

    assert shown == {
        "own": ("failed", True, None),
        "now": ("running", True, now_ms),
        "later": ("passed", False, None),
        "includes": ("will_include", False, now_ms + builds.hour_ms // 2),
        "inconclusive": ("inconclusive", True, None),
        "never": ("not_built", False, None),
    }


def test_a_config_that_never_finished_has_no_estimate(builds):
    """About when is answered only where a usual duration is known."""
    running = builds.point(1, "running", duration_ms=None, ended_at=None)
    lane = state_of([running], None, None)
    known = CommitRow(project="p", branch="main", info=CommitInfo(sha=builds.sha(1)), cells=cells_of([running], {}))

    (answer,) = answers(known, [lane], [], builds.noon_at)

    assert (answer.answer, answer.expected_at) == ("running", None)
