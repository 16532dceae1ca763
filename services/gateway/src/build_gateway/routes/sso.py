"""Single sign-on: to the provider and back, and the provider's own log-out."""

import secrets
from typing import Annotated
from urllib.parse import parse_qs

from build_chassis import signing
from build_chassis.access_log import note_caller
from build_chassis.errors import NotFound, ServiceError
from build_chassis.signing import JWTError
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from build_gateway.accounts.provider import NotProven
from build_gateway.accounts.sso import SingleSignOn
from build_gateway.caller import client_address
from build_gateway.dependencies import Dependencies, Needs
from build_gateway.routes.auth import is_secure, set_refresh

router = APIRouter(prefix="/api/auth/sso", tags=["auth"])
ISSUER, AUDIENCE = "build-dashboard", "build-dashboard-sso"
BACK_SECONDS = 600
"""So long a person may take at the provider."""
LONGEST_NEXT = 1000
_REQUIRED = {f"require_{claim}": True for claim in ("exp", "aud", "iss")}


@router.get("", status_code=303, response_class=RedirectResponse, include_in_schema=False)
async def begin(
    request: Request,
    needs: Needs,
    next_page: Annotated[str, Query(alias="next", max_length=LONGEST_NEXT, description="A page here.")] = "/",
) -> Response:
    """To the provider; what belongs to this one attempt waits in a cookie of this browser."""
    sso = _sso(needs)
    attempt = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
    address = await sso.provider.address(_redirect_uri(needs), attempt["state"], attempt["nonce"], attempt["verifier"])
    claims = {**attempt, "next": next_page, "iss": ISSUER, "aud": AUDIENCE, "exp": needs.clock() // 1000 + BACK_SECONDS}
    answer = RedirectResponse(address, 303)
    answer.set_cookie(
        _cookie_name(request, needs),
        signing.encode(claims, needs.settings.jwt_secret_key),
        max_age=BACK_SECONDS,
        path="/",
        secure=is_secure(request, needs),
        httponly=True,
        samesite="lax",  # the provider's page leads back here
    )
    return answer


@router.get("/callback", status_code=303, response_class=RedirectResponse, include_in_schema=False)
async def come_back(
    request: Request,
    needs: Needs,
    code: Annotated[str, Query(max_length=4096)] = "",
    state: Annotated[str, Query(max_length=512)] = "",
    error: Annotated[str, Query(max_length=512)] = "",
) -> Response:
    """Back from the provider with a code that is good once, for this browser's attempt only."""
    sso, address = _sso(needs), client_address(request)
    try:
        attempt = _attempt(request, needs)
        if not secrets.compare_digest(state.encode(), str(attempt["state"]).encode()):
            raise NotProven("it was begun in another browser, or twice")
        if error or not code:
            raise NotProven(f"it answered {error[:100]!r}")
        proof = await sso.provider.redeem(code, _redirect_uri(needs), attempt["nonce"], attempt["verifier"])
        grant = await sso.log_in(proof)
    except ServiceError as refusal:
        needs.metrics.logins.labels("refused").inc()
        await needs.audit.note("nobody", "single sign-on refused", address, refusal.detail)
        raise
    needs.metrics.logins.labels("accepted").inc()
    note_caller(request, grant.user.name)
    await needs.audit.note(grant.user.name, "login", address, "by single sign-on")
    answer = RedirectResponse(_local(str(attempt["next"])), 303)
    answer.delete_cookie(_cookie_name(request, needs), path="/", secure=is_secure(request, needs), httponly=True)
    set_refresh(grant, request, answer, needs)
    return answer


@router.post("/logout", status_code=204)
async def provider_logged_out(request: Request, needs: Needs) -> None:
    """OpenID Connect back-channel logout: the provider's signed token ends all sessions of whom it names."""
    sso = _sso(needs)
    form = parse_qs((await request.body()).decode(errors="replace"))
    subject = await sso.provider.logged_out((form.get("logout_token") or [""])[0])
    await sso.end(subject)


def _sso(needs: Dependencies) -> SingleSignOn:
    if needs.sso is None:
        raise NotFound("there is no single sign-on here", remedy="Its operator sets GATEWAY_OIDC_ISSUER.")
    return needs.sso


def _attempt(request: Request, needs: Dependencies) -> dict[str, str]:
    cookie = request.cookies.get(_cookie_name(request, needs), "")
    try:
        secret = needs.settings.jwt_secret_key
        return signing.decode(cookie, secret, audience=AUDIENCE, issuer=ISSUER, options=_REQUIRED)
    except JWTError as error:
        raise NotProven("it took too long, or was begun in another browser") from error


def _redirect_uri(needs: Dependencies) -> str:
    return f"{(needs.settings.dashboard_url or '').rstrip('/')}/api/auth/sso/callback"


def _cookie_name(request: Request, needs: Dependencies) -> str:
    return "__Host-sso" if is_secure(request, needs) else "sso"


def _local(page: str) -> str:
    """The page, if it is one of ours: browsers read `//x`, and backslashes as well, as another host."""
    is_ours = page.startswith("/") and not page.startswith(("//", "/\\")) and page.isprintable()
    return page if is_ours else "/"
