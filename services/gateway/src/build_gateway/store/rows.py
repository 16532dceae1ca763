"""What the gateway stores: people, groups, keys, refresh tokens, agents, commands and the audit trail.

Rows are kept as JSON beside the few columns that are searched, so that a new field needs no migration and an older
release keeps running.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Literal, Self

from build_chassis.auth import ProjectRole, Role
from build_protocol.frames import SourceHealth, UnbuildableProject
from build_protocol.model import EpochMs, WireModel
from pydantic import Field

PROJECTS = 1000
"""Projects that a row holds at most."""

Scope = Literal["agent", "read"]
TokenLevel = Literal["read", "write", "admin"]
"""What a personal token may: read; change what its person may; manage people, keys and agents, too."""

Transport = Literal["websocket", "post"]
CommandKind = Literal["cancel", "trigger", "drain", "resume"]
CommandState = Literal["queued", "sent", "accepted", "done", "rejected", "expired"]


class Rights(WireModel):
    """What somebody may do: `role` in `projects` (absent: in all), and another one in single projects by `roles`."""

    role: Role
    projects: tuple[str, ...] | None = None
    roles: dict[str, ProjectRole] = Field(
        default_factory=dict, description="Roles in single projects, beside; of several roles the highest counts."
    )


class Group(Rights):
    """A group of people: each of its members may do what the group may."""

    name: str
    created_at: EpochMs


class UserView(Rights):
    """A person, without what must stay secret; `projects` absent means all."""

    name: str
    groups: tuple[str, ...] = Field((), description="Groups the person is in; those nobody made give no rights.")
    disabled: bool = False
    on_hold: bool = Field(
        False, description="No log-in until an admin confirms it: what was taken from it since the backup is not known."
    )
    created_at: EpochMs


class SecondFactor(WireModel):
    """An authenticator: its sealed secret, the last step of which a code was shown, hashes of recovery codes left."""

    secret: str
    is_on: bool = False
    last_step: int = 0
    recovery: tuple[str, ...] = ()


class User(UserView):
    """A person. `version` grows with every change that ends earlier tokens.

    `ended_sessions`: log-ins ended by a log-out, each with the time by which the last of its access tokens is expired.
    """

    password_hash: str
    """Empty: there is no password, the single sign-on lets the person in."""
    identity: str = ""
    """Of the single sign-on's person, who may change their name."""
    provider_token: str = ""
    """Sealed; by it the provider is asked again."""
    vouched_at: EpochMs = 0
    ask_claim: str = ""
    claimed_at: EpochMs = 0
    version: int = 1
    ended_sessions: dict[str, EpochMs] = Field(default_factory=dict)
    second_factor: SecondFactor | None = None

    @property
    def may_log_in(self) -> bool:
        """Neither disabled nor waiting for an admin."""
        return not self.disabled and not self.on_hold

    @property
    def is_full_admin(self) -> bool:
        """Whether this person can give everybody, the own account included, every right back."""
        return self.role == "admin" and not self.disabled and self.projects is None


class KeyView(WireModel):
    """A key without its value; `projects` absent means all."""

    id: str
    name: str
    scopes: tuple[Scope, ...] = ("agent",)
    projects: tuple[str, ...] | None = None
    created_by: str
    created_at: EpochMs
    expires_at: EpochMs | None = None
    revoked_at: EpochMs | None = None
    last_used_at: EpochMs | None = None
    subject: str | None = Field(None, description="The job of a CI that it was lent to, as the CI names it.")
    on_hold: bool = Field(
        False, description="Not taken until an admin confirms it: whether it was revoked since the backup is not known."
    )


class Key(KeyView):
    """An API key, or the token of a person (`user`), who may what `level` says; only its value's SHA-256 is stored."""

    sha256: str
    user: str | None = None
    level: TokenLevel | None = None
    password: str | None = None
    """Of a person's token: which password was in force when it was made (a part of a hash of its hash)."""

    @property
    def is_agents(self) -> bool:
        """Whether an admin made it for agents: no person's and no job's."""
        return self.user is None and self.subject is None

    def is_usable(self, now_ms: int) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now_ms < self.expires_at)

    def may_use(self, project: str) -> bool:
        """Whether the project is in the key's scope."""
        return self.projects is None or project in self.projects


class RefreshToken(WireModel):
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


class AgentProcess(WireModel):
    """An agent process as last seen by a gateway; (name, instance) distinguishes copies."""

    name: str
    instance: str
    host: str | None = None
    version: str
    connected: bool
    transport: Transport = Field(
        "websocket", description="How it reaches the gateway: `post` where no WebSocket passes."
    )
    connected_at: EpochMs
    last_seen_at: EpochMs
    clock_skew_ms: int | None = Field(
        None, description="Its wall clock less the server's, when it connected; above zero: its clock is ahead."
    )
    spool_bytes: int = 0
    oldest_unacked_ms: int | None = None
    disk_free_bytes: int | None = None


class AgentRow(AgentProcess):
    """An agent process, whose connection it is, and what it builds."""

    key_id: str
    gateway: str
    session: str
    builds: dict[str, str] = Field(default_factory=dict)
    """What runs, each build with its project."""
    serves: tuple[str, ...] = ()
    unbuildable: tuple[UnbuildableProject, ...] = ()
    sources: tuple[SourceHealth, ...] = ()
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


class CommandView(WireModel):
    """An order to an agent and what became of it: stored first, then sent, resent until acked."""

    id: str
    kind: CommandKind
    state: CommandState = "queued"
    agent: str = Field(description="On whose socket it is sent.")
    build_id: str | None = None
    project: str | None = None
    args: dict[str, str] = Field({})
    requested_by: str
    created_at: EpochMs
    updated_at: EpochMs
    expires_at: EpochMs = Field(description="It is carried out before this or never.")
    detail: str | None = None
    result_build_id: str | None = None


class CommandRow(CommandView):
    """An order as it is stored; `session` is the agent process that it was sent to."""

    session: str | None = None


class AuditEntry(WireModel):
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
    lent_until_at = None if key.subject is None else key.expires_at
    return {
        "sha256": key.sha256,
        "created_at": key.created_at,
        "lent_until_at": lent_until_at,
        "body": key.model_dump_json(),
    }


def command_row(command: CommandRow) -> dict[str, Any]:
    """What a command is found by, beside all of it as JSON text in `body`."""
    found_by = command.model_dump(include={"agent", "build_id", "state", "created_at"})
    return {**found_by, "body": command.model_dump_json()}
