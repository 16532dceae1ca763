"""The part that all MongoDB drivers share: one database, opened with the service's own indexes."""

from abc import abstractmethod

from typing_extensions import override

from build_chassis.store.contract import Store
from build_chassis.store.mongo import close, connect, opening, ping


class MongoStore(Store):
    """A store on one MongoDB database; what a driver reads and writes, it does within `available(self._database)`."""

    def __init__(self, url: str) -> None:
        self._database = connect(url)

    @override
    async def open(self) -> None:
        with opening(self._database):
            await self._prepare()

    @override
    async def close(self) -> None:
        await close(self._database)

    @override
    async def ping(self) -> None:
        await ping(self._database)

    @abstractmethod
    async def _prepare(self) -> None:
        """Create the indexes; doing so twice is harmless."""
