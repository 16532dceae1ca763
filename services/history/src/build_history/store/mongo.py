"""History on MongoDB: two collections, no transactions; every write is one document, guarded by its version."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any
from uuid import uuid4

from build_chassis.concurrency import bounded_gather
from build_chassis.store.mongo import available, is_only_duplicates
from build_chassis.store.mongo_store import MongoStore
from pymongo import ASCENDING, DESCENDING, DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError
from typing_extensions import override

from build_history.builds.fact import Fact, Point
from build_history.builds.index_keys import tags_of
from build_history.store.contract import (
    READS_AT_ONCE,
    FactWrite,
    HistoryStore,
    PointQuery,
    Row,
    RowQuery,
    StoredFact,
)
from build_history.store.page_hints import PageHints
from build_history.store.rows import row_values, stale_of, stale_values

Document = dict[str, Any]
_KEYS_AT_ONCE = 1000
_WRITES_AT_ONCE = 250
"""Operations in one bulk: a slow server answers each well within the socket's 30 s."""

_FILTERS = ("project", "scope", "label")
_AFTER_ALL = "\U0010ffff"
"""Sorts behind every text that goes on otherwise."""


class MongoHistoryStore(MongoStore, HistoryStore):
    """The store on one MongoDB database."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._facts: AsyncCollection[Document] = self._database["history_facts"]
        self._rows: AsyncCollection[Document] = self._database["history_rows"]
        self._begins = PageHints()

    @override
    async def _prepare(self) -> None:
        await self._facts.create_index([("tags", ASCENDING), ("started_at", ASCENDING), ("_id", ASCENDING)])
        await self._facts.create_index([("kept_from", ASCENDING), ("_id", ASCENDING)])
        for name in _FILTERS:
            await self._rows.create_index(
                [(name, ASCENDING), ("kind", ASCENDING), ("rank", ASCENDING), ("_id", ASCENDING)]
            )
        await self._rows.create_index([("kind", ASCENDING), ("rank", ASCENDING), ("_id", ASCENDING)])

    @override
    async def facts(self, build_ids: Collection[str]) -> dict[str, StoredFact]:
        found: dict[str, StoredFact] = {}
        with available(self._database):
            wanted = {"_id": {"$in": list(build_ids)}}
            async for document in self._facts.find(wanted, {"version": 1, "stale": 1, "fact": 1}):
                fact = Fact.model_validate(document["fact"])
                found[document["_id"]] = StoredFact(fact, document["version"], stale_of(document["stale"]))
        return found

    @override
    async def put_facts(self, writes: Sequence[FactWrite]) -> set[str]:
        documents = {write.fact.id: _fact_document(write) for write in writes}
        return await self._put(self._facts, documents, {write.fact.id: write.replaces for write in writes})

    @override
    async def settle(self, settled: Mapping[str, int]) -> None:
        if settled:
            operations = [
                UpdateOne({"_id": build_id, "version": version}, {"$set": {"stale": []}})
                for build_id, version in settled.items()
            ]
            with available(self._database):
                for at in range(0, len(operations), _WRITES_AT_ONCE):
                    await self._facts.bulk_write(operations[at : at + _WRITES_AT_ONCE], ordered=False)

    @override
    async def drop_facts(self, facts: Sequence[Fact]) -> None:
        with available(self._database):
            await self._facts.delete_many({"_id": {"$in": [fact.id for fact in facts]}})

    @override
    async def points(self, query: PointQuery) -> list[Point]:
        tag, limit = query.tag, query.limit

        async def ask(begin_at: int | None) -> list[Point]:
            wanted: Document = {"tags": tag}
            between = {"$gte": begin_at, "$lt": query.before_at}
            if bounds := {operator: bound for operator, bound in between.items() if bound is not None}:
                wanted["started_at"] = bounds
            way = DESCENDING if query.newest_first else ASCENDING
            with available(self._database):
                cursor = self._facts.find(wanted, {"_id": 0, "point": 1}, batch_size=limit)
                documents = await cursor.sort([("started_at", way), ("_id", way)]).limit(limit).to_list()
            return [Point.model_validate(document["point"]) for document in documents]

        if query.newest_first and query.since_at is None and query.before_at is None:
            return await self._begins.page(tag, limit, ask, lambda point: point.started_at)
        return await ask(query.since_at)

    @override
    async def received(self, *, before_at: int, limit: int) -> list[Point]:
        with available(self._database):
            old = self._facts.find({"kept_from": {"$lt": before_at}}, {"_id": 0, "point": 1})
            documents = await old.sort([("kept_from", ASCENDING), ("_id", ASCENDING)]).limit(limit).to_list()
        return [Point.model_validate(document["point"]) for document in documents]

    @override
    async def count_facts(self, before_at: int | None = None) -> int:
        with available(self._database):
            return await self._facts.count_documents({} if before_at is None else {"kept_from": {"$lt": before_at}})

    @override
    async def points_by_tag(self, tags: Collection[str], *, limit: int) -> dict[str, list[Point]]:
        asked = list(set(tags))
        return dict(
            zip(
                asked,
                await bounded_gather(
                    asked, lambda tag: self.points(PointQuery(tag, limit=limit)), at_once=READS_AT_ONCE
                ),
                strict=True,
            )
        )

    @override
    async def rows_by_key(self, keys: Collection[str]) -> dict[str, Row]:
        with available(self._database):
            documents = await self._rows.find({"_id": {"$in": list(keys)}}).to_list()
        return {document["_id"]: _row(document) for document in documents}

    @override
    async def put_rows(self, rows: Sequence[Row]) -> set[str]:
        documents = {row.key: _row_document(row) for row in rows}
        return await self._put(self._rows, documents, {row.key: row.version for row in rows})

    @override
    async def drop_rows(self, rows: Sequence[Row]) -> None:
        if rows:
            with available(self._database):
                await self._rows.bulk_write(
                    [DeleteOne({"_id": row.key, "version": row.version}) for row in rows], ordered=False
                )

    @override
    async def rows(self, query: RowQuery) -> list[Row]:
        # The closest filter first: a planner that looks at one of them alone takes the first that has an index.
        wanted: Document = {}
        if query.label_prefix is not None:
            wanted["label"] = {"$gte": query.label_prefix, "$lt": query.label_prefix + _AFTER_ALL}
        if query.labels is not None:
            wanted["label"] = _any_of(query.labels)
        if query.scopes is not None:
            wanted["scope"] = _any_of(query.scopes)
        if query.project is not None:
            wanted["project"] = query.project
        wanted["kind"] = query.kind
        if query.since_rank is not None:
            wanted["rank"] = {"$gte": query.since_rank}
        if query.scopes is None or len(query.scopes) == 1 or query.since_rank is None:
            return await self._page(wanted, query)
        # A stretch of the index for each; asked for together they would be sorted first and cut last.
        pages = await bounded_gather(
            query.scopes, lambda scope: self._page({**wanted, "scope": scope}, query), at_once=READS_AT_ONCE
        )
        return sorted(chain(*pages), key=lambda row: (row.rank, row.key), reverse=query.newest_first)[: query.limit]

    async def _page(self, wanted: Document, query: RowQuery) -> list[Row]:
        if query.after is None:
            return await self._listed(wanted, limit=query.limit, newest_first=query.newest_first)
        # Two questions that an index answers each, where one with `$or` would be sorted.
        rank, key = query.after
        beyond = "$lt" if query.newest_first else "$gt"
        between = wanted.get("rank", {})
        found: list[Row] = []
        if rank >= between.get("$gte", rank):
            alike = {**wanted, "rank": rank, "_id": {beyond: key}}
            found = await self._listed(alike, limit=query.limit, newest_first=query.newest_first)
        if len(found) < query.limit:
            further = {**wanted, "rank": {**between, beyond: rank}}
            found += await self._listed(further, limit=query.limit - len(found), newest_first=query.newest_first)
        return found

    async def _listed(self, query: Document, *, limit: int, newest_first: bool) -> list[Row]:
        way = DESCENDING if newest_first else ASCENDING

        async def ask(begin: int | None) -> list[Row]:
            bounded = query if begin is None else {**query, "rank": {"$gte": begin}}
            with available(self._database):
                cursor = self._rows.find(bounded, batch_size=limit).sort([("rank", way), ("_id", way)]).limit(limit)
                return [_row(document) for document in await cursor.to_list()]

        if newest_first and "rank" not in query:
            return await self._begins.page(repr(query), limit, ask, lambda row: row.rank)
        return await ask(None)

    async def _put(
        self, collection: AsyncCollection[Document], documents: Mapping[str, Document], replaces: Mapping[str, int]
    ) -> set[str]:
        """Write each document over the version it replaces, and read back which of them this call wrote.

        A bulk answer does not say which operation matched; a token of the call's own, in every document, does.
        """
        if not documents:
            return set()
        token = uuid4().hex
        operations: list[InsertOne[Document] | ReplaceOne[Document]] = []
        for key, document in documents.items():
            document["token"] = token
            if version := replaces[key]:
                operations.append(ReplaceOne({"_id": key, "version": version}, document))
            else:
                operations.append(InsertOne(document))
        with available(self._database):
            for at in range(0, len(operations), _WRITES_AT_ONCE):
                try:
                    await collection.bulk_write(operations[at : at + _WRITES_AT_ONCE], ordered=False)
                except BulkWriteError as error:
                    # Somebody else inserted the document first: that race is lost, the other writes happened.
                    if not is_only_duplicates(error):
                        raise
            written: set[str] = set()
            keys = list(documents)
            for at in range(0, len(keys), _KEYS_AT_ONCE):
                mine = {"_id": {"$in": keys[at : at + _KEYS_AT_ONCE]}, "token": token}
                written |= {document["_id"] for document in await collection.find(mine, {"_id": 1}).to_list()}
        return written


def _any_of(values: Collection[str]) -> Document | str:
    return {"$in": list(values)} if len(values) != 1 else next(iter(values))


def _fact_document(write: FactWrite) -> Document:
    fact = write.fact
    return {
        "_id": fact.id,
        "version": write.replaces + 1,
        "started_at": fact.started_at,
        "kept_from": fact.kept_from,
        "tags": sorted(tags_of(fact)),
        "stale": stale_values(write.stale),
        "point": fact.point.model_dump(mode="json", by_alias=True, exclude_none=True),
        "fact": fact.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def _row_document(row: Row) -> Document:
    return {"_id": row.key, **row_values(row)}


def _row(document: Document) -> Row:
    return Row(
        document["kind"],
        document["_id"],
        document["project"],
        document["scope"],
        document["label"],
        document["rank"],
        document["body"],
        document["version"],
    )
