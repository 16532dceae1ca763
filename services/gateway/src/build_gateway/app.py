"""The gateway's app: its parts, wired; routes, `/ws`, forwarding and the page around them."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Unpack

from build_chassis.bus import Bus
from build_chassis.projects import Projects
from build_chassis.service_core import Given, ServiceCore
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, WebSocketRoute

from build_gateway import forward, openapi, page
from build_gateway.accounts.attempts import Attempts
from build_gateway.accounts.directory import Directory
from build_gateway.accounts.passwords import Passwords
from build_gateway.accounts.provider import Asked, Provider
from build_gateway.accounts.sealing import Sealing
from build_gateway.accounts.second_factor import SecondFactors
from build_gateway.accounts.sso import SingleSignOn
from build_gateway.accounts.tokens import Tokens
from build_gateway.accounts.visitor_rates import VisitorRates
from build_gateway.agents.owners import BuildOwners
from build_gateway.agents.roster import Roster
from build_gateway.agents.session import AgentEdges
from build_gateway.agents.valve import Valve
from build_gateway.apigateway.front import open_front
from build_gateway.audit import Audit
from build_gateway.audited import Audited
from build_gateway.auto_stop import AutoStop
from build_gateway.ci.issuers import Issuers
from build_gateway.ci.jobs import Jobs
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
    passwords: Passwords | None = None,
    page_folder: Path = page.PAGE,
    **given: Unpack[Given[GatewayStore]],
) -> FastAPI:
    """The service on this bus. Its creator opens and closes the bus; this app the store and the service clients.

    `peers` are the service clients that forward requests; where one is missing the answer is 503.
    """
    core = ServiceCore(settings, bus, open_store, given)
    parts = _wire(settings, core, passwords or Passwords())
    gateway = Gateway(parts)
    running = core.lifespan(
        gateway.duties(),
        open_store=gateway.prepare,
        closing=[*([parts.front.close] if parts.front is not None else ()), parts.roster.write_changes],
        first_try_seconds=START_SECONDS,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(app):
            with drain_first(parts.roster.drain):
                yield

    app = core.app(parts, routers(settings), lifespan)
    app.add_middleware(Audited, audit=parts.audit)
    app.router.routes += [WebSocketRoute("/ws", parts.endpoint), Route("/ws", parts.endpoint.post, methods=["POST"])]
    app.router.routes.insert(0, forward.FORWARDED)
    if (front := parts.front) is not None:
        steps = {"connect": front.connect, "message": front.message, "disconnect": front.disconnect}
        app.router.routes += [Route(f"/apigateway/{name}", step, methods=["POST"]) for name, step in steps.items()]
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


def _wire(settings: Settings, core: ServiceCore[GatewayStore], passwords: Passwords) -> Dependencies:
    bus, store, peers, clock = core.bus, core.store, core.peers, core.clock
    metrics, control, roster, audience = Metrics(core.registry), Control(bus), Roster(store), Audience()
    keys, commands = Keys(store, control.announce, lambda: clock() / 1000), Commands(store, control.announce)
    projects = Projects(Path(settings.config_path))
    ingest = IngestView(peers.get("ingest"))
    tokens = Tokens(settings.jwt_secret_key, settings.jwt_algorithm, settings.access_seconds)
    second_factors = SecondFactors(store, settings.jwt_secret_key)
    directory = Directory(
        store,
        passwords,
        tokens,
        refresh_seconds=settings.refresh_seconds,
        session_seconds=settings.session_seconds,
        announce=control.announce,
        projects=projects,
        personal_tokens=keys.find,
        second_factors=second_factors,
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
    projects, audit = Projects(Path(settings.config_path)), Audit(store)
    auto_stop = AutoStop(projects, commands, audit)
    endpoint = Endpoint(settings, keys, agents, ViewerEdges(directory, audience, metrics, projects))
    return Dependencies(
        settings=settings,
        clock=clock,
        registry=core.registry,
        store=store,
        bus=bus,
        guard=core.guard,
        peers=peers,
        projects=projects,
        metrics=metrics,
        passwords=passwords,
        second_factors=second_factors,
        attempts=Attempts(),
        audit=audit,
        control=control,
        keys=keys,
        jobs=Jobs(projects.trusted_ci, Issuers()),
        directory=directory,
        ingest=ingest,
        commands=commands,
        roster=roster,
        audience=audience,
        live=Live(bus, audience, roster, metrics, auto_stop),
        auto_stop=auto_stop,
        valve=valve,
        endpoint=endpoint,
        front=open_front(settings, endpoint),
        visitor_rates=VisitorRates(settings.visitor_requests_per_second),
        sso=_single_sign_on(settings, store, directory),
    )


def _single_sign_on(settings: Settings, store: GatewayStore, directory: Directory) -> SingleSignOn | None:
    if not settings.oidc_issuer:
        return None
    asked = Asked(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        scopes=settings.oidc_scopes,
        name_claim=settings.oidc_name_claim,
        groups_claim=settings.oidc_groups_claim,
    )
    sso = SingleSignOn(
        Provider(asked), store, directory, Sealing(settings.jwt_secret_key), away_seconds=settings.oidc_away_seconds
    )
    directory.confirm = sso.confirm
    return sso
