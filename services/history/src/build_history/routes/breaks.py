"""Routes of what broke: failure groups and incidents."""

from typing import Annotated, Literal

from build_protocol.clock import DAY_MS
from build_protocol.incidents import IncidentState
from fastapi import APIRouter, Path, Query

from build_history.refresh import row_kinds
from build_history.refresh.ownership import read_ownerships
from build_history.routes.dependencies import BranchQuery, Cursor, Limit, Now, ProjectQuery, Reads, found
from build_history.routes.schemas import FailureGroupList, FailureGroupNow, Incident, IncidentList, IncidentSummary

router = APIRouter(tags=["history"])


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
) -> FailureGroupNow:
    """One failure group, the newest builds that showed it, and the branches on which it is red now."""
    group = found(await reads.group(signature, project, now // DAY_MS), "failure group")
    return FailureGroupNow(**dict(group), red_at=await reads.red_places(signature, group.projects))


@router.get("/api/incidents", response_model_exclude_none=True)
async def list_incidents(
    *,
    reads: Reads,
    project: ProjectQuery = None,
    branch: BranchQuery = None,
    state: Literal["open", "closed"] | None = None,
    with_staging: Annotated[
        bool, Query(alias="withStaging", description="Also those that only configs in staging show.")
    ] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> IncidentList:
    """Incidents, the latest first: since when, which configs, which commits are suspect."""
    page = await reads.incidents(project, branch, state, limit, cursor, with_staging=with_staging)
    incidents = row_kinds.read_all(IncidentState, page.rows)
    if branch is not None:
        incidents = [incident for incident in incidents if (incident.branch or "") == branch]
    owned = await read_ownerships(reads.store, incidents)
    items = [IncidentSummary.of(incident, owned.get(incident.id)) for incident in incidents]
    return IncidentList(items=items, next_cursor=page.next_cursor)


@router.get("/api/incidents/{incident_id}", response_model_exclude_none=True)
async def get_incident(reads: Reads, incident_id: Annotated[str, Path(max_length=64)]) -> Incident:
    """One incident with every config it hit, everything that became of it, and what people did about it."""
    state = found(await reads.incident(incident_id), "incident")
    owned = await read_ownerships(reads.store, [state])
    return Incident.of_all(state, owned.get(state.id), reads.projects.get(state.project).repo_url)
