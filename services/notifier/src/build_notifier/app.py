"""The app: notifier's parts, wired; in its lifespan the store, the consumer, the planner, senders, scheduled work."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Unpack

from build_chassis.bus import Bus, Delivery
from build_chassis.projects import Projects
from build_chassis.service_core import Given, ServiceCore
from build_chassis.supervisor import Duty
from build_protocol.clock import HOUR_SECONDS
from fastapi import FastAPI

from build_notifier import act_routes
from build_notifier.channels import Channel
from build_notifier.channels.mail import links_of
from build_notifier.channels.registry import open_channels
from build_notifier.channels.sendgrid.webhook import read_key
from build_notifier.consumer import Recorder
from build_notifier.dependencies import Dependencies
from build_notifier.messages.context import ServiceContexts
from build_notifier.messages.extract import ServiceExtracts
from build_notifier.metrics import Metrics
from build_notifier.planning.planner import Planner
from build_notifier.planning.scheduled import ScheduledWork
from build_notifier.retention import Retention
from build_notifier.routes import routers
from build_notifier.sender import Sender
from build_notifier.settings import Settings
from build_notifier.settling import ASK_SECONDS, Settler
from build_notifier.store import NotifierStore, open_store

SWEEP_SECONDS = 60.0
LAST_SEND_SECONDS = 20.0
"""What is being sent at a stop may take this long; what takes longer is found in doubt by its lease."""


def create_app(settings: Settings, bus: Bus, **given: Unpack[Given[NotifierStore]]) -> FastAPI:
    """The service on this bus. The bus is opened and closed by whoever made it; the store and the peers are ours.

    Extracts of logs are read from the peer `ingest`; without it messages have none.
    """
    core = ServiceCore(settings, bus, open_store, given)
    parts = Dependencies(
        settings=settings,
        clock=core.clock,
        registry=core.registry,
        store=core.store,
        metrics=Metrics(core.registry),
        links=links_of(settings),
        peers=core.peers,
        webhook_key=read_key(settings.sendgrid_webhook_key) if settings.sendgrid_webhook_key else None,
    )
    projects = Projects(Path(settings.config_path))
    channels = open_channels(settings, projects)
    duties = _duties(parts, core, projects, channels)
    lifespan = core.lifespan(duties, closing=[channel.close for channel in channels.values()])
    return core.app(parts, [*routers(settings), act_routes.router], lifespan)


def _duties(
    parts: Dependencies, core: ServiceCore[NotifierStore], projects: Projects, channels: Mapping[str, Channel]
) -> Sequence[Duty]:
    settings, store, metrics, clock = parts.settings, core.store, parts.metrics, core.clock
    extracts = ServiceExtracts(core.peers.get("ingest"))
    recorder = Recorder(store, projects, settings)
    contexts = ServiceContexts(core.peers)
    planner = Planner(store, projects, settings, extracts, contexts, metrics=metrics, clock=clock)
    sender = Sender(store, channels, settings.must_arrive_rules, contexts, metrics=metrics, clock=clock)
    scheduled_work = ScheduledWork(store, projects, settings, clock)
    settler = Settler(store, channels, metrics, clock)
    retention = Retention(store, settings.keep_days, core.guard)
    is_due = asyncio.Event()

    async def record(deliveries: Sequence[Delivery]) -> None:
        metrics.verdicts.inc(await recorder.handle(deliveries, clock()))

    async def look() -> None:
        # One looks for all senders: most of the time there is nothing to do.
        if not is_due.is_set() and await sender.is_something_due():
            is_due.set()

    senders = [Duty("send notifications", lambda: _whole(sender.post_next()), None, wake=is_due)] * settings.senders
    return (
        *core.consuming(record, settings.prefetch),
        Duty("plan notifications", planner.plan_due, settings.poll_seconds),
        Duty("do what is due by the clock", scheduled_work.sweep, SWEEP_SECONDS),
        Duty("ask about notifications in doubt", settler.settle, ASK_SECONDS, rests_first=True),
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
