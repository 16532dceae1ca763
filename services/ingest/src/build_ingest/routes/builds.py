"""Builds: the list, one build, its failures, tests and events."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from build_chassis.auth import Caller
from build_chassis.errors import Conflict, Invalid
from build_protocol.clocks import StartTime
from build_protocol.ids import BadBuildName, BuildName, read_build_name
from build_protocol.messages import BuildStatus, FailureData, Outcome
from build_protocol.model import BuildId, Count, ShortText, WireModel
from build_protocol.views import Build, BuildDetail, BuildList, TestPage
from fastapi import APIRouter, Query, Response
from pydantic import Field

from build_ingest.analysis.rules_version import fingerprint
from build_ingest.dependencies import Needs
from build_ingest.findings.test_results import Sort, page_of
from build_ingest.records.chunk import events_of
from build_ingest.records.fold import BESIDE_ROW, facts_of
from build_ingest.records.verdict import is_final
from build_ingest.routes.access import CommitPrefix, Place, VisibleBuild, visible_projects
from build_ingest.store.contract import BuildQuery, place_of

CHUNKS_PER_READ = 32

router = APIRouter(prefix="/api/builds", tags=["builds"])


class Failures(WireModel):
    """Failures found in a build's log. `analysed` false: not looked at, or not to its end: none is no good news."""

    items: list[FailureData] = Field(default_factory=list)
    analysed: bool = False
    rules: str | None = Field(None, description="By which rules; another word after they changed.")


class Events(WireModel):
    """Records of a build that are not log, as its agent reported them, in order."""

    items: list[dict[str, Any]]
    next_after: Count | None = Field(None, description="Ask again with `after` = this for more.")


@router.get("", response_model=BuildList, response_model_exclude_none=True)
async def list_builds(  # noqa: PLR0917  query parameters; nobody passes them by position
    caller: Caller,
    needs: Needs,
    project: Annotated[Sequence[ShortText], Query(max_length=100)] = (),
    status: Annotated[Sequence[BuildStatus], Query(max_length=10)] = (),
    branch: ShortText | None = None,
    config: ShortText | None = None,
    commit: CommitPrefix = None,
    agent: ShortText | None = None,
    retry_of: Annotated[BuildId | None, Query(alias="retryOf", description="Builds that repeat this one.")] = None,
    name: Annotated[
        str | None,
        Query(alias="id", max_length=200, description="An id, or 6 or more digits of its beginning or end."),
    ] = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Place = None,
) -> Response:
    """Builds, newest start first."""
    query = BuildQuery(
        projects=visible_projects(caller, project),
        branch=branch,
        config=config,
        statuses=status,
        commit_prefix=commit.lower() if commit else None,
        agent=agent,
        retry_of=retry_of,
        name=None if name is None else _name_of(name),
        text=q or None,
        before=cursor,
        limit=limit + 1,
    )
    found = await needs.store.list_builds(query)
    page = BuildList(items=found[:limit], next_cursor=place_of(found[limit - 1]) if len(found) > limit else None)
    return _answer(page)


@router.get("/{build_id}", response_model=BuildDetail, response_model_exclude_none=True)
async def get_build(state: VisibleBuild, needs: Needs) -> Response:
    """The build as of its latest record."""
    start = await needs.store.find_start(state.build.id)
    facts: dict[str, Any] = {}
    if start is not None:
        data = facts_of(start, state)
        facts = {
            name: getattr(data, name)
            for name in ("cwd", "repository", "submodules", "pins", "tools", "environment", "agent_version", "command")
        }
    row = {name: getattr(state.build, name) for name in Build.model_fields}
    beside = {name: getattr(state, name) for name in ("phases", "sections", "missing_facts", *BESIDE_ROW)}
    clocks = {name: getattr(state.start_time, name) for name in StartTime.model_fields}
    return _answer(BuildDetail(**(row | facts | beside | clocks)))


@router.get("/{build_id}/failures", response_model=Failures, response_model_exclude_none=True)
async def list_failures(state: VisibleBuild, needs: Needs) -> Response:
    """The build's failures, first real one first; while it runs, those that are certain so far."""
    found = await needs.store.find_failures(state.build.id)
    is_live = bool(found.items) and not is_final(state)
    return _answer(Failures(items=found.items, analysed=state.is_analysed or is_live, rules=state.rules or None))


@router.post("/{build_id}/analysis", response_model=Failures, response_model_exclude_none=True)
async def analyse_again(state: VisibleBuild, caller: Caller, needs: Needs) -> Response:
    """Read the log of a judged build again, by today's rules. Another first failure is another verdict."""
    caller.require(state.build.project, "developer")
    if not is_final(state) or state.verdict_due:
        raise Conflict("this build is not judged yet: its log is analysed at its end")
    found = await needs.replica.reanalysis.read(state)
    return _answer(Failures(items=found.items, analysed=True, rules=await asyncio.to_thread(fingerprint)))


@router.get("/{build_id}/tests", response_model=TestPage, response_model_exclude_none=True)
async def list_tests(  # noqa: PLR0917  query parameters; nobody passes them by position
    state: VisibleBuild,
    needs: Needs,
    outcome: Annotated[Sequence[Outcome], Query(max_length=10)] = (),
    q: Annotated[str | None, Query(max_length=200, description="Part of a name, in any case.")] = None,
    sort: Sort = "order",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str, Query(pattern=r"^\d{1,9}$", description="`nextCursor` of the page before.")] = "0",
) -> Response:
    """The build's test results, those of structured reports first; while it runs, those there are so far."""
    results = await needs.recent.of(state)
    page = await asyncio.to_thread(
        lambda: page_of(results, outcomes=outcome, q=q, sort=sort, first=int(cursor), count=limit)
    )
    return _answer(page)


@router.get("/{build_id}/records")
async def list_records(
    state: VisibleBuild,
    needs: Needs,
    after: Annotated[Count, Query()] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Events:
    """The build's records that are not log, from seq `after` on."""
    chunks = await needs.store.read_events(state.build.id, after, CHUNKS_PER_READ)
    events = [event for chunk in chunks for event in events_of(chunk) if event["seq"] > after]
    if len(events) > limit:
        return Events(items=events[:limit], next_after=events[limit - 1]["seq"])
    return Events(items=events, next_after=chunks[-1].last_seq if len(chunks) == CHUNKS_PER_READ else None)


def _name_of(text: str) -> BuildName:
    try:
        return read_build_name(text)
    except BadBuildName as error:
        raise Invalid(f"query.id: {error}") from error


def _answer(model: WireModel) -> Response:
    # Validated once when it was made: serialising it here again through the framework would double the work.
    return Response(model.to_json(), media_type="application/json")
