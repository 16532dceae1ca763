"""Who asks: the 30 s internal token that the gateway mints per request and every service verifies.

The gateway checks a person's JWT once (revocation included); services trust only this token. HS256 with
`JWT_SECRET_KEY`, algorithm pinned, expiry, audience, issuer and subject required.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Request

from build_chassis import signing
from build_chassis.access_log import note_caller
from build_chassis.errors import NotFound, Unauthenticated, Unavailable
from build_chassis.signing import JWTError

Role = Literal["viewer", "developer", "admin"]
Kind = Literal["user", "key", "service"]
"""A person, an API key of whatever scope, or one of our services that asks by itself and for nobody else."""

INTERNAL_ISSUER = "build-dashboard-gateway"
INTERNAL_SECONDS = 30
_REQUIRED = {f"require_{claim}": True for claim in ("exp", "aud", "iss", "sub")}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request is made for. `projects` None means all projects."""

    name: str
    role: Role
    projects: frozenset[str] | None
    kind: Kind = "user"

    @property
    def is_full_admin(self) -> bool:
        """Whether the principal manages people, keys and agents: they reach every project."""
        return self.role == "admin" and self.projects is None

    def may_see(self, project: str) -> bool:
        """Whether this project exists for the principal."""
        return self.projects is None or project in self.projects


def mint_internal(principal: Principal, audience: str, secret: str, now: float | None = None) -> str:
    """A token with which one service believes who a request is made for, good for 30 seconds.

    Args:
        principal: Who the request is made for.
        audience: The name of the service that is asked.
        secret: The signing key, `JWT_SECRET_KEY`.
        now: When it is issued, in seconds since the Unix epoch; now when None.
    """
    issued = int(time.time() if now is None else now)
    claims = {
        "iss": INTERNAL_ISSUER,
        "aud": audience,
        "sub": principal.name,
        "iat": issued,
        "exp": issued + INTERNAL_SECONDS,
        "role": principal.role,
        "kind": principal.kind,
        "projects": None if principal.projects is None else sorted(principal.projects),
    }
    return signing.encode(claims, secret)


def read_internal(token: str, audience: str, secret: str) -> Principal:
    """The principal of an internal token.

    Args:
        token: What stands behind `Bearer`.
        audience: The name of the service that was asked.
        secret: The signing key, `JWT_SECRET_KEY`.

    Raises:
        JWTError: The token is not ours, not for this service, or expired.
        KeyError: It lacks a claim.
    """
    claims = signing.decode(token, secret, audience=audience, issuer=INTERNAL_ISSUER, options=_REQUIRED)
    projects = claims["projects"]
    return Principal(
        name=claims["sub"],
        role=claims["role"],
        projects=None if projects is None else frozenset(projects),
        kind=_kind(claims["kind"]),
    )


def _kind(name: str) -> Kind:
    if name == "user":
        return "user"
    # A gateway of another version may name others: whoever that is may do no more than a key.
    return "service" if name == "service" else "key"


def principal_reader(audience: str, secret: str) -> Callable[[Request], Principal]:
    """The dependency of a service's routes: `Annotated[Principal, Depends(principal_reader(...))]`.

    Args:
        audience: The service's own name.
        secret: The signing key, `JWT_SECRET_KEY`; without one every request is answered 503.

    Returns:
        A function that gives a request's principal. It raises Unauthenticated without a valid token, Unavailable
        without a signing key.
    """

    def read(request: Request) -> Principal:
        if not secret:
            # Signed with nothing means signed by anybody.
            raise Unavailable("this service has no JWT_SECRET_KEY, so it can trust nobody")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            if scheme.lower() != "bearer":
                raise JWTError
            return read_internal(token, audience, secret)
        except (JWTError, KeyError) as error:
            raise Unauthenticated("services answer the gateway only: ask through it") from error

    return read


def current_principal(request: Request) -> Principal:
    """The request's principal, by the reader of the service's app (`app.state.read_principal`).

    Raises:
        Unauthenticated: there is no valid token.
        Unavailable: there is no signing key.
    """
    reader: Callable[[Request], Principal] = request.app.state.read_principal
    principal = reader(request)
    note_caller(request, principal.name)
    return principal


Caller = Annotated[Principal, Depends(current_principal)]
"""A route parameter: `async def list_builds(caller: Caller, ...)`."""


def only_services(caller: Caller) -> None:
    """A dependency of routes for services: for people and keys they do not exist.

    Raises:
        NotFound: for people and keys.
    """
    if caller.kind != "service":
        raise NotFound("there is no such route")
