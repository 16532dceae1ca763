"""The MongoDB driver. No transactions: a build's chunks are the truth, its document is folded from them.

A step inserts its chunks in order, each under the key (build id, first seq) that only one writer can take, and then
moves the build's document from revision to revision. Whoever reads a document that lags behind its chunks (a writer
died between the two) folds them in.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any

from build_chassis.store.mongo import Document, available, is_only_duplicates
from build_protocol.clocks import StartTime
from build_protocol.messages import BuildStart
from build_protocol.views import Build
from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError
from typing_extensions import override

from build_ingest.records.archive_label import ArchiveStep
from build_ingest.records.chunk import Chunk
from build_ingest.records.fold import BuildState
from build_ingest.records.plan import Step
from build_ingest.store import contract, rows
from build_ingest.store.contract import BuildQuery, BuildStore, Claim, Conflict
from build_ingest.store.mongo_findings import FEEDBACK_INDEXES, GREEN_LOG_INDEXES, RESULT_INDEXES, MongoFindings
from build_ingest.store.refold import refold

FOLDED_AT_ONCE = 16
"""Chunks read at once when a document lags behind."""

_STATE_FIELDS = {"view": 1, "state": 1, "agent": 1}
_LAST = {"line": "last_line", "byte": "end_byte"}

_BUILD_INDEXES = [
    IndexModel([("place", DESCENDING)]),
    IndexModel([("received_at", ASCENDING)]),
    IndexModel([("project", ASCENDING), ("place", DESCENDING)]),
    IndexModel([("status", ASCENDING), ("place", DESCENDING)]),
    *(IndexModel([(name, ASCENDING), ("place", DESCENDING)]) for name in ("branch", "config", "agent")),
    IndexModel([("commit_sha", ASCENDING)]),
    IndexModel([("is_open", ASCENDING), ("shard", ASCENDING)]),
    IndexModel([("retry_of", ASCENDING)]),
    IndexModel([("archive", ASCENDING), ("place", ASCENDING)]),
    IndexModel([("tail", ASCENDING)]),
]
_CHUNK_INDEXES = [
    IndexModel([("build_id", ASCENDING), ("first_seq", ASCENDING)], unique=True),
    IndexModel([("build_id", ASCENDING), ("last_line", ASCENDING), ("first_seq", ASCENDING)]),
    IndexModel([("build_id", ASCENDING), ("end_byte", ASCENDING), ("first_seq", ASCENDING)]),
]


class MongoBuildStore(MongoFindings, BuildStore):
    """Builds, chunks and claims, and what was found in builds; writes wait for the majority's journal."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._builds = self._database["builds"]
        self._chunks = self._database["chunks"]
        self._claims = self._database["claims"]

    @override
    async def _prepare(self) -> None:
        await self._builds.create_indexes(_BUILD_INDEXES)
        await self._chunks.create_indexes(_CHUNK_INDEXES)
        await self._results.create_indexes(RESULT_INDEXES)
        await self._feedback.create_indexes(FEEDBACK_INDEXES)
        await self._green_logs.create_indexes(GREEN_LOG_INDEXES)
        await self._add_tails()

    @override
    async def advance(self, steps: Sequence[Step]) -> None:
        """Insert chunks, then move documents; keys (build id, first seq) and (build id, revision).

        A step that meets a taken key raises Conflict. Other steps of the call may be stored then: deciding again
        finds their records to be repeats.
        """
        documents = [_chunk_document(chunk, step) for step in steps for chunk in step.chunks]
        with available(self._database):
            try:
                # In order: a chunk is never there without its predecessor.
                await self._chunks.insert_many(documents, ordered=True)
            except BulkWriteError as error:
                if not is_only_duplicates(error):
                    raise
                raise Conflict("another writer stored these records") from error
            for step in steps:
                await self._put_build(step.before, step.after, step.start)

    @override
    async def replace(self, before: BuildState, after: BuildState) -> bool:
        with available(self._database):
            try:
                await self._put_build(before, after, None)
            except Conflict:
                return False
        return True

    @override
    async def compact(self, merged: Chunk) -> None:
        # First the first of them becomes the whole; what remains of the others is skipped by readers until deleted.
        with available(self._database):
            await self._chunks.replace_one(
                {"_id": _chunk_key(merged), "last_seq": {"$lte": merged.last_seq}}, _chunk_document(merged)
            )
            await self._chunks.delete_many(
                {
                    "build_id": merged.build_id,
                    "first_seq": {"$gt": merged.first_seq, "$lte": merged.last_seq},
                    "last_seq": {"$lte": merged.last_seq},
                }
            )

    @override
    async def find(self, build_id: str) -> BuildState | None:
        with available(self._database):
            document = await self._builds.find_one({"_id": build_id}, _STATE_FIELDS)
        return None if document is None else rows.build_state(document)

    @override
    async def load(self, build_id: str) -> BuildState | None:
        # A writer that died between its chunks and the document left chunks to fold in; key (build id, revision).
        state = await self.find(build_id)
        while True:
            applied = 0 if state is None else state.applied
            with available(self._database):
                chunks = await self._read(build_id, {"first_seq": {"$gt": applied}}, FOLDED_AT_ONCE)
                if not chunks:
                    return state
                first = await self._chunks.find_one({"_id": _chunk_key(chunks[0])}, {"agent": 1, "start_time": 1})
                first = first or {}
                start_time = StartTime.model_validate_json(first.get("start_time", "{}"))
                after, start = refold(state, chunks, first.get("agent", ""), start_time)
                try:
                    await self._put_build(state, after, start)
                    state = after
                except Conflict:
                    # Somebody else folded them in, or was not dead at all.
                    state = await self.find(build_id)

    @override
    async def find_start(self, build_id: str) -> BuildStart | None:
        with available(self._database):
            document = await self._builds.find_one({"_id": build_id}, {"start": 1})
        return None if document is None else BuildStart.model_validate_json(document["start"])

    @override
    async def list_builds(self, query: BuildQuery) -> list[Build]:
        if query.projects is not None and not query.projects:
            return []
        with available(self._database):
            found = self._builds.find(_filter(query), {"view": 1}).sort("place", DESCENDING)
            return [rows.view_of(document) for document in await found.limit(query.limit).to_list()]

    @override
    async def read_chunks(self, build_id: str, by: contract.Following, at: int, limit: int) -> list[Chunk]:
        with available(self._database):
            if by == "seq":
                wanted, order = {"first_seq": {"$lte": at}}, [("first_seq", DESCENDING)]
            else:
                wanted, order = {_LAST[by]: {"$gte": at}}, [(_LAST[by], ASCENDING), ("first_seq", ASCENDING)]
            first = await self._chunks.find_one({"build_id": build_id, **wanted}, {"first_seq": 1}, sort=order)
            if first is None:
                return []
            return contract.in_order(await self._read(build_id, {"first_seq": {"$gte": first["first_seq"]}}, limit))

    @override
    async def read_tail(self, build_id: str, limit: int) -> list[Chunk]:
        with available(self._database):
            found = self._chunks.find({"build_id": build_id}).sort("first_seq", DESCENDING).limit(limit)
            documents = await found.to_list()
        return contract.in_order([rows.chunk_of(document) for document in reversed(documents)])

    @override
    async def read_events(self, build_id: str, after_seq: int, limit: int) -> list[Chunk]:
        with available(self._database):
            return await self._read(build_id, {"last_seq": {"$gt": after_seq}, "events": {"$ne": None}}, limit)

    @override
    async def list_open(self, shards: Collection[int]) -> list[BuildState]:
        with available(self._database):
            found = self._builds.find({"is_open": True, "shard": {"$in": list(shards)}}, _STATE_FIELDS)
            return [rows.build_state(document) for document in await found.to_list()]

    @override
    async def list_open_revisions(self, shards: Collection[int]) -> dict[str, int]:
        with available(self._database):
            found = self._builds.find({"is_open": True, "shard": {"$in": list(shards)}}, {"revision": 1})
            return {document["_id"]: document["revision"] for document in await found.to_list()}

    @override
    async def list_archives(
        self, step: ArchiveStep, shards: Collection[int], after: str, limit: int, before: str = contract.LAST_PLACE
    ) -> list[BuildState]:
        wanted = {"archive": step, "shard": {"$in": list(shards)}, "place": {"$gt": after, "$lt": before}}
        with available(self._database):
            found = self._builds.find(wanted, _STATE_FIELDS).sort("place", ASCENDING).limit(limit)
            return [rows.build_state(document) for document in await found.to_list()]

    @override
    async def list_stale(
        self, rules: str, shards: Collection[int], since: str, before: str | None, limit: int
    ) -> list[BuildState]:
        wanted = {
            "status": {"$in": list(contract.UNSUCCESSFUL)},
            "is_open": False,
            "shard": {"$in": list(shards)},
            "rules": {"$ne": rules},
            "place": {"$gte": since, "$lt": before or contract.LAST_PLACE},
        }
        with available(self._database):
            found = self._builds.find(wanted, _STATE_FIELDS).sort("place", DESCENDING).limit(limit)
            return [rows.build_state(document) for document in await found.to_list()]

    @override
    async def drop_text(self, build_id: str, limit: int) -> int:
        with available(self._database):
            warm = self._chunks.find({"build_id": build_id, "text": {"$ne": b""}}, {"_id": 1}).limit(limit)
            ids = [document["_id"] for document in await warm.to_list()]
            if ids:
                await self._chunks.update_many({"_id": {"$in": ids}}, {"$set": {"text": b""}})
        return len(ids)

    @override
    async def list_forgettable(self, before_at: int, limit: int) -> list[BuildState]:
        with available(self._database):
            old = self._builds.find({"received_at": {"$lt": before_at}, "is_open": False}, _STATE_FIELDS).limit(limit)
            return [rows.build_state(document) for document in await old.to_list()]

    @override
    async def count(self, before_at: int | None = None) -> int:
        wanted = {} if before_at is None else {"received_at": {"$lt": before_at}}
        with available(self._database):
            return await self._builds.count_documents(wanted)

    @override
    async def list_received(self, since_at: int, before_at: int, after: str, limit: int) -> list[BuildState]:
        span = {"received_at": {"$gte": since_at, "$lt": before_at}, "_id": {"$gt": after}}
        with available(self._database):
            found = self._builds.find(span, _STATE_FIELDS).sort("_id", ASCENDING).limit(limit)
            return [rows.build_state(document) for document in await found.to_list()]

    @override
    async def log_bytes(self) -> dict[str, int]:
        total = {"$group": {"_id": "$project", "total": {"$sum": "$log_bytes"}}}
        with available(self._database):
            found = await (await self._builds.aggregate([total])).to_list()
        return {group["_id"]: int(group["total"]) for group in found}

    @override
    async def forget(self, build_ids: Collection[str]) -> None:
        mine = {"$in": list(build_ids)}
        with available(self._database):
            await self._chunks.delete_many({"build_id": mine})
            await self._failures.delete_many({"_id": mine})
            await self._results.delete_many({"build_id": mine})
            await self._feedback.delete_many({"build_id": mine})
            await self._green_logs.delete_many({"_id": mine})
            await self._builds.delete_many({"_id": mine})

    @override
    async def list_claims(self) -> list[Claim]:
        with available(self._database):
            return [Claim(row["_id"], row["owner"], row["beat"]) for row in await self._claims.find().to_list()]

    @override
    async def claim(self, before: Claim, after: Claim) -> bool:
        with available(self._database):
            changed = await self._claims.update_one(
                {"_id": before.key, "owner": before.owner, "beat": before.beat},
                {"$set": {"owner": after.owner, "beat": after.beat}},
            )
            if changed.matched_count or before.beat:
                return bool(changed.matched_count)
            try:
                await self._claims.insert_one({"_id": after.key, "owner": after.owner, "beat": after.beat})
            except DuplicateKeyError:
                return False
            return True

    @override
    async def drop_claim(self, claim: Claim) -> None:
        with available(self._database):
            await self._claims.delete_one({"_id": claim.key, "beat": claim.beat})

    async def _add_tails(self) -> None:
        """Add the ends of their ids to builds that an earlier release stored; key build id.

        At every start: an earlier release may have stored builds beside this one. The index lists those without.
        """
        while ids := [
            each["_id"] for each in await self._builds.find({"tail": None}, {"_id": 1}).limit(1000).to_list()
        ]:
            await self._builds.bulk_write(
                [UpdateOne({"_id": build_id}, {"$set": {"tail": contract.tail_of(build_id)}}) for build_id in ids],
                ordered=False,
            )

    async def _put_build(self, before: BuildState | None, after: BuildState, start: BuildStart | None) -> None:
        fields = rows.build_row(after)
        build_id = fields.pop("id")
        fields["tail"] = contract.tail_of(build_id)
        if before is None and start is not None:
            try:
                await self._builds.insert_one({"_id": build_id, **fields, "start": start.to_json()})
            except DuplicateKeyError as error:
                raise Conflict(f"build {build_id} exists already") from error
            return
        revision = 0 if before is None else before.revision
        changed = await self._builds.update_one({"_id": build_id, "revision": revision}, {"$set": fields})
        if changed.matched_count != 1:
            raise Conflict(f"build {build_id} is no longer at revision {revision}")

    async def _read(self, build_id: str, wanted: Document, limit: int) -> list[Chunk]:
        found = self._chunks.find({"build_id": build_id, **wanted}).sort("first_seq", ASCENDING).limit(limit)
        return [rows.chunk_of(document) for document in await found.to_list()]


def _chunk_key(chunk: Chunk) -> str:
    return f"{chunk.build_id}:{chunk.first_seq:016d}"


def _chunk_document(chunk: Chunk, step: Step | None = None) -> Document:
    document: dict[str, Any] = {"_id": _chunk_key(chunk), **rows.chunk_row(chunk)}
    if step is not None and chunk.first_seq == 1:
        # The agent's name and the receipt are no part of its records: a document made from chunks alone needs them.
        document["agent"] = step.after.build.agent
        document["start_time"] = step.after.start_time.to_json()
    return document


def _filter(query: BuildQuery) -> Document:
    wanted: Document = {}
    if query.projects is not None:
        wanted["project"] = {"$in": list(query.projects)}
    if query.statuses:
        wanted["status"] = {"$in": list(query.statuses)}
    for name in ("branch", "config", "agent", "retry_of"):
        if (value := getattr(query, name)) is not None:
            wanted[name] = value
    if query.commit_prefix:
        # A range, which an index answers. Hex digits end at `f`.
        wanted["commit_sha"] = {"$gte": query.commit_prefix, "$lt": query.commit_prefix + "g"}
    if query.name is not None:
        beginning, end = query.name
        begins = {"_id": {"$gte": beginning, "$lt": beginning + "g"}}
        wanted["$or"] = [begins, {"tail": contract.tail_of(end), "_id": {"$regex": f"{end}$"}}]
    if query.text:
        wanted["search"] = {"$regex": re.escape(query.text.lower())}
    if query.before is not None:
        wanted["place"] = {"$lt": query.before}
    return wanted
