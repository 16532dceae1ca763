"""A service's app and its server: health, readiness, metrics and error answers, the same in all five."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from itertools import chain
from typing import Any

import uvicorn
from build_protocol import limits
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import ProcessCollector

from build_chassis import logging as log_lines
from build_chassis import problems
from build_chassis.access_log import AccessLog, request_seconds
from build_chassis.auth import only_services, principal_reader
from build_chassis.backoff import Backoff
from build_chassis.bodies import BodyLimit
from build_chassis.bus import Bus, BusUnavailable, open_bus
from build_chassis.errors import StoreUnavailable
from build_chassis.metrics_listener import metrics_served, port_beside
from build_chassis.parts import ServiceParts
from build_chassis.paths import PlainPaths
from build_chassis.service_client import http_peers
from build_chassis.settings import ServiceSettings
from build_chassis.vital import serving, vital

log = logging.getLogger(__name__)

READY_SECONDS = 3.0
"""A dependency that has not answered by then is missing."""

NO_ANSWER = "it does not answer"

GRACE_SECONDS = 30
"""What is in flight at SIGTERM may take this long."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_service_app(
    name: str,
    parts: ServiceParts[Any, Any],
    bus: Bus,
    *,
    lifespan: Lifespan,
    routers: Sequence[APIRouter],
    notices: Sequence[Callable[[], str | None]] = (),
) -> FastAPI:
    """The app of a service.

    `app.state.dependencies` are the parts its routes stand on. Beside them `app.state` carries what the chassis needs:
    `bus`, the `pings` that `/readyz` asks by name, the metrics' `registries` by service and `read_principal`, on which
    `build_chassis.auth.Caller` stands. Whoever made the bus opens and closes it.

    Args:
        name: The service's name, and the audience of its tokens.
        parts: What the routes stand on: settings, clock, metrics and store, and the service's own.
        bus: The bus that `/readyz` asks.
        lifespan: What runs while the app is served.
        routers: The service's routes.
        notices: What `/readyz` lists as stopped by itself and waiting for a person, as sentences; None: nothing.
    """
    registry = parts.registry
    # No redirects to the path without its last slash: behind the gateway they would name a service's own address.
    app = FastAPI(title=name, lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.state.dependencies = parts
    app.state.bus = bus
    app.state.read_principal = principal_reader(name, parts.settings.jwt_secret_key)
    app.state.registries = {name: registry}
    ProcessCollector(registry=registry)
    problems.install(app)
    app.state.pings = dict(parts.pings)
    app.state.bus_hint = NO_ANSWER
    app.state.notices = tuple(notices)
    app.include_router(_operations())
    for router in routers:
        app.include_router(router)
    app.add_middleware(BodyLimit)
    app.add_middleware(PlainPaths)
    app.add_middleware(AccessLog, service=name, takes_ids=name != "gateway", seconds=request_seconds(registry))
    return app


def run_service(
    settings: ServiceSettings, create_app: Callable[..., FastAPI], *, frame_bytes: int = limits.FRAME_BYTES
) -> None:
    """Connect a service to its bus and its peers, as its settings name them, and serve it until it is stopped.

    Args:
        settings: What the operator chose.
        create_app: The service's own `create_app(settings, bus, peers=...)`.
        frame_bytes: The largest WebSocket frame that is taken.
    """
    peers = http_peers(settings.peer_urls, settings.jwt_secret_key)
    serve(create_app(settings, open_bus(settings.amqp_url), peers=peers), settings, frame_bytes=frame_bytes)


def serve(app: FastAPI, settings: ServiceSettings, *, frame_bytes: int = limits.FRAME_BYTES) -> None:
    """Serve an app until SIGTERM or SIGINT, then finish what is in flight. Its bus is kept open meanwhile.

    Args:
        app: What `create_service_app` made.
        settings: Where to listen, what to log, and which proxies to trust.
        frame_bytes: The largest WebSocket frame; a larger one closes its connection with 1009.
    """
    log_lines.configure(settings.log_level)
    # What is loaded by now stays: a full collection that walks it stops every request for 0.1 to 0.3 s (measured).
    gc.collect()
    gc.freeze()
    metrics = metrics_served(
        app.state.registries, settings.metrics_host, settings.metrics_port or port_beside(settings.port)
    )
    app.router.lifespan_context = _with_bus(app.router.lifespan_context, metrics)
    serving()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="auto",  # uvloop where it is installed
        ws="websockets-sansio",
        ws_max_size=frame_bytes,
        ws_per_message_deflate=False,  # a small frame may inflate to a thousand times its size
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _operations() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process answers; nothing it depends on is asked, or a restart would be our answer to their outage."""
        return {"status": "ok"}

    @router.get("/readyz")
    async def readyz(request: Request) -> Response:
        """Whether bus and store are there and take writes; what is missing is named."""
        bus: Bus = request.app.state.bus
        state = request.app.state
        stores = await asyncio.gather(*(_missing_of_store(name, ping) for name, ping in state.pings.items()))
        missing = await _missing_of_bus(bus, state.bus_hint) | dict(chain(*stores))
        body: dict[str, Any] = {
            "status": "missing" if missing else "ready",
            "missing": list(missing),
            "publish": "blocked" if bus.blocked else "open",
        }
        if stopped := [reason for notice in state.notices if (reason := notice()) is not None]:
            body["stopped"] = stopped
        if missing:
            body["why"] = [f"{thing}: {hint}" for thing, hint in missing.items()]
        return JSONResponse(body, status_code=503 if missing else 200)

    @router.get("/internal/openapi.json", dependencies=[Depends(only_services)])
    async def describe(request: Request) -> Response:
        """This app's routes, for the gateway, which describes all of them as one."""
        return JSONResponse(request.app.openapi())

    return router


async def _missing_of_bus(bus: Bus, hint: str) -> dict[str, str]:
    """What the bus lacks, with the reason; whether it takes a write is asked last."""
    asked = "connection"
    try:
        async with asyncio.timeout(READY_SECONDS):
            if missing := await bus.missing():
                return {f"bus: {thing}": hint for thing in missing}
            asked = "write"
            await bus.probe()
    except BusUnavailable as error:
        return {f"bus: {asked}": error.hint}
    except TimeoutError:
        return {f"bus: {asked}": NO_ANSWER}
    return {}


async def _missing_of_store(name: str, ping: Callable[[], Awaitable[object]]) -> list[tuple[str, str]]:
    try:
        async with asyncio.timeout(READY_SECONDS):
            await ping()
    except StoreUnavailable as error:
        return [(name, error.hint)]
    except TimeoutError:
        return [(name, NO_ANSWER)]
    except Exception:
        log.exception("failed to ask %s", name)
        return [(name, NO_ANSWER)]
    return []


def _with_bus(lifespan: Any, metrics: AbstractContextManager[None]) -> Any:
    """The lifespan, inside an opened bus: the server's own signal handling leaves no later place to close it."""

    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[Any]:
        bus: Bus = app.state.bus
        opening = vital(asyncio.create_task(_open(bus, app), name="open the bus"), may_end=True)
        try:
            async with lifespan(app) as state:
                with metrics:
                    log.info("serving %s", app.title)
                    yield state
        finally:
            opening.cancel()
            await asyncio.wait([opening])
            await bus.close()
            log.info("stopped %s", app.title)

    return run


async def _open(bus: Bus, app: FastAPI) -> None:
    # Services start in any order: until the broker is there this one serves what it can and is not ready.
    backoff = Backoff()
    while True:
        try:
            await bus.open()
        except BusUnavailable as error:
            app.state.bus_hint = error.hint
            log.warning("waiting for the bus: %s", error)
            await asyncio.sleep(backoff.next_seconds())
        else:
            app.state.bus_hint = NO_ANSWER
            return
