"""The gateway's store: accounts, keys, agents, commands and the audit trail; no builds. The URL's scheme chooses."""

from build_gateway.store.contract import GatewayStore

__all__ = ["GatewayStore", "open_store"]


def open_store(url: str) -> GatewayStore:
    """The store of a URL, not yet connected: `sqlite:///path`, `mysql://...` or `mongodb://...`."""
    if url.startswith(("mongodb://", "mongodb+srv://")):
        from build_gateway.store.mongo import MongoGatewayStore  # noqa: PLC0415  only the chosen driver is imported

        return MongoGatewayStore(url)
    from build_gateway.store.sql import SqlGatewayStore  # noqa: PLC0415  as above

    return SqlGatewayStore(url)
