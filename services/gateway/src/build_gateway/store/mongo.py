"""The MongoDB driver: every write is one document, conditional where two could race."""

import asyncio
import random
import secrets
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from build_chassis.errors import StoreUnavailable
from build_chassis.store import mongo
from build_chassis.store.mongo_store import MongoStore
from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError
from typing_extensions import override

from build_gateway.store import contract, rows
from build_gateway.store.contract import GatewayStore, LastAdmin
from build_gateway.store.rows import AgentRow, AuditEntry, CommandRow, CommandState, Group, Key, RefreshToken, User

SCHEMA_VERSION = 1
CHANGES_TRIED = 60
PATIENT = 20
"""An announced change of an admin that is not done after so many looks, some 2 s, is taken back."""
PAUSE_SECONDS = 0.02
_INDEXES: dict[str, list[tuple[list[tuple[str, int]], bool]]] = {
    "api_keys": [([("sha256", ASCENDING)], True), ([("lent_until_at", ASCENDING)], False)],
    "refresh_tokens": [([("family", ASCENDING)], False), ([("expires_at", ASCENDING)], False)],
    "agents": [([("last_seen_at", DESCENDING)], False)],
    "commands": [
        ([("agent", ASCENDING), ("state", ASCENDING), ("created_at", ASCENDING)], False),
        ([("build_id", ASCENDING)], False),
        ([("state", ASCENDING), ("created_at", ASCENDING)], False),
        ([("created_at", DESCENDING)], False),
    ],
    "audit": [([("at", DESCENDING)], False)],
}


class MongoGatewayStore(MongoStore, GatewayStore):
    """The gateway's rows in seven collections; `_id` is the row's key."""

    def __init__(self, url: str) -> None:
        super().__init__(url)

    @override
    async def _prepare(self) -> None:
        for collection, indexes in _INDEXES.items():
            for keys, is_unique in indexes:
                await self._database[collection].create_index(keys, unique=is_unique)
        await self._database["schema"].update_one(
            {"_id": "gateway"}, {"$max": {"version": SCHEMA_VERSION}}, upsert=True
        )

    @override
    async def find_user(self, name: str) -> User | None:
        document = await self._find("users", {"_id": name})
        return None if document is None else User.model_validate_json(document["body"])

    @override
    async def list_users(self) -> list[User]:
        documents = await self._list("users", {}, [("_id", ASCENDING)])
        return [User.model_validate_json(document["body"]) for document in documents]

    @override
    async def add_user(self, user: User) -> bool:
        return await self._add("users", {"_id": user.name, "body": user.model_dump_json()})

    @override
    async def change_user(self, name: str, change: Callable[[User], User]) -> User | None:
        for attempt in range(CHANGES_TRIED):
            document = await self._find("users", {"_id": name})
            if document is None:
                return None
            before = User.model_validate_json(document["body"])
            after = change(before)
            query = {"_id": name, "body": document["body"]}
            if before.is_full_admin and not after.is_full_admin:
                is_changed = await self._step_down(query, after, is_patient=attempt < PATIENT)
            else:
                is_changed = await self._replace_user(query, after)
            if is_changed:
                return after
            # At random: of two who wait for each other one looks first.
            await asyncio.sleep(random.uniform(0, PAUSE_SECONDS * (attempt + 1)))  # noqa: S311  no secret
        reason = f"user {name} is being changed all the time"
        raise StoreUnavailable(f"mongodb:{self._database.name}", reason, reason)

    async def _step_down(self, query: dict[str, Any], after: User, *, is_patient: bool) -> bool:
        """Take a full admin's rights if another one stays; False: try again. Raises LastAdmin.

        A write covers one document only. So: announce it in the own document, then look for a full admin who has
        announced nothing, then change, if the announcement still stands. Of several who step down at once, whoever
        looks after all have announced sees nobody who stays and withdraws: at least one keeps the rights.
        """
        mine = {**query, "leaving": secrets.token_hex(8)}
        if not await self._update_user(query, {"$set": {"leaving": mine["leaving"]}}):
            return False
        documents = await self._list("users", {"_id": {"$ne": after.name}}, [("_id", ASCENDING)])
        others = [each for each in documents if User.model_validate_json(each["body"]).is_full_admin]
        if any("leaving" not in each for each in others):
            return await self._replace_user(mine, after)
        await self._update_user(mine, {"$unset": {"leaving": ""}})
        if not others:
            raise LastAdmin(after.name)
        if not is_patient:
            for each in others:  # Their gateway died on the way; if it lives, its change fails and is tried again.
                await self._update_user({"_id": each["_id"], "leaving": each["leaving"]}, {"$unset": {"leaving": ""}})
        return False

    async def _replace_user(self, query: dict[str, Any], user: User) -> bool:
        return await self._update_user(query, {"$set": {"body": user.model_dump_json()}, "$unset": {"leaving": ""}})

    async def _update_user(self, query: dict[str, Any], update: dict[str, Any]) -> bool:
        with mongo.available(self._database):
            return (await self._database["users"].update_one(query, update)).matched_count == 1

    @override
    async def list_groups(self) -> list[Group]:
        documents = await self._list("groups", {}, [("_id", ASCENDING)])
        return [Group.model_validate_json(document["body"]) for document in documents]

    @override
    async def put_group(self, group: Group) -> None:
        await self._put("groups", group.name, {"body": group.model_dump_json()})

    @override
    async def drop_group(self, name: str) -> bool:
        with mongo.available(self._database):
            return (await self._database["groups"].delete_one({"_id": name})).deleted_count == 1

    @override
    async def find_key(self, sha256: str) -> Key | None:
        document = await self._find("api_keys", {"sha256": sha256})
        return None if document is None else _key(document)

    @override
    async def list_keys(self) -> list[Key]:
        documents = await self._list("api_keys", {}, [("created_at", DESCENDING), ("_id", ASCENDING)])
        return [_key(document) for document in documents]

    @override
    async def add_key(self, key: Key) -> bool:
        return await self._add("api_keys", {"_id": key.id, **rows.key_row(key)})

    @override
    async def change_key(self, key_id: str, change: Callable[[Key], Key]) -> Key | None:
        for attempt in range(CHANGES_TRIED):
            document = await self._find("api_keys", {"_id": key_id})
            if document is None:
                return None
            after = change(_key(document))
            as_read = {"_id": key_id, "body": document["body"]}
            with mongo.available(self._database):
                written = await self._database["api_keys"].update_one(as_read, {"$set": rows.key_row(after)})
            if written.matched_count == 1:
                return after
            await asyncio.sleep(random.uniform(0, PAUSE_SECONDS * (attempt + 1)))  # noqa: S311  no secret
        reason = f"key {key_id} is being changed all the time"
        raise StoreUnavailable(f"mongodb:{self._database.name}", reason, reason)

    @override
    async def touch_key(self, key_id: str, now_ms: int) -> None:
        with mongo.available(self._database):
            await self._database["api_keys"].update_one({"_id": key_id}, {"$set": {"last_used_at": now_ms}})

    @override
    async def drop_lent_keys(self, until: int) -> None:
        await self._drop("api_keys", {"lent_until_at": {"$lt": until}})

    @override
    async def add_refresh(self, token: RefreshToken) -> None:
        fields = {"family": token.family, "expires_at": token.expires_at, "body": token.model_dump_json()}
        await self._put("refresh_tokens", token.sha256, fields)

    @override
    async def spend_refresh(self, sha256: str, now_ms: int) -> tuple[RefreshToken, bool] | None:
        with mongo.available(self._database):
            result = await self._database["refresh_tokens"].update_one(
                {"_id": sha256, "spent_at": None}, {"$set": {"spent_at": now_ms}}
            )
        document = await self._find("refresh_tokens", {"_id": sha256})
        if document is None:
            return None
        token = RefreshToken.model_validate_json(document["body"])
        return token.model_copy(update={"spent_at": document["spent_at"]}), result.modified_count == 1

    @override
    async def drop_refresh(self, family: str) -> None:
        await self._drop("refresh_tokens", {"family": family})

    @override
    async def drop_expired_refresh(self, now_ms: int) -> None:
        await self._drop("refresh_tokens", {"expires_at": {"$lt": now_ms}})

    @override
    async def save_agent(self, agent: AgentRow) -> None:
        fields = {"last_seen_at": agent.last_seen_at, "body": agent.model_dump_json()}
        await self._put("agents", agent.process, fields)

    @override
    async def list_agents(self) -> list[AgentRow]:
        documents = await self._list("agents", {}, [("last_seen_at", DESCENDING)], contract.AGENTS_LISTED)
        return [AgentRow.model_validate_json(document["body"]) for document in documents]

    @override
    async def drop_agents_before(self, last_seen_at: int) -> None:
        await self._drop("agents", {"last_seen_at": {"$lt": last_seen_at}})

    @override
    async def add_command(self, command: CommandRow) -> None:
        fields = {"$setOnInsert": rows.command_row(command)}
        with mongo.available(self._database), suppress(DuplicateKeyError):
            await self._database["commands"].update_one({"_id": command.id}, fields, upsert=True)

    @override
    async def find_command(self, command_id: str) -> CommandRow | None:
        document = await self._find("commands", {"_id": command_id})
        return None if document is None else CommandRow.model_validate_json(document["body"])

    @override
    async def list_commands(self, *, agent: str | None = None, build_id: str | None = None) -> list[CommandRow]:
        wanted = {"agent": agent, "build_id": build_id}
        query = {name: value for name, value in wanted.items() if value is not None}
        documents = await self._list(
            "commands", query, [("created_at", DESCENDING), ("_id", ASCENDING)], contract.COMMANDS_LISTED
        )
        return [CommandRow.model_validate_json(document["body"]) for document in documents]

    @override
    async def list_unfinished(self) -> list[CommandRow]:
        query = {"state": {"$in": ["queued", "sent", "accepted"]}}
        documents = await self._list("commands", query, [("created_at", ASCENDING)], contract.UNFINISHED_LISTED)
        return [CommandRow.model_validate_json(document["body"]) for document in documents]

    @override
    async def drop_commands_before(self, created_at: int) -> None:
        await self._drop("commands", {"created_at": {"$lt": created_at}})

    @override
    async def list_waiting(self, agent: str) -> list[CommandRow]:
        query = {"agent": agent, "state": {"$in": ["queued", "sent"]}}
        documents = await self._list("commands", query, [("created_at", ASCENDING)], contract.COMMANDS_LISTED)
        return [CommandRow.model_validate_json(document["body"]) for document in documents]

    @override
    async def move_command(self, command: CommandRow, expected: Collection[CommandState]) -> bool:
        query = {"_id": command.id, "state": {"$in": list(expected)}}
        with mongo.available(self._database):
            result = await self._database["commands"].update_one(query, {"$set": rows.command_row(command)})
        return result.matched_count == 1

    @override
    async def append_audit(self, entry: AuditEntry) -> None:
        with mongo.available(self._database):
            await self._database["audit"].insert_one({"at": entry.at, "body": entry.model_dump_json()})

    @override
    async def list_audit(self, before: int | None = None) -> list[AuditEntry]:
        query = {} if before is None else {"at": {"$lte": before}}
        documents = await self._list("audit", query, [("at", DESCENDING), ("_id", DESCENDING)], contract.AUDIT_LISTED)
        return [AuditEntry.model_validate_json(document["body"]) for document in documents]

    async def _find(self, collection: str, query: dict[str, Any]) -> dict[str, Any] | None:
        with mongo.available(self._database):
            return await self._database[collection].find_one(query)

    async def _list(
        self, collection: str, query: dict[str, Any], order: list[tuple[str, int]], limit: int = 0
    ) -> list[dict[str, Any]]:
        with mongo.available(self._database):
            return await self._database[collection].find(query).sort(order).limit(limit).to_list()

    async def _add(self, collection: str, document: dict[str, Any]) -> bool:
        with mongo.available(self._database):
            try:
                await self._database[collection].insert_one(document)
            except DuplicateKeyError:
                return False
            return True

    async def _put(self, collection: str, key: str, fields: dict[str, Any]) -> None:
        with mongo.available(self._database):
            try:
                await self._database[collection].update_one({"_id": key}, {"$set": fields}, upsert=True)
            except DuplicateKeyError:
                # Two upserts of one new key raced; the document is there now.
                await self._database[collection].update_one({"_id": key}, {"$set": fields})

    async def _drop(self, collection: str, query: dict[str, Any]) -> None:
        with mongo.available(self._database):
            await self._database[collection].delete_many(query)


def _key(document: dict[str, Any]) -> Key:
    return Key.model_validate_json(document["body"]).model_copy(update={"last_used_at": document.get("last_used_at")})
