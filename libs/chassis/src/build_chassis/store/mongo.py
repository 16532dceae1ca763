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
    InvalidOperation,
    OperationFailure,
    PyMongoError,
    WaitQueueTimeoutError,
    WTimeoutError,
)

from build_chassis.errors import StoreUnavailable, Unusable

SELECTION_TIMEOUT_MS = 5_000
"""The driver's own default of 30 s would hold a request for as long."""

_OUTAGE_CODES = frozenset({43, 91, 189, 10107, 11600, 11602, 13435, 13436, 14031})
"""Cursor lost, shutting down, not primary, interrupted, out of disk: the server's state, not our command."""

_REFUSED_CODES = frozenset({13, 18, 8000})
"""Not authorized, or not authenticated: at an opening the operator may still be about to allow it."""

Document = dict[str, Any]


class Database(AsyncDatabase[Document]):
    """One service's database; not to be used until an `opening` of it succeeded."""

    def __init__(self, client: AsyncMongoClient[Document], name: str) -> None:
        super().__init__(client, name)
        self.is_open = False
        self.is_closed = False
        self.hint = "it was not opened yet"


def connect(url: str) -> Database:
    """The database that a URL names; it connects on first use.

    Args:
        url: `mongodb://host/name`, with the driver's options.

    Raises:
        ValueError: The URL names no database.
    """
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
    return Database(client, name)


@contextmanager
def opening(database: Database) -> Iterator[None]:
    """Make a database ready: it is open once this context ends well.

    The driver's client stays as it is: it connects anew by itself, and `close` closes it.

    Raises:
        StoreUnavailable: A later try may succeed.
        Unusable: Waiting never changes what was found.
    """
    try:
        with _mapped(database):
            yield
    except StoreUnavailable as error:
        database.hint = error.hint
        raise
    except PyMongoError as error:
        if isinstance(error, OperationFailure) and error.code in _REFUSED_CODES:
            database.hint = "it refuses our account"
            raise StoreUnavailable(f"mongodb:{database.name}", error, database.hint) from error
        refusal = f"cannot take this release's indexes ({error}); run the release before it, and report this"
        raise Unusable(f"store mongodb:{database.name} {refusal}") from error
    database.is_open = True


@contextmanager
def available(database: Database) -> Iterator[None]:
    """Run commands on a database; errors that mean that the server is away become one.

    Raises:
        StoreUnavailable: The database is not open, or its server is away; other errors pass.
    """
    if not database.is_open:
        raise StoreUnavailable(f"mongodb:{database.name}", f"it is not open yet: {database.hint}", database.hint)
    with _mapped(database):
        yield


@contextmanager
def _mapped(database: Database) -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        if not (is_outage(error) or (database.is_closed and isinstance(error, InvalidOperation))):
            raise
        raise StoreUnavailable(f"mongodb:{database.name}", error) from error


def is_outage(error: PyMongoError) -> bool:
    """Whether the server is away, rather than our command wrong."""
    if isinstance(error, OperationFailure) and error.code in _OUTAGE_CODES:
        return True
    return isinstance(error, ConnectionFailure | ExecutionTimeout | WTimeoutError | WaitQueueTimeoutError)


async def ping(database: Database) -> None:
    """Return if the server answers.

    Raises:
        StoreUnavailable: It does not.
    """
    with available(database):
        await database.command("ping")


async def close(database: Database) -> None:
    """Close the connection."""
    database.is_closed = True
    await database.client.close()
