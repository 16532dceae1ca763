"""Metrics of history, in the registry of its own app."""

from prometheus_client import CollectorRegistry, Counter, Histogram


class Metrics:
    """What an operator watches: whether messages become facts, and how long that takes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.messages = Counter("history_messages", "Messages recorded, repeated ones included.", registry=registry)
        self.batch_seconds = Histogram(
            "history_batch_seconds", "From a batch of deliveries to facts and rows stored.", registry=registry
        )
        self.forgotten = Counter("history_forgotten_facts", "Facts beyond keep_days, forgotten.", registry=registry)
        self.imported_builds = Counter(
            "history_imported_builds", "Builds whose tests and steps were read from ingest.", registry=registry
        )
