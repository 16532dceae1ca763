"""The app: history's parts, wired; in its lifespan the store, the consumer and the other duties."""

from collections.abc import Sequence
from pathlib import Path

from build_chassis.bus import Bus, Delivery
from build_chassis.consumer import consumer_duty
from build_chassis.health import Health
from build_chassis.projects import Projects
from build_chassis.replay import replay_duty
from build_chassis.retention_guard import RetentionGuard
from build_chassis.server_clock import ServerClock
from build_chassis.service import create_service_app
from build_chassis.service_client import NO_PEERS, Peers, ServiceClient
from build_chassis.supervisor import Duty, supervised_lifespan
from build_protocol.clock import HOUR_SECONDS, Clock
from build_protocol.topology import queue_name
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from build_history.consumer import handle
from build_history.dependencies import Dependencies
from build_history.metrics import Metrics
from build_history.refresh.branch import withdraw_idle
from build_history.refresh.config_watch import ConfigWatcher
from build_history.refresh.outbox import Outbox
from build_history.retention import Retention
from build_history.routes import routers
from build_history.settings import Settings
from build_history.store import HistoryStore, open_store
from build_history.test_history.importer import Importer
from build_history.test_history.statistics import StatisticsCache

IMPORT_SECONDS = 1.0
"""How soon after a verdict its tests are read."""

PUBLISH_SECONDS = 0.5
"""How soon what was decided of an incident is published."""

CONFIG_WATCH_SECONDS = 5.0
"""How soon a changed config.yaml is in force."""


def create_app(
    settings: Settings,
    bus: Bus,
    *,
    peers: Peers = NO_PEERS,
    store: HistoryStore | None = None,
    clock: Clock | None = None,
) -> FastAPI:
    """The service on this bus. The bus is opened and closed by whoever made it; the store and the peers are ours.

    Tests and steps are read from the peer `ingest`; without it there are none.
    """
    registry = CollectorRegistry()
    parts = Dependencies(
        settings=settings,
        clock=clock or ServerClock(),
        registry=registry,
        store=store or open_store(settings.store_url),
        projects=Projects(Path(settings.config_path)),
        statistics=StatisticsCache(),
    )
    guard = RetentionGuard(settings, parts.clock, parts.store, registry)
    duties = _duties(parts, bus, peers.get("ingest"), Metrics(registry), guard)

    closing = [*(peer.close for peer in peers.values()), parts.store.close]
    lifespan = supervised_lifespan("history", duties, open_store=parts.store.open, closing=closing)
    return create_service_app(
        "history", parts, bus, lifespan=lifespan, routers=routers(settings), notices=[lambda: guard.reason]
    )


def _duties(
    parts: Dependencies, bus: Bus, ingest: ServiceClient | None, metrics: Metrics, guard: RetentionGuard
) -> Sequence[Duty]:
    settings, store, clock = parts.settings, parts.store, parts.clock
    config_watcher = ConfigWatcher(store, parts.projects, clock)
    retention = Retention(store, metrics, settings.keep_days, guard)

    async def record(deliveries: Sequence[Delivery]) -> None:
        with metrics.batch_seconds.time():
            await handle(deliveries, store=store, excluded_configs=config_watcher.excluded_configs, clock=clock)
        metrics.messages.inc(len(deliveries))

    async def withdraw() -> None:
        # Once an hour is often enough: what stays open is looked at again, so "more to do" would never end.
        if await guard.is_clock_right():
            await withdraw_idle(store, config_watcher.excluded_configs, clock)

    health = Health(store.ping)
    duties = [
        consumer_duty(bus, queue_name("history"), record, prefetch=settings.prefetch, health=health),
        replay_duty(bus, "history", health),
        guard.duty(),
        Duty("withdraw idle incidents", withdraw, HOUR_SECONDS),
        Duty("forget old builds", lambda: retention.forget_old(clock()), HOUR_SECONDS),
        Duty("follow config.yaml", config_watcher.step, CONFIG_WATCH_SECONDS),
        Duty("publish incidents", Outbox(store, bus, clock).step, PUBLISH_SECONDS),
    ]
    if ingest is not None:
        importer = Importer(store, ingest, metrics, clock, config_watcher.excluded_configs)
        duties.append(Duty("read the tests of ended builds", importer.step, IMPORT_SECONDS))
    return duties
