"""Who asks, and what they may do in which project: the one rule, and the token that carries it between services.

The gateway checks a person's JWT once (revocation included); services trust only this token. HS256 with
`JWT_SECRET_KEY`, algorithm pinned, expiry, audience, issuer and subject required.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Literal, get_args

from fastapi import Depends, Request

from build_chassis import signing
from build_chassis.access_log import note_caller
from build_chassis.errors import Forbidden, NotFound, Unauthenticated, Unavailable
from build_chassis.signing import JWTError

ProjectRole = Literal["viewer", "developer", "maintainer"]
"""What somebody may do in a project: read; change what its builds and failures mean; decide who may do what in it."""

Role = Literal["viewer", "developer", "maintainer", "admin"]
"""Each may do what those before it may. An admin of all projects is the installation's."""

Kind = Literal["user", "key", "service"]
"""A person, an API key of whatever scope, or one of our services that asks by itself and for nobody else."""

INTERNAL_ISSUER = "build-dashboard-gateway"
INTERNAL_SECONDS = 30
_SAME_SECONDS = 10
"""For so long a principal's token for a service is the same: signing and checking one anew costs more than a read."""

_TOKENS_KEPT = 1024
_REQUIRED = {f"require_{claim}": True for claim in ("exp", "aud", "iss", "sub")}
_RANK: Mapping[str, int] = {role: rank for rank, role in enumerate(get_args(Role))}


def rank_of(role: Role) -> int:
    """The place of a role among all: the higher one may do all that the lower one may."""
    return _RANK[role]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request is made for.

    `projects` are those that exist for the principal, None: all. `role` is theirs in each of them that `roles` does
    not name; `roles` are those in single projects. Whatever depends on a role asks `require` or `may`: nobody has one
    role for all they see.
    """

    name: str
    role: Role
    projects: frozenset[str] | None
    kind: Kind = "user"
    roles: Mapping[str, ProjectRole] = field(default_factory=dict)

    @property
    def is_full_admin(self) -> bool:
        """Whether the principal manages people, keys and agents: they reach every project."""
        return self.role == "admin" and self.projects is None

    def role_in(self, project: str) -> Role | None:
        """The principal's role in a project; None: the project does not exist for them."""
        if self.projects is not None and project not in self.projects:
            return None
        return self.roles.get(project, self.role)

    def may_see(self, project: str) -> bool:
        """Whether this project exists for the principal."""
        return self.projects is None or project in self.projects

    def may(self, project: str, least: Role) -> bool:
        """Whether the principal has at least this role in a project."""
        role = self.role_in(project)
        return role is not None and _RANK[role] >= _RANK[least]

    def projects_where(self, least: Role) -> frozenset[str] | None:
        """The projects in which the principal has at least this role; None: all."""
        if self.projects is None and _RANK[self.role] >= _RANK[least]:
            return None
        known = self.roles.keys() if self.projects is None else self.projects
        return frozenset(project for project in known if self.may(project, least))

    def require(self, project: str, least: Role) -> None:
        """The rule of every change in a project.

        Args:
            project: What is changed belongs to it.
            least: The lowest role that may.

        Raises:
            NotFound: The project does not exist for the principal.
            Forbidden: Their role in it is a lower one.
        """
        if not self.may_see(project):
            raise NotFound(f"no project {project}")
        if not self.may(project, least):
            raise Forbidden(f"this needs role {least} in project {project}")


def mint_internal(principal: Principal, audience: str, secret: str, now: float | None = None) -> str:
    """A token with which one service believes who a request is made for, good for 20 to 30 seconds.

    Args:
        principal: Who the request is made for.
        audience: The name of the service that is asked.
        secret: The signing key, `JWT_SECRET_KEY`.
        now: When it is issued, in seconds since the Unix epoch; now when None.
    """
    issued = int(time.time() if now is None else now)
    roles = tuple(principal.roles.items())
    return _mint(
        principal.name,
        principal.role,
        principal.projects,
        principal.kind,
        roles,
        audience,
        secret,
        issued - issued % _SAME_SECONDS,
    )


@lru_cache(_TOKENS_KEPT)
def _mint(  # noqa: PLR0917  what the cache goes by
    name: str,
    role: Role,
    projects: frozenset[str] | None,
    kind: Kind,
    roles: tuple[tuple[str, ProjectRole], ...],
    audience: str,
    secret: str,
    issued: int,
) -> str:
    claims = {
        "iss": INTERNAL_ISSUER,
        "aud": audience,
        "sub": name,
        "iat": issued,
        "exp": issued + INTERNAL_SECONDS,
        "role": role,
        "kind": kind,
        "projects": None if projects is None else sorted(projects),
        "roles": dict(roles),
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
    principal, expires_at = _read(token, audience, secret)
    if time.time() >= expires_at:
        raise JWTError("expired")
    return principal


@lru_cache(_TOKENS_KEPT)
def _read(token: str, audience: str, secret: str) -> tuple[Principal, int]:
    """The principal, and when the token ends, in seconds since the Unix epoch; what is refused is not kept."""
    claims = signing.decode(token, secret, audience=audience, issuer=INTERNAL_ISSUER, options=_REQUIRED)
    projects = claims["projects"]
    principal = Principal(
        name=claims["sub"],
        role=claims["role"],
        projects=None if projects is None else frozenset(projects),
        kind=_kind(claims["kind"]),
        roles=MappingProxyType(claims["roles"]),
    )
    return principal, claims["exp"]


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


async def current_principal(request: Request) -> Principal:
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


async def only_services(caller: Caller) -> None:
    """A dependency of routes for services: for people and keys they do not exist.

    Raises:
        NotFound: for people and keys.
    """
    if caller.kind != "service":
        raise NotFound("there is no such route")
