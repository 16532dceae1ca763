"""The SQL driver: SQLite (embedded default) and MySQL/MariaDB by one SQLAlchemy Core code."""

from collections.abc import Callable, Collection
from typing import Any

from build_chassis.store.sql import SqlEngine
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    select,
    update,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import IntegrityError

from build_gateway.store.contract import AGENTS_LISTED, AUDIT_LISTED, COMMANDS_LISTED, LastAdmin
from build_gateway.store.rows import AgentRow, AuditEntry, CommandRow, CommandState, Key, RefreshToken, User

# Names are compared byte by byte, as SQLite does: `Ann` and `ann` are two people.
_EXACT: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
# SQLite counts up by itself only in a column of type INTEGER.
_COUNTER = BigInteger().with_variant(Integer(), "sqlite")
_BODY = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")

metadata = MetaData()

users = Table(
    "users", metadata, Column("name", String(128), primary_key=True), Column("body", _BODY, nullable=False), **_EXACT
)

keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    Column("body", _BODY, nullable=False),
    **_EXACT,
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("family", String(64), nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("spent_at", BigInteger),
    Column("body", _BODY, nullable=False),
    **_EXACT,
)

agents = Table(
    "agents",
    metadata,
    # By its hash: name and instance together are longer than an index key may be.
    Column("process", String(64), primary_key=True),
    Column("last_seen_at", BigInteger, nullable=False, index=True),
    Column("body", _BODY, nullable=False),
    **_EXACT,
)

commands = Table(
    "commands",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("agent", String(128), nullable=False),
    Column("build_id", String(64), index=True),
    Column("state", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("body", _BODY, nullable=False),
    Index("commands_of_agent", "agent", "state", "created_at"),
    **_EXACT,
)

audit = Table(
    "audit",
    metadata,
    Column("id", _COUNTER, primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("body", _BODY, nullable=False),
    **_EXACT,
)


class SqlGatewayStore:
    """The gateway's rows in six tables."""

    def __init__(self, url: str) -> None:
        self._engine = SqlEngine(url)

    async def open(self) -> None:
        """Connect and bring the schema up to date."""
        await self._engine.migrate(metadata, ())

    async def close(self) -> None:
        """Disconnect."""
        await self._engine.close()

    async def ping(self) -> None:
        """Return when the store answers."""
        await self._engine.read(lambda db: db.execute(select(1)).scalar_one())

    async def find_user(self, name: str) -> User | None:
        """The user, or None."""
        body = await self._body(select(users.c.body).where(users.c.name == name))
        return None if body is None else User.model_validate_json(body)

    async def list_users(self) -> list[User]:
        """All users by name."""
        return [
            User.model_validate_json(body) for body in await self._bodies(select(users.c.body).order_by(users.c.name))
        ]

    async def add_user(self, user: User) -> bool:
        """Add; False when the name is taken (the key is the name)."""
        return await self._add(users, {"name": user.name, "body": user.model_dump_json()})

    async def change_user(self, name: str, change: Callable[[User], User]) -> User | None:
        """Change the user as stored now; None where there is none. Raises LastAdmin."""
        # All rows, in one order: changes through other gateways wait here, whomever they are about. SQLite's writers
        # take turns anyway.
        everybody = select(users.c.name, users.c.body).order_by(users.c.name).with_for_update()

        def apply(db: Connection) -> User | None:
            bodies = {row.name: row.body for row in db.execute(everybody)}
            if name not in bodies:
                return None
            before = User.model_validate_json(bodies.pop(name))
            after = change(before)
            if before.is_full_admin and not after.is_full_admin:
                others = (User.model_validate_json(body) for body in bodies.values())
                if not any(other.is_full_admin for other in others):
                    raise LastAdmin(name)
            db.execute(update(users).where(users.c.name == name).values(body=after.model_dump_json()))
            return after

        return await self._engine.write(apply)

    async def find_key(self, sha256: str) -> Key | None:
        """The key whose value has this hash, or None."""
        rows = await self._rows(select(keys.c.body, keys.c.last_used_at).where(keys.c.sha256 == sha256))
        return _key(*rows[0]) if rows else None

    async def list_keys(self) -> list[Key]:
        """All keys, newest first."""
        rows = await self._rows(select(keys.c.body, keys.c.last_used_at).order_by(keys.c.created_at.desc(), keys.c.id))
        return [_key(*row) for row in rows]

    async def add_key(self, key: Key) -> bool:
        """Add; False when a key with this value or id is known, which stays as it is."""
        return await self._add(keys, {"id": key.id, **_key_columns(key)})

    async def save_key(self, key: Key) -> None:
        """Put the key in place of the one with this id; repeating changes nothing."""
        await self._put(keys, {"id": key.id}, _key_columns(key))

    async def touch_key(self, key_id: str, now_ms: int) -> None:
        """Note when the key was last used and change nothing else of it."""
        await self._engine.write(
            lambda db: db.execute(update(keys).where(keys.c.id == key_id).values(last_used_at=now_ms)).rowcount
        )

    async def add_refresh(self, token: RefreshToken) -> None:
        """Remember a refresh token by its hash; repeating changes nothing."""
        columns = {"family": token.family, "expires_at": token.expires_at, "body": token.model_dump_json()}
        await self._put(refresh_tokens, {"sha256": token.sha256}, columns)

    async def spend_refresh(self, sha256: str, now_ms: int) -> tuple[RefreshToken, bool] | None:
        """The token as spent, and whether this call was the one that spent it (exactly one is); None when unknown."""

        def spend(db: Connection) -> tuple[RefreshToken, bool] | None:
            mine = refresh_tokens.c.sha256 == sha256
            unspent = refresh_tokens.c.spent_at.is_(None)
            was_first = db.execute(update(refresh_tokens).where(mine, unspent).values(spent_at=now_ms)).rowcount == 1
            row = db.execute(select(refresh_tokens.c.body, refresh_tokens.c.spent_at).where(mine)).first()
            if row is None:
                return None
            token = RefreshToken.model_validate_json(row.body)
            return token.model_copy(update={"spent_at": row.spent_at}), was_first

        return await self._engine.write(spend)

    async def drop_refresh(self, family: str) -> None:
        """Forget a whole family; repeating changes nothing."""
        await self._engine.write(
            lambda db: db.execute(delete(refresh_tokens).where(refresh_tokens.c.family == family)).rowcount
        )

    async def drop_expired_refresh(self, now_ms: int) -> None:
        """Forget what has expired; repeating changes nothing."""
        await self._engine.write(
            lambda db: db.execute(delete(refresh_tokens).where(refresh_tokens.c.expires_at < now_ms)).rowcount
        )

    async def save_agent(self, agent: AgentRow) -> None:
        """Put the agent in place of the one with this (name, instance); repeating changes nothing."""
        columns = {"last_seen_at": agent.last_seen_at, "body": agent.model_dump_json()}
        await self._put(agents, {"process": agent.process}, columns)

    async def list_agents(self) -> list[AgentRow]:
        """The agents seen last, newest first, at most 1,000."""
        query = select(agents.c.body).order_by(agents.c.last_seen_at.desc()).limit(AGENTS_LISTED)
        return [AgentRow.model_validate_json(body) for body in await self._bodies(query)]

    async def drop_agents_before(self, last_seen_ms: int) -> None:
        """Forget agent processes not seen since; repeating changes nothing."""
        await self._engine.write(
            lambda db: db.execute(delete(agents).where(agents.c.last_seen_at < last_seen_ms)).rowcount
        )

    async def add_command(self, command: CommandRow) -> None:
        """Remember a command by its id; repeating changes nothing."""
        await self._put(commands, {"id": command.id}, _command_columns(command))

    async def find_command(self, command_id: str) -> CommandRow | None:
        """The command, or None."""
        body = await self._body(select(commands.c.body).where(commands.c.id == command_id))
        return None if body is None else CommandRow.model_validate_json(body)

    async def list_commands(self, *, agent: str | None = None, build_id: str | None = None) -> list[CommandRow]:
        """The newest 200 commands, newest first."""
        query = select(commands.c.body).order_by(commands.c.created_at.desc(), commands.c.id).limit(COMMANDS_LISTED)
        if agent is not None:
            query = query.where(commands.c.agent == agent)
        if build_id is not None:
            query = query.where(commands.c.build_id == build_id)
        return [CommandRow.model_validate_json(body) for body in await self._bodies(query)]

    async def list_waiting(self, agent: str) -> list[CommandRow]:
        """The agent's commands that no one has acked yet, oldest first."""
        waits = commands.c.state.in_(("queued", "sent"))
        query = select(commands.c.body).where(commands.c.agent == agent, waits).order_by(commands.c.created_at)
        return [CommandRow.model_validate_json(body) for body in await self._bodies(query.limit(COMMANDS_LISTED))]

    async def move_command(self, command: CommandRow, expected: Collection[CommandState]) -> bool:
        """Put the command in place if its stored state is one of `expected`; False when another was faster."""
        mine = update(commands).where(commands.c.id == command.id, commands.c.state.in_(expected))
        return await self._engine.write(lambda db: db.execute(mine.values(_command_columns(command))).rowcount == 1)

    async def append_audit(self, entry: AuditEntry) -> None:
        """Add to the audit trail; the one write that repeating would double, so nobody repeats it."""
        await self._engine.write(
            lambda db: db.execute(audit.insert().values(at=entry.at, body=entry.model_dump_json())).rowcount
        )

    async def list_audit(self) -> list[AuditEntry]:
        """The newest 500 entries, newest first."""
        query = select(audit.c.body).order_by(audit.c.id.desc()).limit(AUDIT_LISTED)
        return [AuditEntry.model_validate_json(body) for body in await self._bodies(query)]

    async def _add(self, table: Table, columns: dict[str, Any]) -> bool:
        def add(db: Connection) -> bool:
            try:
                with db.begin_nested():
                    db.execute(table.insert().values(columns))
            except IntegrityError:
                return False
            return True

        return await self._engine.write(add)

    async def _put(self, table: Table, key: dict[str, Any], columns: dict[str, Any]) -> None:
        change = update(table).where(*(table.c[name] == value for name, value in key.items())).values(columns)

        def put(db: Connection) -> None:
            if db.execute(change).rowcount:
                return
            try:
                with db.begin_nested():
                    db.execute(table.insert().values(**key, **columns))
            except IntegrityError:
                # Another gateway put the same new row a moment ago.
                db.execute(change)

        await self._engine.write(put)

    async def _rows(self, query: Any) -> list[Any]:
        return await self._engine.read(lambda db: list(db.execute(query).all()))

    async def _bodies(self, query: Any) -> list[str]:
        return [row[0] for row in await self._rows(query)]

    async def _body(self, query: Any) -> str | None:
        return next(iter(await self._bodies(query)), None)


def _key(body: str, last_used_at: int | None) -> Key:
    return Key.model_validate_json(body).model_copy(update={"last_used_at": last_used_at})


def _key_columns(key: Key) -> dict[str, Any]:
    return {"sha256": key.sha256, "created_at": key.created_at, "body": key.model_dump_json()}


def _command_columns(command: CommandRow) -> dict[str, Any]:
    return {
        "agent": command.agent,
        "build_id": command.build_id,
        "state": command.state,
        "created_at": command.created_at,
        "body": command.model_dump_json(),
    }
