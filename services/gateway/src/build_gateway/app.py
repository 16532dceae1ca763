"""The gateway's app: routes, `/ws`, forwarding and the page around one Gateway."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from build_chassis.bus import Bus
from build_chassis.service import create_service_app
from build_chassis.service_client import ServiceClient
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import WebSocketRoute

from build_gateway import forward, openapi, page, routes
from build_gateway.accounts.passwords import Passwords
from build_gateway.gateway import Gateway
from build_gateway.headers import SecurityHeaders, UntrustedProxies
from build_gateway.settings import Settings
from build_gateway.store.contract import GatewayStore


def create_app(
    settings: Settings,
    *,
    bus: Bus,
    store: GatewayStore,
    peers: Mapping[str, ServiceClient],
    passwords: Passwords | None = None,
    page_folder: Path = page.PAGE,
) -> FastAPI:
    """The gateway's app; `app.state.desk` holds its parts. Entering its lifespan opens the store and starts its tasks.

    `peers` are the services that answer forwarded requests, by name; one that is missing is answered with 503.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        desk: Gateway = app.state.desk
        async with desk.open():
            yield

    app = create_service_app(
        "gateway", settings=settings, bus=bus, lifespan=lifespan, routers=routes.routers(), store_ping=store.ping
    )
    desk = Gateway(settings, bus, store, peers, app.state.registry, passwords=passwords)
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
