"""The MongoDB connection of every service's store: majority and journal, short waits, one error when it is away."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WaitQueueTimeoutError,
    WTimeoutError,
)

from chassis.errors import StoreUnavailable

SELECTION_TIMEOUT_MS = 5_000
"""The driver's own default of 30 s would hold a request for as long."""

_OUTAGE_CODES = frozenset({43, 91, 189, 10107, 11600, 11602, 13435, 13436, 14031})
"""Cursor lost, shutting down, not primary, interrupted, out of disk: the server's state, not our command."""

Document = dict[str, Any]
Database = AsyncDatabase[Document]


def connect(url: str) -> Database:
    """The database the URL names; connects on first use. Raises ValueError when the URL names none."""
    name = urlsplit(url).path.strip("/")
    if not name:
        raise ValueError("the store URL must name a database: mongodb://host/name")
    client: AsyncMongoClient[Document] = AsyncMongoClient(
        url,
        w="majority",
        journal=True,
        serverSelectionTimeoutMS=SELECTION_TIMEOUT_MS,
        connectTimeoutMS=SELECTION_TIMEOUT_MS,
        socketTimeoutMS=30_000,
        tz_aware=True,
        uuidRepresentation="standard",
        appname="build-dashboard",
    )
    return client[name]


@contextmanager
def available(database: Database) -> Iterator[None]:
    """Raise StoreUnavailable for what means that the server is away; other errors pass."""
    try:
        yield
    except PyMongoError as error:
        if not is_outage(error):
            raise
        raise StoreUnavailable(f"mongodb:{database.name}", error) from error


def is_outage(error: PyMongoError) -> bool:
    """Whether the server is away, rather than our command wrong."""
    if isinstance(error, OperationFailure) and error.code in _OUTAGE_CODES:
        return True
    return isinstance(error, ConnectionFailure | ExecutionTimeout | WTimeoutError | WaitQueueTimeoutError)


async def ping(database: Database) -> None:
    """Raise StoreUnavailable unless the server answers."""
    with available(database):
        await database.command("ping")


async def close(database: Database) -> None:
    """Close the connection."""
    await database.client.close()
