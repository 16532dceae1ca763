"""The app: artifacts' routes, and in its lifespan the store, the objects, the consumer and retention."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from build_chassis.bus import Bus
from build_chassis.consumer import run_consumer
from build_chassis.errors import StoreUnavailable
from build_chassis.projects import Projects
from build_chassis.service import create_service_app
from build_chassis.work import try_open, wait_until_open, working
from build_protocol.topology import queue_name
from fastapi import FastAPI

from build_artifacts import ticket_routes
from build_artifacts.consumer import Receiver
from build_artifacts.downloads import Downloads
from build_artifacts.downloads import router as downloads_router
from build_artifacts.metrics import Metrics
from build_artifacts.objects import open_objects
from build_artifacts.objects.ticket import Tickets
from build_artifacts.relay import Relay
from build_artifacts.relay import router as relay_router
from build_artifacts.retention import Retention
from build_artifacts.routes import now_ms, router
from build_artifacts.settings import Settings
from build_artifacts.store import open_store
from build_artifacts.upload_planner import UploadPlanner

log = logging.getLogger("artifacts")

TIDY_SECONDS = 3600.0


def create_app(settings: Settings, bus: Bus, clock: Callable[[], int] = now_ms) -> FastAPI:
    """The service on this bus. The bus is opened and closed by whoever made it; store and objects are ours."""
    store, objects = open_store(settings.store_url), open_objects(settings)

    async def open_both() -> None:
        await store.open()
        await objects.open()

    async def ping() -> None:
        await store.ping()
        await objects.ping()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        state = app.state
        state.store, state.objects, state.projects = store, objects, Projects(Path(settings.config_path))
        state.metrics = Metrics(state.registry)
        tickets = Tickets(settings.jwt_secret_key)
        state.relay = Relay(tickets, settings.upload_seconds)
        state.downloads = Downloads(store, objects, tickets, settings.download_seconds, state.metrics, clock)
        state.upload_planner = UploadPlanner(store, objects, settings.per_build, settings.upload_seconds)
        state.receiver = receiver = Receiver(store, objects, bus, state.metrics, clock)
        janitor = Retention(store, objects, settings, state.metrics)
        is_open = await try_open(open_both)

        async def work() -> None:
            await wait_until_open(open_both, is_open=is_open)
            async with asyncio.TaskGroup() as tasks:
                queue = queue_name("artifacts")
                tasks.create_task(
                    run_consumer(bus, queue, receiver.handle, prefetch=settings.prefetch, wait_for_store=ping)
                )
                tasks.create_task(_tidy(janitor, clock))

        try:
            async with working("artifacts", work()):
                yield
        finally:
            await state.relay.close()
            await objects.close()
            await store.close()

    # The directory's bytes come through here; S3's only for agents that cannot reach it.
    arrivals = relay_router if settings.s3_bucket else ticket_routes.router
    app = create_service_app(
        "artifacts",
        settings=settings,
        bus=bus,
        lifespan=lifespan,
        routers=[arrivals, downloads_router, router],
        store_ping=ping,
    )
    app.dependency_overrides[now_ms] = clock
    return app


async def _tidy(janitor: Retention, clock: Callable[[], int]) -> None:
    while True:
        with suppress(StoreUnavailable):  # the next round does it
            await janitor.tidy(clock())
        await asyncio.sleep(TIDY_SECONDS)
