"""The app: history's routes, and in its lifespan the store, the consumer and retention."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from build_protocol.topology import queue_name
from chassis.backoff import Backoff
from chassis.bus import Bus, Delivery
from chassis.consumer import run_consumer
from chassis.errors import StoreUnavailable
from chassis.problems import problem
from chassis.projects import Projects
from chassis.service import create_service_app
from chassis.vital import vital
from fastapi import FastAPI, Request
from fastapi.responses import Response

from history.consumer import handle
from history.cursors import BadCursor
from history.metrics import Metrics
from history.retention import trim
from history.routes import now_ms, router
from history.settings import Settings
from history.store import HistoryStore, open_store

log = logging.getLogger("history")

TRIM_EVERY_SECONDS = 3600.0


def create_app(settings: Settings, bus: Bus, store: HistoryStore | None = None) -> FastAPI:
    """The service on this bus. The bus is opened and closed by whoever made it; the store is ours."""
    memory = store or open_store(settings.store_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.store, app.state.projects = memory, Projects(Path(settings.config_path))
        is_open = await _try_open(memory)
        work = _work(settings, bus, memory, Metrics(app.state.registry), is_open=is_open)
        working = vital(asyncio.create_task(work, name="history"))
        try:
            yield
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
            await memory.close()

    app = create_service_app(
        "history", settings=settings, bus=bus, lifespan=lifespan, routers=[router], store_ping=memory.ping
    )
    app.add_exception_handler(BadCursor, _bad_cursor)
    return app


async def _work(settings: Settings, bus: Bus, store: HistoryStore, metrics: Metrics, *, is_open: bool) -> None:
    backoff = Backoff()
    while not is_open:  # services start in any order: the store may come later
        await asyncio.sleep(backoff.next_seconds())
        is_open = await _try_open(store)

    async def record(deliveries: Sequence[Delivery]) -> None:
        with metrics.batch_seconds.time():
            await handle(deliveries, store=store)
        metrics.messages.inc(len(deliveries))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            run_consumer(bus, queue_name("history"), record, prefetch=settings.prefetch, wait_for_store=store.ping)
        )
        tasks.create_task(_forget(settings, store, metrics))


async def _forget(settings: Settings, store: HistoryStore, metrics: Metrics) -> None:
    while True:
        with suppress(StoreUnavailable):  # the next round forgets it
            while not (trimmed := await trim(store, now_ms(), settings.keep_days)).is_done:
                metrics.forgotten.inc(trimmed.facts)
            metrics.forgotten.inc(trimmed.facts)
        await asyncio.sleep(TRIM_EVERY_SECONDS)


async def _try_open(store: HistoryStore) -> bool:
    try:
        await store.open()
    except StoreUnavailable as error:
        log.warning("waiting for the store: %s", error)
        return False
    return True


async def _bad_cursor(request: Request, error: Exception) -> Response:
    return problem(422, str(error), request.url.path)
