"""Internal: what the gateway asks before it answers an agent. People and keys are not served here."""

from build_chassis.auth import only_services
from build_protocol.frames import LastGreen
from build_protocol.model import ShortText
from fastapi import APIRouter, Depends

from build_history.builds.fact import Lane
from build_history.routes.dependencies import Reads

router = APIRouter(prefix="/internal", include_in_schema=False, dependencies=[Depends(only_services)])


@router.get("/last-green")
async def find_last_green(
    reads: Reads, project: ShortText, branch: ShortText = "", config: ShortText = "default"
) -> LastGreen | None:
    """The commit of the config's last green build; else null. No branch: builds without one."""
    green = await reads.last_green(Lane(project, branch, config))
    if green is None or green.commit is None:
        return None
    return LastGreen(project=project, branch=branch or None, config=config, commit=green.commit)
