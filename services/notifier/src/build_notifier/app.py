"""The app: notifier's routes, and in its lifespan the store, the consumer, the planner, the senders, scheduled work."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from build_chassis.bus import Bus, Delivery
from build_chassis.consumer import run_consumer
from build_chassis.problems import problem
from build_chassis.projects import Projects
from build_chassis.service import create_service_app
from build_chassis.service_client import ServiceClient
from build_chassis.work import repeat, try_open, wait_until_open, working
from build_protocol.topology import queue_name
from fastapi import FastAPI, Request
from fastapi.responses import Response

from build_notifier.channels.registry import open_channels
from build_notifier.channels.sendgrid.webhook import read_key
from build_notifier.consumer import Recorder
from build_notifier.cursors import BadCursor
from build_notifier.delivery.sender import Sender
from build_notifier.messages.extract import ServiceExtracts
from build_notifier.metrics import Metrics
from build_notifier.planning.planner import Planner
from build_notifier.planning.scheduled import ScheduledWork
from build_notifier.routes import router
from build_notifier.settings import Settings
from build_notifier.store import NotifierStore, open_store

log = logging.getLogger("notifier")

SWEEP_SECONDS = 60.0
LAST_SEND_SECONDS = 20.0
"""What is being sent at a stop may take this long; what takes longer is found in doubt by its lease."""


def now_ms() -> int:
    """Milliseconds since the Unix epoch."""
    return int(time.time() * 1000)


def create_app(
    settings: Settings,
    bus: Bus,
    ingest: ServiceClient,
    store: NotifierStore | None = None,
    clock: Callable[[], int] = now_ms,
) -> FastAPI:
    """The service on this bus. The bus is opened and closed by whoever made it; the store and the peer are ours."""
    rows = store or open_store(settings.store_url)
    webhook_key = read_key(settings.sendgrid_webhook_key) if settings.sendgrid_webhook_key else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.store, app.state.clock, app.state.webhook_key = rows, clock, webhook_key
        app.state.metrics = metrics = Metrics(app.state.registry)
        is_open = await try_open(rows.open)
        work = _work(settings, bus, rows, ingest, metrics=metrics, clock=clock, is_open=is_open)
        try:
            async with working("notifier", work):
                yield
        finally:
            await ingest.close()
            await rows.close()

    app = create_service_app(
        "notifier", settings=settings, bus=bus, lifespan=lifespan, routers=[router], store_ping=rows.ping
    )
    app.add_exception_handler(BadCursor, _bad_cursor)
    return app


async def _work(
    settings: Settings,
    bus: Bus,
    store: NotifierStore,
    ingest: ServiceClient,
    *,
    metrics: Metrics,
    clock: Callable[[], int],
    is_open: bool,
) -> None:
    await wait_until_open(store.open, is_open=is_open)

    projects = Projects(Path(settings.config_path))
    channels = open_channels(settings, projects)
    recorder = Recorder(store, projects, settings)
    planner = Planner(store, projects, settings, ServiceExtracts(ingest), metrics=metrics, clock=clock)
    sender = Sender(store, channels, settings.must_arrive_rules, metrics=metrics, clock=clock)
    scheduled_work = ScheduledWork(store, projects, settings, clock)

    async def record(deliveries: Sequence[Delivery]) -> None:
        metrics.verdicts.inc(await recorder.handle(deliveries, clock()))

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(
                run_consumer(bus, queue_name("notifier"), record, prefetch=settings.prefetch, wait_for_store=store.ping)
            )
            tasks.create_task(repeat(planner.plan_due, settings.poll_seconds))
            tasks.create_task(repeat(scheduled_work.sweep, SWEEP_SECONDS))
            bell = asyncio.Event()
            tasks.create_task(repeat(lambda: _ring_when_due(sender, bell), settings.poll_seconds))
            for _ in range(settings.senders):
                tasks.create_task(repeat(lambda: _post_when_rung(sender, bell), 0))
    finally:
        for channel in channels.values():
            await channel.close()


async def _ring_when_due(sender: Sender, bell: asyncio.Event) -> None:
    """One looks for all senders: most of the time there is nothing to do."""
    if not bell.is_set() and await sender.is_something_due():
        bell.set()


async def _post_when_rung(sender: Sender, bell: asyncio.Event) -> None:
    await bell.wait()
    if not await _whole(sender.post_next()):
        bell.clear()


async def _whole(step: Awaitable[bool]) -> bool:
    """Await the step; a cancellation arrives only after it is done, or took too long."""
    task = asyncio.ensure_future(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=LAST_SEND_SECONDS)
        task.cancel()
        raise


async def _bad_cursor(request: Request, error: Exception) -> Response:
    return problem(422, str(error), request.url.path)
