"""Artifacts on SQL (SQLite, MySQL, MariaDB): every method is one transaction."""

import hashlib
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import sqlalchemy as sa
from build_chassis.store.sql import SqlEngine

from build_artifacts.artifact import Artifact, State
from build_artifacts.kept_builds import BuildNote, KeptBuild
from build_artifacts.store.tables import ARTIFACTS, METADATA, NOTES, STEPS

T = TypeVar("T")


class SqlArtifactStore:
    """The store on one SQL database; each method is one transaction."""

    def __init__(self, url: str) -> None:
        self._engine = SqlEngine(url)

    async def open(self) -> None:
        """Connect and bring the schema up to date."""
        await self._engine.migrate(METADATA, STEPS)

    async def close(self) -> None:
        """Finish queued writes and disconnect."""
        await self._engine.close()

    async def ping(self) -> None:
        """Return if the database answers."""
        await self._engine.ping()

    async def add(self, artifact: Artifact, note: BuildNote) -> Artifact:
        """Store an artifact and its build's note unless there are some; the artifact stored. Key: artifact id."""

        def write(connection: sa.Connection) -> Artifact:
            if not _has(connection, NOTES.c.build_id, note.build_id):
                connection.execute(sa.insert(NOTES).values(**_note_values(note)))
            if (stored := _find(connection, artifact.id)) is not None:
                return stored
            connection.execute(sa.insert(ARTIFACTS).values(**_values(artifact)))
            return artifact

        return await self._again_if_raced(write)

    async def find(self, artifact_id: str) -> Artifact | None:
        """The artifact of this id."""
        return await self._engine.read(lambda connection: _find(connection, artifact_id))

    async def of_build(self, build_id: str) -> list[Artifact]:
        """The artifacts of a build, by name and id."""
        found = await self._all(sa.select(ARTIFACTS.c.body).where(ARTIFACTS.c.build_id == build_id))
        return sorted(found, key=lambda artifact: (artifact.name, artifact.id))

    async def change(self, artifact: Artifact) -> bool:
        """Replace the stored version before this one; False when it is no longer that. Key: artifact id, version."""
        statement = (
            sa.update(ARTIFACTS)
            .where(ARTIFACTS.c.id == artifact.id, ARTIFACTS.c.version == artifact.version - 1)
            .values(**_values(artifact))
        )
        return await self._engine.write(lambda connection: connection.execute(statement).rowcount == 1)

    async def untouched(self, states: Collection[State], before_ms: int, limit: int) -> list[Artifact]:
        """Artifacts in one of these states that did not change since, the oldest first."""
        return await self._all(
            sa.select(ARTIFACTS.c.body)
            .where(ARTIFACTS.c.state.in_(states), ARTIFACTS.c.updated_ms < before_ms)
            .order_by(ARTIFACTS.c.updated_ms)
            .limit(limit)
        )

    async def forget(self, artifact_ids: Collection[str]) -> None:
        """Forget those of these artifacts that are expired. Key: artifact id."""
        statement = sa.delete(ARTIFACTS).where(ARTIFACTS.c.id.in_(artifact_ids), ARTIFACTS.c.state == "expired")
        await self._engine.write(lambda connection: connection.execute(statement))

    async def note(self, note: BuildNote) -> None:
        """Store a note unless a later revision is there. Key: build id, revision."""

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

    async def lanes(self) -> list[str]:
        """Every lane that has a note."""
        statement = sa.select(sa.func.min(NOTES.c.lane)).group_by(NOTES.c.lane_digest)
        return await self._engine.read(lambda connection: list(connection.execute(statement).scalars()))

    async def kept_builds(self, lane: str) -> list[KeptBuild]:
        """The builds of a lane, the newest first."""
        is_full = _has_own().where(ARTIFACTS.c.state == "verified")
        statement = (
            sa.select(NOTES, is_full.label("is_full"))
            .where(NOTES.c.lane_digest == _digest(lane))
            .order_by(NOTES.c.at_ms.desc(), NOTES.c.build_id.desc())
        )
        rows = await self._engine.read(lambda connection: connection.execute(statement).all())
        return [KeptBuild(note=_note(row), is_full=bool(row.is_full)) for row in rows]

    async def forget_notes(self, build_ids: Collection[str]) -> None:
        """Forget the notes of those builds which have no artifact left. Key: build id."""
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


def _values(artifact: Artifact) -> dict[str, Any]:
    return {
        "id": artifact.id,
        "build_id": artifact.build_id,
        "state": artifact.state,
        "updated_ms": artifact.updated_ms,
        "version": artifact.version,
        "is_held": artifact.is_held,
        "body": artifact.to_json(),
    }


def _note_values(note: BuildNote) -> dict[str, Any]:
    return {**note.model_dump(), "lane_digest": _digest(note.lane)}


def _note(row: Any) -> BuildNote:
    return BuildNote(build_id=row.build_id, lane=row.lane, is_good=row.is_good, at_ms=row.at_ms, revision=row.revision)


def _digest(lane: str) -> str:
    return hashlib.sha256(lane.encode()).hexdigest()
