"""The app: ingest's parts, wired; in its lifespan the store and this replica's share of the work."""

from build_chassis.bus import Bus
from build_chassis.retention_guard import RetentionGuard
from build_chassis.server_clock import ServerClock
from build_chassis.service import create_service_app
from build_chassis.service_client import NO_PEERS, Peers
from build_chassis.supervisor import supervised_lifespan
from build_protocol.clock import Clock
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from build_ingest.archive.artifacts_client import ArtifactsClient
from build_ingest.dependencies import Dependencies
from build_ingest.lifecycle.replica import Replica
from build_ingest.metrics import Metrics
from build_ingest.routes import routers
from build_ingest.settings import Settings
from build_ingest.store import BuildStore, open_store
from build_ingest.store.results_cache import ResultsCache


def create_app(
    settings: Settings,
    bus: Bus,
    *,
    peers: Peers = NO_PEERS,
    store: BuildStore | None = None,
    clock: Clock | None = None,
) -> FastAPI:
    """The service on this bus. The bus is opened and closed by whoever made it; the store and the peers are ours.

    Logs are archived at the peer `artifacts`; without it they are kept here only.
    """
    registry = CollectorRegistry()
    builds = store or open_store(settings.store_url)
    clock = clock or ServerClock()
    guard = RetentionGuard(settings, clock, builds, registry)
    artifacts_client = ArtifactsClient(peers["artifacts"]) if "artifacts" in peers else None
    replica = Replica(
        settings, bus, builds, artifacts_client=artifacts_client, metrics=Metrics(registry), clock=clock, guard=guard
    )

    parts = Dependencies(
        settings=settings,
        clock=clock,
        registry=registry,
        store=builds,
        texts=replica.texts,
        recent=ResultsCache(builds),
        replica=replica,
    )
    clients = () if artifacts_client is None else (artifacts_client,)
    closing = [replica.stop, *(each.close for each in clients), *(each.close for each in peers.values()), builds.close]
    lifespan = supervised_lifespan("ingest", (guard.duty(), *replica.duties()), open_store=builds.open, closing=closing)
    return create_service_app(
        "ingest", parts, bus, lifespan=lifespan, routers=routers(settings), notices=[lambda: guard.reason]
    )
