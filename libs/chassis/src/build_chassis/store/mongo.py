"""The MongoDB connection of every service's store: majority and journal, short waits, one error when it is away."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    BulkWriteError,
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

_OUTAGE_CODES = frozenset(
    {13, 18, 24, 43, 46, 50, 64, 75, 91, 100, 112, 133, 134, 189, 202, 237, 262, 365}
    | {8000, 10058, 10107, 11600, 11601, 11602, 13435, 13436, 14031, 16500}
)
"""The server's state, not our command: account refused, locked, cursor lost, out of time, write concern not met,
shutting down, contended, not primary, interrupted, over quota, out of disk, throttled."""

_OUTAGE_LABELS = ("RetryableWriteError", "TransientTransactionError")
_DUPLICATE_KEY = 11000

_REFUSED_CODES = frozenset({13, 18, 8000})
"""Not authorized, not authenticated, or over its quota: the operator may still be about to allow it."""

VERSION = "schema_version"
"""The collection that notes which release's documents these are, when they were in use last, and takes the pings."""

_WRITE_PROBE = "write_probe"

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
def reading(database: Database) -> Iterator[None]:
    """Look at a database that need not be open; errors as of `available`."""
    with _mapped(database):
        yield


@contextmanager
def _mapped(database: Database) -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        if not (is_outage(error) or (database.is_closed and isinstance(error, InvalidOperation))):
            raise
        is_refused = isinstance(error, OperationFailure) and error.code in _REFUSED_CODES
        hint = ("it refuses our account",) if is_refused else ()
        raise StoreUnavailable(f"mongodb:{database.name}", error, *hint) from error


def is_outage(error: PyMongoError) -> bool:
    """Whether the server is away, rather than our command wrong."""
    if isinstance(error, BulkWriteError):
        refused = [fault["code"] for fault in error.details["writeErrors"]]
        return bool(error.details["writeConcernErrors"]) or any(code in _OUTAGE_CODES for code in refused)
    if isinstance(error, OperationFailure) and error.code in _OUTAGE_CODES:
        return True
    if any(error.has_error_label(label) for label in _OUTAGE_LABELS):
        return True
    return isinstance(error, ConnectionFailure | ExecutionTimeout | WTimeoutError | WaitQueueTimeoutError)


def is_only_duplicates(error: BulkWriteError) -> bool:
    """Whether all that went wrong is that keys were there before, and the rest is on disk on most servers."""
    faults = error.details["writeErrors"]
    return not error.details["writeConcernErrors"] and all(fault["code"] == _DUPLICATE_KEY for fault in faults)


async def ping(database: Database) -> None:
    """Return if the server takes a write: a full one, or one without a primary, still answers whoever reads.

    Raises:
        StoreUnavailable: It does not.
    """
    with available(database):
        await database[VERSION].update_one({"_id": _WRITE_PROBE}, {"$inc": {"written": 1}}, upsert=True)


async def close(database: Database) -> None:
    """Close the connection."""
    database.is_closed = True
    await database.client.close()
