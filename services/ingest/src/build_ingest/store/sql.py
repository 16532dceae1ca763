"""The SQL driver: SQLite (embedded default) and MySQL/MariaDB by one SQLAlchemy Core code."""

from collections.abc import Collection, Sequence
from typing import Any

from build_chassis.store.sql import additions
from build_protocol.ids import BuildName
from build_protocol.messages import BuildStart
from build_protocol.views import Build
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Subquery,
    UnaryExpression,
    and_,
    bindparam,
    delete,
    func,
    insert,
    not_,
    select,
    union_all,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.compiler import SQLCompiler
from typing_extensions import override

from build_ingest.records.archive_label import ArchiveStep
from build_ingest.records.chunk import Chunk
from build_ingest.records.fold import BuildState
from build_ingest.records.plan import Step
from build_ingest.store import contract, rows
from build_ingest.store.contract import BuildQuery, BuildStore, Claim, Conflict
from build_ingest.store.sql_findings import SqlFindings
from build_ingest.store.tables import OWNED, builds, chunks, claims, metadata, starts

# Made once: to build a statement takes longer than the answer of a small database to it.
_ONE = select(builds.c.view, builds.c.state).where(builds.c.id == bindparam("of"))
_START = select(starts.c.record).where(starts.c.build_id == bindparam("of"))
_LAST = {"line": chunks.c.last_line, "byte": chunks.c.end_byte}


class SqlBuildStore(SqlFindings, BuildStore):
    """Builds, chunks and claims, and what was found in builds."""

    def __init__(self, url: str) -> None:
        super().__init__(url, metadata, steps=[additions(metadata)])

    @override
    async def advance(self, steps: Sequence[Step]) -> None:
        heads = [(step, rows.build_row(step.after)) for step in steps]
        pieces = [rows.chunk_row(chunk) for step in steps for chunk in step.chunks]
        firsts = [
            {"build_id": step.start.build_id, "record": step.start.to_json()}
            for step in steps
            if step.start is not None
        ]

        def commit(db: Connection) -> None:
            try:
                for step, head in heads:
                    _put_build(db, step.before, head)
                if firsts:
                    db.execute(insert(starts), firsts)
                db.execute(insert(chunks), pieces)
            except IntegrityError as error:
                raise Conflict(str(error.orig)) from error

        await self._engine.write(commit)

    @override
    async def replace(self, before: BuildState, after: BuildState) -> bool:
        head = rows.build_row(after)

        def put(db: Connection) -> bool:
            try:
                _put_build(db, before, head)
            except Conflict:
                return False
            return True

        return await self._engine.write(put)

    @override
    async def compact(self, merged: Chunk) -> None:
        row = rows.chunk_row(merged)

        def put(db: Connection) -> None:
            db.execute(
                delete(chunks).where(
                    chunks.c.build_id == merged.build_id,
                    chunks.c.first_seq.between(merged.first_seq, merged.last_seq),
                )
            )
            db.execute(insert(chunks), [row])

        await self._engine.write(put)

    @override
    async def find(self, build_id: str) -> BuildState | None:
        row = await self._engine.read(lambda db: db.execute(_ONE, {"of": build_id}).mappings().first())
        return None if row is None else rows.build_state(row)

    @override
    async def load(self, build_id: str) -> BuildState | None:
        """A build's state: a step is one transaction, so there is nothing beside the row to fold in."""
        return await self.find(build_id)

    @override
    async def find_start(self, build_id: str) -> BuildStart | None:
        record = await self._engine.read(lambda db: db.execute(_START, {"of": build_id}).scalar())
        return None if record is None else BuildStart.model_validate_json(record)

    @override
    async def list_builds(self, query: BuildQuery) -> list[Build]:
        if query.projects is not None and not query.projects:
            return []
        found = await self._engine.read(lambda db: db.execute(_listing(query)).mappings().all())
        return [rows.view_of(row) for row in found]

    @override
    async def read_chunks(self, build_id: str, by: contract.Following, at: int, limit: int) -> list[Chunk]:
        mine = chunks.c.build_id == build_id
        if by == "seq":
            first: Select[Any] = select(func.max(chunks.c.first_seq)).where(mine, chunks.c.first_seq <= at)
        else:
            last = _LAST[by]
            first = select(chunks.c.first_seq).where(mine, last >= at).order_by(last, chunks.c.first_seq).limit(1)
        return await self._read(
            select(chunks).where(mine, chunks.c.first_seq >= first.scalar_subquery()), limit, is_whole=True
        )

    @override
    async def read_tail(self, build_id: str, limit: int) -> list[Chunk]:
        query = select(chunks).where(chunks.c.build_id == build_id).order_by(chunks.c.first_seq.desc()).limit(limit)
        found = await self._engine.read(lambda db: db.execute(query).mappings().all())
        return contract.in_order([rows.chunk_of(row) for row in reversed(found)])

    @override
    async def read_events(self, build_id: str, after_seq: int, limit: int) -> list[Chunk]:
        mine = (chunks.c.build_id == build_id, chunks.c.last_seq > after_seq, chunks.c.events.is_not(None))
        return await self._read(select(chunks).where(*mine), limit, is_whole=False)

    @override
    async def list_open(self, shards: Collection[int]) -> list[BuildState]:
        query = select(builds.c.view, builds.c.state).where(builds.c.is_open, builds.c.shard.in_(shards))
        found = await self._engine.read(lambda db: db.execute(query).mappings().all())
        return [rows.build_state(row) for row in found]

    @override
    async def list_open_revisions(self, shards: Collection[int]) -> dict[str, int]:
        query = select(builds.c.id, builds.c.revision).where(builds.c.is_open, builds.c.shard.in_(list(shards)))
        found = await self._engine.read(lambda db: db.execute(query).all())
        return {row.id: row.revision for row in found}

    @override
    async def list_archives(
        self, step: ArchiveStep, shards: Collection[int], after: str, limit: int, before: str = contract.LAST_PLACE
    ) -> list[BuildState]:
        query = (
            select(builds.c.view, builds.c.state)
            .where(builds.c.archive == step, builds.c.shard.in_(list(shards)))
            .where(builds.c.place > after, builds.c.place < before)
            .order_by(builds.c.place)
            .limit(limit)
        )
        found = await self._engine.read(lambda db: db.execute(query).mappings().all())
        return [rows.build_state(row) for row in found]

    @override
    async def list_stale(
        self, rules: str, shards: Collection[int], since: str, before: str | None, limit: int
    ) -> list[BuildState]:
        query = (
            select(builds.c.view, builds.c.state)
            .where(
                builds.c.status.in_(contract.UNSUCCESSFUL),
                builds.c.is_open.is_(False),
                builds.c.shard.in_(list(shards)),
            )
            .where(builds.c.rules != rules, builds.c.place >= since, builds.c.place < (before or contract.LAST_PLACE))
            .order_by(builds.c.place.desc())
            .limit(limit)
        )
        found = await self._engine.read(lambda db: db.execute(query).mappings().all())
        return [rows.build_state(row) for row in found]

    @override
    async def drop_text(self, build_id: str, limit: int) -> int:
        warm = select(chunks.c.first_seq).where(chunks.c.build_id == build_id, func.length(chunks.c.text) > 0)

        def put(db: Connection) -> int:
            seqs = db.execute(warm.limit(limit)).scalars().all()
            mine = (chunks.c.build_id == build_id, chunks.c.first_seq.in_(seqs))
            db.execute(update(chunks).where(*mine).values(text=b""))
            return len(seqs)

        return await self._engine.write(put)

    @override
    async def list_forgettable(self, before_at: int, limit: int) -> list[BuildState]:
        old = (builds.c.received_at < before_at, builds.c.is_open.is_(False))
        query = select(builds.c.view, builds.c.state).where(*old).limit(limit)
        found = await self._engine.read(lambda db: db.execute(query).mappings().all())
        return [rows.build_state(row) for row in found]

    @override
    async def count(self, before_at: int | None = None) -> int:
        query = select(func.count()).select_from(builds)
        if before_at is not None:
            query = query.where(builds.c.received_at < before_at)
        return await self._engine.read(lambda db: db.execute(query).scalar() or 0)

    @override
    async def list_received(self, since_at: int, before_at: int, after: str, limit: int) -> list[BuildState]:
        span = (builds.c.received_at >= since_at, builds.c.received_at < before_at, builds.c.id > after)
        query = select(builds.c.view, builds.c.state).where(*span).order_by(builds.c.id).limit(limit)
        found = await self._engine.read(lambda db: db.execute(query).mappings().all())
        return [rows.build_state(row) for row in found]

    @override
    async def log_bytes(self) -> dict[str, int]:
        query = select(builds.c.project, func.sum(builds.c.log_bytes)).group_by(builds.c.project)
        found = await self._engine.read(lambda db: db.execute(query).all())
        return {project: int(total) for project, total in found}

    @override
    async def forget(self, build_ids: Collection[str]) -> None:
        def put(db: Connection) -> None:
            for owned in (*(table.c.build_id for table in OWNED), builds.c.id):
                db.execute(delete(owned.table).where(owned.in_(build_ids)))

        await self._engine.write(put)

    @override
    async def list_claims(self) -> list[Claim]:
        found = await self._engine.read(lambda db: db.execute(select(claims)).mappings().all())
        return [Claim(row["key"], row["owner"], row["beat"]) for row in found]

    @override
    async def claim(self, before: Claim, after: Claim) -> bool:
        def put(db: Connection) -> bool:
            held = claims.c.owner.is_(None) if before.owner is None else claims.c.owner == before.owner
            changed = db.execute(
                update(claims)
                .where(claims.c.key == before.key, held, claims.c.beat == before.beat)
                .values(owner=after.owner, beat=after.beat)
            )
            if changed.rowcount or before.beat:
                return bool(changed.rowcount)
            try:
                with db.begin_nested():
                    db.execute(insert(claims), [{"key": after.key, "owner": after.owner, "beat": after.beat}])
            except IntegrityError:
                return False
            return True

        return await self._engine.write(put)

    @override
    async def drop_claim(self, claim: Claim) -> None:
        same = claims.c.key == claim.key, claims.c.beat == claim.beat
        await self._engine.write(lambda db: db.execute(delete(claims).where(*same)).rowcount)

    async def _read(self, query: Select[Any], limit: int, *, is_whole: bool) -> list[Chunk]:
        ordered = query.order_by(chunks.c.first_seq).limit(limit)
        found = await self._engine.read(lambda db: db.execute(ordered).mappings().all())
        read = [rows.chunk_of(row) for row in found]
        return contract.in_order(read) if is_whole else read


# Built once: it runs for every step of every build.
_MOVE_BUILD = update(builds).where(
    builds.c.id == bindparam("moved_id"), builds.c.revision == bindparam("moved_revision")
)


def _put_build(db: Connection, before: BuildState | None, head: dict[str, Any]) -> None:
    if before is None:
        try:
            db.execute(insert(builds), [head])
        except IntegrityError as error:
            raise Conflict(f"build {head['id']} exists already") from error
        return
    changed = db.execute(_MOVE_BUILD, {**head, "moved_id": head["id"], "moved_revision": before.revision})
    if changed.rowcount != 1:
        raise Conflict(f"build {head['id']} is no longer at revision {before.revision}")


def _listing(query: BuildQuery) -> Select[Any]:
    source = builds if query.name is None else _named(query.name)
    known = source.c
    listing = select(known.view)
    is_narrow = any(wanted is not None for wanted in (query.branch, query.config, query.agent))
    for column, among in ((known.project, query.projects), (known.status, query.statuses or None)):
        if among is not None:
            listing = listing.where((_Unindexed(column) if is_narrow else column).in_(among))
    for column, wanted in (
        (known.branch, query.branch),
        (known.config, query.config),
        (known.agent, query.agent),
        (known.retry_of, query.retry_of),
    ):
        if wanted is not None:
            listing = listing.where(column == wanted)
    if query.commit_prefix:
        # A range, which an index answers. Hex digits end at `f`.
        beyond = query.commit_prefix + "g"
        listing = listing.where(known.commit_sha >= query.commit_prefix, known.commit_sha < beyond)
    if query.text:
        listing = listing.where(known.search.contains(query.text.lower(), autoescape=True))
    if query.before is not None:
        listing = listing.where(known.place < query.before)
    return listing.order_by(known.place.desc()).limit(query.limit)


class _Unindexed(UnaryExpression[Any]):
    """A column by whose index SQLite does not look: it takes all to be alike, and a project or status has most builds.

    By one of them a branch that has no builds would be sought through all of the project's. Servers know how many.
    """

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any]) -> None:
        super().__init__(column, operator=operators.custom_op("+"), type_=column.type)


@compiles(_Unindexed)
def _as_it_is(expression: _Unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(expression.element, **options)


@compiles(_Unindexed, "sqlite")
def _without_index(expression: _Unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return "+" + compiler.process(expression.element, **options)


def _named(name: BuildName) -> Subquery:
    """The builds that answer to a name: those whose ids begin so, then others that end so; each a range of an index."""
    begins = and_(builds.c.id >= name.beginning, builds.c.id < name.beginning + "g")
    ends = and_(builds.c.tail == contract.tail_of(name.end), builds.c.id.endswith(name.end))
    both = union_all(select(builds).where(begins), select(builds).where(ends, not_(begins)))
    # Beyond every number of builds: a limit keeps planners from asking the index of a project or status instead.
    return both.limit(2**31 - 1).subquery("named")
