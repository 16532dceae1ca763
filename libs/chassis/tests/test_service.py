"""A service's app: alive, ready, measured, and clear in its errors."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from build_chassis.auth import Caller, Principal, mint_internal
from build_chassis.bus import EmbeddedBus
from build_chassis.errors import StoreUnavailable
from build_chassis.parts import ServiceParts
from build_chassis.service import create_service_app
from build_chassis.settings import ServiceSettings
from build_protocol.clock import now_ms
from build_testkit.signing import SECRET
from build_testkit.stack import START_SECONDS, STOP_SECONDS, free_port, wait_until
from fastapi import APIRouter, Body, FastAPI
from prometheus_client import CollectorRegistry

pytestmark = pytest.mark.slow


class Store:
    is_up = True

    async def ping(self) -> None:
        if not self.is_up:
            raise StoreUnavailable("test", "down")


@asynccontextmanager
async def no_lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/api/whoami")
    async def whoami(caller: Caller) -> str:
        return caller.name

    @router.get("/api/stored")
    async def stored() -> None:
        raise StoreUnavailable("test", "down")

    @router.post("/api/noted")
    async def noted(note: Annotated[str, Body()]) -> str:
        return note

    @router.get("/api/count")
    async def count(n: int) -> int:
        return 1 // n

    return router


@pytest.fixture
def bus(tmp_path: Path) -> EmbeddedBus:
    return EmbeddedBus(tmp_path / "bus.sqlite")


def make_app(bus: EmbeddedBus, store: Store, secret: str = SECRET) -> FastAPI:
    settings = ServiceSettings(service="history", jwt_secret_key=secret)
    return create_service_app(
        "history",
        ServiceParts(settings, now_ms, CollectorRegistry(), store),
        bus,
        lifespan=no_lifespan,
        routers=[routes()],
    )


def client_of(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://history")


async def test_readiness_names_what_is_missing(bus: EmbeddedBus) -> None:
    """Ready only with bus and store; alive without either."""
    store = Store()
    async with client_of(make_app(bus, store)) as client:
        store.is_up = False
        before = await client.get("/readyz")
        alive = await client.get("/healthz")
        await bus.open()
        store.is_up = True
        after = await client.get("/readyz")
    await bus.close()

    assert (before.status_code, before.json()["missing"]) == (503, ["bus: connection", "store"])
    assert before.json()["why"] == ["bus: connection: it does not answer", "store: it does not answer"]
    assert alive.status_code == 200
    assert (after.status_code, after.json()) == (200, {"status": "ready", "missing": [], "publish": "open"})


async def test_only_the_gateways_token_for_this_service_opens_it(bus: EmbeddedBus) -> None:
    """No token, another service's token and another secret's token are all 401."""
    alice = Principal("alice", "viewer", None)
    tokens = {
        "good": mint_internal(alice, "history", SECRET),
        "other service": mint_internal(alice, "ingest", SECRET),
        "other secret": mint_internal(alice, "history", SECRET[::-1]),
        "expired": mint_internal(alice, "history", SECRET, now=0),
        "none": "",
    }
    async with client_of(make_app(bus, Store())) as client:
        answers = {
            name: await client.get("/api/whoami", headers={"Authorization": f"Bearer {token}"})
            for name, token in tokens.items()
        }

    assert {name: answer.status_code for name, answer in answers.items()} == {
        "good": 200,
        "other service": 401,
        "other secret": 401,
        "expired": 401,
        "none": 401,
    }


async def test_internal_routes_do_not_exist_for_people_and_keys(bus: EmbeddedBus) -> None:
    """A service reads the description of the app; without a token it is 401, and of an unknown kind one is a key."""
    kinds: tuple[Any, ...] = ("user", "key", "service", "agent", "root")
    async with client_of(make_app(bus, Store())) as client:
        statuses = {}
        for kind in kinds:
            token = mint_internal(Principal("x", "admin", None, kind), "history", SECRET)
            answer = await client.get("/internal/openapi.json", headers={"Authorization": f"Bearer {token}"})
            statuses[kind] = answer.status_code
        nobody = await client.get("/internal/openapi.json")

    assert statuses == {"user": 404, "key": 404, "service": 200, "agent": 404, "root": 404}
    assert nobody.status_code == 401


async def test_a_service_guards_itself(bus: EmbeddedBus) -> None:
    """Also without the gateway before it: bodies over their limit and paths that could be others are refused."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 4096

    async with client_of(make_app(bus, Store())) as client:
        large = await client.post("/api/noted", content=pieces())
        declared = await client.post("/api/noted", content=b"x" * 80_000)
        other = await client.get("/api/%2e%2e%2fmetrics")
        slash = await client.get("/api/whoami/")

    assert [answer.status_code for answer in (large, declared, other, slash)] == [413, 413, 400, 404]
    assert {answer.headers["content-type"] for answer in (large, declared, other, slash)} == {
        "application/problem+json"
    }


async def test_a_service_without_a_secret_trusts_nobody(bus: EmbeddedBus) -> None:
    """A token signed with the empty secret could be anybody's."""
    token = mint_internal(Principal("alice", "admin", None), "history", "")
    async with client_of(make_app(bus, Store(), secret="")) as client:
        answer = await client.get("/api/whoami", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 503


async def test_errors_are_problems(bus: EmbeddedBus) -> None:
    """Every error is problem+json with its status; a bug shows nothing of itself."""
    async with client_of(make_app(bus, Store())) as client:
        answers = [
            await client.get(path) for path in ("/api/stored", "/api/count?n=x", "/api/count?n=0", "/docs", "/redoc")
        ]

    assert [answer.status_code for answer in answers] == [503, 422, 500, 404, 404]
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert answers[0].headers["retry-after"] == "5"
    assert "division" not in answers[2].text


_PROGRAM = """
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from build_chassis.bus import EmbeddedBus
from build_chassis.service import create_service_app, serve
from build_chassis.settings import ServiceSettings
from build_testkit.signing import SECRET
from build_chassis.parts import ServiceParts
from build_protocol.clock import now_ms
from prometheus_client import CollectorRegistry

@asynccontextmanager
async def lifespan(app):
    yield
    print("lifespan left", file=sys.stderr)

settings = ServiceSettings(service="history", jwt_secret_key=SECRET, port=int(sys.argv[1]))
bus = EmbeddedBus(Path(sys.argv[2]))
class Store:
    async def ping(self):
        pass

parts = ServiceParts(settings, now_ms, CollectorRegistry(), Store())
app = create_service_app("history", parts, bus, lifespan=lifespan, routers=[])
serve(app, settings)
"""


def test_a_served_app_opens_its_bus_and_stops_in_order(tmp_path: Path) -> None:
    """Ready once the bus is open; SIGTERM leaves the lifespan, then the bus; no server header; logs are JSON."""
    port = free_port()
    environment = {**os.environ, "AMQP_URL": ""}
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(port), str(tmp_path / "bus.sqlite")],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=tmp_path,
    )

    def ready() -> httpx.Response | None:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/readyz")
        except httpx.TransportError:
            return None
        return answer if answer.status_code == 200 else None

    try:
        answer = wait_until(ready, START_SECONDS, "ready")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=STOP_SECONDS)
    finally:
        process.kill()

    assert "server" not in answer.headers
    assert errors.index('"serving history"') < errors.index("lifespan left") < errors.index('"stopped history"')
