"""Notifier on SQL (SQLite, MySQL, MariaDB): three tables, one writer."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from build_chassis.store.columns import LONG_TEXT, ascii_text, optional, required
from build_chassis.store.sql_store import SqlStore
from typing_extensions import override

from build_notifier.records.branch import Branch
from build_notifier.records.mutes import Mute
from build_notifier.records.notification import Notification
from build_notifier.store.contract import NotificationQuery, NotifierStore, StoredBranch
from build_notifier.store.rows import branch_of, branch_values, notification_of, notification_values

_METADATA = sa.MetaData()

BRANCHES = sa.Table(
    "notifier_branches",
    _METADATA,
    sa.Column("key", ascii_text(32), primary_key=True),
    sa.Column("project", ascii_text(64), nullable=False),
    sa.Column("due_at", sa.BigInteger),
    *required(touched_at=sa.BigInteger, version=sa.Integer, body=LONG_TEXT),
    sa.Index("notifier_branches_due", "due_at"),
    sa.Index("notifier_branches_project", "project", "touched_at"),
)
NOTIFICATIONS = sa.Table(
    "notifier_notifications",
    _METADATA,
    sa.Column("id", ascii_text(64), primary_key=True),
    *required(project=ascii_text(64), state=ascii_text(16), incident=ascii_text(64)),
    *optional(build_id=ascii_text(36), due_at=sa.BigInteger),
    *required(created_at=sa.BigInteger, version=sa.Integer, body=LONG_TEXT),
    sa.Index("notifier_notifications_due", "due_at"),
    sa.Index("notifier_notifications_created", "created_at", "id"),
    sa.Index("notifier_notifications_project", "project", "created_at", "id"),
    sa.Index("notifier_notifications_incident", "incident"),
    sa.Index("notifier_notifications_build", "build_id"),
)
MUTES = sa.Table(
    "notifier_mutes",
    _METADATA,
    sa.Column("id", ascii_text(64), primary_key=True),
    *required(until_at=sa.BigInteger, body=LONG_TEXT),
)


class SqlNotifierStore(SqlStore, NotifierStore):
    """The store on one SQL database; each method is one transaction."""

    def __init__(self, url: str) -> None:
        super().__init__(url, _METADATA)

    @override
    async def branches(self, keys: Collection[str]) -> dict[str, StoredBranch]:
        rows = await self._all(sa.select(BRANCHES).where(BRANCHES.c.key.in_(keys)))
        return {row.key: branch_of(row.body, row.version) for row in rows}

    @override
    async def put_branch(self, branch: Branch, replaces: int) -> bool:
        values = {"key": branch.key, **branch_values(branch, replaces + 1)}
        if replaces == 0:
            return bool(await self._insert(BRANCHES, BRANCHES.c.key, [values]))
        guarded = sa.update(BRANCHES).where(BRANCHES.c.key == branch.key, BRANCHES.c.version == replaces)
        return await self._count(guarded.values(**values)) == 1

    @override
    async def due_branches(self, now_ms: int, limit: int) -> list[StoredBranch]:
        due = sa.select(BRANCHES).where(BRANCHES.c.due_at <= now_ms).order_by(BRANCHES.c.due_at).limit(limit)
        return [branch_of(row.body, row.version) for row in await self._all(due)]

    @override
    async def branches_of(self, project: str, limit: int) -> list[StoredBranch]:
        of_project = sa.select(BRANCHES).where(BRANCHES.c.project == project)
        return [
            branch_of(row.body, row.version)
            for row in await self._all(of_project.order_by(BRANCHES.c.touched_at.desc()).limit(limit))
        ]

    @override
    async def claim(self, notifications: Sequence[Notification]) -> set[str]:
        claims = {notification.id: _values(notification, 1) for notification in notifications}
        return await self._insert(NOTIFICATIONS, NOTIFICATIONS.c.id, list(claims.values()))

    @override
    async def notifications(self, ids: Collection[str]) -> dict[str, Notification]:
        rows = await self._all(sa.select(NOTIFICATIONS).where(NOTIFICATIONS.c.id.in_(ids)))
        return {row.id: notification_of(row.body, row.version) for row in rows}

    @override
    async def due_notifications(self, now_ms: int, limit: int) -> list[Notification]:
        due = sa.select(NOTIFICATIONS).where(NOTIFICATIONS.c.due_at <= now_ms)
        rows = await self._all(due.order_by(NOTIFICATIONS.c.due_at, NOTIFICATIONS.c.created_at).limit(limit))
        return [notification_of(row.body, row.version) for row in rows]

    @override
    async def put_notification(self, notification: Notification) -> Notification | None:
        version = notification.version + 1
        guarded = sa.update(NOTIFICATIONS).where(
            NOTIFICATIONS.c.id == notification.id, NOTIFICATIONS.c.version == notification.version
        )
        if await self._count(guarded.values(**_values(notification, version))) != 1:
            return None
        return notification.model_copy(update={"version": version})

    @override
    async def list_notifications(self, query: NotificationQuery) -> list[Notification]:
        columns = NOTIFICATIONS.c
        listed = sa.select(NOTIFICATIONS)
        if query.projects is not None:
            listed = listed.where(columns.project.in_(query.projects))
        for name in ("state", "incident", "build_id"):
            if (wanted := getattr(query, name)) is not None:
                listed = listed.where(columns[name] == wanted)
        if query.after is not None:
            created_at, last_id = query.after
            same = sa.and_(columns.created_at == created_at, columns.id < last_id)
            listed = listed.where(sa.or_(columns.created_at < created_at, same))
        rows = await self._all(listed.order_by(columns.created_at.desc(), columns.id.desc()).limit(query.limit))
        return [notification_of(row.body, row.version) for row in rows]

    @override
    async def put_mute(self, mute: Mute) -> None:
        values = {"id": mute.id, "until_at": mute.until_at, "body": mute.to_json()}

        def write(connection: sa.Connection) -> None:
            connection.execute(sa.delete(MUTES).where(MUTES.c.id == mute.id))
            connection.execute(sa.insert(MUTES).values(**values))

        await self._engine.write(write)

    @override
    async def drop_mute(self, mute_id: str) -> bool:
        return await self._count(sa.delete(MUTES).where(MUTES.c.id == mute_id)) == 1

    @override
    async def mutes(self) -> list[Mute]:
        rows = await self._all(sa.select(MUTES.c.body).order_by(MUTES.c.until_at.desc(), MUTES.c.id))
        return [Mute.model_validate_json(row.body) for row in rows]

    @override
    async def count(self, before_at: int | None = None) -> int:
        counted = sa.select(sa.func.count()).select_from(NOTIFICATIONS)
        if before_at is not None:
            counted = counted.where(NOTIFICATIONS.c.created_at < before_at, NOTIFICATIONS.c.due_at.is_(None))
        return await self._engine.read(lambda connection: connection.execute(counted).scalar() or 0)

    @override
    async def forget(self, before_at: int, limit: int) -> int:
        doomed = (
            (NOTIFICATIONS.c.id, (NOTIFICATIONS.c.created_at < before_at, NOTIFICATIONS.c.due_at.is_(None))),
            (BRANCHES.c.key, (BRANCHES.c.touched_at < before_at, BRANCHES.c.due_at.is_(None))),
            (MUTES.c.id, (MUTES.c.until_at < before_at,)),
        )

        def write(connection: sa.Connection) -> int:
            gone = 0
            for key, old in doomed:
                keys = connection.execute(sa.select(key).where(*old).limit(limit)).scalars().all()
                connection.execute(sa.delete(key.table).where(key.in_(keys)))
                gone += len(keys)
            return gone

        return await self._engine.write(write)

    async def _all(self, statement: sa.Select[Any]) -> Sequence[Any]:
        return await self._engine.read(lambda connection: connection.execute(statement).all())

    async def _count(self, statement: sa.Update | sa.Delete) -> int:
        return await self._engine.write(lambda connection: connection.execute(statement).rowcount)

    async def _insert(self, table: sa.Table, key: sa.Column[str], rows: Sequence[dict[str, Any]]) -> set[str]:
        """Insert the rows whose key is not there; their keys. Another replica may be inserting the same ones."""

        def write(connection: sa.Connection) -> set[str]:
            known = set(connection.execute(sa.select(key).where(key.in_([r[key.name] for r in rows]))).scalars())
            new = [row for row in rows if row[key.name] not in known]
            if new:
                connection.execute(sa.insert(table), new)
            return {row[key.name] for row in new}

        if not rows:
            return set()
        try:
            return await self._engine.write(write)
        except sa.exc.IntegrityError:
            # It was faster: what is there now is what is known.
            return await self._engine.write(write)


def _values(notification: Notification, version: int) -> dict[str, Any]:
    return {"id": notification.id, **notification_values(notification, version)}
