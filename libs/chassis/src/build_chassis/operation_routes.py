"""What a service answers the gateway about its own running: what waits for a person, and a word on its clock."""

from build_protocol.model import EpochMs, RequestModel
from fastapi import APIRouter, Depends

from build_chassis.auth import only_services
from build_chassis.notices import NoticeList
from build_chassis.retention_guard import RetentionGuard

NOTICES = "/internal/notices"
ADOPT = "/internal/clock/adopt"


class AgreedTime(RequestModel):
    """What time it is by a person's own clock."""

    now_at: EpochMs


def operation_router(guard: RetentionGuard) -> APIRouter:
    """The routes of a service whose retention this guard watches."""
    router = APIRouter(include_in_schema=False, dependencies=[Depends(only_services)])

    @router.get(NOTICES)
    async def list_notices() -> NoticeList:
        """What the service stopped by itself."""
        notice = guard.notice
        return NoticeList(items=[] if notice is None else [notice])

    @router.post(ADOPT, status_code=204)
    async def adopt_clock(body: AgreedTime) -> None:
        """Go on with the clock as it is set now."""
        await guard.adopt(body.now_at)

    return router
