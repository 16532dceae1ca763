"""API Gateway's contract of WebSocket APIs, small and local: for tests only.

One port takes clients' WebSockets: `$connect` decides by an integration's status, each message goes to the integration
of the route that its `type` selects, requests of one connection may pass each other. Another port is `@connections`:
post, delete, 410 for who is gone, 429 where it is throttled.
"""

import asyncio
import json
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake
from websockets.http11 import Response as Refusal
from websockets.typing import Subprotocol

from build_testkit.served import served

FRAME_BYTES = 32 * 1024
MESSAGE_BYTES = 128 * 1024
STAGE = "test"
ROUTES: Mapping[str, str] = {"RECORDS": "build_update", "SUBSCRIBE": "subscribe"}
"""The route that a message's `type` selects; all others are `$default`'s."""


@dataclass
class ApiGateway:
    """One WebSocket API in front of gateways, each request going to the next of them."""

    targets: list[str]
    """Base addresses; may be changed while it runs."""

    secret: str
    url: str = ""
    """Where clients connect."""

    management_url: str = ""
    is_reordering: bool = False
    """Whether requests of one connection may pass each other, as they do without an order of their own."""

    throttles_every: int = 0
    """One post of so many is answered with 429."""

    loses_disconnects: bool = False
    routed: Counter[str] = field(default_factory=Counter)
    """Messages by route."""

    answered: Counter[str] = field(default_factory=Counter)
    """Requests by target."""

    refused_posts: Counter[int] = field(default_factory=Counter)
    connected: dict[str, ServerConnection] = field(default_factory=dict)
    _ids: dict[ServerConnection, str] = field(default_factory=dict)
    _turn: int = 0
    _posts: int = 0
    _client: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=30, trust_env=False))
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def cut(self, code: int = 1001) -> int:
        """End every connection, as after two hours; how many."""
        cut = list(self.connected.values())
        for socket in cut:
            await socket.close(code, "Going away")
        return len(cut)

    async def _integrate(
        self, what: str, connection_id: str, more: Mapping[str, str], body: bytes = b""
    ) -> httpx.Response | None:
        """The next gateway's answer; None where it does not answer, which API Gateway does not repeat."""
        target = self.targets[self._turn % len(self.targets)]
        self._turn += 1
        headers = {"X-Front-Secret": self.secret, "X-Connection-Id": connection_id, "X-Source-Ip": "192.0.2.7", **more}
        try:
            answer = await self._client.post(f"{target}/apigateway/{what}", content=body, headers=headers)
        except httpx.HTTPError:
            return None
        self.answered[target] += 1
        return answer

    async def _handshake(self, socket: ServerConnection, handshake: Handshake) -> Refusal | None:
        connection_id = secrets.token_urlsafe(11) + "="
        mapped = ("authorization", "origin", "sec-websocket-protocol")
        more = {name: handshake.headers[name] for name in mapped if name in handshake.headers}
        answer = await self._integrate("connect", connection_id, more)
        if answer is None or not answer.is_success:
            status = 502 if answer is None else answer.status_code
            return Refusal(status, "Refused", Headers({"Content-Length": "0"}), b"")
        self._ids[socket] = connection_id
        self.connected[connection_id] = socket
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        connection_id = self._ids.pop(socket)
        try:
            async for message in socket:
                await self._route(connection_id, message.encode() if isinstance(message, str) else message)
        except ConnectionClosed:
            pass
        finally:
            self.connected.pop(connection_id, None)
            if not self.loses_disconnects:
                await self._integrate("disconnect", connection_id, {})

    async def _route(self, connection_id: str, body: bytes) -> None:
        with suppress(ValueError, AttributeError):
            self.routed[ROUTES.get(json.loads(body).get("type"), "$default")] += 1
        if not self.is_reordering:
            await self._integrate("message", connection_id, {}, body)
            return
        task = asyncio.create_task(self._late(connection_id, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _late(self, connection_id: str, body: bytes) -> None:
        await asyncio.sleep(random.random() * 0.03)  # noqa: S311  which of them is first, and no secret
        await self._integrate("message", connection_id, {}, body)

    async def _connections(self, request: Request) -> Response:
        self._posts += 1
        if self.throttles_every and self._posts % self.throttles_every == 1:
            return self._refuse(429, "LimitExceededException")
        socket = self.connected.get(request.path_params["connection_id"])
        if socket is None:
            return self._refuse(410, "GoneException")
        if request.method == "DELETE":
            await socket.close(1001, "Connection Closed Normally")
            return Response(status_code=204)
        body = await request.body()
        if len(body) > MESSAGE_BYTES:
            return self._refuse(413, "PayloadTooLargeException")
        try:
            await socket.send(body.decode())
        except ConnectionClosed:
            return self._refuse(410, "GoneException")
        return Response()

    def _refuse(self, status: int, code: str) -> Response:
        self.refused_posts[status] += 1
        return JSONResponse({"message": code}, status, {"x-amzn-ErrorType": code})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Both ports, for as long as this lasts."""
        path = f"/{STAGE}/@connections/{{connection_id}}"
        management = Starlette(routes=[Route(path, self._connections, methods=["POST", "DELETE"])])
        async with (
            served(management) as url,
            serve(
                self._serve,
                "127.0.0.1",
                0,
                process_request=self._handshake,
                select_subprotocol=_select,
                max_size=FRAME_BYTES,
                compression=None,
                ping_interval=None,
            ) as server,
        ):
            self.management_url = f"{url}/{STAGE}"
            self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/{STAGE}"
            yield
            await self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()


@asynccontextmanager
async def api_gateway(secret: str, targets: Sequence[str] = ()) -> AsyncIterator[ApiGateway]:
    """A WebSocket API before these gateways."""
    api = ApiGateway(list(targets), secret)
    async with api.running():
        yield api


def _select(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return offered[0] if offered else None
