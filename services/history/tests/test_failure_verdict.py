"""Verdicts over whole sequences of builds, as they arrive: recorded in a store, and judged from what it then holds."""

from typing import NamedTuple

import pytest
from build_history.builds.fact import UNCLASSIFIED
from build_history.consumer import record
from build_history.projections.commits import CommitRow
from build_history.refresh.judge import case_of, judge_case
from build_history.refresh.row_kinds import COMMIT, read_as


class B(NamedTuple):
    """A build: of commit `n` (build n unless `at` says when), how it ended, what it showed."""

    n: int
    status: str = "succeeded"
    signature: str | None = None
    category: str = "compile_error"
    fault: str | None = "code"
    config: str = "release"
    at: int | None = None
    since: int | None = None
    """The last green commit its range begins after; None: no range was sent."""
    llvm: int | None = None
    branch: str = "main"
    revision: int = 1


def red(n, signature="sig", **fields):
    return B(n, "failed", signature, **fields)


def fails(n, signature="sig", **fields):
    """A red build by a test, which may come and go."""
    return red(n, signature, category="lit_test_failure", **fields)


OUTAGE = {"category": "network_error", "fault": "infra", "signature": "net"}

# The last build of each sequence is judged.
SCENARIOS = {
    "new break after green": ([B(1), red(2)], "new"),
    "new break long after": ([*(B(n) for n in range(1, 30)), red(30)], "new"),
    "broken before": ([B(1), red(2), red(3)], "already_red"),
    "broken long before": ([B(1), *(red(n) for n in range(2, 60)), red(60)], "already_red"),
    "another break on top of a red one": ([B(1), red(2, "a"), red(3, "b")], "new"),
    "fixed and broken anew": ([B(1), red(2), B(3), red(4)], "new"),
    "first build ever": ([red(1)], "unknown"),
    "first build of a new config on a green branch": ([B(1, config="asan"), red(2)], "unknown"),
    "a config joins a break of an earlier commit": (
        [B(1, config="asan"), red(2, config="asan", since=1), red(3, at=5, since=2)],
        "already_red",
    ),
    "a config joins a break of the same commit": (
        [B(1, config="asan"), red(2, config="asan", since=1), red(2, at=5, since=1)],
        "unknown",
    ),
    "the other config's suspects hold this commit": (
        [B(1, config="asan"), red(4, config="asan", since=1), red(1, "old", at=2), red(3, at=5, since=1)],
        "new",
    ),
    "a config that was green joins": (
        [B(1), B(1, config="asan"), red(2, config="asan", since=1), red(3, since=1)],
        "new",
    ),
    "the retry of the breaking commit": ([B(1), red(2), red(2, at=3)], "new"),
    "the third attempt at the breaking commit": ([B(1), red(2), red(2, at=3), red(2, at=4)], "new"),
    "the same commit passed before": ([B(1), B(2), fails(2, at=3)], "flaky"),
    "the same commit failed and passed": ([B(1), fails(2), B(2, at=3), fails(2, at=4)], "flaky"),
    "the same commit on another LLVM": ([B(1, llvm=7), B(2, llvm=7), red(2, at=3, llvm=8)], "new"),
    "a test that came and went twice": ([B(1), fails(2), B(3), fails(4), B(5), fails(6)], "flaky"),
    "a test broken, fixed after long, twice": (
        [B(1), fails(2), fails(3), B(4), fails(5), fails(6), B(7), fails(8)],
        "new",
    ),
    "a compile error that came and went": ([B(1), red(2), B(3), red(4), B(5), red(6)], "new"),
    "an outage that one commit alone shows": ([B(1), red(2, **OUTAGE)], "unknown"),
    "an outage that goes on": ([B(1), red(2, **OUTAGE), red(3, **OUTAGE)], "infra"),
    "a commit that alone cannot fetch": (
        [B(1), red(2, **OUTAGE), red(2, at=3, **OUTAGE), red(2, at=4, **OUTAGE)],
        "unknown",
    ),
    "a break behind an outage": ([B(1), red(2, **OUTAGE), red(3)], "new"),
    "red base behind an outage": ([B(1), red(2), red(3, **OUTAGE), red(4)], "already_red"),
    "lost in between": ([B(1), red(2), B(3, "lost"), red(4)], "already_red"),
    "lost, then broken": ([B(1), B(2, "lost"), red(3)], "new"),
    "cancelled and timed out in between": ([B(1), B(2, "cancelled"), B(3, "timed_out"), red(4)], "new"),
    "unclassified after green": ([B(1), red(2, None, category=UNCLASSIFIED, fault=None)], "new"),
    "unclassified after unclassified": (
        [B(1), red(2, None, category=UNCLASSIFIED), red(3, None, category=UNCLASSIFIED)],
        "unknown",
    ),
    "known after unclassified": ([B(1), red(2, None, category=UNCLASSIFIED), red(3)], "unknown"),
    "a late finish tells that the base was red": (
        [B(1), B(2, "lost"), red(3), red(2, revision=2), red(4)],
        "already_red",
    ),
    "red on another branch": ([B(1), red(2, branch="topic"), red(3)], "new"),
    "memory ran out": ([B(1), red(2, category="out_of_memory", fault="infra")], "unknown"),
    "a build that started before, of another config": ([B(1), red(5, config="gcc"), red(3)], "new"),
}


def message(builds, b):
    n = b.n if b.at is None else b.at
    fields = {"branch": b.branch, "config": b.config, "commit": builds.sha(b.n), "revision": b.revision}
    if b.since is not None:
        fields["commits"] = [builds.commit(k) for k in range(b.n, b.since, -1)]
    if b.llvm is not None:
        fields["pins"] = [{"name": "llvm", "commit": builds.sha(900 + b.llvm)}]
    if b.status == "failed":
        failure = builds.failure(b.signature, category=b.category, fault=b.fault)
        fields |= {"failures": [failure], "first_failure": failure}
    return builds.verdict(n, b.status, **fields)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_verdict_of_a_sequence(sqlite_store, builds, name):
    """What the commit page shows, and what is answered when asked now, both with evidence."""
    sequence, expected = SCENARIOS[name]
    *earlier, last = [message(builds, b) for b in sequence]
    await record(earlier, store=sqlite_store)
    await record([last], store=sqlite_store)

    key = COMMIT.key("p", sequence[-1].branch, last.data.commit)
    row = read_as(CommitRow, (await sqlite_store.rows_by_key([key]))[key])
    shown = next(cell.judged for cell in row.cells if cell.build_id == last.build_id)
    fact = (await sqlite_store.facts([last.build_id]))[last.build_id].fact
    asked = await judge_case(sqlite_store, fact.failures[0], case_of(fact))

    assert shown is not None
    assert (expected, expected) == (shown.verdict, asked.verdict)
    assert shown.evidence
