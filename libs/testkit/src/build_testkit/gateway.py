"""A gateway on a free port and what agents and viewers send to it: for tests and benchmarks only."""

import asyncio
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import uvicorn
from build_chassis.auth import Principal
from build_chassis.bus import Bus, Delivery
from build_chassis.paths import build
from build_chassis.service_client import Answer
from build_gateway.settings import Settings
from build_protocol.frames import BuildChanged, LogAppended, Stored
from build_protocol.topology import LIVE_EXCHANGE, QUEUES, live_key
from build_protocol.views import Build
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from build_testkit.served import served_as

KEY = f"key-{secrets.token_hex(16)}"
PASSWORD = secrets.token_urlsafe(12)
BUILD = "01890000-0000-7000-8000-000000000001"
OTHER_BUILD = "01890000-0000-7000-8000-000000000002"

_TLS = ssl.create_default_context()
"""Made once: every client would otherwise read the machine's certificates, though none is used here."""


@dataclass
class IngestClient:
    """What ingest would answer; `builds` is what it stores, `is_away` makes it silent."""

    builds: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_away: bool = False
    questions: list[str] = field(default_factory=list)
    forwarded: list[tuple[str, Principal]] = field(default_factory=list)

    async def get_json(self, path: str, principal: Principal) -> Any:  # noqa: ARG002  a ServiceClient's signature
        """Answer like ingest's internal routes."""
        self.questions.append(path)
        if self.is_away:
            raise ConnectionError("ingest is away")
        query = parse_qs(urlsplit(path).query)
        if path.startswith("/internal/stored"):
            return {build_id: self.builds[build_id] for build_id in query["build"] if build_id in self.builds}
        return {"paths": {"/api/builds": {"get": {}}, "/internal/stored": {"get": {}}}, "components": {}}

    async def call(self, method: str, path: str, principal: Principal, **sent: Any) -> Answer:  # noqa: ARG002  as above
        """The gateway asks nothing in this way."""
        return Answer(404, {}, b"")

    async def close(self) -> None:
        """Nothing is pooled."""

    async def forward(self, request: Request, segments: Sequence[str], principal: Principal) -> Response:  # noqa: ARG002  as above
        """Return what was asked and for whom."""
        path = build(segments)
        self.forwarded.append((path, principal))
        return JSONResponse({"path": path, "for": principal.name})


@dataclass
class HistoryClient:
    """What history would answer: the last green commit by config."""

    greens: dict[str, str] = field(default_factory=dict)

    async def get_json(self, path: str, principal: Principal) -> Any:  # noqa: ARG002  a ServiceClient's signature
        """Answer like history's internal routes."""
        if path.startswith("/internal/last-green"):
            commit = self.greens.get(parse_qs(urlsplit(path).query)["config"][0])
            return {"commit": commit} if commit else None
        return {"paths": {}, "components": {}}

    async def close(self) -> None:
        """Nothing is pooled."""

    async def forward(self, request: Request, segments: Sequence[str], principal: Principal) -> Response:  # noqa: ARG002  as above
        """Return what was asked and for whom."""
        return JSONResponse({"path": build(segments), "for": principal.name})


@dataclass
class Gateway:
    """One running gateway and the edges a test may pull."""

    app: FastAPI
    bus: Bus
    ingest: IngestClient
    url: str
    history: HistoryClient = field(default_factory=HistoryClient)
    _admin_token: str = ""

    @property
    def ws(self) -> str:
        """The WebSocket endpoint."""
        return f"ws{self.url.removeprefix('http')}/ws"

    @property
    def http(self) -> httpx.AsyncClient:
        """A client of the REST API."""
        return httpx.AsyncClient(base_url=self.url, verify=_TLS, trust_env=False)

    async def login(self, username: str = "admin", password: str = PASSWORD) -> str:
        """An access token."""
        async with self.http as client:
            answer = await client.post("/api/auth/login", json={"username": username, "password": password})
        answer.raise_for_status()
        return str(answer.json()["accessToken"])

    async def as_admin(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """The answer to a request of the admin's."""
        self._admin_token = self._admin_token or await self.login()
        async with self.http as client:
            headers = {"Authorization": f"Bearer {self._admin_token}"}
            return await client.request(method, path, json=body, headers=headers)

    def agent(self, key: str = KEY, **options: Any) -> connect:
        """An agent's connection."""
        headers = {"Authorization": f"Bearer {key}"}
        return connect(self.ws, additional_headers=headers, compression=None, **options)

    def viewer(self, **options: Any) -> connect:
        """A viewer's connection."""
        options.setdefault("origin", self.url)
        return connect(self.ws, compression=None, **options)

    async def announce_stored(self, upto: int, build_id: str = BUILD, agent: str = "default", **more: Any) -> None:
        """Say STORED as ingest does."""
        event = Stored(build_id=build_id, project="torch-mlir", agent=agent, upto=upto, **more)
        await self.bus.announce(LIVE_EXCHANGE, live_key("stored", event.project, build_id), event.to_json().encode())

    async def announce_build(self, revision: int, *events: str, project: str = "torch-mlir", **more: Any) -> None:
        """Say BUILD as ingest does."""
        build = Build(id=more.pop("id", BUILD), project=project, status="running", revision=revision, **more)
        event = BuildChanged(events=list(events or ["BUILD_UPDATE"]), build=build)
        await self.bus.announce(LIVE_EXCHANGE, live_key("build", project, build.id), event.to_json().encode())

    async def announce_log(self, seq: int, *lines: str, project: str = "torch-mlir", build_id: str = BUILD) -> None:
        """Say LOG as ingest does."""
        event = LogAppended(
            build_id=build_id, project=project, after_seq=seq - 1, seq=seq, first_line=seq, lines=list(lines)
        )
        await self.bus.announce(LIVE_EXCHANGE, live_key("log", project, build_id), event.to_json().encode())

    async def published(self, count: int) -> list[Delivery]:
        """The next messages on all ingest queues, acked."""
        deliveries: list[Delivery] = []
        async with AsyncExitStack() as stack, asyncio.timeout(5):
            queues = [queue.name for queue in QUEUES if queue.name.startswith("ingest.")]
            consumers = [await stack.enter_async_context(self.bus.consume(name)) for name in queues]
            fetches = {asyncio.ensure_future(consumer.fetch(200)): consumer for consumer in consumers}
            while len(deliveries) < count:
                done, _ = await asyncio.wait(fetches, return_when=asyncio.FIRST_COMPLETED)
                for fetch in done:
                    consumer = fetches.pop(fetch)
                    got = fetch.result()
                    await consumer.ack(got)
                    deliveries += got
                    fetches[asyncio.ensure_future(consumer.fetch(200))] = consumer
            for fetch in fetches:
                fetch.cancel()
        return deliveries


@asynccontextmanager
async def serving(app: FastAPI, settings: Settings) -> AsyncIterator[str]:
    """The app on a real server and a free port; gives its URL."""
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_max_size=settings.frame_bytes,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    async with served_as(config) as url:
        yield url


def record(seq: int, kind: str = "BUILD_LOG", build_id: str = BUILD, **changes: Any) -> dict[str, Any]:
    """A valid record."""
    data: dict[str, dict[str, Any]] = {
        "BUILD_START": {"status": "running"},
        "BUILD_LOG": {"firstLine": seq, "lines": [f"line {seq}"]},
        "BUILD_UPDATE": {"status": "running", "progress": 1},
        "BUILD_COMPLETE": {"status": "succeeded", "exitCode": 0},
    }
    return {
        "type": kind,
        "buildId": build_id,
        "project": "torch-mlir",
        "timestamp": 1,
        "seq": seq,
        "data": data[kind],
        **changes,
    }


async def say(socket: ClientConnection, **frame: Any) -> None:
    """Send a frame."""
    await socket.send(json.dumps(frame))


async def receive(socket: ClientConnection, kind: str, seconds: float = 5, **fields: Any) -> dict[str, Any]:
    """The next frame of this type with these fields; others are passed over."""
    async with asyncio.timeout(seconds):
        while True:
            frame: dict[str, Any] = json.loads(await socket.recv())
            if frame["type"] == kind and fields.items() <= frame.items():
                return frame


async def hello(socket: ClientConnection, instance: str = "i1", **more: Any) -> dict[str, Any]:
    """Send HELLO and receive WELCOME."""
    await say(socket, type="HELLO", agentVersion="1.0", instance=instance, **more)
    return await receive(socket, "WELCOME")


async def log_in(
    gateway: Gateway, socket: ClientConnection, token: str | None = None, **subscribe: Any
) -> dict[str, Any]:
    """AUTH and SUBSCRIBE; gives READY."""
    await say(socket, type="AUTH", token=token or await gateway.login())
    ready = await receive(socket, "READY")
    await say(socket, type="SUBSCRIBE", **subscribe)
    await receive(socket, "SUBSCRIBED")
    return ready


async def closed_with(socket: ClientConnection) -> int | None:
    """The close code, once the server has closed; frames that come before are passed over."""
    with suppress(ConnectionClosed):
        await receive(socket, "never")
    return socket.close_code
