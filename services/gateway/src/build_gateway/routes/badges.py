"""Badges: `/api/projects/{project}/badge.svg`, for callers who may see the project, or everybody by config.yaml."""

import logging
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from build_chassis.auth import Principal
from build_chassis.errors import NotFound
from build_chassis.service_client import ServiceClient, ServiceRefused, ServiceUnavailable
from build_protocol.model import ProjectName
from fastapi import APIRouter, Query, Request, Response

from build_gateway.badge import NOT_KNOWN, BadgeState, Lane, badge_state, draw
from build_gateway.caller import person_or_key
from build_gateway.dependencies import Needs

router = APIRouter(prefix="/api/projects", tags=["projects"])
logger = logging.getLogger("gateway")

FRESH_SECONDS = 60
"""How long a proxy may keep a badge: a README is looked at far more often than a colour changes."""

_BADGES = Principal(name="badge", role="viewer", projects=None, kind="service")


@router.get("/{project}/badge.svg", response_class=Response, responses={200: {"content": {"image/svg+xml": {}}}})
async def get_badge(
    project: ProjectName,
    request: Request,
    needs: Needs,
    branch: Annotated[str | None, Query(max_length=512, description="Default: the project's own branch.")] = None,
    config: Annotated[str | None, Query(max_length=512, description="Only this config.")] = None,
) -> Response:
    """How the project stands, as an SVG."""
    known = needs.projects.current().get(project)
    if known is None or not (known.public or known.public_badge):
        caller = await person_or_key(request, needs, is_artifact=False)
        if not caller.may_see(project):
            raise NotFound(f"no project {project}")
    state = await _ask(needs.peers, project, branch or (known.branch if known else None), config)
    label = project if config is None else f"{project} {config[:64]}"
    return Response(
        draw(label, state), media_type="image/svg+xml", headers={"Cache-Control": f"max-age={FRESH_SECONDS}"}
    )


async def _ask(peers: Mapping[str, ServiceClient], project: str, branch: str | None, config: str | None) -> BadgeState:
    query = {"project": project} | ({"branch": branch} if branch else {})
    try:
        answer: dict[str, Any] = await peers["history"].get_json(f"/api/history/summary?{urlencode(query)}", _BADGES)
    except (KeyError, ServiceUnavailable, ServiceRefused) as error:
        logger.warning("a badge without history: %s: %s", type(error).__name__, error)
        return NOT_KNOWN
    lanes = [Lane(lane["config"], lane["colour"]) for lane in answer["items"]]
    return badge_state([lane for lane in lanes if config in (None, lane.config)])
