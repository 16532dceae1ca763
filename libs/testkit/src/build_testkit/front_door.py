"""The front door of the embedded system with all five real services behind it, mounted or each on a server."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
from build_chassis.bus import Outgoing
from build_chassis.service_client import HttpServiceClient, MountedServiceClient
from build_embedded.system import Place, create_system
from build_protocol.ids import new_build_id
from build_protocol.messages import BuildStart
from build_protocol.topology import routing_key
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from build_testkit.served import send_raw, served

SECRET = secrets.token_hex(32)
GEESE = "four geese on a bicycle"


class Arrivals:
    """A service, and what arrives at it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.paths: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the path, then serve."""
        self.paths.append(scope["raw_path"].decode())
        await self._app(scope, receive, send)


class Door:
    """A whole system, and everybody who may ask it something."""

    def __init__(self, url: str, gateway: FastAPI, apps: dict[str, FastAPI], arrivals: dict[str, Arrivals]) -> None:
        self.url = url
        self.apps = {**apps, "gateway": gateway}
        self.arrivals = arrivals
        self.callers: dict[str, str | None] = {"nobody": None}

    async def ask(self, method: str, path: str, caller: str = "admin", **options: Any) -> tuple[int, str]:
        """Status and text of the answer to one of `callers`."""
        token = self.callers[caller]
        headers = [*options.pop("headers", ()), *([f"Authorization: Bearer {token}"] if token else [])]
        return await send_raw(self.url, path, method=method, headers=headers, **options)

    def arrived(self) -> list[str]:
        """Paths of what reached a service."""
        return [path for each in self.arrivals.values() for path in each.paths]


@asynccontextmanager
async def front_door(folder: Path, *, is_mounted: bool = True) -> AsyncIterator[Door]:
    """The system with its data in a folder; over HTTP, each of its services has a server of its own."""
    password = secrets.token_urlsafe(12)
    system = create_system(Place(folder, "127.0.0.1", 0, folder / "config.yaml", SECRET, password))
    mounted: dict[str, MountedServiceClient] = system.app.state.dependencies.peers
    apps = {name: cast("FastAPI", client._app) for name, client in mounted.items()}  # noqa: SLF001  tests look at them
    arrivals = {name: Arrivals(app) for name, app in apps.items()}
    async with AsyncExitStack() as stack:
        peers: dict[str, Any] = {name: MountedServiceClient(name, app, SECRET) for name, app in arrivals.items()}
        if not is_mounted:
            for name, app in arrivals.items():
                peers[name] = HttpServiceClient(name, await stack.enter_async_context(served(app)), SECRET)
                stack.push_async_callback(peers[name].close)
        mounted.clear()
        mounted.update(peers)
        await system.app.state.bus.open()
        stack.push_async_callback(system.app.state.bus.close)
        await stack.enter_async_context(system.app.router.lifespan_context(system.app))
        door = Door(await stack.enter_async_context(served(system.app)), system.app, apps, arrivals)
        async with httpx.AsyncClient(base_url=door.url) as client:
            await _let_in(client, door, password)
        yield door


async def _let_in(client: httpx.AsyncClient, door: Door, password: str) -> None:
    async def token(name: str, password: str) -> str:
        answer = await client.post("/api/auth/login", json={"username": name, "password": password})
        return str(answer.json()["accessToken"])

    door.callers["admin"] = admin = await token("admin", password)
    client.headers["Authorization"] = f"Bearer {admin}"
    new = {"name": "vic", "password": GEESE, "projects": ["mine"]}
    (await client.post("/api/users", json=new)).raise_for_status()
    for scope in ("read", "agent"):
        made = await client.post("/api/keys", json={"name": scope, "scopes": [scope], "projects": ["mine"]})
        door.callers[f"{scope} key"] = made.json()["value"]
    door.callers["viewer"] = await token("vic", GEESE)


def routes_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path of an app."""
    for route in api_routes(app.routes):
        yield from ((method, route.path) for method in sorted(route.methods or ()))


def api_routes(routes: Iterable[BaseRoute]) -> Iterator[APIRoute]:
    """The API's routes among these, in their order."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):  # FastAPI no longer copies what a router has into its app
            yield from api_routes(route.original_router.routes)


async def stored_build(door: Door, project: str) -> str:
    """The id of a build of this project, once it can be read."""
    build_id = new_build_id(int(time.time() * 1000))
    facts = {"buildId": build_id, "project": project, "seq": 1, "timestamp": 1, "data": {}}
    record = BuildStart.model_validate(facts)
    key = routing_key(record.type, build_id, project)
    await door.apps["gateway"].state.bus.publish([Outgoing(key, record.to_json().encode(), {"agent": "a"})])
    async with asyncio.timeout(20):
        while (await door.ask("GET", f"/api/builds/{build_id}"))[0] != 200:  # noqa: ASYNC110  stored behind a REST API
            await asyncio.sleep(0.05)
    return build_id
