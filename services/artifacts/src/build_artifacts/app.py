"""The app: artifacts' parts, wired; in its lifespan the store, the objects, the consumer and retention."""

from pathlib import Path
from typing import Unpack

from build_chassis.bus import Bus
from build_chassis.projects import Projects
from build_chassis.service_core import Given, ServiceCore
from build_chassis.supervisor import Duty
from build_protocol.clock import HOUR_SECONDS
from fastapi import FastAPI

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


def create_app(settings: Settings, bus: Bus, **given: Unpack[Given[ArtifactStore]]) -> FastAPI:
    """The service on this bus. The bus is opened and closed by its creator; store and objects by this app.

    Without ingest among `peers` it knows no build's owner, so that nothing agents upload is shown.
    """
    core = ServiceCore(settings, bus, open_store, given)
    parts = _wire(settings, core)
    retention = Retention(parts.store, parts.objects, settings, parts.metrics, core.guard)

    async def open_both() -> None:
        await parts.store.open()
        await parts.objects.open()

    duties = [
        *core.consuming(parts.consumer.handle, settings.prefetch, parts.ping),
        Duty("verify what was reported early", parts.consumer.verify_reported, REPORTED_SECONDS),
        Duty("forget old artifacts", lambda: retention.forget_old(core.clock()), HOUR_SECONDS),
    ]
    lifespan = core.lifespan(duties, open_store=open_both, closing=[parts.relay.close, parts.objects.close])
    return core.app(parts, routers(settings), lifespan)


def _wire(settings: Settings, core: ServiceCore[ArtifactStore]) -> Dependencies:
    bus, store, clock, owners = core.bus, core.store, core.clock, Owners(core.peers)
    metrics, objects, tickets = Metrics(core.registry), open_objects(settings), Tickets(settings.jwt_secret_key)
    return Dependencies(
        settings=settings,
        clock=clock,
        registry=core.registry,
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
