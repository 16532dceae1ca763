"""The store: builds, their chunks, and who judges which shard. One contract, two drivers."""

from build_ingest.store.contract import BuildQuery, BuildStore, ChunkSource, Conflict, Following, StoredChunkMissing

__all__ = ["BuildQuery", "BuildStore", "ChunkSource", "Conflict", "Following", "StoredChunkMissing", "open_store"]


def open_store(url: str) -> BuildStore:
    """The driver that the URL's scheme names: `sqlite:///`, `mysql://` or `mongodb://`."""
    if url.startswith("mongodb"):
        from build_ingest.store.mongo import MongoBuildStore  # noqa: PLC0415  the other driver is not even imported

        return MongoBuildStore(url)
    from build_ingest.store.sql import SqlBuildStore  # noqa: PLC0415  as above

    return SqlBuildStore(url)
