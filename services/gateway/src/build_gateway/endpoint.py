"""`/ws`, the one endpoint of sockets: with an API key an agent, without one a viewer. Refusals come before accept.

Agents whose network passes no WebSocket post the same frames there.
"""

import logging
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from build_chassis import problems
from build_chassis.errors import (
    Forbidden,
    Malformed,
    RateLimited,
    ServiceError,
    StoreUnavailable,
    Unauthenticated,
    Unavailable,
)
from build_protocol.frames import AGENT_SUBPROTOCOL, VIEWER_SUBPROTOCOL, Close
from build_protocol.limits import POST_WAIT_SECONDS
from fastapi import Request, Response
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from build_gateway.accounts.attempts import network_of
from build_gateway.agents.post import Post, PostSession
from build_gateway.agents.session import AgentEdges, AgentSession
from build_gateway.keys import Keys
from build_gateway.settings import Settings
from build_gateway.socket import Socket
from build_gateway.store.rows import Key
from build_gateway.viewers.session import ViewerEdges, ViewerSession

logger = logging.getLogger("gateway")
_NO_STORE = {"Cache-Control": "no-store"}
SECRET_PARAMETERS = ("token", "key", "api_key", "apikey", "access_token", "authorization")


@dataclass(slots=True)
class Endpoint:
    """Authenticates the client and hands the socket to a session."""

    settings: Settings
    keys: Keys
    agents: AgentEdges
    viewers: ViewerEdges
    _connections: Counter[str] = field(default_factory=Counter)
    _unproven: Counter[str] = field(default_factory=Counter)
    """Sockets by address that are open and have not logged in yet: anybody may open them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one upgrade to its end: the ASGI app of `/ws`."""
        websocket = WebSocket(scope, receive, send)
        try:
            with self.place("agent" if "authorization" in websocket.headers else "viewer"):
                _check_query(websocket)
                if "authorization" in websocket.headers:
                    async with self.agent_key(websocket) as key:
                        await self._serve_agent(websocket, send, key)
                else:
                    await self._viewer(websocket, send)
        except ServiceError as refusal:
            logger.info("refuse upgrade %d: %s", refusal.status, refusal)
            await websocket.send_denial_response(problems.problem(refusal, "/ws"))

    async def post(self, request: Request) -> Response:
        """Answer the frames that an agent posts, a line each, with the lines that it would receive by a socket.

        Query parameter `wait`: how long the answer may wait for news, in seconds.
        """
        try:
            with self.place("agent"):
                _check_query(request)
                if "authorization" not in request.headers:
                    raise Unauthenticated("agents post here: send the key as `Authorization: Bearer`")
                async with self.agent_key(request) as key:
                    post = Post(request.stream(), self.settings.frame_bytes)
                    with self.agents.metrics.agents.track_inprogress():
                        await PostSession(post, key, self.agents, wait_seconds=_wait(request)).run()
                    return Response(post.answer(), media_type="application/x-ndjson", headers=_NO_STORE)
        except ServiceError as refusal:
            logger.info("refuse post %d: %s", refusal.status, refusal)
            return problems.problem(refusal, "/ws")
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it

    @contextmanager
    def place(self, kind: str) -> Iterator[None]:
        """Hold one of this gateway's places for connections of a kind. Raises Unavailable where all are taken."""
        # Counted apart: pages that anybody may open never keep agents out.
        if self._connections[kind] >= self.settings.connections:
            raise Unavailable("this gateway is full: try another, or later")
        self._connections[kind] += 1
        try:
            yield
        finally:
            self._connections[kind] -= 1

    @asynccontextmanager
    async def agent_key(self, connection: HTTPConnection) -> AsyncIterator[Key]:
        """The agent's key, counted as in use meanwhile. Raises Forbidden, RateLimited, Unauthenticated, Unavailable."""
        if "origin" in connection.headers:
            raise Forbidden("browsers are not agents: an agent sends no Origin")
        key = await self._key(connection)
        roster = self.agents.roster
        if roster.connections[key.id] >= self.settings.connections_per_key:
            raise RateLimited("too many connections with this key")
        roster.connections[key.id] += 1
        try:
            yield key
        finally:
            roster.connections[key.id] -= 1
            if roster.connections[key.id] <= 0:
                del roster.connections[key.id]

    async def _serve_agent(self, websocket: WebSocket, send: Send, key: Key) -> None:
        socket = await _accept(websocket, send, AGENT_SUBPROTOCOL)
        if socket is not None:
            with self.agents.metrics.agents.track_inprogress():
                await AgentSession(socket, key, self.agents).run()

    async def _key(self, connection: HTTPConnection) -> Key:
        scheme, _, value = connection.headers["authorization"].partition(" ")
        try:
            key = await self.keys.find(value.strip()) if scheme.lower() == "bearer" else None
        except StoreUnavailable as error:
            raise Unavailable("keys cannot be read now: try again") from error
        if key is None or "agent" not in key.scopes:
            raise Unauthenticated("this API key is not known here, revoked or expired")
        return key

    async def _viewer(self, websocket: WebSocket, send: Send) -> None:
        with self.page(websocket, websocket.client.host if websocket.client else "unknown") as proven:
            socket = await _accept(websocket, send, VIEWER_SUBPROTOCOL)
            if socket is not None:
                with self.viewers.metrics.viewers.track_inprogress():
                    await ViewerSession(socket, self.viewers, authenticated=proven).run()

    @contextmanager
    def page(self, connection: HTTPConnection, host: str) -> Iterator[Callable[[], None]]:
        """A page that may connect, counted for its host until what this gives is called: it has logged in.

        Raises Forbidden, RateLimited.
        """
        origin = connection.headers.get("origin", "").lower()
        own = connection.headers.get("host", "").lower()
        if origin not in self.settings.page_origins and (not own or urlsplit(origin).netloc != own):
            raise Forbidden("pages of this origin may not connect; agents send `Authorization: Bearer`")
        address = network_of(host)
        if self._unproven[address] >= self.settings.unproven_per_address:
            raise RateLimited("too many sockets from here wait to log in", {"Retry-After": "5"})
        with ExitStack() as unproven:
            self._unproven[address] += 1
            unproven.callback(self._proven, address)
            yield unproven.close

    def _proven(self, address: str) -> None:
        self._unproven[address] -= 1
        if self._unproven[address] <= 0:
            del self._unproven[address]


def _check_query(connection: HTTPConnection) -> None:
    # Query strings end up in logs: a secret there is refused even when it is right.
    names = (name.lower() for name, _ in parse_qsl(connection.url.query, keep_blank_values=True))
    if any(name in SECRET_PARAMETERS for name in names):
        raise Malformed("no secrets in the URL: send the key as `Authorization: Bearer`")


def _wait(request: Request) -> float:
    try:
        seconds = float(request.query_params.get("wait", "0"))
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise Malformed("wait: a number of seconds")
    return min(max(seconds, 0.0), POST_WAIT_SECONDS)


async def _accept(websocket: WebSocket, send: Send, subprotocol: str) -> Socket | None:
    """The accepted socket; None when the peer speaks other versions only: it is closed with TOO_OLD."""
    offered = websocket.scope.get("subprotocols") or []
    await websocket.accept(subprotocol if subprotocol in offered else None)
    socket = Socket(websocket, send)
    if offered and subprotocol not in offered:
        await socket.close(Close.TOO_OLD, f"this gateway speaks {subprotocol}")
        return None
    return socket
