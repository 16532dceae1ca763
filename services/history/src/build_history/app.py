"""The app: history's routes, and in its lifespan the store, the consumer and retention."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from build_chassis.bus import Bus, Delivery
from build_chassis.consumer import run_consumer
from build_chassis.errors import StoreUnavailable
from build_chassis.problems import problem
from build_chassis.projects import Projects
from build_chassis.service import create_service_app
from build_chassis.service_client import ServiceClient
from build_chassis.work import repeat, try_open, wait_until_open, working
from build_protocol.topology import queue_name
from fastapi import FastAPI, Request
from fastapi.responses import Response

from build_history.consumer import handle
from build_history.cursors import BadCursor
from build_history.metrics import Metrics
from build_history.refresh.config_watch import ConfigWatcher
from build_history.retention import trim
from build_history.routes import now_ms, router
from build_history.settings import Settings
from build_history.store import HistoryStore, open_store
from build_history.test_history.importer import TestImporter
from build_history.test_history.statistics import StatisticsCache

log = logging.getLogger("history")

TRIM_EVERY_SECONDS = 3600.0
HARVEST_SECONDS = 1.0
"""How soon after a verdict its tests are read."""

HEED_SECONDS = 5.0
"""How soon a changed config.yaml is in force."""


def create_app(
    settings: Settings, bus: Bus, store: HistoryStore | None = None, *, ingest: ServiceClient | None = None
) -> FastAPI:
    """The service on this bus. The bus is opened and closed by whoever made it; the store and the peer are ours.

    Without `ingest` no tests and steps are read.
    """
    memory = store or open_store(settings.store_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        projects = Projects(Path(settings.config_path))
        app.state.store, app.state.projects, app.state.statistics = memory, projects, StatisticsCache()
        is_open = await try_open(memory.open)
        metrics = Metrics(app.state.registry)
        config_watcher = ConfigWatcher(memory, projects)
        work = _work(settings, bus, memory, ingest, config_watcher=config_watcher, metrics=metrics, is_open=is_open)
        try:
            async with working("history", work):
                yield
        finally:
            if ingest is not None:
                await ingest.close()
            await memory.close()

    app = create_service_app(
        "history", settings=settings, bus=bus, lifespan=lifespan, routers=[router], store_ping=memory.ping
    )
    app.add_exception_handler(BadCursor, _bad_cursor)
    return app


async def _work(
    settings: Settings,
    bus: Bus,
    store: HistoryStore,
    ingest: ServiceClient | None,
    *,
    config_watcher: ConfigWatcher,
    metrics: Metrics,
    is_open: bool,
) -> None:
    await wait_until_open(store.open, is_open=is_open)

    async def record(deliveries: Sequence[Delivery]) -> None:
        with metrics.batch_seconds.time():
            await handle(deliveries, store=store, excluded_configs=config_watcher.excluded_configs)
        metrics.messages.inc(len(deliveries))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            run_consumer(bus, queue_name("history"), record, prefetch=settings.prefetch, wait_for_store=store.ping)
        )
        tasks.create_task(_forget(settings, store, metrics))
        tasks.create_task(repeat(config_watcher.step, HEED_SECONDS))
        if ingest is not None:
            test_importer = TestImporter(store, ingest, metrics, now_ms, config_watcher.excluded_configs)
            tasks.create_task(repeat(test_importer.step, HARVEST_SECONDS))


async def _forget(settings: Settings, store: HistoryStore, metrics: Metrics) -> None:
    while True:
        with suppress(StoreUnavailable):  # the next round forgets it
            while not (trimmed := await trim(store, now_ms(), settings.keep_days)).is_done:
                metrics.forgotten.inc(trimmed.facts)
            metrics.forgotten.inc(trimmed.facts)
        await asyncio.sleep(TRIM_EVERY_SECONDS)


async def _bad_cursor(request: Request, error: Exception) -> Response:
    return problem(422, str(error), request.url.path)
