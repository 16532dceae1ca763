"""The app: history's parts, wired; in its lifespan the store, the consumer and the other duties."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from build_chassis.bus import Bus, Delivery
from build_chassis.projects import Projects
from build_chassis.service_core import Given, ServiceCore
from build_chassis.supervisor import Duty
from build_protocol.clock import HOUR_SECONDS
from fastapi import FastAPI

from build_history.consumer import handle
from build_history.dependencies import Dependencies
from build_history.metrics import Metrics
from build_history.refresh.branch import withdraw_idle
from build_history.refresh.config_watch import ConfigWatcher
from build_history.refresh.outbox import Outbox
from build_history.refresh.rebuild import Rebuild
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


def create_app(settings: Settings, bus: Bus, **given: Unpack[Given[HistoryStore]]) -> FastAPI:
    """The service on this bus. The bus is opened and closed by whoever made it; the store and the peers are ours.

    Tests and steps are read from the peer `ingest`; without it there are none.
    """
    core = ServiceCore(settings, bus, open_store, given)
    projects = Projects(Path(settings.config_path))
    config_watcher = ConfigWatcher(core.store, projects, core.clock)
    ingest = core.peers.get("ingest")
    rebuild = None if ingest is None else Rebuild(core.store, ingest, core.clock, config_watcher.excluded_configs)
    parts = Dependencies(
        settings=settings,
        clock=core.clock,
        registry=core.registry,
        store=core.store,
        projects=projects,
        statistics=StatisticsCache(),
        bus=bus,
        rebuild=rebuild,
    )
    return core.app(parts, routers(settings), core.lifespan(_duties(parts, core, config_watcher)))


def _duties(parts: Dependencies, core: ServiceCore[HistoryStore], config_watcher: ConfigWatcher) -> Sequence[Duty]:
    settings, store, clock, guard = parts.settings, core.store, core.clock, core.guard
    metrics = Metrics(core.registry)
    retention = Retention(store, metrics, settings.keep_days, guard)

    async def record(deliveries: Sequence[Delivery]) -> None:
        with metrics.batch_seconds.time():
            await handle(deliveries, store=store, excluded_configs=config_watcher.excluded_configs, clock=clock)
        metrics.messages.inc(len(deliveries))

    async def withdraw() -> None:
        # Once an hour is often enough: what stays open is looked at again, so "more to do" would never end.
        if await guard.is_clock_right():
            await withdraw_idle(store, config_watcher.excluded_configs, clock)

    duties = [
        *core.consuming(record, settings.prefetch),
        Duty("withdraw idle incidents", withdraw, HOUR_SECONDS),
        Duty("forget old builds", lambda: retention.forget_old(clock()), HOUR_SECONDS),
        Duty("follow config.yaml", config_watcher.step, CONFIG_WATCH_SECONDS),
        Duty("publish incidents", Outbox(store, core.bus, clock).step, PUBLISH_SECONDS),
    ]
    ingest, rebuild = core.peers.get("ingest"), parts.rebuild
    if ingest is not None and rebuild is not None:
        importer = Importer(store, ingest, metrics, clock, config_watcher.excluded_configs)
        duties.append(Duty("rebuild from ingest", rebuild.step, None, wake=rebuild.wake))
        duties.append(Duty("read the tests of ended builds", importer.step, IMPORT_SECONDS))
    return duties
