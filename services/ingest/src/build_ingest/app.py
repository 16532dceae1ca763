"""The app: ingest's parts, wired; in its lifespan the store and this replica's share of the work."""

from typing import Unpack

from build_chassis.bus import Bus
from build_chassis.service_core import Given, ServiceCore
from fastapi import FastAPI

from build_ingest.archive.artifacts_client import ArtifactsClient
from build_ingest.dependencies import Dependencies
from build_ingest.lifecycle.replica import Replica
from build_ingest.logs.news import LogNewsReader
from build_ingest.logs.search_many import LogsSearch
from build_ingest.metrics import Metrics
from build_ingest.routes import routers
from build_ingest.settings import Settings
from build_ingest.store import BuildStore, open_store
from build_ingest.store.results_cache import ResultsCache


def create_app(settings: Settings, bus: Bus, **given: Unpack[Given[BuildStore]]) -> FastAPI:
    """The service on this bus. The bus is opened and closed by whoever made it; the store and the peers are ours.

    Logs are archived at the peer `artifacts`; without it they are kept here only.
    """
    core = ServiceCore(settings, bus, open_store, given)
    artifacts = core.peers.get("artifacts")
    replica = Replica(
        settings,
        bus,
        core.store,
        artifacts_client=None if artifacts is None else ArtifactsClient(artifacts),
        metrics=Metrics(core.registry),
        clock=core.clock,
        guard=core.guard,
    )

    parts = Dependencies(
        settings=settings,
        clock=core.clock,
        registry=core.registry,
        store=core.store,
        texts=replica.texts,
        log_news=LogNewsReader(core.store, replica.texts),
        logs_search=LogsSearch(core.store, replica.texts),
        recent=ResultsCache(core.store),
        replica=replica,
    )
    closing = [replica.stop] if replica.artifacts_client is None else [replica.stop, replica.artifacts_client.close]
    return core.app(parts, routers(settings), core.lifespan(replica.duties(), closing=closing))
