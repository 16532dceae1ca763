"""History on SQL (SQLite, MySQL, MariaDB): every method is one transaction."""

import json
import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from build_chassis.store.sql_store import SqlStore
from pydantic import TypeAdapter
from typing_extensions import override

from build_history.builds.fact import Fact, Point
from build_history.builds.index_keys import tags_of
from build_history.store.contract import FactWrite, HistoryStore, PointQuery, Row, RowQuery, StoredFact
from build_history.store.rows import row_values, stale_of, stale_values
from build_history.store.tables import FACTS, FILED, METADATA, ROWS, TAGS

_POINTS: TypeAdapter[list[Point]] = TypeAdapter(list[Point])
_NEVER_AT = 2**62
_RECEIVED = "1" * 32
"""The tag of every fact that is ranked by its receipt."""

_CHUNK = 500
"""Values in one IN list; SQLite takes 32,766 parameters, MySQL plans long lists badly."""

_LISTED = tuple(ROWS.c[field.name] for field in fields(Row))
"""Columns in the order of a row's fields: by position is how thousands of them are read fastest."""


class SqlHistoryStore(SqlStore, HistoryStore):
    """The store on one SQL database; each method is one transaction."""

    def __init__(self, url: str) -> None:
        super().__init__(url, METADATA)

    @override
    async def facts(self, build_ids: Collection[str]) -> dict[str, StoredFact]:
        def read(connection: sa.Connection) -> list[Any]:
            return [
                row
                for ids in _chunks(build_ids)
                for row in connection.execute(
                    sa.select(FACTS.c.version, FACTS.c.stale, FACTS.c.fact).where(FACTS.c.build_id.in_(ids))
                )
            ]

        found = [
            StoredFact(Fact.model_validate_json(row.fact), row.version, stale_of(json.loads(row.stale)))
            for row in await self._engine.read(read)
        ]
        return {stored.fact.id: stored for stored in found}

    @override
    async def put_facts(self, writes: Sequence[FactWrite]) -> set[str]:
        if not writes:
            return set()

        def write(connection: sa.Connection) -> set[str]:
            current = _versions(connection, FACTS.c.build_id, FACTS.c.version, [w.fact.id for w in writes])
            due = [w for w in writes if current.get(w.fact.id, 0) == w.replaces]
            fresh = [w for w in due if not w.replaces]
            _many(connection, sa.insert(FACTS), [_fact_values(w) for w in fresh])
            _many(
                connection,
                sa.update(FACTS).where(FACTS.c.build_id == sa.bindparam("b_id")),
                [{**_fact_values(w), "b_id": w.fact.id} for w in due if w.replaces],
            )
            old, new = set[tuple[str, int, str]](), set[tuple[str, int, str]]()
            for w in due:
                new |= _filed(w.fact)
                old |= _filed(w.old) if w.old else set()
            _drop_tags(connection, old - new)
            _many(connection, sa.insert(TAGS), [_tag_values(tag) for tag in new - old])
            return {w.fact.id for w in due}

        return await self._unless_lost(write)

    @override
    async def settle(self, settled: Mapping[str, int]) -> None:
        if not settled:
            return
        statement = (
            sa.update(FACTS)
            .where(FACTS.c.build_id == sa.bindparam("b_id"), FACTS.c.version == sa.bindparam("b_version"))
            .values(stale="[]")
        )
        values = [{"b_id": build_id, "b_version": version} for build_id, version in settled.items()]
        await self._engine.write(lambda connection: _many(connection, statement, values))

    @override
    async def drop_facts(self, facts: Sequence[Fact]) -> None:
        def write(connection: sa.Connection) -> None:
            _drop_tags(connection, set[tuple[str, int, str]]().union(*map(_filed, facts)))
            for ids in _chunks([fact.id for fact in facts]):
                connection.execute(sa.delete(FACTS).where(FACTS.c.build_id.in_(ids)))

        await self._engine.write(write)

    @override
    async def points(self, query: PointQuery) -> list[Point]:
        bounds = {"b_limit": query.limit, "b_since": query.since_at or 0, "b_before": query.before_at or _NEVER_AT}
        return await self._engine.read(lambda connection: _points(connection, query.newest_first, query.tag, bounds))

    @override
    async def received(self, *, before_at: int, limit: int) -> list[Point]:
        return await self.points(PointQuery(_RECEIVED, limit=limit, newest_first=False, before_at=before_at))

    @override
    async def count_facts(self, before_at: int | None = None) -> int:
        old = sa.and_(TAGS.c.tag == _RECEIVED, TAGS.c.ranked_at < (_NEVER_AT if before_at is None else before_at))
        counted = sa.select(sa.func.count()).select_from(TAGS).where(old)
        return await self._engine.read(lambda connection: connection.execute(counted).scalar() or 0)

    @override
    async def points_by_tag(self, tags: Collection[str], *, limit: int) -> dict[str, list[Point]]:
        bounds = {"b_limit": limit, "b_since": 0, "b_before": _NEVER_AT}

        def read(connection: sa.Connection) -> dict[str, list[Point]]:
            # A statement a tag, all in one visit to a reader thread: the visit costs more than the statement.
            return {tag: _points(connection, True, tag, bounds) for tag in tags}

        return await self._engine.read(read)

    @override
    async def rows_by_key(self, keys: Collection[str]) -> dict[str, Row]:
        def read(connection: sa.Connection) -> list[Any]:
            return [
                row
                for some in _chunks(keys)
                for row in connection.execute(sa.select(*_LISTED).where(ROWS.c.key.in_(some)))
            ]

        return {row.key: _row(row) for row in await self._engine.read(read)}

    @override
    async def put_rows(self, rows: Sequence[Row]) -> set[str]:
        if not rows:
            return set()

        def write(connection: sa.Connection) -> set[str]:
            current = _versions(connection, ROWS.c.key, ROWS.c.version, [row.key for row in rows])
            due = [row for row in rows if current.get(row.key, 0) == row.version]
            _many(connection, sa.insert(ROWS), [_row_values(row) for row in due if not row.version])
            _many(
                connection,
                sa.update(ROWS).where(ROWS.c.key == sa.bindparam("b_key")),
                [{**_row_values(row), "b_key": row.key} for row in due if row.version],
            )
            return {row.key for row in due}

        return await self._unless_lost(write)

    @override
    async def drop_rows(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        statement = sa.delete(ROWS).where(
            ROWS.c.key == sa.bindparam("b_key"), ROWS.c.version == sa.bindparam("b_version")
        )
        values = [{"b_key": row.key, "b_version": row.version} for row in rows]
        await self._engine.write(lambda connection: _many(connection, statement, values))

    @override
    async def rows(self, query: RowQuery) -> list[Row]:
        columns, prefix = ROWS.c, query.label_prefix
        statement = sa.select(*_LISTED).where(columns.kind == query.kind)
        if query.project is not None:
            statement = statement.where(columns.project == query.project)
        if query.scopes is not None:
            statement = statement.where(columns.scope.in_(query.scopes))
        if query.labels is not None:
            statement = statement.where(columns.label.in_(query.labels))
        if prefix is not None:
            # A range instead of LIKE: any store answers it from the index, and the prefix needs no escaping.
            statement = statement.where(columns.label >= prefix, columns.label < prefix + "\uffff")
        if query.since_rank is not None:
            statement = statement.where(columns.rank >= query.since_rank)
        if query.after is not None:
            rank, key = query.after
            is_beyond = operator.lt if query.newest_first else operator.gt
            same = sa.and_(columns.rank == rank, is_beyond(columns.key, key))
            statement = statement.where(sa.or_(is_beyond(columns.rank, rank), same))
        order = sa.desc if query.newest_first else sa.asc
        statement = statement.order_by(order(columns.rank), order(columns.key)).limit(query.limit)
        return [_row(row) for row in await self._engine.read(lambda connection: connection.execute(statement).all())]

    async def _unless_lost(self, write: Callable[[sa.Connection], set[str]]) -> set[str]:
        """The write's answer; nothing when another replica inserted one of the same keys in between."""
        try:
            return await self._engine.write(write)
        except sa.exc.IntegrityError:
            return set()


def _points(connection: sa.Connection, newest: bool, tag: str, bounds: Mapping[str, int]) -> list[Point]:
    found: Sequence[str] = connection.execute(FILED[newest], {"b_tag": tag, **bounds}).scalars().all()
    return _POINTS.validate_json(f"[{','.join(found)}]")


def _versions(
    connection: sa.Connection, key: sa.Column[str], version: sa.Column[int], keys: Sequence[str]
) -> dict[str, int]:
    """Stored versions, locked against other replicas until commit (SQLite's single writer needs no lock)."""
    found: dict[str, int] = {}
    for some in _chunks(keys):
        statement = sa.select(key, version).where(key.in_(some)).with_for_update()
        found.update({row[0]: row[1] for row in connection.execute(statement)})
    return found


def _many(connection: sa.Connection, statement: sa.Executable, values: Sequence[Mapping[str, Any]]) -> None:
    if values:
        connection.execute(statement, list(values))


def _drop_tags(connection: sa.Connection, tags: Collection[tuple[str, int, str]]) -> None:
    statement = sa.delete(TAGS).where(
        TAGS.c.tag == sa.bindparam("b_tag"),
        TAGS.c.ranked_at == sa.bindparam("b_ranked_at"),
        TAGS.c.build_id == sa.bindparam("b_build_id"),
    )
    _many(connection, statement, [{f"b_{name}": value for name, value in _tag_values(tag).items()} for tag in tags])


def _filed(fact: Fact) -> set[tuple[str, int, str]]:
    return {(tag, fact.started_at, fact.id) for tag in tags_of(fact)} | {(_RECEIVED, fact.kept_from, fact.id)}


def _tag_values(tag: tuple[str, int, str]) -> dict[str, Any]:
    return {"tag": tag[0], "ranked_at": tag[1], "build_id": tag[2]}


def _fact_values(write: FactWrite) -> dict[str, Any]:
    return {
        "build_id": write.fact.id,
        "version": write.replaces + 1,
        "stale": json.dumps(stale_values(write.stale)),
        "point": write.fact.point.to_json(),
        "fact": write.fact.to_json(),
    }


def _row_values(row: Row) -> dict[str, Any]:
    return {"key": row.key, **row_values(row)}


def _row(values: Any) -> Row:
    return Row(*values)


def _chunks(values: Iterable[str]) -> Iterable[list[str]]:
    listed = list(dict.fromkeys(values))
    return (listed[at : at + _CHUNK] for at in range(0, len(listed), _CHUNK))
