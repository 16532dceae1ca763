"""The SQL driver: SQLite (embedded default) and MySQL/MariaDB by one SQLAlchemy Core code."""

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from build_chassis.store.sql import additions
from build_chassis.store.sql_store import SqlStore
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
from sqlalchemy.schema import SchemaItem
from typing_extensions import override

from build_gateway.store import contract, rows
from build_gateway.store.contract import GatewayStore, LastAdmin
from build_gateway.store.rows import AgentRow, AuditEntry, CommandRow, CommandState, Group, Key, RefreshToken, User

# Names are compared byte by byte, as SQLite does: `Ann` and `ann` are two people.
_EXACT: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
# SQLite counts up by itself only in a column of type INTEGER.
_COUNTER = BigInteger().with_variant(Integer(), "sqlite")
_BODY = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")

metadata = MetaData()


def _table(name: str, *parts: SchemaItem) -> Table:
    """A table of rows that stand as JSON in `body`, beside the columns that are searched."""
    return Table(name, metadata, *parts, Column("body", _BODY, nullable=False), **_EXACT)


users = _table("users", Column("name", String(128), primary_key=True))

groups = _table("groups_of_people", Column("name", String(128), primary_key=True))

keys = _table(
    "api_keys",
    Column("id", String(32), primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    Column("lent_until_at", BigInteger, index=True),
)

refresh_tokens = _table(
    "refresh_tokens",
    Column("sha256", String(64), primary_key=True),
    Column("family", String(64), nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("spent_at", BigInteger),
)

agents = _table(
    "agents",
    # By its hash: name and instance together are longer than an index key may be.
    Column("process", String(64), primary_key=True),
    Column("last_seen_at", BigInteger, nullable=False, index=True),
)

commands = _table(
    "commands",
    Column("id", String(64), primary_key=True),
    Column("agent", String(128), nullable=False),
    Column("build_id", String(64), index=True),
    Column("state", String(16), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False, index=True),
    Index("commands_of_agent", "agent", "state", "created_at"),
)

audit = _table(
    "audit",
    Column("id", _COUNTER, primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
)


class SqlGatewayStore(SqlStore, GatewayStore):
    """The gateway's rows in seven tables."""

    def __init__(self, url: str) -> None:
        super().__init__(url, metadata, steps=[additions(metadata)])

    @override
    async def find_user(self, name: str) -> User | None:
        body = await self._body(select(users.c.body).where(users.c.name == name))
        return None if body is None else User.model_validate_json(body)

    @override
    async def list_users(self) -> list[User]:
        return [
            User.model_validate_json(body) for body in await self._bodies(select(users.c.body).order_by(users.c.name))
        ]

    @override
    async def add_user(self, user: User) -> bool:
        return await self._add(users, {"name": user.name, "body": user.model_dump_json()})

    @override
    async def change_user(self, name: str, change: Callable[[User], User]) -> User | None:
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

    @override
    async def list_groups(self) -> list[Group]:
        bodies = await self._bodies(select(groups.c.body).order_by(groups.c.name))
        return [Group.model_validate_json(body) for body in bodies]

    @override
    async def put_group(self, group: Group) -> None:
        await self._put(groups, {"name": group.name}, {"body": group.model_dump_json()})

    @override
    async def drop_group(self, name: str) -> bool:
        mine = delete(groups).where(groups.c.name == name)
        return await self._engine.write(lambda db: db.execute(mine).rowcount == 1)

    @override
    async def find_key(self, sha256: str) -> Key | None:
        rows = await self._rows(select(keys.c.body, keys.c.last_used_at).where(keys.c.sha256 == sha256))
        return _key(*rows[0]) if rows else None

    @override
    async def list_keys(self) -> list[Key]:
        rows = await self._rows(select(keys.c.body, keys.c.last_used_at).order_by(keys.c.created_at.desc(), keys.c.id))
        return [_key(*row) for row in rows]

    @override
    async def add_key(self, key: Key) -> bool:
        return await self._add(keys, {"id": key.id, **rows.key_row(key)})

    @override
    async def change_key(self, key_id: str, change: Callable[[Key], Key]) -> Key | None:
        mine = keys.c.id == key_id

        def apply(db: Connection) -> Key | None:
            row = db.execute(select(keys.c.body, keys.c.last_used_at).where(mine).with_for_update()).first()
            if row is None:
                return None
            after = change(_key(row.body, row.last_used_at))
            db.execute(update(keys).where(mine).values(rows.key_row(after)))
            return after

        return await self._engine.write(apply)

    @override
    async def touch_key(self, key_id: str, now_ms: int) -> None:
        await self._engine.write(
            lambda db: db.execute(update(keys).where(keys.c.id == key_id).values(last_used_at=now_ms)).rowcount
        )

    @override
    async def drop_lent_keys(self, until: int) -> None:
        await self._engine.write(lambda db: db.execute(delete(keys).where(keys.c.lent_until_at < until)).rowcount)

    @override
    async def add_refresh(self, token: RefreshToken) -> None:
        columns = {"family": token.family, "expires_at": token.expires_at, "body": token.model_dump_json()}
        await self._put(refresh_tokens, {"sha256": token.sha256}, columns)

    @override
    async def spend_refresh(self, sha256: str, now_ms: int) -> tuple[RefreshToken, bool] | None:
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

    @override
    async def drop_refresh(self, family: str) -> None:
        await self._engine.write(
            lambda db: db.execute(delete(refresh_tokens).where(refresh_tokens.c.family == family)).rowcount
        )

    @override
    async def drop_expired_refresh(self, now_ms: int) -> None:
        await self._engine.write(
            lambda db: db.execute(delete(refresh_tokens).where(refresh_tokens.c.expires_at < now_ms)).rowcount
        )

    @override
    async def save_agent(self, agent: AgentRow) -> None:
        columns = {"last_seen_at": agent.last_seen_at, "body": agent.model_dump_json()}
        await self._put(agents, {"process": agent.process}, columns)

    @override
    async def list_agents(self) -> list[AgentRow]:
        query = select(agents.c.body).order_by(agents.c.last_seen_at.desc()).limit(contract.AGENTS_LISTED)
        return [AgentRow.model_validate_json(body) for body in await self._bodies(query)]

    @override
    async def drop_agents_before(self, last_seen_at: int) -> None:
        await self._engine.write(
            lambda db: db.execute(delete(agents).where(agents.c.last_seen_at < last_seen_at)).rowcount
        )

    @override
    async def add_command(self, command: CommandRow) -> None:
        new = commands.insert().values(id=command.id, **rows.command_row(command))

        def add(db: Connection) -> None:
            with suppress(IntegrityError), db.begin_nested():
                db.execute(new)

        await self._engine.write(add)

    @override
    async def find_command(self, command_id: str) -> CommandRow | None:
        body = await self._body(select(commands.c.body).where(commands.c.id == command_id))
        return None if body is None else CommandRow.model_validate_json(body)

    @override
    async def list_commands(self, *, agent: str | None = None, build_id: str | None = None) -> list[CommandRow]:
        query = (
            select(commands.c.body)
            .order_by(commands.c.created_at.desc(), commands.c.id)
            .limit(contract.COMMANDS_LISTED)
        )
        if agent is not None:
            query = query.where(commands.c.agent == agent)
        if build_id is not None:
            query = query.where(commands.c.build_id == build_id)
        return [CommandRow.model_validate_json(body) for body in await self._bodies(query)]

    @override
    async def list_unfinished(self) -> list[CommandRow]:
        unfinished = commands.c.state.in_(("queued", "sent", "accepted"))
        query = select(commands.c.body).where(unfinished).order_by(commands.c.created_at)
        bodies = await self._bodies(query.limit(contract.UNFINISHED_LISTED))
        return [CommandRow.model_validate_json(body) for body in bodies]

    @override
    async def drop_commands_before(self, created_at: int) -> None:
        await self._engine.write(
            lambda db: db.execute(delete(commands).where(commands.c.created_at < created_at)).rowcount
        )

    @override
    async def list_waiting(self, agent: str) -> list[CommandRow]:
        waits = commands.c.state.in_(("queued", "sent"))
        query = select(commands.c.body).where(commands.c.agent == agent, waits).order_by(commands.c.created_at)
        return [
            CommandRow.model_validate_json(body) for body in await self._bodies(query.limit(contract.COMMANDS_LISTED))
        ]

    @override
    async def move_command(self, command: CommandRow, expected: Collection[CommandState]) -> bool:
        mine = update(commands).where(commands.c.id == command.id, commands.c.state.in_(expected))
        return await self._engine.write(lambda db: db.execute(mine.values(rows.command_row(command))).rowcount == 1)

    @override
    async def append_audit(self, entry: AuditEntry) -> None:
        await self._engine.write(
            lambda db: db.execute(audit.insert().values(at=entry.at, body=entry.model_dump_json())).rowcount
        )

    @override
    async def list_audit(self, before: int | None = None) -> list[AuditEntry]:
        query = select(audit.c.body).order_by(audit.c.at.desc(), audit.c.id.desc()).limit(contract.AUDIT_LISTED)
        if before is not None:
            query = query.where(audit.c.at <= before)
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
