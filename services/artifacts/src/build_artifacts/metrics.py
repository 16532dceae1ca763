"""Metrics of artifacts, in the registry of its own app."""

from prometheus_client import CollectorRegistry, Counter


class Metrics:
    """What an operator watches: what is offered, what is verified, what is deleted."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.offers = Counter("artifacts_offers", "Uploads asked for.", ["answer"], registry=registry)
        self.uploads = Counter("artifacts_uploads", "Uploads reported by agents.", ["outcome"], registry=registry)
        self.damaged = Counter("artifacts_damaged", "Verified bytes found changed or gone.", registry=registry)
        self.forgotten = Counter("artifacts_forgotten", "Artifacts whose bytes were dropped.", registry=registry)
        self.swept = Counter("artifacts_swept_uploads", "Unfinished uploads aborted.", registry=registry)
