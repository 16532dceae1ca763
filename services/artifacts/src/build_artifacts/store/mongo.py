"""Artifacts on MongoDB: two collections, no transactions; every write is one document, guarded by its version."""

from collections.abc import Collection
from contextlib import suppress
from typing import Any

from build_chassis.store.mongo import available
from build_chassis.store.mongo_store import MongoStore
from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError
from typing_extensions import override

from build_artifacts.artifact import Artifact, State
from build_artifacts.kept_builds import BuildNote, KeptBuild
from build_artifacts.store.contract import ArtifactStore
from build_artifacts.store.rows import COUNTED, UNFINISHED, artifact_row

Document = dict[str, Any]


class MongoArtifactStore(MongoStore, ArtifactStore):
    """The store on one MongoDB database."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._artifacts: AsyncCollection[Document] = self._database["artifacts"]
        self._notes: AsyncCollection[Document] = self._database["artifact_builds"]

    @override
    async def _prepare(self) -> None:
        await self._artifacts.create_index([("build_id", ASCENDING)])
        await self._artifacts.create_index([("agent", ASCENDING), ("state", ASCENDING)])
        await self._artifacts.create_index([("state", ASCENDING), ("updated_at", ASCENDING)])
        await self._notes.create_index([("lane", ASCENDING), ("at", DESCENDING)])

    @override
    async def add(self, artifact: Artifact, note: BuildNote) -> Artifact:
        with available(self._database):
            # The note first: a note without an artifact expires by age; an artifact without a note never would.
            with suppress(DuplicateKeyError):
                await self._notes.insert_one(_note_document(note))
            try:
                await self._artifacts.insert_one(_document(artifact))
            except DuplicateKeyError:
                return await self.find(artifact.id) or artifact
        return artifact

    @override
    async def find(self, artifact_id: str) -> Artifact | None:
        with available(self._database):
            document = await self._artifacts.find_one({"_id": artifact_id})
        return None if document is None else _artifact(document)

    @override
    async def of_build(self, build_id: str) -> list[Artifact]:
        with available(self._database):
            documents = await self._artifacts.find({"build_id": build_id}).to_list()
        return sorted(map(_artifact, documents), key=lambda artifact: (artifact.name, artifact.id))

    @override
    async def change(self, artifact: Artifact) -> bool:
        with available(self._database):
            answer = await self._artifacts.replace_one(
                {"_id": artifact.id, "version": artifact.version - 1}, _document(artifact)
            )
        return answer.matched_count == 1

    @override
    async def untouched(self, states: Collection[State], before_at: int, limit: int) -> list[Artifact]:
        query = {"state": {"$in": list(states)}, "updated_at": {"$lt": before_at}}
        with available(self._database):
            documents = await self._artifacts.find(query).sort([("updated_at", ASCENDING)]).limit(limit).to_list()
        return [_artifact(document) for document in documents]

    @override
    async def unfinished(self, agent: str) -> int:
        with available(self._database):
            return await self._artifacts.count_documents({"agent": agent, "state": {"$in": list(UNFINISHED)}})

    @override
    async def project_bytes(self, project: str) -> int:
        own = {"project": project, "state": {"$in": list(COUNTED)}, "is_held": {"$ne": True}}
        total = {"$group": {"_id": None, "total": {"$sum": "$size_bytes"}}}
        with available(self._database):
            found = await (await self._artifacts.aggregate([{"$match": own}, total])).to_list()
        return int(found[0]["total"]) if found else 0

    @override
    async def forget(self, artifact_ids: Collection[str]) -> None:
        with available(self._database):
            await self._artifacts.delete_many({"_id": {"$in": list(artifact_ids)}, "state": "expired"})

    @override
    async def note(self, note: BuildNote) -> None:
        earlier = {"_id": note.build_id, "revision": {"$lt": note.revision}}
        # The insert of an upsert fails when a note is there that is not earlier: then it is the one to keep.
        with available(self._database), suppress(DuplicateKeyError):
            await self._notes.replace_one(earlier, _note_document(note), upsert=True)

    @override
    async def lanes(self) -> list[str]:
        with available(self._database):
            return [str(lane) for lane in await self._notes.distinct("lane")]

    @override
    async def kept_builds(self, lane: str) -> list[KeptBuild]:
        with available(self._database):
            cursor = self._notes.find({"lane": lane}).sort([("at", DESCENDING), ("_id", DESCENDING)])
            notes = [_note(document) for document in await cursor.to_list()]
            full = await self._having([note.build_id for note in notes], {"state": "verified"})
        return [KeptBuild(note=note, is_full=note.build_id in full) for note in notes]

    @override
    async def forget_notes(self, build_ids: Collection[str]) -> None:
        with available(self._database):
            kept = await self._having(build_ids, {})
            await self._notes.delete_many({"_id": {"$in": [each for each in build_ids if each not in kept]}})

    async def _having(self, build_ids: Collection[str], query: Document) -> set[str]:
        """Those of these builds that have an artifact which matches and is not held for another service."""
        own = {"build_id": {"$in": list(build_ids)}, "is_held": {"$ne": True}}
        found = self._artifacts.find({**own, **query}, {"build_id": 1})
        return {document["build_id"] async for document in found}


def _document(artifact: Artifact) -> Document:
    row = artifact_row(artifact)
    return {"_id": row.pop("id"), **row}


def _artifact(document: Document) -> Artifact:
    return Artifact.model_validate_json(document["body"])


def _note_document(note: BuildNote) -> Document:
    return {"_id": note.build_id, **note.model_dump(exclude={"build_id"})}


def _note(document: Document) -> BuildNote:
    return BuildNote(
        build_id=document["_id"],
        **{name: document[name] for name in ("lane", "is_good", "at", "received_at", "revision")},
    )
