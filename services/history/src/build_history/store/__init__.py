"""Where facts and the rows derived from them are kept; `open_store(url)` chooses the driver by the URL's scheme."""

from build_history.store.contract import FactWrite, HistoryStore, Row, StoredFact

__all__ = ["FactWrite", "HistoryStore", "Row", "StoredFact", "open_store"]


def open_store(url: str) -> HistoryStore:
    """The store behind this URL: `mongodb://` or `mongodb+srv://`, else any SQL URL that chassis knows."""
    # Imported here, so that a system on SQLite never loads pymongo and the other way round.
    if url.startswith("mongodb"):
        from build_history.store.mongo import MongoHistoryStore  # noqa: PLC0415

        return MongoHistoryStore(url)
    from build_history.store.sql import SqlHistoryStore  # noqa: PLC0415

    return SqlHistoryStore(url)
