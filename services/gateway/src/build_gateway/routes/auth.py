"""Logging in and out: an access token in the body, its refresh token in a cookie no script can read."""

import logging
from contextlib import suppress
from urllib.parse import urlsplit

from build_chassis.access_log import note_caller
from build_chassis.auth import ProjectRole, Role
from build_chassis.errors import Forbidden, Unauthenticated
from build_protocol.model import RequestModel, WireModel
from fastapi import APIRouter, Request, Response
from pydantic import Field

from build_gateway.accounts.attempts import TooManyFailures
from build_gateway.accounts.directory import ADMIN, Grant
from build_gateway.accounts.tokens import TokenInvalid
from build_gateway.caller import bearer, client_address, person
from build_gateway.dependencies import Dependencies, Needs
from build_gateway.public_view import public_projects
from build_gateway.visitors import PersonOrVisitor

logger = logging.getLogger("gateway")
router = APIRouter(prefix="/api/auth", tags=["auth"])
SECURE_COOKIE, PLAIN_COOKIE = "__Host-refresh", "refresh"
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.@+-]*$"


class Login(RequestModel):
    """Name and password of a person."""

    username: str = Field(min_length=1, max_length=128)
    password: str = Field(min_length=1, max_length=1024)
    code: str | None = Field(
        None, min_length=6, max_length=32, description="Of the second factor, where the account has one."
    )


class AccessGrant(WireModel):
    """An access token and for how many seconds it is good."""

    access_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105  the scheme's name


class SignInOptions(WireModel):
    """What the log-in page offers; `sso` is what people call the single sign-on, absent where there is none."""

    is_public: bool = Field(description="Some projects are shown without a login.")
    sso: str | None = None


class Me(WireModel):
    """Who the caller is: `role` in `projects` (absent: in all), and another one in single projects by `roles`."""

    name: str
    role: Role
    projects: list[str] | None = None
    roles: dict[str, ProjectRole] | None = None


@router.get("/options")
async def sign_in_options(needs: Needs) -> SignInOptions:
    """How people may sign in here, and whether there is something to see without it."""
    sso = needs.settings.oidc_label if needs.sso else None
    return SignInOptions(is_public=bool(public_projects(needs.projects.current())), sso=sso)


@router.post("/login")
async def login(body: Login, request: Request, response: Response, needs: Needs) -> AccessGrant:
    """Log in. A wrong password and an unknown name get the same answer after the same work.

    An account with a second factor: 401 with `WWW-Authenticate: Totp` where the password is right and the code missing.
    """
    address = client_address(request)
    if needs.settings.oidc_only and needs.sso is not None and body.username != ADMIN:
        raise Forbidden("passwords are for user admin only: use the single sign-on")
    try:
        async with needs.attempts.attempt(body.username, address) as attempt:
            grant = await needs.directory.login(body.username, body.password, body.code)
            attempt.is_right = grant is not None
    except TooManyFailures:
        needs.metrics.logins.labels("throttled").inc()
        raise
    if grant is None:
        needs.metrics.logins.labels("refused").inc()
        await needs.audit.note(body.username, "login refused", address)
        raise Unauthenticated("name or password is wrong")
    needs.metrics.logins.labels("accepted").inc()
    note_caller(request, grant.user.name)
    await needs.audit.note(grant.user.name, "login", address)
    await _end_plain(request, response, needs)
    return _answer(grant, request, response, needs)


@router.post("/refresh")
async def refresh(request: Request, response: Response, needs: Needs) -> AccessGrant:
    """A new access token for the refresh cookie; the cookie is replaced, and good once."""
    _same_origin(request, needs)
    token = request.cookies.get(_cookie_name(request, needs))
    grant = await needs.directory.refresh(token) if token else None
    await _end_plain(request, response, needs)
    if grant is None:
        ended = response.headers.get("set-cookie")
        raise Unauthenticated("log in again", {"Set-Cookie": ended} if ended else None)
    return _answer(grant, request, response, needs)


@router.post("/logout", status_code=204)
async def logout(request: Request, response: Response, needs: Needs) -> None:
    """End the session of the refresh cookie and that of the access token, where one is sent: their tokens and sockets.

    Everywhere within 5 s. Without either nothing happens.
    """
    _same_origin(request, needs)
    token = request.cookies.get(_cookie_name(request, needs))
    with suppress(Unauthenticated):
        await person(request, needs)  # for the audit: who has only the cookie left may log out, too
    if token:
        await needs.directory.logout(token)
    if "authorization" in request.headers:
        with suppress(Unauthenticated, TokenInvalid):
            _, claims = await needs.directory.principal(bearer(request))
            await needs.directory.end_session(claims.user, claims.session)
    response.delete_cookie(
        _cookie_name(request, needs), path="/", secure=is_secure(request, needs), httponly=True, samesite="strict"
    )
    await _end_plain(request, response, needs)


@router.get("/me")
async def me(caller: PersonOrVisitor) -> Me:
    """Who the caller is, as of now; where projects are public, a visitor is a viewer of these."""
    projects = None if caller.projects is None else sorted(caller.projects)
    return Me(name=caller.name, role=caller.role, projects=projects, roles=dict(caller.roles) or None)


def _answer(grant: Grant, request: Request, response: Response, needs: Dependencies) -> AccessGrant:
    set_refresh(grant, request, response, needs)
    return AccessGrant(access_token=grant.access_token, expires_in=grant.access_seconds)


def set_refresh(grant: Grant, request: Request, response: Response, needs: Dependencies) -> None:
    """Give the browser the cookie by which the page gets its access tokens."""
    response.set_cookie(
        _cookie_name(request, needs),
        grant.refresh_token,
        max_age=grant.refresh_seconds,
        path="/",
        secure=is_secure(request, needs),
        httponly=True,
        samesite="strict",
    )
    response.headers["Cache-Control"] = "no-store"


def _same_origin(request: Request, needs: Dependencies) -> None:
    """A page elsewhere cannot use the cookie, whatever its browser thinks of SameSite. Raises Forbidden."""
    origin = request.headers.get("origin")
    if origin is None or origin.lower() in needs.settings.page_origins:
        return
    parts = urlsplit(origin.lower())
    # Who can change what travels without TLS can be any http page of this host.
    is_plain = needs.settings.is_secure and parts.scheme != "https"
    if parts.netloc != request.headers.get("host", "").lower() or is_plain:
        raise Forbidden("this page may not log in here")


def is_secure(request: Request, needs: Dependencies) -> bool:
    """Whether cookies travel over TLS only."""
    # By the address people use: the last hop, from a proxy, may be plain.
    return needs.settings.is_secure or request.url.scheme == "https"


def _cookie_name(request: Request, needs: Dependencies) -> str:
    # Browsers take the `__Host-` prefix (no other host may set it) only over TLS.
    return SECURE_COOKIE if is_secure(request, needs) else PLAIN_COOKIE


async def _end_plain(request: Request, response: Response, needs: Dependencies) -> None:
    """End and remove a cookie from before the dashboard had TLS. Not accepted: any host nearby may set one."""
    plain = request.cookies.get(PLAIN_COOKIE)
    if plain and is_secure(request, needs):
        await needs.directory.logout(plain)
        response.delete_cookie(PLAIN_COOKIE, path="/", httponly=True, samesite="strict")
