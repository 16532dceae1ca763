"""The MongoDB driver: every write is one document, conditional where two could race."""

from collections.abc import Collection
from typing import Any

from chassis.store import mongo
from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from gateway.store.contract import AGENTS_LISTED, AUDIT_LISTED, COMMANDS_LISTED
from gateway.store.rows import AgentRow, AuditEntry, CommandRow, CommandState, Key, RefreshToken, User

SCHEMA_VERSION = 1
_INDEXES: dict[str, list[tuple[list[tuple[str, int]], bool]]] = {
    "api_keys": [([("sha256", ASCENDING)], True)],
    "refresh_tokens": [([("family", ASCENDING)], False), ([("expires_at", ASCENDING)], False)],
    "agents": [([("last_seen_at", DESCENDING)], False)],
    "commands": [
        ([("agent", ASCENDING), ("state", ASCENDING), ("created_at", ASCENDING)], False),
        ([("build_id", ASCENDING)], False),
        ([("created_at", DESCENDING)], False),
    ],
    "audit": [([("at", DESCENDING)], False)],
}


class MongoGatewayStore:
    """The gateway's rows in six collections; `_id` is the row's key."""

    def __init__(self, url: str) -> None:
        self._db = mongo.connect(url)

    async def open(self) -> None:
        """Connect and make sure of the indexes; a newer release's version is left as it is."""
        with mongo.available(self._db):
            for collection, indexes in _INDEXES.items():
                for keys, is_unique in indexes:
                    await self._db[collection].create_index(keys, unique=is_unique)
            await self._db["schema"].update_one({"_id": "gateway"}, {"$max": {"version": SCHEMA_VERSION}}, upsert=True)

    async def close(self) -> None:
        """Disconnect."""
        await mongo.close(self._db)

    async def ping(self) -> None:
        """Return when the store answers."""
        await mongo.ping(self._db)

    async def find_user(self, name: str) -> User | None:
        """The user, or None."""
        document = await self._find("users", {"_id": name})
        return None if document is None else User.model_validate_json(document["body"])

    async def list_users(self) -> list[User]:
        """All users by name."""
        documents = await self._list("users", {}, [("_id", ASCENDING)])
        return [User.model_validate_json(document["body"]) for document in documents]

    async def add_user(self, user: User) -> bool:
        """Add; False when the name is taken (the key is the name)."""
        with mongo.available(self._db):
            try:
                await self._db["users"].insert_one({"_id": user.name, "body": user.model_dump_json()})
            except DuplicateKeyError:
                return False
            return True

    async def save_user(self, user: User) -> None:
        """Put the user in place of the one with this name; repeating changes nothing."""
        await self._put("users", user.name, {"body": user.model_dump_json()})

    async def find_key(self, sha256: str) -> Key | None:
        """The key whose value has this hash, or None."""
        document = await self._find("api_keys", {"sha256": sha256})
        return None if document is None else _key(document)

    async def list_keys(self) -> list[Key]:
        """All keys, newest first."""
        documents = await self._list("api_keys", {}, [("created_at", DESCENDING), ("_id", ASCENDING)])
        return [_key(document) for document in documents]

    async def save_key(self, key: Key) -> None:
        """Put the key in place of the one with this id; repeating changes nothing."""
        fields = {"sha256": key.sha256, "created_at": key.created_at, "body": key.model_dump_json()}
        await self._put("api_keys", key.id, fields)

    async def touch_key(self, key_id: str, now_ms: int) -> None:
        """Note when the key was last used and change nothing else of it."""
        with mongo.available(self._db):
            await self._db["api_keys"].update_one({"_id": key_id}, {"$set": {"last_used_at": now_ms}})

    async def add_refresh(self, token: RefreshToken) -> None:
        """Remember a refresh token by its hash; repeating changes nothing."""
        fields = {"family": token.family, "expires_at": token.expires_at, "body": token.model_dump_json()}
        await self._put("refresh_tokens", token.sha256, fields)

    async def spend_refresh(self, sha256: str, now_ms: int) -> tuple[RefreshToken, bool] | None:
        """The token as spent, and whether this call was the one that spent it (exactly one is); None when unknown."""
        with mongo.available(self._db):
            result = await self._db["refresh_tokens"].update_one(
                {"_id": sha256, "spent_at": None}, {"$set": {"spent_at": now_ms}}
            )
        document = await self._find("refresh_tokens", {"_id": sha256})
        if document is None:
            return None
        token = RefreshToken.model_validate_json(document["body"])
        return token.model_copy(update={"spent_at": document["spent_at"]}), result.modified_count == 1

    async def drop_refresh(self, family: str) -> None:
        """Forget a whole family; repeating changes nothing."""
        await self._drop("refresh_tokens", {"family": family})

    async def drop_expired_refresh(self, now_ms: int) -> None:
        """Forget what has expired; repeating changes nothing."""
        await self._drop("refresh_tokens", {"expires_at": {"$lt": now_ms}})

    async def save_agent(self, agent: AgentRow) -> None:
        """Put the agent in place of the one with this (name, instance); repeating changes nothing."""
        fields = {"last_seen_at": agent.last_seen_at, "body": agent.model_dump_json()}
        await self._put("agents", agent.process, fields)

    async def list_agents(self) -> list[AgentRow]:
        """The agents seen last, newest first, at most 1,000."""
        documents = await self._list("agents", {}, [("last_seen_at", DESCENDING)], AGENTS_LISTED)
        return [AgentRow.model_validate_json(document["body"]) for document in documents]

    async def drop_agents_before(self, last_seen_ms: int) -> None:
        """Forget agent processes not seen since; repeating changes nothing."""
        await self._drop("agents", {"last_seen_at": {"$lt": last_seen_ms}})

    async def add_command(self, command: CommandRow) -> None:
        """Remember a command by its id; repeating changes nothing."""
        await self._put("commands", command.id, _command_fields(command))

    async def find_command(self, command_id: str) -> CommandRow | None:
        """The command, or None."""
        document = await self._find("commands", {"_id": command_id})
        return None if document is None else CommandRow.model_validate_json(document["body"])

    async def list_commands(self, *, agent: str | None = None, build_id: str | None = None) -> list[CommandRow]:
        """The newest 200 commands, newest first."""
        wanted = {"agent": agent, "build_id": build_id}
        query = {name: value for name, value in wanted.items() if value is not None}
        documents = await self._list(
            "commands", query, [("created_at", DESCENDING), ("_id", ASCENDING)], COMMANDS_LISTED
        )
        return [CommandRow.model_validate_json(document["body"]) for document in documents]

    async def list_waiting(self, agent: str) -> list[CommandRow]:
        """The agent's commands that no one has acked yet, oldest first."""
        query = {"agent": agent, "state": {"$in": ["queued", "sent"]}}
        documents = await self._list("commands", query, [("created_at", ASCENDING)], COMMANDS_LISTED)
        return [CommandRow.model_validate_json(document["body"]) for document in documents]

    async def move_command(self, command: CommandRow, expected: Collection[CommandState]) -> bool:
        """Put the command in place if its stored state is one of `expected`; False when another was faster."""
        query = {"_id": command.id, "state": {"$in": list(expected)}}
        with mongo.available(self._db):
            result = await self._db["commands"].update_one(query, {"$set": _command_fields(command)})
        return result.matched_count == 1

    async def append_audit(self, entry: AuditEntry) -> None:
        """Add to the audit trail; the one write that repeating would double, so nobody repeats it."""
        with mongo.available(self._db):
            await self._db["audit"].insert_one({"at": entry.at, "body": entry.model_dump_json()})

    async def list_audit(self) -> list[AuditEntry]:
        """The newest 500 entries, newest first."""
        documents = await self._list("audit", {}, [("at", DESCENDING), ("_id", DESCENDING)], AUDIT_LISTED)
        return [AuditEntry.model_validate_json(document["body"]) for document in documents]

    async def _find(self, collection: str, query: dict[str, Any]) -> dict[str, Any] | None:
        with mongo.available(self._db):
            return await self._db[collection].find_one(query)

    async def _list(
        self, collection: str, query: dict[str, Any], order: list[tuple[str, int]], limit: int = 0
    ) -> list[dict[str, Any]]:
        with mongo.available(self._db):
            return await self._db[collection].find(query).sort(order).limit(limit).to_list()

    async def _put(self, collection: str, key: str, fields: dict[str, Any]) -> None:
        with mongo.available(self._db):
            try:
                await self._db[collection].update_one({"_id": key}, {"$set": fields}, upsert=True)
            except DuplicateKeyError:
                # Two upserts of one new key raced; the document is there now.
                await self._db[collection].update_one({"_id": key}, {"$set": fields})

    async def _drop(self, collection: str, query: dict[str, Any]) -> None:
        with mongo.available(self._db):
            await self._db[collection].delete_many(query)


def _key(document: dict[str, Any]) -> Key:
    return Key.model_validate_json(document["body"]).model_copy(update={"last_used_at": document.get("last_used_at")})


def _command_fields(command: CommandRow) -> dict[str, Any]:
    return {
        "agent": command.agent,
        "build_id": command.build_id,
        "state": command.state,
        "created_at": command.created_at,
        "body": command.model_dump_json(),
    }
