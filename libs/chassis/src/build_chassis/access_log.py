"""The access log: one line for each request, with an id that the answer, the services behind and the audit share; and
how long each took, by route.

No query is in it and no ticket, which are good for what they name; and no header but the sender's program.
"""

import logging
import re
import secrets
import time

from prometheus_client import CollectorRegistry, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = "x-request-id"
TEXT_CHARACTERS = 300

_ID = re.compile(r"[0-9a-f]{16}")
_TICKET = re.compile(r"(/objects/|/notifications/act/)[^/]+")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_OPERATIONS = frozenset({"/healthz", "/readyz", "/metrics"})

log = logging.getLogger("access")


def request_seconds(registry: CollectorRegistry) -> Histogram:
    """The metric of requests, in a service's registry."""
    return Histogram(
        "http_request_seconds",
        "From a request to the end of its answer, WebSockets left out.",
        ["method", "route", "status"],
        buckets=_SECONDS,
        registry=registry,
    )


class AccessLog:
    """Outermost middleware of every app.

    Args:
        app: What is served.
        service: Whose requests they are.
        takes_ids: Whether the sender's request id is believed: behind the gateway, whose ids they are.
        seconds: `request_seconds` of the service's metrics.
    """

    def __init__(self, app: ASGIApp, *, service: str, takes_ids: bool, seconds: Histogram) -> None:
        self._app = app
        self._service = service
        self._takes_ids = takes_ids
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, then write the line."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = self._request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        begun, status, sent = time.monotonic(), 0, 0

        async def note(message: Message) -> None:
            nonlocal status, sent
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            elif message["type"] == "websocket.accept":
                status = 101
            sent += len(message.get("body", b"") or message.get("bytes") or b"") + len(message.get("text") or "")
            await send(message)

        try:
            await self._app(scope, receive, note)
        except BaseException:
            status = status or 500
            raise
        finally:
            seconds = time.monotonic() - begun
            if scope["type"] == "http":
                # No label is the sender's to choose: each is one of few.
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._seconds.labels(method, _route(scope), f"{status // 100}xx").observe(seconds)
            level = logging.DEBUG if scope["path"] in _OPERATIONS else logging.INFO
            log.log(
                level,
                "%s %s",
                scope.get("method", "WEBSOCKET"),
                shown_path(scope),
                extra={
                    "service": self._service,
                    "request_id": request_id,
                    "status": status,
                    "duration_ms": round(1000 * seconds),
                    "sent_bytes": sent,
                    "client": (scope.get("client") or ("",))[0],
                    "caller": scope["state"].get("caller"),
                    "agent": Headers(scope=scope).get("user-agent", "")[:TEXT_CHARACTERS],
                },
            )

    def _request_id(self, scope: Scope) -> str:
        given = Headers(scope=scope).get(REQUEST_ID, "")
        return given if self._takes_ids and _ID.fullmatch(given) else secrets.token_hex(8)


def note_route(request: Request, route: str) -> None:
    """What the request counts as in the metrics, where its route as it is declared says too little."""
    request.scope.setdefault("state", {})["route"] = route


def note_caller(request: Request, name: str) -> None:
    """Whom the request is by, once that is known; for its line, and for the audit."""
    request.scope.setdefault("state", {})["caller"] = name


def request_id_of(request: Request) -> str | None:
    """The request's id; None where no access log is kept."""
    found = request.scope.get("state", {}).get("request_id")
    return str(found) if found else None


def _route(scope: Scope) -> str:
    """The route's path as it is declared; `none` where there is no such route."""
    return str(scope["state"].get("route") or getattr(scope.get("route"), "path", "none"))


def shown_path(scope: Scope) -> str:
    """The request's path as it may be written down: without its query, and without tickets."""
    return _TICKET.sub(r"\1...", str(scope["path"]))[:TEXT_CHARACTERS]
