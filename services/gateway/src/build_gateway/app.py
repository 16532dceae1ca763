"""The gateway's app: its parts, wired; routes, `/ws`, forwarding and the page around them."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from build_chassis.bus import Bus
from build_chassis.projects import Projects
from build_chassis.retention_guard import RetentionGuard
from build_chassis.server_clock import ServerClock
from build_chassis.service import create_service_app
from build_chassis.service_client import NO_PEERS, Peers, ServiceClient
from build_chassis.supervisor import supervised_lifespan
from build_protocol.clock import Clock
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import WebSocketRoute

from build_gateway import forward, openapi, page
from build_gateway.accounts.attempts import Attempts
from build_gateway.accounts.directory import Directory
from build_gateway.accounts.passwords import Passwords
from build_gateway.accounts.tokens import Tokens
from build_gateway.agents.owners import BuildOwners
from build_gateway.agents.roster import Roster
from build_gateway.agents.session import AgentEdges
from build_gateway.agents.valve import Valve
from build_gateway.audit import Audit
from build_gateway.audited import Audited
from build_gateway.commands import Commands
from build_gateway.control import Control
from build_gateway.dependencies import Dependencies
from build_gateway.drain import drain_first
from build_gateway.endpoint import Endpoint
from build_gateway.gateway import Gateway
from build_gateway.headers import KnownHosts, SecurityHeaders, UntrustedProxies
from build_gateway.history_view import HistoryView
from build_gateway.ingest_view import IngestView
from build_gateway.keys import Keys
from build_gateway.live import Live
from build_gateway.metrics import Metrics
from build_gateway.routes import routers
from build_gateway.settings import Settings
from build_gateway.store import GatewayStore, open_store
from build_gateway.viewers.audience import Audience
from build_gateway.viewers.session import ViewerEdges

START_SECONDS = 10.0
"""A store that has not answered by then is waited for in the background: services start in any order."""


def create_app(
    settings: Settings,
    bus: Bus,
    *,
    peers: Peers = NO_PEERS,
    store: GatewayStore | None = None,
    clock: Clock | None = None,
    passwords: Passwords | None = None,
    page_folder: Path = page.PAGE,
) -> FastAPI:
    """The service on this bus. Its creator opens and closes the bus; this app the store and the service clients.

    `peers` are the service clients that forward requests; where one is missing the answer is 503.
    """
    registry = CollectorRegistry()
    rows = store or open_store(settings.store_url)
    clock = clock or ServerClock()
    guard = RetentionGuard(settings, clock, rows, registry)
    parts = _wire(settings, bus, rows, peers, registry, clock=clock, passwords=passwords or Passwords())
    gateway = Gateway(parts, guard)

    closing = [parts.roster.write_changes, *(client.close for client in peers.values()), rows.close]
    running = supervised_lifespan(
        "gateway", gateway.duties(), open_store=gateway.prepare, closing=closing, first_try_seconds=START_SECONDS
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(app):
            with drain_first(parts.roster.drain):
                yield

    app = create_service_app(
        "gateway", parts, bus, lifespan=lifespan, routers=routers(settings), notices=[lambda: guard.reason]
    )
    app.add_middleware(Audited, audit=parts.audit)
    app.router.routes.append(WebSocketRoute("/ws", parts.endpoint))
    app.include_router(openapi.router)
    app.include_router(forward.router)
    app.include_router(page.page_router(page_folder))
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(settings.origins),
            allow_credentials=True,
            allow_methods=forward.METHODS,
            allow_headers=["Authorization", "Content-Type", "Range"],
        )
    app.add_middleware(SecurityHeaders, is_secure=settings.is_secure)
    if settings.hosts:
        app.add_middleware(KnownHosts, hosts=settings.hosts)
    app.add_middleware(UntrustedProxies)
    return app


def _wire(
    settings: Settings,
    bus: Bus,
    store: GatewayStore,
    peers: Mapping[str, ServiceClient],
    registry: CollectorRegistry,
    *,
    clock: Clock,
    passwords: Passwords,
) -> Dependencies:
    metrics, control, roster, audience = Metrics(registry), Control(bus), Roster(store), Audience()
    keys, commands = Keys(store, control.announce, lambda: clock() / 1000), Commands(store, control.announce)
    ingest = IngestView(peers.get("ingest"))
    tokens = Tokens(settings.jwt_secret_key, settings.jwt_algorithm, settings.access_seconds)
    directory = Directory(
        store,
        passwords,
        tokens,
        refresh_seconds=settings.refresh_seconds,
        session_seconds=settings.session_seconds,
        announce=control.announce,
    )
    valve = Valve(
        bus,
        window_bytes=settings.window_bytes,
        total_bytes=settings.inflight_bytes,
        smallest_bytes=settings.frame_bytes,
    )
    metrics.inflight_bytes.set_function(lambda: valve.inflight_bytes)
    agents = AgentEdges(
        bus=bus,
        valve=valve,
        roster=roster,
        owners=BuildOwners(ingest),
        history=HistoryView(peers.get("history")),
        commands=commands,
        metrics=metrics,
        announce=control.announce,
        gateway=settings.name or secrets.token_hex(4),
        clock=clock,
        frame_bytes=settings.frame_bytes,
        window_bytes=settings.window_bytes,
        frames_per_second=settings.frames_per_second,
        dashboard_url=settings.dashboard_url,
    )
    return Dependencies(
        settings=settings,
        clock=clock,
        registry=registry,
        store=store,
        bus=bus,
        peers=peers,
        projects=Projects(Path(settings.config_path)),
        metrics=metrics,
        passwords=passwords,
        attempts=Attempts(),
        audit=Audit(store),
        control=control,
        keys=keys,
        directory=directory,
        ingest=ingest,
        commands=commands,
        roster=roster,
        audience=audience,
        live=Live(bus, audience, roster, metrics),
        valve=valve,
        endpoint=Endpoint(settings, keys, agents, ViewerEdges(directory, audience, metrics)),
    )
