"""The contract of the gateway's store, the same for every driver."""

from collections.abc import Callable, Collection
from typing import Protocol

from build_chassis.store.contract import Store

from build_gateway.store.rows import AgentRow, AuditEntry, CommandRow, CommandState, Group, Key, RefreshToken, User

AGENTS_LISTED = 1000
COMMANDS_LISTED = 200
UNFINISHED_LISTED = 1000
AUDIT_LISTED = 500


class LastAdmin(RuntimeError):
    """After this change nobody could manage people and keys."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is the last enabled admin with access to all projects: make another one first, then try again"
        )


class GatewayStore(Store, Protocol):
    """Accounts, groups, keys, agents, commands and the audit trail. Calls raise StoreUnavailable without an answer."""

    async def find_user(self, name: str) -> User | None:
        """The user, or None."""
        ...

    async def list_users(self) -> list[User]:
        """All users by name."""
        ...

    async def add_user(self, user: User) -> bool:
        """Add; False when the name is taken (the key is the name)."""
        ...

    async def change_user(self, name: str, change: Callable[[User], User]) -> User | None:
        """Change the user as stored now; None where there is none. No change made meanwhile is lost.

        `change` is pure and may be called several times. Raises LastAdmin when it would take its rights from the last
        enabled admin of all projects: of several such changes at once, through any gateways, one person keeps them.
        """
        ...

    async def list_groups(self) -> list[Group]:
        """All groups by name."""
        ...

    async def put_group(self, group: Group) -> None:
        """Put the group in place of the one of this name; repeating changes nothing."""
        ...

    async def drop_group(self, name: str) -> bool:
        """Delete; False where there is none."""
        ...

    async def find_key(self, sha256: str) -> Key | None:
        """The key whose value has this hash, or None."""
        ...

    async def list_keys(self) -> list[Key]:
        """All keys, newest first."""
        ...

    async def add_key(self, key: Key) -> bool:
        """Add; False when a key with this value or id is known, which stays as it is."""
        ...

    async def change_key(self, key_id: str, change: Callable[[Key], Key]) -> Key | None:
        """Change the key as stored now; None where there is none. No change made meanwhile is lost.

        `change` is pure and may be called several times.
        """
        ...

    async def touch_key(self, key_id: str, now_ms: int) -> None:
        """Note when the key was last used and change nothing else of it."""
        ...

    async def drop_lent_keys(self, until: int) -> None:
        """Delete keys that were lent to jobs and expired before that; repeating changes nothing."""
        ...

    async def add_refresh(self, token: RefreshToken) -> None:
        """Store a refresh token by its hash; repeating changes nothing."""
        ...

    async def spend_refresh(self, sha256: str, now_ms: int) -> tuple[RefreshToken, bool] | None:
        """The token as spent, and whether this call was the one that spent it (exactly one is); None when unknown."""
        ...

    async def drop_refresh(self, family: str) -> None:
        """Delete a whole family; repeating changes nothing."""
        ...

    async def drop_expired_refresh(self, now_ms: int) -> None:
        """Delete what has expired; repeating changes nothing."""
        ...

    async def save_agent(self, agent: AgentRow) -> None:
        """Put the agent in place of the one with this (name, instance); repeating changes nothing."""
        ...

    async def list_agents(self) -> list[AgentRow]:
        """The agents seen last, newest first, at most 1,000."""
        ...

    async def drop_agents_before(self, last_seen_at: int) -> None:
        """Delete agent processes not seen since; repeating changes nothing."""
        ...

    async def add_command(self, command: CommandRow) -> None:
        """Store a command by its id, unless one of that id is there: that one stays as it is."""
        ...

    async def find_command(self, command_id: str) -> CommandRow | None:
        """The command, or None."""
        ...

    async def list_commands(self, *, agent: str | None = None, build_id: str | None = None) -> list[CommandRow]:
        """The newest 200 commands, newest first."""
        ...

    async def list_unfinished(self) -> list[CommandRow]:
        """The commands that have not ended (queued, sent, accepted), oldest first, at most `UNFINISHED_LISTED`."""
        ...

    async def drop_commands_before(self, created_at: int) -> None:
        """Delete commands ordered before that time; repeating changes nothing."""
        ...

    async def list_waiting(self, agent: str) -> list[CommandRow]:
        """The agent's commands that no one has acked yet, oldest first."""
        ...

    async def move_command(self, command: CommandRow, expected: Collection[CommandState]) -> bool:
        """Put the command in place if its stored state is one of `expected`; False when another was faster."""
        ...

    async def append_audit(self, entry: AuditEntry) -> None:
        """Add to the audit trail; the one write that repeating would double, so it is not retried."""
        ...

    async def list_audit(self, before: int | None = None) -> list[AuditEntry]:
        """The newest 500 entries, newest first.

        Args:
            before: Only entries of this time or earlier, in milliseconds since the Unix epoch.
        """
        ...
