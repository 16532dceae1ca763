"""Internal: what the gateway asks before it answers an agent. People and keys are not served here."""

import asyncio
from typing import Annotated

from build_chassis.auth import only_services
from build_protocol.messages import BuildVerdict
from build_protocol.model import BuildId, WireModel
from build_protocol.views import StoredBuild
from fastapi import APIRouter, Depends, Query

from build_ingest.dependencies import Needs
from build_ingest.lifecycle.placing import PlacedAnew, WrongSpan, place_anew
from build_ingest.records.verdict import is_final, verdict_of
from build_ingest.store import BuildStore
from build_ingest.store.contract import UNSUCCESSFUL, BuildQuery, place_of

BUILDS_PER_REQUEST = 1000
VERDICTS_PER_REQUEST = 50


router = APIRouter(prefix="/internal", include_in_schema=False, dependencies=[Depends(only_services)])


class Ended(WireModel):
    """Builds whose verdicts are published, newest start first; `before` is where the next page begins."""

    builds: list[BuildId]
    before: str | None = None


class Verdicts(WireModel):
    """What was published of builds, as it would be published now."""

    verdicts: list[BuildVerdict]


@router.post("/place-anew")
async def place_builds_anew(span: WrongSpan, needs: Needs) -> PlacedAnew:
    """Move what was received while the clock was wrong to where it would stand; or count it."""
    replica = needs.replica
    return await place_anew(needs.store, replica.consumer, replica.lifecycle, span)


@router.get("/ended", response_model_exclude_none=True)
async def list_ended(
    needs: Needs,
    over_before: Annotated[int, Query(alias="overBefore")],
    before: str | None = None,
    limit: Annotated[int, Query(ge=1, le=BUILDS_PER_REQUEST)] = BUILDS_PER_REQUEST,
) -> Ended:
    """The builds of CI that ended before this time."""
    query = BuildQuery(statuses=("succeeded", *UNSUCCESSFUL), before=before, limit=limit)
    page = await needs.store.list_builds(query)
    ended = [
        build.id
        for build in page
        if build.origin == "ci" and (build.server_ended_at or build.ended_at or 0) < over_before
    ]
    return Ended(builds=ended, before=place_of(page[-1]) if len(page) == limit else None)


@router.get("/verdicts", response_model_exclude_none=True)
async def list_verdicts(
    needs: Needs, build: Annotated[list[BuildId], Query(max_length=VERDICTS_PER_REQUEST)]
) -> Verdicts:
    """The verdicts of these builds; of one that is unknown, runs, or has a verdict to be published, there is none."""
    found = await asyncio.gather(*(_verdict(needs.store, build_id) for build_id in dict.fromkeys(build)))
    return Verdicts(verdicts=[verdict for verdict in found if verdict is not None])


async def _verdict(store: BuildStore, build_id: str) -> BuildVerdict | None:
    state, start = await store.find(build_id), await store.find_start(build_id)
    if state is None or start is None or state.verdict_due or not state.verdict_revision or not is_final(state):
        return None
    return verdict_of(state, start, (await store.find_failures(build_id)).items)


@router.get("/stored")
async def list_stored(
    needs: Needs, build: Annotated[list[BuildId], Query(max_length=BUILDS_PER_REQUEST)]
) -> dict[str, StoredBuild]:
    """What is stored of these builds; unknown ones are left out."""
    found = await asyncio.gather(*(needs.store.find(build_id) for build_id in dict.fromkeys(build)))
    return {
        state.build.id: StoredBuild(
            stored=state.applied,
            verified=state.build.verified,
            agent=state.build.agent,
            project=state.build.project,
            status=state.build.status,
            complete=state.complete,
            log_lines=state.build.log_lines,
            log_bytes=state.build.log_bytes,
        )
        for state in found
        if state is not None
    }
