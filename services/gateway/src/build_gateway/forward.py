"""Forwarding: which service owns which REST path; a request goes there with a token for its caller.

A request arrives with a path that `build_chassis.paths` let pass, so its segments are names; it goes on below `/api/`.
"""

from collections.abc import Sequence

from build_chassis import problems
from build_chassis.access_log import note_route
from build_chassis.auth import Principal
from build_chassis.errors import NotFound, Unavailable
from build_chassis.parts import dependencies_of
from fastapi import APIRouter, Request, Response
from starlette.routing import Match, Route
from starlette.types import Scope
from typing_extensions import override

from build_gateway.caller import person_or_key
from build_gateway.dependencies import Dependencies
from build_gateway.visitors import show, visitor_at

router = APIRouter()
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

_OWNERS = {
    "builds": "ingest",
    "artifacts": "artifacts",
    "failures": "history",
    "incidents": "history",
    "commits": "history",
    "tests": "history",
    "pins": "history",
    "history": "history",
    "notifications": "notifier",
}

_SIGNED = frozenset({("POST", "notifications/webhooks/sendgrid")})
"""Requests of machines that cannot log in: the service that owns the route checks their signature."""

_TICKETS = ("artifacts", "objects")
"""What is below it is a ticket, signed by the artifacts service: a click on a download carries no token."""

_ACTS = ("notifications", "act")
"""What is below it is a permission, signed by notifier for the recipient of a mail, and what it is used for."""

_NOBODY = Principal("nobody", "viewer", frozenset(), kind="key")
"""The caller of such a request: it may see nothing, and its signature or ticket is its whole permission."""


def owner_of(segments: Sequence[str]) -> str | None:
    """The service that answers the path of these segments below `/api/`; None when no service does."""
    if not segments[-1]:  # no route ends in a slash
        return None
    if segments[0] == "builds" and len(segments) > 2 and segments[2] == "artifacts":
        return "artifacts"
    return _OWNERS.get(segments[0])


class Forwarded(Route):
    """What services own, which is most of what is asked for: it is found before our own routes are looked through."""

    @override
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        owner = owner_of(child["path_params"]["path"].split("/")) if match is Match.FULL else None
        if owner is None:
            return Match.NONE, {}
        return match, {**child, "path_params": child["path_params"] | {"owner": owner}}


@router.api_route("/api/{path:path}", methods=METHODS, include_in_schema=False)
async def unknown(path: str, request: Request) -> Response:
    """Nobody owns the path."""
    return problems.problem(NotFound(f"no route /api/{path[:200]}"), request.url.path)


async def forward(request: Request) -> Response:
    """Forward the request to its owner and stream the answer back."""
    needs: Dependencies = await dependencies_of(request)
    path: str = request.path_params["path"]
    owner: str = request.path_params["owner"]
    segments = path.split("/")
    note_route(request, f"/api/... of {owner}")
    is_signed = (request.method, path) in _SIGNED or _is_ticket(request.method, segments)
    is_visit = not is_signed and "authorization" not in request.headers
    if is_signed:
        principal = _NOBODY
    elif is_visit:
        principal = visitor_at(request, segments, needs)
    else:
        principal = await person_or_key(request, needs, is_artifact=owner == "artifacts")
    client = needs.peers.get(owner)
    if client is None:
        return problems.problem(Unavailable(f"service {owner} is not part of this system"), request.url.path)
    if is_visit:
        return await show(client, request, segments, principal)
    return await client.forward(request, ["api", *segments], principal)


FORWARDED = Forwarded("/api/{path:path}", forward, methods=METHODS, include_in_schema=False)


def _is_ticket(method: str, segments: Sequence[str]) -> bool:
    if method in ("GET", "POST") and len(segments) == 4:
        return tuple(segments[:2]) == _ACTS
    return method in ("GET", "PUT") and tuple(segments[:-1]) == _TICKETS
