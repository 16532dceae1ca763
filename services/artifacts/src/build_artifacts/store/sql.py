"""Artifacts on SQL (SQLite, MySQL, MariaDB): every method is one transaction."""

import hashlib
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import sqlalchemy as sa
from build_chassis.store.sql import additions
from build_chassis.store.sql_store import SqlStore
from typing_extensions import override

from build_artifacts.artifact import Artifact, State
from build_artifacts.kept_builds import BuildNote, KeptBuild
from build_artifacts.store.contract import ArtifactStore
from build_artifacts.store.rows import COUNTED, UNFINISHED, artifact_row
from build_artifacts.store.tables import ARTIFACTS, METADATA, NOTES

T = TypeVar("T")


class SqlArtifactStore(SqlStore, ArtifactStore):
    """The store on one SQL database; each method is one transaction."""

    def __init__(self, url: str) -> None:
        super().__init__(url, METADATA, steps=[additions(METADATA)])

    @override
    async def add(self, artifact: Artifact, note: BuildNote) -> Artifact:
        def write(connection: sa.Connection) -> Artifact:
            if not _has(connection, NOTES.c.build_id, note.build_id):
                connection.execute(sa.insert(NOTES).values(**_note_values(note)))
            if (stored := _find(connection, artifact.id)) is not None:
                return stored
            connection.execute(sa.insert(ARTIFACTS).values(**artifact_row(artifact)))
            return artifact

        return await self._again_if_raced(write)

    @override
    async def find(self, artifact_id: str) -> Artifact | None:
        return await self._engine.read(lambda connection: _find(connection, artifact_id))

    @override
    async def of_build(self, build_id: str) -> list[Artifact]:
        found = await self._all(sa.select(ARTIFACTS.c.body).where(ARTIFACTS.c.build_id == build_id))
        return sorted(found, key=lambda artifact: (artifact.name, artifact.id))

    @override
    async def change(self, artifact: Artifact) -> bool:
        statement = (
            sa.update(ARTIFACTS)
            .where(ARTIFACTS.c.id == artifact.id, ARTIFACTS.c.version == artifact.version - 1)
            .values(**artifact_row(artifact))
        )
        return await self._engine.write(lambda connection: connection.execute(statement).rowcount == 1)

    @override
    async def untouched(self, states: Collection[State], before_at: int, limit: int) -> list[Artifact]:
        return await self._all(
            sa.select(ARTIFACTS.c.body)
            .where(ARTIFACTS.c.state.in_(states), ARTIFACTS.c.updated_at < before_at)
            .order_by(ARTIFACTS.c.updated_at)
            .limit(limit)
        )

    @override
    async def unfinished(self, agent: str) -> int:
        statement = sa.select(sa.func.count()).where(ARTIFACTS.c.agent == agent, ARTIFACTS.c.state.in_(UNFINISHED))
        return await self._engine.read(lambda connection: int(connection.execute(statement).scalar_one()))

    @override
    async def project_bytes(self, project: str) -> int:
        own = (ARTIFACTS.c.project == project, ARTIFACTS.c.state.in_(COUNTED), ARTIFACTS.c.is_held.is_(False))
        statement = sa.select(sa.func.sum(ARTIFACTS.c.size_bytes)).where(*own)
        return await self._engine.read(lambda connection: int(connection.execute(statement).scalar() or 0))

    @override
    async def forget(self, artifact_ids: Collection[str]) -> None:
        statement = sa.delete(ARTIFACTS).where(ARTIFACTS.c.id.in_(artifact_ids), ARTIFACTS.c.state == "expired")
        await self._engine.write(lambda connection: connection.execute(statement))

    @override
    async def note(self, note: BuildNote) -> None:
        def write(connection: sa.Connection) -> None:
            if not _has(connection, NOTES.c.build_id, note.build_id):
                connection.execute(sa.insert(NOTES).values(**_note_values(note)))
                return
            connection.execute(
                sa.update(NOTES)
                .where(NOTES.c.build_id == note.build_id, NOTES.c.revision < note.revision)
                .values(**_note_values(note))
            )

        await self._again_if_raced(write)

    @override
    async def lanes(self) -> list[str]:
        statement = sa.select(sa.func.min(NOTES.c.lane)).group_by(NOTES.c.lane_digest)
        return await self._engine.read(lambda connection: list(connection.execute(statement).scalars()))

    @override
    async def kept_builds(self, lane: str) -> list[KeptBuild]:
        is_full = _has_own().where(ARTIFACTS.c.state == "verified")
        statement = (
            sa.select(NOTES, is_full.label("is_full"))
            .where(NOTES.c.lane_digest == _digest(lane))
            .order_by(NOTES.c.at.desc(), NOTES.c.build_id.desc())
        )
        rows = await self._engine.read(lambda connection: connection.execute(statement).all())
        return [KeptBuild(note=_note(row), is_full=bool(row.is_full)) for row in rows]

    @override
    async def forget_notes(self, build_ids: Collection[str]) -> None:
        statement = sa.delete(NOTES).where(NOTES.c.build_id.in_(build_ids), ~_has_own())
        await self._engine.write(lambda connection: connection.execute(statement))

    async def _all(self, statement: sa.Select[Any]) -> list[Artifact]:
        bodies = await self._engine.read(lambda connection: list(connection.execute(statement).scalars()))
        return [Artifact.model_validate_json(body) for body in bodies]

    async def _again_if_raced(self, write: Callable[[sa.Connection], T]) -> T:
        """The write's answer; another replica may insert the same key in between, and then it is there."""
        try:
            return await self._engine.write(write)
        except sa.exc.IntegrityError:
            return await self._engine.write(write)


def _has_own() -> sa.Exists:
    """Whether a note's build has artifacts that are not held for another service."""
    return sa.exists().where(ARTIFACTS.c.build_id == NOTES.c.build_id, ARTIFACTS.c.is_held.is_(False))


def _find(connection: sa.Connection, artifact_id: str) -> Artifact | None:
    body = connection.execute(sa.select(ARTIFACTS.c.body).where(ARTIFACTS.c.id == artifact_id)).scalar()
    return None if body is None else Artifact.model_validate_json(body)


def _has(connection: sa.Connection, column: sa.Column[str], value: str) -> bool:
    return connection.execute(sa.select(column).where(column == value)).scalar() is not None


def _note_values(note: BuildNote) -> dict[str, Any]:
    return {**note.model_dump(), "lane_digest": _digest(note.lane)}


def _note(row: Any) -> BuildNote:
    return BuildNote.model_validate(row, from_attributes=True)


def _digest(lane: str) -> str:
    return hashlib.sha256(lane.encode()).hexdigest()
