"""The app: artifacts' parts, wired; in its lifespan the store, the objects, the consumer and retention."""

from pathlib import Path

from build_chassis.bus import Bus
from build_chassis.consumer import consumer_duty
from build_chassis.health import Health
from build_chassis.projects import Projects
from build_chassis.replay import replay_duty
from build_chassis.retention_guard import RetentionGuard
from build_chassis.server_clock import ServerClock
from build_chassis.service import create_service_app
from build_chassis.service_client import NO_PEERS, Peers
from build_chassis.supervisor import Duty, supervised_lifespan
from build_protocol.clock import HOUR_SECONDS, Clock
from build_protocol.topology import queue_name
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from build_artifacts.consumer import REPORTED_SECONDS, ArtifactConsumer
from build_artifacts.dependencies import Dependencies
from build_artifacts.downloads import Downloads
from build_artifacts.metrics import Metrics
from build_artifacts.objects import open_objects
from build_artifacts.objects.ticket import Tickets
from build_artifacts.owners import Owners
from build_artifacts.relay import Relay
from build_artifacts.retention import Retention
from build_artifacts.routes import routers
from build_artifacts.settings import Settings
from build_artifacts.store import ArtifactStore, open_store
from build_artifacts.upload_planner import UploadPlanner


def create_app(
    settings: Settings,
    bus: Bus,
    *,
    peers: Peers = NO_PEERS,
    store: ArtifactStore | None = None,
    clock: Clock | None = None,
) -> FastAPI:
    """The service on this bus. The bus is opened and closed by its creator; store and objects by this app.

    Without ingest among `peers` it knows no build's owner, so that nothing agents upload is shown.
    """
    registry = CollectorRegistry()
    clock = clock or ServerClock()
    parts = _wire(settings, bus, store or open_store(settings.store_url), registry, clock=clock, peers=peers)
    guard = RetentionGuard(settings, clock, parts.store, registry)
    retention = Retention(parts.store, parts.objects, settings, parts.metrics, guard)

    async def open_both() -> None:
        await parts.store.open()
        await parts.objects.open()

    handle = parts.consumer.handle
    health = Health(parts.ping)
    duties = [
        consumer_duty(bus, queue_name("artifacts"), handle, prefetch=settings.prefetch, health=health),
        replay_duty(bus, "artifacts", health),
        guard.duty(),
        Duty("verify what was reported early", parts.consumer.verify_reported, REPORTED_SECONDS),
        Duty("forget old artifacts", lambda: retention.forget_old(clock()), HOUR_SECONDS),
    ]

    closing = [*(client.close for client in peers.values()), parts.relay.close, parts.objects.close, parts.store.close]
    lifespan = supervised_lifespan("artifacts", duties, open_store=open_both, closing=closing)
    return create_service_app(
        "artifacts", parts, bus, lifespan=lifespan, routers=routers(settings), notices=[lambda: guard.reason]
    )


def _wire(
    settings: Settings, bus: Bus, store: ArtifactStore, registry: CollectorRegistry, *, clock: Clock, peers: Peers
) -> Dependencies:
    owners = Owners(peers)
    metrics, objects, tickets = Metrics(registry), open_objects(settings), Tickets(settings.jwt_secret_key)
    return Dependencies(
        settings=settings,
        clock=clock,
        registry=registry,
        projects=Projects(Path(settings.config_path)),
        metrics=metrics,
        store=store,
        objects=objects,
        upload_planner=UploadPlanner(
            store, objects, owners, settings.per_build, settings.per_key, settings.upload_seconds
        ),
        downloads=Downloads(store, objects, tickets, settings.download_seconds, metrics, clock),
        relay=Relay(tickets, settings.upload_seconds),
        consumer=ArtifactConsumer(store, objects, bus, owners=owners, metrics=metrics, settings=settings, clock=clock),
    )
