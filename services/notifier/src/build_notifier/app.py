"""The app: notifier's parts, wired; in its lifespan the store, the consumer, the planner, senders, scheduled work."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
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

from build_notifier.channels import Channel
from build_notifier.channels.registry import open_channels
from build_notifier.channels.sendgrid.webhook import read_key
from build_notifier.consumer import Recorder
from build_notifier.dependencies import Dependencies
from build_notifier.messages.extract import ServiceExtracts
from build_notifier.metrics import Metrics
from build_notifier.planning.planner import Planner
from build_notifier.planning.scheduled import ScheduledWork
from build_notifier.retention import Retention
from build_notifier.routes import routers
from build_notifier.sender import Sender
from build_notifier.settings import Settings
from build_notifier.store import NotifierStore, open_store

SWEEP_SECONDS = 60.0
LAST_SEND_SECONDS = 20.0
"""What is being sent at a stop may take this long; what takes longer is found in doubt by its lease."""


def create_app(
    settings: Settings,
    bus: Bus,
    *,
    peers: Peers = NO_PEERS,
    store: NotifierStore | None = None,
    clock: Clock | None = None,
) -> FastAPI:
    """The service on this bus. The bus is opened and closed by whoever made it; the store and the peers are ours.

    Extracts of logs are read from the peer `ingest`; without it messages have none.
    """
    registry = CollectorRegistry()
    parts = Dependencies(
        settings=settings,
        clock=clock or ServerClock(),
        registry=registry,
        store=store or open_store(settings.store_url),
        metrics=Metrics(registry),
        webhook_key=read_key(settings.sendgrid_webhook_key) if settings.sendgrid_webhook_key else None,
    )
    projects = Projects(Path(settings.config_path))
    channels = open_channels(settings, projects)
    guard = RetentionGuard(settings, parts.clock, parts.store, registry)
    duties = _duties(parts, bus, projects, channels, ingest=peers.get("ingest"), guard=guard)

    closing = [channel.close for channel in channels.values()]
    closing += [*(peer.close for peer in peers.values()), parts.store.close]
    lifespan = supervised_lifespan("notifier", duties, open_store=parts.store.open, closing=closing)
    return create_service_app(
        "notifier", parts, bus, lifespan=lifespan, routers=routers(settings), notices=[lambda: guard.reason]
    )


def _duties(
    parts: Dependencies,
    bus: Bus,
    projects: Projects,
    channels: Mapping[str, Channel],
    *,
    ingest: ServiceClient | None,
    guard: RetentionGuard,
) -> Sequence[Duty]:
    settings, store, metrics, clock = parts.settings, parts.store, parts.metrics, parts.clock
    recorder = Recorder(store, projects, settings)
    planner = Planner(store, projects, settings, ServiceExtracts(ingest), metrics=metrics, clock=clock)
    sender = Sender(store, channels, settings.must_arrive_rules, metrics=metrics, clock=clock)
    scheduled_work = ScheduledWork(store, projects, settings, clock)
    retention = Retention(store, settings.keep_days, guard)
    is_due = asyncio.Event()

    async def record(deliveries: Sequence[Delivery]) -> None:
        metrics.verdicts.inc(await recorder.handle(deliveries, clock()))

    async def look() -> None:
        # One looks for all senders: most of the time there is nothing to do.
        if not is_due.is_set() and await sender.is_something_due():
            is_due.set()

    senders = [Duty("send notifications", lambda: _whole(sender.post_next()), None, wake=is_due)] * settings.senders
    health = Health(store.ping)
    return (
        consumer_duty(bus, queue_name("notifier"), record, prefetch=settings.prefetch, health=health),
        replay_duty(bus, "notifier", health),
        guard.duty(),
        Duty("plan notifications", planner.plan_due, settings.poll_seconds),
        Duty("do what is due by the clock", scheduled_work.sweep, SWEEP_SECONDS),
        Duty("forget old notifications", lambda: retention.forget_old(clock()), HOUR_SECONDS),
        Duty("look for due notifications", look, settings.poll_seconds),
        *senders,
    )


async def _whole(step: Awaitable[bool]) -> bool:
    """Await the step; a cancellation arrives only after it is done, or took too long."""
    task = asyncio.ensure_future(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=LAST_SEND_SECONDS)
        task.cancel()
        raise
