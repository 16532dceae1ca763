"""The way to another service: over HTTP, or in process where all services are mounted in one app.

Either way the request carries a fresh internal token and nothing of the person's own credentials, and goes to a path
that is built here from decoded segments: what a client sent as its path reaches no other program.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import httpx
from fastapi import Request
from fastapi.responses import Response
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope
from typing_extensions import override

from build_chassis import paths, problems, tls
from build_chassis.access_log import REQUEST_ID, request_id_of
from build_chassis.auth import Principal, mint_internal
from build_chassis.errors import Unavailable

log = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 60.0
CHUNKS_WAITING = 8
"""Body chunks a mounted app may be ahead of its reader."""

Headers = Mapping[str, str]
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_NOT_FORWARDED = _HOP_BY_HOP | {"authorization", "cookie", "host", "content-length", "expect", "forwarded", "x-real-ip"}
_FROM_PROXIES = "x-forwarded"
"""How headers begin that say who asks and where: a service believes its token only."""


class ServiceUnavailable(Unavailable, ConnectionError):
    """Another service does not answer."""

    def __init__(self, service: str, cause: object) -> None:
        super().__init__(f"service {service} does not answer: {cause}")
        self.service = service

    @property
    def detail(self) -> str:
        """Without the cause, which may name an address."""
        return f"service {self.service} does not answer"


class ServiceRefused(Exception):
    """Another service answered a question with an error."""

    def __init__(self, service: str, path: str, status: int, body: bytes) -> None:
        super().__init__(f"service {service} answered {status} to {path}: {body[:500].decode(errors='replace')}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole answer to a small request, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class JsonClient(Protocol):
    """Another service, for those who only ask it for small JSON documents."""

    async def get_json(self, path: str, principal: Principal) -> Any:
        """Ask this service for a small JSON document.

        Args:
            path: The path, with its query.
            principal: Who the request is made for.

        Returns:
            The parsed document.

        Raises:
            ServiceUnavailable: The service does not answer.
            ServiceRefused: It answered with another status than 200.
        """
        ...


class ServiceClient(JsonClient, Protocol):
    """Another service."""

    async def forward(self, request: Request, segments: Sequence[str], principal: Principal) -> Response:
        """Send a request on to this service and stream its answer.

        Args:
            request: What a client sent.
            segments: The decoded segments of the path to ask for.
            principal: Who the request is made for.

        Returns:
            The service's answer; 503 when it does not answer.

        Raises:
            BadPath: A segment would not stay one name.
        """
        ...

    async def call(
        self, method: str, path: str, principal: Principal, *, body: bytes = b"", headers: Headers = NO_HEADERS
    ) -> Answer:
        """Ask this service for something of our own; request and answer are small enough for memory.

        Args:
            method: The HTTP method.
            path: The path, with its query.
            principal: Who the request is made for.
            body: The request's body.
            headers: Headers to add to the token's.

        Returns:
            The whole answer, whatever its status.

        Raises:
            ServiceUnavailable: The service does not answer.
        """
        ...

    async def close(self) -> None:
        """Close pooled connections."""
        ...


Peers = Mapping[str, ServiceClient]
"""Services by name."""

NO_PEERS: Peers = MappingProxyType({})


class _Client(ServiceClient):
    """The part that both kinds of clients share."""

    def __init__(self, service: str, secret: str) -> None:
        self._service = service
        self._secret = secret

    @override
    async def get_json(self, path: str, principal: Principal) -> Any:
        answer = await self.call("GET", path, principal)
        if answer.status != 200:
            raise ServiceRefused(self._service, path, answer.status, answer.body)
        return json.loads(answer.body)

    @override
    async def call(
        self, method: str, path: str, principal: Principal, *, body: bytes = b"", headers: Headers = NO_HEADERS
    ) -> Answer:
        token = mint_internal(principal, self._service, self._secret)
        return await self._call(method, path, {**headers, "authorization": f"Bearer {token}"}, body)

    async def _call(self, method: str, path: str, headers: Headers, body: bytes) -> Answer:
        """The answer to a request that has its token; raises ServiceUnavailable."""
        raise NotImplementedError


class HttpServiceClient(_Client):
    """A service at a URL, over pooled connections."""

    def __init__(self, service: str, base_url: str, secret: str) -> None:
        super().__init__(service, secret)
        self._client = httpx.AsyncClient(
            base_url=base_url,
            verify=tls.trusted(),
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=50),
            trust_env=False,  # a proxy of the environment is for the world outside
        )

    @override
    async def forward(self, request: Request, segments: Sequence[str], principal: Principal) -> Response:
        query = request.scope["query_string"].decode("ascii")
        outgoing = self._client.build_request(
            request.method,
            paths.build(segments) + (f"?{query}" if query else ""),
            headers=_headers(request, mint_internal(principal, self._service, self._secret)),
            content=request.stream() if _has_body(request) else None,
        )
        try:
            answer = await self._client.send(outgoing, stream=True)
        except httpx.TransportError as error:
            return _unavailable(self._service, error, request)
        return _stream(answer.status_code, answer.headers.raw, self._body(answer))

    @override
    async def _call(self, method: str, path: str, headers: Headers, body: bytes) -> Answer:
        try:
            answer = await self._client.request(method, path, content=body, headers=headers)
        except httpx.TransportError as error:
            raise ServiceUnavailable(self._service, error) from error
        return Answer(answer.status_code, dict(answer.headers), answer.content)

    @override
    async def close(self) -> None:
        await self._client.aclose()

    async def _body(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        try:
            async for chunk in answer.aiter_raw():
                yield chunk
        finally:
            await answer.aclose()


def http_peers(urls: Mapping[str, str], secret: str) -> Peers:
    """Clients of the services at these URLs.

    Args:
        urls: A URL for each service, by name; a service with an empty URL is left out.
        secret: The key that signs internal tokens, `JWT_SECRET_KEY`.
    """
    return {name: HttpServiceClient(name, url, secret) for name, url in urls.items() if url}


class MountedServiceClient(_Client):
    """A service in this process, called without a network; its lifespan is entered by whoever mounted it."""

    def __init__(self, service: str, app: ASGIApp, secret: str) -> None:
        super().__init__(service, secret)
        self._app = app
        self._running: set[asyncio.Task[None]] = set()

    @override
    async def forward(self, request: Request, segments: Sequence[str], principal: Principal) -> Response:
        token = mint_internal(principal, self._service, self._secret)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in _headers(request, token)]
        scope = _scope(request.method, paths.build(segments), request.scope["query_string"], headers)
        exchange = _Exchange(self._app, scope, request.receive, self._running)
        try:
            start, piece = await exchange.begin()
        except ServiceUnavailable as error:
            return _unavailable(self._service, error, request)
        headers = start.get("headers", ())
        if _is_last(piece):
            return _with_headers(Response(piece.get("body", b""), start["status"]), headers)
        return _stream(start["status"], headers, exchange.body(piece))

    @override
    async def _call(self, method: str, path: str, headers: Headers, body: bytes) -> Answer:
        sent = {**headers, "content-length": str(len(body))}
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()]
        parts = urlsplit(path)
        scope = _scope(method, parts.path, parts.query.encode(), raw)
        exchange = _Exchange(self._app, scope, _whole(body), self._running)
        start, piece = await exchange.begin()
        answered = b"".join([chunk async for chunk in exchange.body(piece)])
        names = {name.decode("latin-1"): value.decode("latin-1") for name, value in start.get("headers", ())}
        return Answer(start["status"], names, answered)

    @override
    async def close(self) -> None:
        return  # nothing is pooled


class _Exchange:
    """One call of an ASGI app: it runs in a task of its own and is held back while its reader is behind."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, running: set[asyncio.Task[None]]) -> None:
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue(CHUNKS_WAITING)
        self._task = asyncio.create_task(self._run(app, scope, receive))
        running.add(self._task)  # what an app does behind its answer outlives this exchange
        self._task.add_done_callback(running.discard)

    async def begin(self) -> tuple[Message, Message]:
        """Status and headers, and the first piece of the body; raises ServiceUnavailable when the app ended before."""
        try:
            return await self._next("it ended without an answer"), await self._next(_BROKE_OFF)
        except BaseException:
            self._task.cancel()
            raise

    async def body(self, piece: Message) -> AsyncIterator[bytes]:
        """The body from this piece on; leaving early cancels the app. Raises ServiceUnavailable when it broke off."""
        is_whole = False
        try:
            while True:
                is_whole = _is_last(piece)
                if piece.get("body"):
                    yield piece["body"]
                if is_whole:
                    return
                piece = await self._next(_BROKE_OFF)
        finally:
            if not is_whole:
                self._task.cancel()

    async def _next(self, otherwise: str) -> Message:
        message = await self._messages.get()
        if message is None:
            raise ServiceUnavailable("mounted", otherwise)
        return message

    async def _run(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        try:
            await app(scope, receive, self._messages.put)
        except Exception:
            log.exception("failed to answer %s %s", scope["method"], scope["path"])
        await self._messages.put(None)  # not when it is cancelled: then nobody reads


_BROKE_OFF = "it broke off its answer"


def _is_last(piece: Message) -> bool:
    return not piece.get("more_body", False)


def _scope(method: str, path: str, query: bytes, headers: Iterable[tuple[bytes, bytes]]) -> MutableMapping[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query,
        "root_path": "",
        "headers": [*headers, (b"host", b"mounted")],
        "client": ("127.0.0.1", 0),
        "server": ("mounted", 80),
        "state": {},
    }


def _headers(request: Request, token: str) -> list[tuple[str, str]]:
    named = {name.strip().lower() for name in ",".join(request.headers.getlist("connection")).split(",")}
    kept = [
        (name, value)
        for name, value in request.headers.items()
        if name not in (*_NOT_FORWARDED, REQUEST_ID) and name not in named and not name.startswith(_FROM_PROXIES)
    ]
    # With both, the length is not the body's.
    if "content-length" in request.headers and "transfer-encoding" not in request.headers:
        kept.append(("content-length", request.headers["content-length"]))
    if request_id := request_id_of(request):
        kept.append((REQUEST_ID, request_id))
    return [*kept, ("authorization", f"Bearer {token}")]


def _has_body(request: Request) -> bool:
    return "content-length" in request.headers or "transfer-encoding" in request.headers


def _stream(status: int, headers: Iterable[tuple[bytes, bytes]], body: AsyncIterator[bytes]) -> Response:
    return _with_headers(StreamingResponse(body, status_code=status), headers)


def _with_headers(answer: Response, headers: Iterable[tuple[bytes, bytes]]) -> Response:
    answer.raw_headers = [(name.lower(), value) for name, value in headers if name.lower().decode() not in _HOP_BY_HOP]
    return answer


def _unavailable(service: str, error: object, request: Request) -> Response:
    return problems.problem(ServiceUnavailable(service, error), request.url.path)


def _whole(body: bytes) -> Receive:
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()  # nobody disconnects here; whoever listens for it is cancelled
        return messages.pop()

    return receive
