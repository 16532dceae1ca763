"""Visitors: people without a login, who may read public projects, each address so often and no oftener."""

import json
from collections.abc import Sequence
from typing import Annotated

from build_chassis import paths
from build_chassis.access_log import note_caller
from build_chassis.auth import Principal
from build_chassis.errors import Unauthenticated
from build_chassis.service_client import ServiceClient
from fastapi import Depends, Request, Response

from build_gateway.caller import client_address, person
from build_gateway.dependencies import Dependencies, Needs
from build_gateway.public_view import is_open, public_projects, visitor_of, without_private

_KEPT_HEADERS = ("accept", "if-none-match")


def visitor(request: Request, needs: Dependencies) -> Principal:
    """Who asks without a credential, where some project is public. Raises Unauthenticated, RateLimited."""
    public = public_projects(needs.projects.current())
    if "authorization" in request.headers or not public:
        raise _login_needed()
    needs.visitor_rates.take(client_address(request))
    principal = visitor_of(public)
    note_caller(request, principal.name)
    return principal


def visitor_at(request: Request, segments: Sequence[str], needs: Dependencies) -> Principal:
    """The visitor who may ask this of a service. Raises Unauthenticated, RateLimited."""
    principal = visitor(request, needs)
    if not is_open(request.method, segments, request.query_params.keys()):
        raise _login_needed()
    return principal


async def person_or_visitor(request: Request, needs: Needs) -> Principal:
    """A person, or a visitor where no token is sent. Raises Unauthenticated, RateLimited."""
    return await person(request, needs) if "authorization" in request.headers else visitor(request, needs)


PersonOrVisitor = Annotated[Principal, Depends(person_or_visitor)]


async def show(client: ServiceClient, request: Request, segments: Sequence[str], principal: Principal) -> Response:
    """A service's answer as a visitor gets it."""
    if segments[-1] == "logs":  # lines and nothing else, of any length
        return await client.forward(request, ["api", *segments], principal)
    query = request.scope["query_string"].decode("ascii")
    path = paths.build(["api", *segments]) + (f"?{query}" if query else "")
    headers = {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
    answer = await client.call("GET", path, principal, headers=headers)
    body = json.dumps(without_private(json.loads(answer.body)), ensure_ascii=False) if answer.body else ""
    return Response(body, answer.status, media_type=answer.headers.get("content-type", "application/json"))


def _login_needed() -> Unauthenticated:
    return Unauthenticated(
        "log in: POST /api/auth/login, then send `Authorization: Bearer <token>`", {"WWW-Authenticate": "Bearer"}
    )
