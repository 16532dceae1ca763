"""A MongoDB database as one file: of each collection its options and indexes, then its documents, then an empty one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import bson
import zstandard
from bson.raw_bson import RawBSONDocument
from pymongo import IndexModel, MongoClient
from pymongo.errors import PyMongoError

from build_embedded.backup.manifest import BackupFault, File, write

BATCH = 500
_END = bson.encode({})
"""Every stored document has an `_id`."""


def dump(url: str, target: Path) -> File:
    """Write the database, of one moment, while it is used. Raises BackupFault."""
    try:
        with _client(url) as client, client.start_session(snapshot=True) as session:
            compressor = zstandard.ZstdCompressor().compressobj()

            def blocks() -> Iterator[bytes]:
                for piece in _pieces(client[_name(url)], session):
                    if block := compressor.compress(piece):
                        yield block
                yield compressor.flush()

            return write(blocks(), target)
    except PyMongoError as error:
        raise BackupFault(
            f"database {_name(url)}: {error} (a moment of a whole database takes a replica set of MongoDB 5 or later)"
        ) from error


def load(source: Path, url: str) -> None:
    """Put everything in an empty database. Raises BackupFault."""
    try:
        with _client(url) as client, source.open("rb") as packed:
            database = client[_name(url)]
            if database.list_collection_names():
                raise BackupFault(f"database {_name(url)} is not empty: name another one, or drop it")
            with zstandard.ZstdDecompressor().stream_reader(packed) as file:
                while head := _next(file):
                    _fill(database, bson.decode(head.raw), file)
    except PyMongoError as error:
        raise BackupFault(f"database {_name(url)}: {error}") from error


def _pieces(database: Any, session: Any) -> Iterator[bytes]:
    # A list of collections is of no moment: they are made at an opening.
    for collection in sorted(database.list_collections(), key=lambda one: str(one["name"])):
        name = collection["name"]
        indexes = [
            {key: value for key, value in index.items() if key not in ("v", "ns")}
            for index in database[name].list_indexes()
            if index["name"] != "_id_"
        ]
        yield bson.encode({"collection": name, "options": collection.get("options", {}), "indexes": indexes})
        for document in database[name].find(session=session, batch_size=BATCH):
            yield document.raw
        yield _END


def _fill(database: Any, head: dict[str, Any], file: Any) -> None:
    collection = database.create_collection(head["collection"], **head["options"])
    batch: list[RawBSONDocument] = []
    while (document := _next(file)) is not None and document.raw != _END:
        batch.append(document)
        if len(batch) >= BATCH:
            collection.insert_many(batch)
            batch = []
    if batch:
        collection.insert_many(batch)
    if models := [IndexModel(list(index.pop("key").items()), **index) for index in head["indexes"]]:
        collection.create_indexes(models)


def _next(file: Any) -> RawBSONDocument | None:
    """The next document of a stream; None at its end. Raises BackupFault."""
    size = file.read(4)
    if not size:
        return None
    rest = file.read(int.from_bytes(size, "little") - 4)
    if len(rest) != int.from_bytes(size, "little") - 4:
        raise BackupFault("a dump ends in the middle of a document")
    return RawBSONDocument(size + rest)


def _client(url: str) -> "MongoClient[RawBSONDocument]":
    return MongoClient(
        url, document_class=RawBSONDocument, w="majority", journal=True, uuidRepresentation="standard", tz_aware=True
    )


def _name(url: str) -> str:
    return urlsplit(url).path.strip("/")
