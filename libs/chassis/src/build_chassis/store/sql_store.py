"""The part that all SQL drivers share: one engine, opened with the service's own tables."""

from collections.abc import Sequence

from sqlalchemy import MetaData
from typing_extensions import override

from build_chassis.store.contract import FIRST_VERSION, NotedTime, Schema, Store
from build_chassis.store.sql import SqlEngine, Step


class SqlStore(Store):
    """A store on one SQL database; each method of a driver is one transaction of `self._engine`."""

    def __init__(self, url: str, metadata: MetaData, steps: Sequence[Step] = (), least: int = FIRST_VERSION) -> None:
        self._engine = SqlEngine(url)
        self._metadata = metadata
        self._steps = steps
        self._least = least

    @override
    async def open(self) -> None:
        await self._engine.migrate(self._metadata, self._steps, self._least)

    @override
    async def schema(self) -> tuple[Schema, int]:
        return await self._engine.schema(), FIRST_VERSION + len(self._steps)

    @override
    async def close(self) -> None:
        await self._engine.close()

    @override
    async def ping(self) -> None:
        await self._engine.ping()

    @override
    async def noted_time(self, kind: NotedTime) -> int | None:
        return await self._engine.noted_time(kind)

    @override
    async def own_time(self) -> int | None:
        return await self._engine.own_time()

    @override
    async def note_time(self, kind: NotedTime, at: int) -> None:
        await self._engine.note_time(kind, at)
