"""`/apigateway/...`, what an API Gateway's integrations call: `connect`, `message` and `disconnect` of one connection.

A connection's session lives in the gateway that was asked to `connect`; a request that lands on another is passed on to
it once. Where that one is gone, so is the session: the connection is ended, and its client comes again and resumes.
"""

import asyncio
import hmac
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from socket import gethostbyname, gethostname

import httpx
from build_chassis import problems
from build_chassis.errors import Gone, Malformed, NotFound, ServiceError, StoreUnavailable, Unavailable
from build_protocol.frames import AGENT_SUBPROTOCOL, VIEWER_SUBPROTOCOL
from starlette.requests import Request
from starlette.responses import Response

from build_gateway.agents.session import AgentSession
from build_gateway.apigateway.limits import FRAME_BYTES, MESSAGE_BYTES
from build_gateway.apigateway.management import Connections, ManagementApi
from build_gateway.apigateway.socket import ApiGatewaySocket
from build_gateway.apigateway.table import ConnectionTable, DynamoTable, MemoryTable, Owner
from build_gateway.endpoint import Endpoint
from build_gateway.settings import Settings
from build_gateway.viewers.session import ViewerSession

logger = logging.getLogger("gateway")

SECRET, CONNECTION, SOURCE, RUN = "x-front-secret", "x-connection-id", "x-source-ip", "x-gateway-run"
"""Headers of the integrations; `x-gateway-run` is a gateway's that passes one on, to the run that it is for."""

FORWARD_SECONDS = 5.0
KNOWN_OWNERS = 10_000


_Serve = Callable[[Request, str], Awaitable[Response]]


@dataclass
class _Held:
    socket: ApiGatewaySocket
    task: "asyncio.Task[None]"


@dataclass
class ApiGatewayFront:
    """The connections of one API Gateway, as this gateway sees them."""

    settings: Settings
    endpoint: Endpoint
    connections: Connections
    table: ConnectionTable
    own: Owner
    _held: dict[str, _Held] = field(default_factory=dict)
    _owners: OrderedDict[str, Owner] = field(default_factory=OrderedDict)
    """Of connections that others have: a table is not asked for each frame."""

    _client: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(timeout=FORWARD_SECONDS, trust_env=False)
    )

    async def connect(self, request: Request) -> Response:
        """`$connect`: a refusal is the authorisation, as a WebSocket API asks nobody else."""
        return await self._answer(request, self._connect)

    async def message(self, request: Request) -> Response:
        """Every other route but `$disconnect`: one frame."""
        return await self._answer(request, self._message)

    async def disconnect(self, request: Request) -> Response:
        """`$disconnect`, which may never come."""
        return await self._answer(request, self._disconnect)

    async def close(self) -> None:
        """End every connection held here, as a server's stop does: their clients resume with another gateway."""
        held = dict(self._held)
        for each in held.values():
            each.socket.disconnected()
        await asyncio.gather(*(each.task for each in held.values()), return_exceptions=True)
        await asyncio.gather(*(self.connections.delete(connection_id) for connection_id in held))
        await self.connections.close()
        await self._client.aclose()

    # --- what the integrations ask

    async def _answer(self, request: Request, serve: _Serve) -> Response:
        try:
            shown = request.headers.get(SECRET, "")
            if not hmac.compare_digest(shown.encode(), self.settings.apigateway_secret.get_secret_value().encode()):
                raise NotFound(f"{request.method} {request.url.path}: not found")
            if not (connection_id := request.headers.get(CONNECTION, "")):
                raise Malformed(f"{CONNECTION}: map context.connectionId to this header")
            return await serve(request, connection_id)
        except ServiceError as refusal:
            logger.info("refuse of api gateway %d: %s", refusal.status, refusal)
            return problems.problem(refusal, request.url.path)

    async def _connect(self, request: Request, connection_id: str) -> Response:
        admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        socket = ApiGatewaySocket(connection_id, self.connections)
        task = asyncio.create_task(self._hold(request, socket, admitted))
        self._held[connection_id] = _Held(socket, task)
        await admitted
        offered = [each.strip() for each in request.headers.get("sec-websocket-protocol", "").split(",")]
        chosen = [each for each in offered if each in (AGENT_SUBPROTOCOL, VIEWER_SUBPROTOCOL)]
        return Response(headers={"Sec-WebSocket-Protocol": chosen[0]} if chosen else None)

    async def _hold(self, request: Request, socket: ApiGatewaySocket, admitted: "asyncio.Future[None]") -> None:
        """Serve a connection to its end; `admitted` is whether it may be one."""
        try:
            if "authorization" in request.headers:
                await self._hold_agent(request, socket, admitted)
            else:
                await self._hold_page(request, socket, admitted)
        except ServiceError as refusal:
            if admitted.done():
                raise
            admitted.set_exception(refusal)
        finally:
            if not admitted.done():
                admitted.set_exception(Unavailable("this gateway stops: try again"))
            self._held.pop(socket.connection_id, None)
            await self._forget(socket.connection_id)

    async def _hold_agent(self, request: Request, socket: ApiGatewaySocket, admitted: "asyncio.Future[None]") -> None:
        agents = self.endpoint.agents
        edges = replace(agents, frame_bytes=min(FRAME_BYTES, agents.frame_bytes))
        with self.endpoint.place("agent"):
            async with self.endpoint.agent_key(request) as key:
                await self._admit(socket, admitted)
                with agents.metrics.agents.track_inprogress():
                    await AgentSession(socket, key, edges).run()

    async def _hold_page(self, request: Request, socket: ApiGatewaySocket, admitted: "asyncio.Future[None]") -> None:
        viewers = self.endpoint.viewers
        host = request.headers.get(SOURCE, "unknown")
        with self.endpoint.place("viewer"), self.endpoint.page(request, host) as proven:
            await self._admit(socket, admitted)
            with viewers.metrics.viewers.track_inprogress():
                await ViewerSession(socket, viewers, authenticated=proven).run()

    async def _admit(self, socket: ApiGatewaySocket, admitted: "asyncio.Future[None]") -> None:
        try:
            await self.table.put(socket.connection_id, self.own)
        except StoreUnavailable as error:
            raise Unavailable("connections cannot be noted now: try again") from error
        admitted.set_result(None)

    async def _message(self, request: Request, connection_id: str) -> Response:
        body = await request.body()
        if len(body) > MESSAGE_BYTES:
            raise Malformed(f"a message has at most {MESSAGE_BYTES} bytes")
        if (held := self._held.get(connection_id)) is not None:
            held.socket.deliver(body.decode(errors="replace"))
            return Response()
        if not await self._pass_on(request, connection_id, "message", body):
            await self._end(connection_id)
        return Response()

    async def _disconnect(self, request: Request, connection_id: str) -> Response:
        if (held := self._held.get(connection_id)) is not None:
            held.socket.disconnected()
        elif not await self._pass_on(request, connection_id, "disconnect", b""):
            await self._forget(connection_id)
        return Response()

    # --- between gateways

    async def _pass_on(self, request: Request, connection_id: str, what: str, body: bytes) -> bool:
        """Whether the gateway that has the connection took it. Raises Gone to one that passed it here, Unavailable."""
        if RUN in request.headers:
            # Passed here: it is not passed on again, whoever it was for.
            raise Gone("this gateway has no such connection")
        owner = await self._owner(connection_id)
        if owner is None or owner == self.own:
            return False
        headers = {SECRET: request.headers[SECRET], CONNECTION: connection_id, RUN: owner.run}
        try:
            answer = await self._client.post(f"{owner.url}/apigateway/{what}", content=body, headers=headers)
        except httpx.HTTPError as error:
            logger.warning("gateway %s, which has connection %s, does not answer: %s", owner.url, connection_id, error)
            return False
        return answer.is_success

    async def _owner(self, connection_id: str) -> Owner | None:
        if (known := self._owners.get(connection_id)) is not None:
            return known
        try:
            owner = await self.table.owner(connection_id)
        except StoreUnavailable as error:
            raise Unavailable("whose connection this is cannot be read now") from error
        if owner is not None:
            self._owners[connection_id] = owner
            if len(self._owners) > KNOWN_OWNERS:
                self._owners.popitem(last=False)
        return owner

    async def _end(self, connection_id: str) -> None:
        """Nobody has its session: its client is to come again, and goes on from what is stored."""
        await self.connections.delete(connection_id)
        await self._forget(connection_id)

    async def _forget(self, connection_id: str) -> None:
        self._owners.pop(connection_id, None)
        try:
            await self.table.remove(connection_id)
        except StoreUnavailable as error:
            logger.warning("connection %s stays in the table until it expires: %s", connection_id, error)


def open_front(settings: Settings, endpoint: Endpoint) -> ApiGatewayFront | None:
    """The front that the settings ask for; None where they name no API Gateway."""
    if not settings.apigateway_url:
        return None
    url = settings.apigateway_own_url or f"http://{gethostbyname(gethostname())}:{settings.port}"
    name = settings.apigateway_table
    return ApiGatewayFront(
        settings,
        endpoint,
        ManagementApi(settings.apigateway_url),
        DynamoTable(name) if name else MemoryTable(),
        Owner(url, secrets.token_hex(8)),
    )
