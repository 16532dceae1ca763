"""Commits: what is known of each commit of a branch, and of the builds that were made of it.

Metadata and parents come from the ranges agents send; the order on a branch is first-parent order where the parents
are known, and the committer's time (else the first build's start) where they are not.
"""

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

from build_protocol.messages import BuildStatus, Fault
from build_protocol.model import BuildId, Count, EpochMs, WireModel
from build_protocol.project_config import Project
from pydantic import Field

from build_history.builds.colour import Colour
from build_history.builds.fact import Fact, Point
from build_history.projections.config_state import State, cadences_ms, declared_config
from build_history.projections.failure_verdict import Judged
from build_history.projections.lanes import LaneState


class CommitInfo(WireModel):
    """A commit as far as agents reported it; `parents` absent means unknown, empty means a root."""

    sha: str
    parents: list[str] | None = None
    author: str | None = None
    committed_at: EpochMs | None = None
    subject: str | None = None


class Cell(WireModel):
    """What one config says of one commit: its newest build of exactly that commit."""

    config: str
    build_id: BuildId
    status: BuildStatus
    colour: Colour
    fault: Fault | None = None
    started_at: EpochMs
    duration_ms: Count | None = None
    signature: str | None = None
    attempts: Count = Field(description="Builds of this commit in this config.")
    both_ways: bool = Field(description="Some of the attempts were green, some red.")
    failing: bool = Field(False, description="It runs and cannot end green any more.")
    judged: Judged | None = Field(None, description="Of a failed build, as of when its verdict arrived.")


class CommitPlace(WireModel):
    """A commit as far as its place among others needs it."""

    info: CommitInfo
    first_built_at: EpochMs | None = None

    @property
    def rank(self) -> int:
        """Where it roughly stands on its branch: the committer's time, else the start of its first build."""
        return self.info.committed_at or self.first_built_at or 0


class CommitRow(CommitPlace):
    """One commit of a branch with its cells; a commit known only from a range has none."""

    project: str
    branch: str
    cells: list[Cell] = Field(default_factory=list)


Placed = TypeVar("Placed", bound=CommitPlace)
Answer = Literal["passed", "failed", "inconclusive", "running", "will_include", "not_built"]


class ConfigAnswer(WireModel):
    """Does this commit pass in this config? `exact`: proven by a build of the very commit, not of a later one."""

    config: str
    answer: Answer
    exact: bool
    build_id: BuildId | None = None
    commit: str | None = Field(None, description="The commit that was built.")
    judged: Judged | None = None
    signature: str | None = None
    both_ways: bool = False
    state: State = Field("production", description="Of the config; only `production` counts for the branch.")
    expected_at: EpochMs | None = Field(
        None,
        description="About when the build that includes it ends, be it running or only due; absent = unknown.",
    )


def info_of(fact: Fact) -> list[CommitInfo]:
    """What a build's agent reported of commits: of the one it built, and of the range since the last green."""
    reported = {
        commit.sha: CommitInfo(
            sha=commit.sha,
            parents=commit.parents or None,
            author=commit.author,
            committed_at=commit.committed_at,
            subject=commit.subject,
        )
        for commit in fact.commits or ()
    }
    if fact.commit is not None:
        own = CommitInfo(
            sha=fact.commit, author=fact.commit_author, committed_at=fact.committed_at, subject=fact.commit_subject
        )
        reported[own.sha] = informed(reported.get(own.sha, own), own)
    return list(reported.values())


def informed(known: CommitInfo, reported: CommitInfo) -> CommitInfo:
    """The two together; a commit never changes, so what is known stays and only gaps are filled."""
    gaps = {
        name: value
        for name in CommitInfo.model_fields
        if getattr(known, name) is None and (value := getattr(reported, name)) is not None
    }
    return known.model_copy(update=gaps) if gaps else known


def cells_of(points: Sequence[Point], judged: Mapping[str, Judged]) -> list[Cell]:
    """One cell per config from all builds of one commit; `judged` by build id."""
    attempts: defaultdict[str, list[Point]] = defaultdict(list)
    for point in sorted(points, key=lambda point: point.order):
        attempts[point.config].append(point)
    return [
        Cell(
            config=config,
            build_id=built[-1].id,
            status=built[-1].status,
            colour=built[-1].colour,
            fault=built[-1].fault,
            started_at=built[-1].started_at,
            duration_ms=built[-1].duration_ms,
            signature=next(iter(built[-1].signatures), None),
            attempts=len(built),
            both_ways={"green", "red"} <= {point.colour for point in built},
            failing=bool(built[-1].failing),
            judged=judged.get(built[-1].id),
        )
        for config, built in sorted(attempts.items())
    ]


def in_order(rows: Sequence[Placed]) -> list[Placed]:
    """Newest first: a commit stands above its first parent wherever that is among the rows; else by rank."""
    at = {row.info.sha: row for row in rows}
    above: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        if (parent := _first_parent(row, at)) is not None:
            above[parent] += 1
    ready = [(-row.rank, row.info.sha) for row in at.values() if not above[row.info.sha]]
    heapq.heapify(ready)
    ordered: list[Placed] = []
    while ready:
        row = at[heapq.heappop(ready)[1]]
        ordered.append(row)
        parent = _first_parent(row, at)
        if parent is not None:
            above[parent] -= 1
            if not above[parent]:
                heapq.heappush(ready, (-at[parent].rank, parent))
    # Parents that form a ring cannot come from git; rows of one would never become ready and are kept by rank.
    placed = {row.info.sha for row in ordered}
    return ordered + sorted((r for r in at.values() if r.info.sha not in placed), key=lambda r: -r.rank)


def answers(
    row: CommitRow | None,
    lanes: Sequence[LaneState],
    including: Sequence[Point],
    now_ms: int,
    *,
    configured: Project | None = None,
) -> list[ConfigAnswer]:
    """What every config of the branch says of a commit: its own build, else the first build that includes it.

    `including` are builds whose range since the last green names the commit. A running build is expected to end its
    lane's usual duration after its start, never before `now_ms`; where none runs, the next one begins by the cadence
    that `configured` (the project in config.yaml) states.
    """
    file = configured or Project()
    cadences = cadences_ms(file)
    next_at = {
        lane.config: max(now_ms, lane.latest.started_at + cadences[lane.config])
        for lane in lanes
        if lane.config in cadences
    }
    cells = {cell.config: cell for cell in row.cells} if row else {}
    later: defaultdict[str, list[Point]] = defaultdict(list)
    for point in sorted(including, key=lambda point: point.order):
        later[point.config].append(point)
    usual = {lane.config: lane.usual_ms for lane in lanes}
    return [
        _answer(
            config,
            cells.get(config),
            later[config],
            usual_ms=usual.get(config),
            next_at=next_at.get(config),
            now_ms=now_ms,
        ).model_copy(update={"state": declared_config(file, config).state})
        for config in sorted({*usual, *cells, *later})
    ]


def _answer(
    config: str,
    cell: Cell | None,
    later: Sequence[Point],
    *,
    usual_ms: int | None,
    next_at: int | None,
    now_ms: int,
) -> ConfigAnswer:
    if cell is not None and cell.colour != "none":
        return ConfigAnswer(
            config=config,
            answer="passed" if cell.colour == "green" else "failed",
            exact=True,
            build_id=cell.build_id,
            commit=None,
            judged=cell.judged,
            signature=cell.signature,
            both_ways=cell.both_ways,
        )
    if cell is not None and cell.status in ("queued", "running"):
        return ConfigAnswer(
            config=config,
            answer="running",
            exact=True,
            build_id=cell.build_id,
            expected_at=_expected(cell.started_at, usual_ms, now_ms),
        )
    for point in later:
        if point.colour != "none":
            return ConfigAnswer(
                config=config,
                answer="passed" if point.colour == "green" else "failed",
                exact=False,
                build_id=point.id,
                commit=point.commit,
                signature=next(iter(point.signatures), None),
            )
    for point in later:
        if point.status in ("queued", "running"):
            return ConfigAnswer(
                config=config,
                answer="will_include",
                exact=False,
                build_id=point.id,
                commit=point.commit,
                expected_at=_expected(point.started_at, usual_ms, now_ms),
            )
    if cell is not None:
        return ConfigAnswer(config=config, answer="inconclusive", exact=True, build_id=cell.build_id)
    expected_at = _expected(next_at, usual_ms, now_ms) if next_at is not None else None
    return ConfigAnswer(config=config, answer="not_built", exact=False, expected_at=expected_at)


def _expected(started_at: int, usual_ms: int | None, now_ms: int) -> int | None:
    return None if usual_ms is None else max(now_ms, started_at + usual_ms)


def _first_parent(row: CommitPlace, among: Mapping[str, CommitPlace]) -> str | None:
    parents = row.info.parents
    return parents[0] if parents and parents[0] in among and parents[0] != row.info.sha else None
