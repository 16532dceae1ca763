"""Where branches, notifications and mutes are kept; `open_store(url)` chooses the driver by the URL's scheme."""

from build_notifier.store.contract import NotificationQuery, NotifierStore, StoredBranch

__all__ = ["NotificationQuery", "NotifierStore", "StoredBranch", "open_store"]


def open_store(url: str) -> NotifierStore:
    """The store behind this URL: `mongodb://` or `mongodb+srv://`, else any SQL URL that chassis knows."""
    # Imported here, so that a system on SQLite never loads pymongo and the other way round.
    if url.startswith("mongodb"):
        from build_notifier.store.mongo import MongoNotifierStore  # noqa: PLC0415

        return MongoNotifierStore(url)
    from build_notifier.store.sql import SqlNotifierStore  # noqa: PLC0415

    return SqlNotifierStore(url)
