"""The part that all MongoDB drivers share: one database, opened with the service's own indexes."""

from abc import abstractmethod
from datetime import datetime

from typing_extensions import override

from build_chassis.store.contract import FIRST_VERSION, NotedTime, Schema, Store, refuse_foreign
from build_chassis.store.mongo import VERSION, available, close, connect, opening, ping, reading


class MongoStore(Store):
    """A store on one MongoDB database; what a driver reads and writes, it does within `available(self._database)`."""

    def __init__(self, url: str) -> None:
        self._database = connect(url)

    @override
    async def open(self) -> None:
        with opening(self._database):
            await self._check_version()
            await self._prepare()

    @override
    async def schema(self) -> tuple[Schema, int]:
        with reading(self._database):
            return await self._stored(), FIRST_VERSION

    async def _stored(self) -> Schema:
        # In this order: another replica notes the version before it makes anything else.
        collections = await self._database.list_collection_names()
        noted = await self._database[VERSION].find_one({"_id": VERSION})
        if noted is None:
            return Schema(1 if collections else 0)
        return Schema(int(noted["version"]), int(noted.get("least", FIRST_VERSION)))

    async def _check_version(self) -> None:
        found = await self._stored()
        refuse_foreign(f"mongodb:{self._database.name}", found, FIRST_VERSION)
        if found.version:
            return
        await self._database[VERSION].update_one(
            {"_id": VERSION}, {"$setOnInsert": {"version": FIRST_VERSION}}, upsert=True
        )

    @override
    async def close(self) -> None:
        await close(self._database)

    @override
    async def ping(self) -> None:
        await ping(self._database)

    @override
    async def noted_time(self, kind: NotedTime) -> int | None:
        with available(self._database):
            noted = await self._database[VERSION].find_one({"_id": f"time.{kind}"})
        return None if noted is None else int(noted["at"])

    @override
    async def own_time(self) -> int | None:
        with available(self._database):
            answered_at: datetime = (await self._database.command("hello"))["localTime"]
        return round(answered_at.timestamp() * 1000)

    @override
    async def note_time(self, kind: NotedTime, at: int) -> None:
        with available(self._database):
            await self._database[VERSION].update_one({"_id": f"time.{kind}"}, {"$set": {"at": at}}, upsert=True)

    @abstractmethod
    async def _prepare(self) -> None:
        """Create the indexes; doing so twice is harmless."""
