"""Rebuild: an admin, through the gateway, has history computed again from ingest, or its incidents published again."""

from build_chassis.auth import only_services
from build_chassis.errors import Unavailable
from build_protocol.model import Count, WireModel
from fastapi import APIRouter, Depends

from build_history.dependencies import Needs
from build_history.refresh.baseline import publish_baselines
from build_history.refresh.rebuild import Progress, Rebuild

router = APIRouter(prefix="/internal", include_in_schema=False, dependencies=[Depends(only_services)])


class Published(WireModel):
    """How many incidents were published again; with a cursor, there are more."""

    count: Count
    cursor: str | None = None


@router.post("/rebuild")
async def start_rebuild(needs: Needs) -> Progress:
    """Begin to rebuild from ingest; 409 while that goes on."""
    return _rebuild(needs.rebuild).start()


@router.get("/rebuild")
async def get_rebuild(needs: Needs) -> Progress:
    """How far it is."""
    return _rebuild(needs.rebuild).progress


@router.post("/baselines")
async def publish_again(needs: Needs, cursor: str | None = None) -> Published:
    """Publish some incidents again, as they stand: whoever lost them learns them, and notifies nobody."""
    count, cursor = await publish_baselines(needs.store, needs.bus, needs.clock(), cursor)
    return Published(count=count, cursor=cursor)


def _rebuild(rebuild: Rebuild | None) -> Rebuild:
    if rebuild is None:
        raise Unavailable("history has no ingest to be rebuilt from: set HISTORY_INGEST_URL")
    return rebuild
