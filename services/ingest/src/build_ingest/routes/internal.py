"""Internal: what the gateway asks before it answers an agent. People and keys are not served here."""

import asyncio
from typing import Annotated

from build_chassis.auth import only_services
from build_protocol.model import BuildId, Count, WireModel
from fastapi import APIRouter, Depends, Query

from build_ingest.dependencies import Needs

BUILDS_PER_REQUEST = 1000


router = APIRouter(prefix="/internal", include_in_schema=False, dependencies=[Depends(only_services)])


class StoredBuild(WireModel):
    """How much of a build is stored, and whose it is."""

    stored: Count
    verified: bool
    agent: str | None
    project: str
    status: str
    complete: bool


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
        )
        for state in found
        if state is not None
    }
