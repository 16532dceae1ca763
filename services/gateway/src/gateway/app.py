"""The gateway's app: routes, `/ws`, forwarding and the page around one Desk."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from chassis.bus import Bus
from chassis.peers import Peer
from chassis.service import create_service_app
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import WebSocketRoute

from gateway import forward, openapi, page, routes
from gateway.accounts.passwords import Passwords
from gateway.desk import Desk
from gateway.headers import SecurityHeaders, UntrustedProxies
from gateway.settings import Settings
from gateway.store.contract import GatewayStore


def create_app(
    settings: Settings,
    *,
    bus: Bus,
    store: GatewayStore,
    peers: Mapping[str, Peer],
    passwords: Passwords | None = None,
    page_folder: Path = page.PAGE,
) -> FastAPI:
    """The gateway's app; `app.state.desk` holds its parts. Entering its lifespan opens the store and starts its tasks.

    `peers` are the services that answer forwarded requests, by name; one that is missing is answered with 503.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        desk: Desk = app.state.desk
        async with desk.open():
            yield

    app = create_service_app(
        "gateway", settings=settings, bus=bus, lifespan=lifespan, routers=routes.routers(), store_ping=store.ping
    )
    desk = Desk(settings, bus, store, peers, app.state.registry, passwords=passwords)
    app.state.desk = desk
    for part in ("settings", "store", "peers", "directory", "passwords", "throttles", "keys", "commands", "ingest"):
        setattr(app.state, part, getattr(desk, part))
    app.state.audit, app.state.projects, app.state.counts = desk.audit, desk.projects, desk.metrics

    app.router.routes.append(WebSocketRoute("/ws", desk.endpoint))
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
    app.add_middleware(UntrustedProxies)
    return app
