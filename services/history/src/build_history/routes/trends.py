"""Routes of how builds go: trends, every lane now, what became slower, what looks flaky."""

from typing import Annotated

from build_protocol.clock import DAY_MS
from fastapi import APIRouter, Query, Response

from build_history.projections.config_state import declared_config
from build_history.projections.lanes import WINDOW
from build_history.projections.trends import Pace
from build_history.routes.dependencies import BranchQuery, ConfigQuery, Limit, Now, ProjectQuery, Reads
from build_history.routes.raw_json import answer, with_bodies
from build_history.routes.schemas import (
    FlakyList,
    LaneFlakySign,
    LaneMark,
    LaneSummary,
    RegressionList,
    StepList,
    Summary,
    Trend,
    TrendList,
)

router = APIRouter(tags=["history"])

TREND_DAYS_MAX = 2000
"""Days one answer carries, over all its configs."""


@router.get("/api/history/trends", response_model=TrendList)
async def list_trends(
    *,
    reads: Reads,
    now: Now,
    project: Annotated[str, Query(max_length=64)],
    branch: BranchQuery = None,
    config: ConfigQuery = None,
    days: Annotated[int, Query(ge=1, le=730)] = 90,
) -> Response:
    """Durations, results, cache and memory per day of each config of a branch."""
    at = await reads.branch_of(project, branch)
    if at is None:
        return answer(TrendList(items=[], unknown=["the project, or any build of it"]).to_json())
    lanes = [lane for lane in await reads.lanes(project, at) if config in (None, lane.config)]
    lanes.sort(key=lambda lane: lane.config)
    # All lanes of a page share one budget of rows, so that 60 configs over two years cannot be asked at once.
    shown = lanes[: max(1, TREND_DAYS_MAX // days)]
    by_config = await reads.days(shown, now // DAY_MS - days + 1)
    unknown = []
    if len(shown) < len(lanes):
        unknown.append(f"{len(lanes) - len(shown)} more configs: ask for one by `config`, or for fewer days")
    items = [
        with_bodies(
            Trend(
                project=lane.project,
                branch=lane.branch,
                config=lane.config,
                days=[],
                marks=lane.marks,
            ),
            "days",
            by_config[lane.config],
        )
        for lane in shown
    ]
    return answer(with_bodies(TrendList(items=[], unknown=unknown), "items", items))


@router.get("/api/history/summary", response_model_exclude_none=True)
async def get_summary(reads: Reads, now: Now, project: ProjectQuery = None, branch: BranchQuery = None) -> Summary:
    """Every lane now, and how its recent builds went; only configs in production are counted green or red."""
    lanes = await reads.lanes(project, branch)
    lanes.sort(key=lambda lane: (lane.project, lane.branch, lane.config))
    items = [LaneSummary.of(lane, declared_config(reads.projects.get(lane.project), lane.config)) for lane in lanes]
    paces: list[Pace] = [item.pace for item in items]
    counted = [item.pace for item in items if item.declared.state == "production"]
    greens, reds = sum(pace.succeeded for pace in counted), sum(pace.failed for pace in counted)
    waits = [pace.queue_ms for pace in paces if pace.queue_ms is not None]
    return Summary(
        items=items,
        window=WINDOW,
        green=sum(item.colour == "green" for item in items),
        red=sum(item.colour == "red" for item in items),
        build_ms=sum(pace.build_ms for pace in paces),
        queue_ms=sum(waits) if waits else None,
        success_rate=round(greens / (greens + reds), 4) if greens + reds else None,
        overdue=await reads.overdue(lanes, project, now),
    )


@router.get("/api/history/steps", response_model_exclude_none=True)
async def list_steps(
    reads: Reads,
    project: Annotated[str, Query(max_length=64)],
    branch: BranchQuery = None,
    config: ConfigQuery = None,
) -> StepList:
    """The slowest steps of a branch's configs, and how long each took in the builds before."""
    at = await reads.branch_of(project, branch)
    items = await reads.steps(project, at, config) if at is not None else []
    return StepList(items=items, unknown=[] if items else ["any steps: no agent sent the times of ninja's log"])


@router.get("/api/history/regressions", response_model_exclude_none=True)
async def list_regressions(
    reads: Reads, project: ProjectQuery = None, branch: BranchQuery = None, limit: Limit = 50
) -> RegressionList:
    """Where builds became lastingly slower or faster, or need more or less of something, newest first."""
    lanes = await reads.lanes(project, branch)
    marks = [
        LaneMark(project=lane.project, branch=lane.branch, config=lane.config, mark=mark)
        for lane in lanes
        for mark in lane.marks
    ]
    return RegressionList(items=sorted(marks, key=lambda item: item.mark.started_at, reverse=True)[:limit])


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
    return FlakyList(items=sorted(signs, key=lambda item: item.sign.started_at, reverse=True)[:limit])
