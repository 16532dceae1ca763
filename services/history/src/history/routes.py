"""Routes of history: failures, incidents, commits, pins and `/api/history/...`, all for a caller of the gateway."""

import time
from typing import Annotated, Literal, TypeVar

from chassis.auth import Caller
from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request

from history import derived
from history.commits import CommitRow
from history.facts import DAY_MS
from history.grid import Grid, grid_of
from history.groups import FailureGroup
from history.incidents import Incident
from history.lanes import WINDOW
from history.pins import leading, matrix
from history.reader import Reader
from history.trends import Pace
from history.views import (
    CommitAnswer,
    CommitList,
    CommitSummary,
    FailureGroupList,
    FlakyList,
    IncidentList,
    IncidentSummary,
    LaneFlakySign,
    LaneMark,
    LaneSummary,
    PinList,
    RegressionList,
    Summary,
    Trend,
    TrendList,
)

router = APIRouter(tags=["history"])


def _reader(request: Request, caller: Caller) -> Reader:
    return Reader(request.app.state.store, caller)


def now_ms() -> int:
    """Milliseconds since the Unix epoch; a dependency, so that tests say what time it is."""
    return int(time.time() * 1000)


Reads = Annotated[Reader, Depends(_reader)]
Now = Annotated[int, Depends(now_ms)]
ProjectQuery = Annotated[str | None, Query(max_length=64, description="Only this project.")]
BranchQuery = Annotated[str | None, Query(max_length=512, description="Only this branch.")]
ConfigQuery = Annotated[str | None, Query(max_length=512, description="Only this config.")]
Limit = Annotated[int, Query(ge=1, le=200)]
TREND_DAYS_MAX = 2000
"""Days one answer carries, over all its configs."""

Found = TypeVar("Found")
Cursor = Annotated[str | None, Query(max_length=256, description="`nextCursor` of the page before.")]


@router.get("/api/failures", response_model_exclude_none=True)
async def list_failures(
    reads: Reads, now: Now, project: ProjectQuery = None, limit: Limit = 50, cursor: Cursor = None
) -> FailureGroupList:
    """Failures grouped by signature, the last seen first."""
    items, next_cursor = await reads.groups(project, limit, cursor, now // DAY_MS)
    return FailureGroupList(items=items, next_cursor=next_cursor)


@router.get("/api/failures/{signature}", response_model_exclude_none=True)
async def get_failure(
    reads: Reads, now: Now, signature: Annotated[str, Path(max_length=512)], project: ProjectQuery = None
) -> FailureGroup:
    """One failure group and the newest builds that showed it."""
    return _found(await reads.group(signature, project, now // DAY_MS), "failure group")


@router.get("/api/incidents", response_model_exclude_none=True)
async def list_incidents(
    *,
    reads: Reads,
    project: ProjectQuery = None,
    branch: BranchQuery = None,
    state: Literal["open", "closed"] | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> IncidentList:
    """Incidents, the latest first: since when, which configs, which commits are suspect."""
    page = await reads.incidents(project, branch, state, limit, cursor)
    incidents = derived.read_all(Incident, page.rows)
    if branch is not None:
        incidents = [incident for incident in incidents if incident.branch == branch]
    return IncidentList(items=[IncidentSummary.of(i) for i in incidents], next_cursor=page.next_cursor)


@router.get("/api/incidents/{incident_id}", response_model_exclude_none=True)
async def get_incident(reads: Reads, incident_id: Annotated[str, Path(max_length=64)]) -> Incident:
    """One incident with every config it hit."""
    return _found(await reads.incident(incident_id), "incident")


@router.get("/api/commits", response_model_exclude_none=True)
async def list_commits(
    *,
    reads: Reads,
    project: ProjectQuery = None,
    branch: BranchQuery = None,
    q: Annotated[str | None, Query(max_length=64, description="Beginning of a sha, at least 4 digits.")] = None,
    author: Annotated[str | None, Query(max_length=512)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> CommitList:
    """Commits of a project's branch, newest first; or, with `q`, those whose sha begins so in any project."""
    if q is not None:
        found = await reads.commits_like(_sha_prefix(q), limit)
        return CommitList(items=[CommitSummary.of(row) for row in found if _matches(row, project, branch, author)])
    if project is None:
        raise HTTPException(422, "query.project: name a project, or the beginning of a sha as `q`")
    at = await reads.branch_of(project, branch)
    if at is None:
        return CommitList(items=[], unknown=["the project, or any build of it"])
    page = await reads.commits(project, at, limit, cursor)
    grid = grid_of(project, at, derived.read_all(CommitRow, page.rows), [], page.next_cursor)
    items = [CommitSummary.of(row) for row in grid.rows if _matches(row, None, None, author)]
    return CommitList(items=items, next_cursor=page.next_cursor, unknown=grid.unknown)


@router.get("/api/commits/{sha}", response_model_exclude_none=True)
async def get_commit(
    reads: Reads, now: Now, sha: Annotated[str, Path(max_length=64)], project: ProjectQuery = None
) -> CommitAnswer:
    """Does this commit (or beginning of one) pass everywhere? Every config of every branch that knows it answers."""
    rows = [row for row in await reads.commits_like(_sha_prefix(sha), 50) if project in (None, row.project)]
    if not rows:
        raise HTTPException(404, "no build and no range of commits names this commit")
    if len({row.info.sha for row in rows}) > 1:
        raise HTTPException(409, f"{sha} begins several commits: give more digits")
    return CommitAnswer(sha=rows[0].info.sha, items=[await reads.answer(row, now) for row in rows])


@router.get("/api/pins", response_model_exclude_none=True)
async def list_pins(
    reads: Reads,
    now: Now,
    name: Annotated[str | None, Query(max_length=512, description="Only this upstream.")] = None,
) -> PinList:
    """Who is pinned to which commit of each upstream, how that goes, and what is safe to bump to."""
    lines = leading(await reads.pin_lines(name))
    names = sorted({line.name for line in lines})
    return PinList(items=[matrix([line for line in lines if line.name == upstream], now) for upstream in names])


@router.get("/api/history/trends", response_model_exclude_none=True)
async def list_trends(
    *,
    reads: Reads,
    now: Now,
    project: Annotated[str, Query(max_length=64)],
    branch: BranchQuery = None,
    config: ConfigQuery = None,
    days: Annotated[int, Query(ge=1, le=730)] = 90,
) -> TrendList:
    """Durations, results, cache and memory per day of each config of a branch."""
    at = await reads.branch_of(project, branch)
    if at is None:
        return TrendList(items=[], unknown=["the project, or any build of it"])
    lanes = [lane for lane in await reads.lanes(project, at) if config in (None, lane.config)]
    lanes.sort(key=lambda lane: lane.config)
    # All lanes of a page share one budget of rows, so that 60 configs over two years cannot be asked at once.
    shown = lanes[: max(1, TREND_DAYS_MAX // days)]
    items = [
        Trend(
            project=lane.project,
            branch=lane.branch,
            config=lane.config,
            days=await reads.days(lane, now // DAY_MS - days + 1),
            marks=lane.marks,
        )
        for lane in shown
    ]
    unknown = []
    if len(shown) < len(lanes):
        unknown.append(f"{len(lanes) - len(shown)} more configs: ask for one by `config`, or for fewer days")
    return TrendList(items=items, unknown=unknown)


@router.get("/api/history/summary", response_model_exclude_none=True)
async def get_summary(reads: Reads, project: ProjectQuery = None, branch: BranchQuery = None) -> Summary:
    """Every lane now, and how its recent builds went."""
    lanes = await reads.lanes(project, branch)
    lanes.sort(key=lambda lane: (lane.project, lane.branch, lane.config))
    paces: list[Pace] = [lane.pace for lane in lanes]
    greens, reds = sum(pace.succeeded for pace in paces), sum(pace.failed for pace in paces)
    return Summary(
        items=[LaneSummary.of(lane) for lane in lanes],
        window=WINDOW,
        green=sum(lane.colour == "green" for lane in lanes),
        red=sum(lane.colour == "red" for lane in lanes),
        build_ms=sum(pace.build_ms for pace in paces),
        success_rate=round(greens / (greens + reds), 4) if greens + reds else None,
    )


@router.get("/api/history/grid", response_model_exclude_none=True)
async def get_grid(
    reads: Reads,
    project: Annotated[str, Query(max_length=64)],
    branch: BranchQuery = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Grid:
    """Commits x configs of a branch, a page of commits at a time."""
    at = await reads.branch_of(project, branch)
    if at is None:
        return Grid(project=project, branch=branch or "", columns=[], rows=[], unknown=["any build of the project"])
    page = await reads.commits(project, at, limit, cursor)
    lanes = await reads.lanes(project, at)
    return grid_of(project, at, derived.read_all(CommitRow, page.rows), lanes, page.next_cursor)


@router.get("/api/history/regressions", response_model_exclude_none=True)
async def list_regressions(
    reads: Reads, project: ProjectQuery = None, branch: BranchQuery = None, limit: Limit = 50
) -> RegressionList:
    """Where builds became lastingly slower or faster, newest first."""
    marks = [
        LaneMark(project=lane.project, branch=lane.branch, config=lane.config, mark=mark)
        for lane in await reads.lanes(project, branch)
        for mark in lane.marks
    ]
    return RegressionList(items=sorted(marks, key=lambda item: item.mark.started_ms, reverse=True)[:limit])


@router.get("/api/history/flaky", response_model_exclude_none=True)
async def list_flaky(
    reads: Reads, project: ProjectQuery = None, branch: BranchQuery = None, limit: Limit = 50
) -> FlakyList:
    """Red builds that look flaky and why, newest first; of each config the newest few."""
    signs = [
        LaneFlakySign(project=lane.project, branch=lane.branch, config=lane.config, sign=sign)
        for lane in await reads.lanes(project, branch)
        for sign in lane.flaky
    ]
    return FlakyList(items=sorted(signs, key=lambda item: item.sign.started_ms, reverse=True)[:limit])


def _found(answer: Found | None, what: str) -> Found:
    if answer is None:
        raise HTTPException(404, f"no such {what}")
    return answer


def _sha_prefix(text: str) -> str:
    prefix = text.lower()
    if len(prefix) < 4 or not set(prefix) <= set("0123456789abcdef"):
        raise HTTPException(422, "a commit is named by at least 4 hex digits of its sha")
    return prefix


def _matches(row: CommitRow, project: str | None, branch: str | None, author: str | None) -> bool:
    if project not in (None, row.project) or branch not in (None, row.branch):
        return False
    return author is None or author.casefold() in (row.info.author or "").casefold()
