"""The embedded system: the services' own apps, consumers and stores, wired in one process.

Only two edges differ from separate processes: the bus is one SQLite file, and services call each other in process.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import build_artifacts.app
import build_artifacts.settings
import build_gateway.app
import build_gateway.settings
import build_history.app
import build_history.settings
import build_ingest.app
import build_ingest.settings
import build_notifier.app
import build_notifier.settings
from build_chassis.bus import Bus, open_bus
from build_chassis.service_client import MountedServiceClient, ServiceClient
from build_chassis.settings import ServiceSettings, read_settings
from fastapi import FastAPI

S = TypeVar("S", bound=ServiceSettings)


@dataclass(frozen=True)
class Place:
    """Where an embedded system lives and how it is reached."""

    data: Path
    host: str
    port: int
    """Of the front door; the services have none of their own."""
    config: Path
    secret: str
    admin_password: str | None = None
    api_key: str | None = None

    def store_url(self, service: str) -> str:
        """A service's own SQLite file in the data directory."""
        return f"sqlite:///{self.data / service}.sqlite"


@dataclass(frozen=True)
class System:
    """The front door's app, which carries the others, and its settings."""

    app: FastAPI
    settings: build_gateway.settings.Settings


def create_system(place: Place) -> System:
    """All services on one embedded bus; entering the gateway's lifespan enters every other one first."""
    bus = open_bus(f"sqlite:///{place.data / 'bus'}.sqlite")
    # Artifacts and ingest ask each other: the one that is made first gets its client once the other is there.
    of_artifacts: dict[str, ServiceClient] = {}
    artifacts = build_artifacts.app.create_app(_artifacts_settings(place), bus, peers=of_artifacts)
    to_artifacts = {"artifacts": MountedServiceClient("artifacts", artifacts, place.secret)}
    ingest = build_ingest.app.create_app(
        _settings(place, build_ingest.settings.Settings, "ingest"), bus, peers=to_artifacts
    )
    to_ingest = {"ingest": MountedServiceClient("ingest", ingest, place.secret)}
    of_artifacts |= to_ingest
    history = build_history.app.create_app(
        _settings(place, build_history.settings.Settings, "history"), bus, peers=to_ingest
    )
    to_history = {"history": MountedServiceClient("history", history, place.secret)}
    to_read = to_ingest | to_artifacts | to_history
    services = {
        # First in, last out: ingest brings logs to it.
        "artifacts": artifacts,
        "ingest": ingest,
        "history": history,
        "notifier": build_notifier.app.create_app(_notifier_settings(place), bus, peers=to_read),
    }
    settings = _settings(
        place,
        build_gateway.settings.Settings,
        "gateway",
        host=place.host,
        port=place.port,
        admin_password=place.admin_password,
        api_key=place.api_key,
    )
    return System(_front_door(settings, bus, services), settings)


def _settings(place: Place, kind: type[S], service: str, **given: Any) -> S:
    """A service's settings: its environment's, with what the place decides."""
    return read_settings(
        kind,
        store_url=place.store_url(service),
        jwt_secret_key=place.secret,
        config_path=str(place.config),
        **given,
    )


def _artifacts_settings(place: Place) -> build_artifacts.settings.Settings:
    # The bytes stay in the data directory, whatever bucket the environment names.
    objects = str(place.data / "objects")
    return _settings(place, build_artifacts.settings.Settings, "artifacts", directory=objects, s3_bucket="")


def _notifier_settings(place: Place) -> build_notifier.settings.Settings:
    settings = _settings(place, build_notifier.settings.Settings, "notifier")
    if "dashboard_url" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"dashboard_url": f"http://{place.host}:{place.port}"})


def _front_door(settings: build_gateway.settings.Settings, bus: Bus, services: dict[str, FastAPI]) -> FastAPI:
    app = build_gateway.app.create_app(
        settings,
        bus,
        peers={
            name: MountedServiceClient(name, service, settings.jwt_secret_key) for name, service in services.items()
        },
    )
    # Nobody asks the mounted apps for their readiness: the front door answers for all, and shows their metrics.
    for name, service in services.items():
        app.state.pings |= {f"{name}: {thing}": ping for thing, ping in service.state.pings.items()}
        app.state.notices += service.state.notices
        app.state.registries |= service.state.registries
    own_lifespan = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(front: FastAPI) -> AsyncIterator[None]:
        # A mounted app's lifespan does not run by itself. The front door opens last and closes first.
        async with AsyncExitStack() as stack:
            await _enter(stack, list(services.values()))
            await stack.enter_async_context(own_lifespan(front))
            yield

    app.router.lifespan_context = lifespan
    return app


async def _enter(stack: AsyncExitStack, apps: Sequence[FastAPI]) -> None:
    for app in apps:
        await stack.enter_async_context(app.router.lifespan_context(app))
