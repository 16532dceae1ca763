"""Where artifacts are remembered; `open_store(url)` chooses the driver by the URL's scheme."""

from build_artifacts.store.contract import ArtifactStore

__all__ = ["ArtifactStore", "open_store"]


def open_store(url: str) -> ArtifactStore:
    """The store behind this URL: `mongodb://` or `mongodb+srv://`, else any SQL URL that chassis knows."""
    # Imported here, so that a system on SQLite never loads pymongo and the other way round.
    if url.startswith("mongodb"):
        from build_artifacts.store.mongo import MongoArtifactStore  # noqa: PLC0415

        return MongoArtifactStore(url)
    from build_artifacts.store.sql import SqlArtifactStore  # noqa: PLC0415

    return SqlArtifactStore(url)
