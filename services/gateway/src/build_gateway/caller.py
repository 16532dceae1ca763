"""Who calls the REST API: a person by access token, or an API key that may read or upload artifacts."""

from contextlib import suppress
from typing import Annotated

from build_chassis.access_log import note_caller
from build_chassis.auth import Principal
from build_chassis.errors import Forbidden, Unauthenticated
from fastapi import Depends, Request

from build_gateway.accounts.directory import is_personal
from build_gateway.accounts.tokens import TokenInvalid
from build_gateway.dependencies import Dependencies, Needs

_UNAUTHORIZED = {"WWW-Authenticate": "Bearer"}


def bearer(request: Request) -> str:
    """The request's bearer credential. Raises Unauthenticated."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not value:
        raise Unauthenticated("log in: POST /api/auth/login, then send `Authorization: Bearer <token>`", _UNAUTHORIZED)
    return value.strip()


def client_address(request: Request) -> str:
    """Where the client is, as the outermost trusted proxy saw it."""
    return request.client.host if request.client else "unknown"


async def person(request: Request, needs: Needs) -> Principal:
    """The person whose access token this is; an API key is none. Raises Unauthenticated."""
    principal, _ = await _person_by(request, needs)
    return principal


async def _person_by(request: Request, needs: Dependencies) -> tuple[Principal, str | None]:
    """The person, and the level of the personal token this is; None: a log-in."""
    try:
        principal, claims = await needs.directory.principal(bearer(request))
    except TokenInvalid as error:
        raise Unauthenticated(str(error), _UNAUTHORIZED) from error
    note_caller(request, principal.name)
    if claims.level == "read" and request.method not in ("GET", "HEAD"):
        raise Forbidden(
            "this token only reads", remedy="make one of level `write`: build-dashboard login --level write."
        )
    return principal, claims.level


async def logged_in(request: Request, needs: Needs) -> Principal:
    """A person who has logged in: a token that was taken makes no other, and changes no password. Raises Forbidden."""
    caller, level = await _person_by(request, needs)
    if level is not None:
        raise Forbidden("this needs a log-in, not a token", remedy="log in on the page, or by POST /api/auth/login.")
    return caller


async def admin(caller: Annotated[Principal, Depends(person)]) -> Principal:
    """A person with role admin in all projects: one of some could give itself the others. Raises Forbidden."""
    if not caller.is_full_admin:
        raise Forbidden("this needs role admin with access to all projects")
    return caller


async def person_or_key(request: Request, needs: Dependencies, *, is_artifact: bool) -> Principal:
    """A person; or a key with scope `read` that reads; or an agent's key on the artifacts' routes. Raises 401."""
    value = bearer(request)
    if is_personal(value):
        return await person(request, needs)
    if value.count(".") == 2:
        # The shape of an access token; a key that somebody chose may look like one, too.
        with suppress(Unauthenticated):
            return await person(request, needs)
    key = await needs.keys.find(value)
    if key is not None:
        note_caller(request, f"key {key.name}")
        projects = None if key.projects is None else frozenset(key.projects)
        if is_artifact and "agent" in key.scopes:
            return Principal(name=key.name, role="developer", projects=projects, kind="key")
        if request.method in ("GET", "HEAD") and "read" in key.scopes:
            return Principal(name=key.name, role="viewer", projects=projects, kind="key")
    raise Unauthenticated("this token or key is not known, not for this, revoked or expired", _UNAUTHORIZED)


Person = Annotated[Principal, Depends(person)]
LoggedIn = Annotated[Principal, Depends(logged_in)]
Admin = Annotated[Principal, Depends(admin)]
