"""Notifier on MongoDB: three collections, no transactions; every write is one document, guarded by its version."""

from collections.abc import Collection, Sequence
from typing import Any

from build_chassis.store.mongo import available
from build_chassis.store.mongo_store import MongoStore
from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError
from typing_extensions import override

from build_notifier.records.branch import Branch
from build_notifier.records.mutes import Mute
from build_notifier.records.notification import Notification
from build_notifier.store.contract import NotificationQuery, NotifierStore, StoredBranch
from build_notifier.store.rows import branch_of, branch_values, notification_of, notification_values

Document = dict[str, Any]


class MongoNotifierStore(MongoStore, NotifierStore):
    """The store on one MongoDB database."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._branches: AsyncCollection[Document] = self._database["notifier_branches"]
        self._notifications: AsyncCollection[Document] = self._database["notifier_notifications"]
        self._mutes: AsyncCollection[Document] = self._database["notifier_mutes"]

    @override
    async def _prepare(self) -> None:
        await self._branches.create_index([("due_at", ASCENDING)])
        await self._branches.create_index([("project", ASCENDING), ("touched_at", DESCENDING)])
        await self._notifications.create_index([("due_at", ASCENDING)])
        for names in ((), ("project",), ("incident",), ("build_id",)):
            await self._notifications.create_index(
                [*((name, ASCENDING) for name in names), ("created_at", DESCENDING), ("_id", DESCENDING)]
            )

    @override
    async def branches(self, keys: Collection[str]) -> dict[str, StoredBranch]:
        with available(self._database):
            documents = await self._branches.find({"_id": {"$in": list(keys)}}).to_list()
        return {document["_id"]: _branch(document) for document in documents}

    @override
    async def put_branch(self, branch: Branch, replaces: int) -> bool:
        document = {"_id": branch.key, **branch_values(branch, replaces + 1)}
        if replaces == 0:
            return await self._insert(self._branches, document)
        with available(self._database):
            result = await self._branches.replace_one({"_id": branch.key, "version": replaces}, document)
        return result.matched_count == 1

    @override
    async def due_branches(self, now_ms: int, limit: int) -> list[StoredBranch]:
        with available(self._database):
            due = self._branches.find({"due_at": {"$lte": now_ms}}).sort([("due_at", ASCENDING)]).limit(limit)
            return [_branch(document) for document in await due.to_list()]

    @override
    async def branches_of(self, project: str, limit: int) -> list[StoredBranch]:
        with available(self._database):
            found = self._branches.find({"project": project}).sort([("touched_at", DESCENDING)]).limit(limit)
            return [_branch(document) for document in await found.to_list()]

    @override
    async def claim(self, notifications: Sequence[Notification]) -> set[str]:
        # One by one, few as they are: each answer says whether this claim was the first.
        return {
            notification.id
            for notification in notifications
            if await self._insert(self._notifications, _document(notification, 1))
        }

    @override
    async def notifications(self, ids: Collection[str]) -> dict[str, Notification]:
        with available(self._database):
            documents = await self._notifications.find({"_id": {"$in": list(ids)}}).to_list()
        return {document["_id"]: _notification(document) for document in documents}

    @override
    async def due_notifications(self, now_ms: int, limit: int) -> list[Notification]:
        order = [("due_at", ASCENDING), ("created_at", ASCENDING)]
        with available(self._database):
            due = self._notifications.find({"due_at": {"$lte": now_ms}}).sort(order).limit(limit)
            return [_notification(document) for document in await due.to_list()]

    @override
    async def put_notification(self, notification: Notification) -> Notification | None:
        version = notification.version + 1
        guard = {"_id": notification.id, "version": notification.version}
        with available(self._database):
            result = await self._notifications.replace_one(guard, _document(notification, version))
        return notification.model_copy(update={"version": version}) if result.matched_count == 1 else None

    @override
    async def list_notifications(self, query: NotificationQuery) -> list[Notification]:
        filters = {"state": query.state, "incident": query.incident, "build_id": query.build_id}
        wanted: Document = {name: value for name, value in filters.items() if value is not None}
        if query.projects is not None:
            wanted["project"] = {"$in": list(query.projects)}
        if query.after is not None:
            created_at, last_id = query.after
            wanted["$or"] = [{"created_at": {"$lt": created_at}}, {"created_at": created_at, "_id": {"$lt": last_id}}]
        order = [("created_at", DESCENDING), ("_id", DESCENDING)]
        with available(self._database):
            documents = await self._notifications.find(wanted).sort(order).limit(query.limit).to_list()
        return [_notification(document) for document in documents]

    @override
    async def put_mute(self, mute: Mute) -> None:
        document = {"_id": mute.id, "until_at": mute.until_at, "body": mute.to_json()}
        with available(self._database):
            await self._mutes.replace_one({"_id": mute.id}, document, upsert=True)

    @override
    async def drop_mute(self, mute_id: str) -> bool:
        with available(self._database):
            return (await self._mutes.delete_one({"_id": mute_id})).deleted_count == 1

    @override
    async def mutes(self) -> list[Mute]:
        with available(self._database):
            documents = await self._mutes.find().sort([("until_at", DESCENDING), ("_id", ASCENDING)]).to_list()
        return [Mute.model_validate_json(document["body"]) for document in documents]

    @override
    async def count(self, before_at: int | None = None) -> int:
        old: Document = {} if before_at is None else {"created_at": {"$lt": before_at}, "due_at": None}
        with available(self._database):
            return await self._notifications.count_documents(old)

    @override
    async def forget(self, before_at: int, limit: int) -> int:
        old: tuple[tuple[AsyncCollection[Document], Document], ...] = (
            (self._notifications, {"created_at": {"$lt": before_at}, "due_at": None}),
            (self._branches, {"touched_at": {"$lt": before_at}, "due_at": None}),
            (self._mutes, {"until_at": {"$lt": before_at}}),
        )
        gone = 0
        with available(self._database):
            for collection, query in old:
                documents = await collection.find(query, {"_id": 1}).limit(limit).to_list()
                keys = [document["_id"] for document in documents]
                gone += (await collection.delete_many({"_id": {"$in": keys}})).deleted_count
        return gone

    async def _insert(self, collection: AsyncCollection[Document], document: Document) -> bool:
        with available(self._database):
            try:
                await collection.insert_one(document)
            except DuplicateKeyError:
                return False
        return True


def _branch(document: Document) -> StoredBranch:
    return branch_of(document["body"], document["version"])


def _notification(document: Document) -> Notification:
    return notification_of(document["body"], document["version"])


def _document(notification: Notification, version: int) -> Document:
    return {"_id": notification.id, **notification_values(notification, version)}
