"""What the gateway stores: people, keys, refresh tokens, agents, commands and the audit trail.

Rows are kept as JSON beside the few columns that are searched, so that a new field needs no migration and an older
release keeps running.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Literal, Self

from build_chassis.auth import Role
from build_protocol.frames import UnbuildableProject
from build_protocol.model import EpochMs
from pydantic import BaseModel, ConfigDict

PROJECTS = 1000
"""Projects that a row holds at most."""

Scope = Literal["agent", "read"]
CommandKind = Literal["cancel", "trigger", "drain", "resume"]
CommandState = Literal["queued", "sent", "accepted", "done", "rejected", "expired"]


class Row(BaseModel):
    """A stored fact; times are milliseconds since the Unix epoch."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class User(Row):
    """A person. `projects` None means all; `version` grows with every change that ends earlier tokens.

    `ended_sessions`: log-ins ended by a log-out, each with the time by which the last of its access tokens is expired.
    """

    name: str
    role: Role
    projects: tuple[str, ...] | None = None
    password_hash: str
    version: int = 1
    disabled: bool = False
    created_at: EpochMs
    ended_sessions: dict[str, EpochMs] = {}

    @property
    def is_full_admin(self) -> bool:
        """Whether this person can give everybody, the own account included, every right back."""
        return self.role == "admin" and not self.disabled and self.projects is None


class Key(Row):
    """An API key; only the SHA-256 of its value is stored."""

    id: str
    name: str
    sha256: str
    scopes: tuple[Scope, ...] = ("agent",)
    projects: tuple[str, ...] | None = None
    created_by: str
    created_at: EpochMs
    expires_at: EpochMs | None = None
    revoked_at: EpochMs | None = None
    last_used_at: EpochMs | None = None

    def is_usable(self, now_ms: int) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now_ms < self.expires_at)

    def may_use(self, project: str) -> bool:
        """Whether the project is in the key's scope."""
        return self.projects is None or project in self.projects


class RefreshToken(Row):
    """A refresh cookie, spent by its first use; its session ends when it is shown again long after that.

    `family` is the session: one log-in and all that renews it. `session_ends_at`: renewed or not, it ends then.
    """

    sha256: str
    family: str
    user: str
    user_version: int
    session_ends_at: EpochMs
    expires_at: EpochMs
    spent_at: EpochMs | None = None


class AgentRow(Row):
    """An agent process as last seen by a gateway; (name, instance) distinguishes copies."""

    name: str
    instance: str
    host: str | None = None
    version: str
    key_id: str
    gateway: str
    session: str
    connected: bool
    connected_at: EpochMs
    last_seen_at: EpochMs
    clock_skew_ms: int | None = None
    """Its wall clock less the gateway's, at HELLO; above zero: its clock is ahead."""
    spool_bytes: int = 0
    oldest_unacked_ms: int | None = None
    disk_free_bytes: int | None = None
    builds: dict[str, str] = {}
    """What runs, each build with its project."""
    serves: tuple[str, ...] = ()
    unbuildable: tuple[UnbuildableProject, ...] = ()
    projects: tuple[str, ...] = ()
    """What it serves and has built since it connected: who may see one of these may see the agent."""

    def with_projects(self, projects: Iterable[str]) -> Self:
        """The row with these projects, and those of its builds, among its own."""
        known = dict.fromkeys((*self.projects, *projects, *self.builds.values()))
        return self.model_copy(update={"projects": tuple(known)[:PROJECTS]})

    @property
    def process(self) -> str:
        """The key of (name, instance), of fixed length."""
        return hashlib.sha256(f"{self.name}\0{self.instance}".encode()).hexdigest()


class CommandRow(Row):
    """An order to an agent: stored first, then sent, resent until acked."""

    id: str
    kind: CommandKind
    agent: str
    build_id: str | None = None
    project: str | None = None
    args: dict[str, str] = {}
    requested_by: str
    created_at: EpochMs
    expires_at: EpochMs
    state: CommandState = "queued"
    session: str | None = None
    detail: str | None = None
    result_build_id: str | None = None
    updated_at: EpochMs


class AuditEntry(Row):
    """Who did what to whom, from where, with what result; `before` is the hash of entry `number` - 1 of the chain."""

    at: EpochMs
    who: str
    action: str
    subject: str
    detail: str | None = None
    address: str | None = None
    result: str | None = None
    request_id: str | None = None
    chain: str = ""
    number: int = 0
    before: str = ""
    hash: str = ""


def key_row(key: Key) -> dict[str, Any]:
    """What a key is found by, beside all of it as JSON text in `body`."""
    return {"sha256": key.sha256, "created_at": key.created_at, "body": key.model_dump_json()}


def command_row(command: CommandRow) -> dict[str, Any]:
    """What a command is found by, beside all of it as JSON text in `body`."""
    found_by = command.model_dump(include={"agent", "build_id", "state", "created_at"})
    return {**found_by, "body": command.model_dump_json()}
