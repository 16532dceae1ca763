"""The app: history's routes, and in its lifespan the store, the consumer and retention."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from build_protocol.topology import queue_name
from chassis.bus import Bus, Delivery
from chassis.consumer import run_consumer
from chassis.errors import StoreUnavailable
from chassis.peers import Peer
from chassis.problems import problem
from chassis.projects import Projects
from chassis.service import create_service_app
from chassis.work import repeat, try_open, wait_until_open, working
from fastapi import FastAPI, Request
from fastapi.responses import Response

from history.consumer import handle
from history.cursors import BadCursor
from history.harvest import Harvester
from history.heeding import Heeder
from history.metrics import Metrics
from history.retention import trim
from history.routes import now_ms, router
from history.settings import Settings
from history.store import HistoryStore, open_store
from history.tallies import TallyCache

log = logging.getLogger("history")

TRIM_EVERY_SECONDS = 3600.0
HARVEST_SECONDS = 1.0
"""How soon after a verdict its tests are read."""

HEED_SECONDS = 5.0
"""How soon a changed config.yaml is in force."""


def create_app(
    settings: Settings, bus: Bus, store: HistoryStore | None = None, *, ingest: Peer | None = None
) -> FastAPI:
    """The service on this bus. The bus is opened and closed by whoever made it; the store and the peer are ours.

    Without `ingest` no tests and steps are read.
    """
    memory = store or open_store(settings.store_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        projects = Projects(Path(settings.config_path))
        app.state.store, app.state.projects, app.state.tallies = memory, projects, TallyCache()
        is_open = await try_open(memory.open)
        metrics = Metrics(app.state.registry)
        heeder = Heeder(memory, projects)
        work = _work(settings, bus, memory, ingest, heeder=heeder, metrics=metrics, is_open=is_open)
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
    ingest: Peer | None,
    *,
    heeder: Heeder,
    metrics: Metrics,
    is_open: bool,
) -> None:
    await wait_until_open(store.open, is_open=is_open)

    async def record(deliveries: Sequence[Delivery]) -> None:
        with metrics.batch_seconds.time():
            await handle(deliveries, store=store, unheard=heeder.unheard)
        metrics.messages.inc(len(deliveries))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            run_consumer(bus, queue_name("history"), record, prefetch=settings.prefetch, wait_for_store=store.ping)
        )
        tasks.create_task(_forget(settings, store, metrics))
        tasks.create_task(repeat(heeder.step, HEED_SECONDS))
        if ingest is not None:
            harvester = Harvester(store, ingest, metrics, now_ms, heeder.unheard)
            tasks.create_task(repeat(harvester.step, HARVEST_SECONDS))


async def _forget(settings: Settings, store: HistoryStore, metrics: Metrics) -> None:
    while True:
        with suppress(StoreUnavailable):  # the next round forgets it
            while not (trimmed := await trim(store, now_ms(), settings.keep_days)).is_done:
                metrics.forgotten.inc(trimmed.facts)
            metrics.forgotten.inc(trimmed.facts)
        await asyncio.sleep(TRIM_EVERY_SECONDS)


async def _bad_cursor(request: Request, error: Exception) -> Response:
    return problem(422, str(error), request.url.path)
