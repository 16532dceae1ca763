"""Security headers on every answer, and a warning about proxies that are not trusted."""

import logging
from contextlib import suppress
from ipaddress import ip_address

from build_chassis import problems
from build_chassis.errors import Malformed
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

CONTENT_SECURITY_POLICY = "; ".join(
    (
        # What is not named is refused. The page has no inline script or style, no `data:` URL; its socket is `self`.
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
STRICT_TRANSPORT = "max-age=31536000"
REPORTED_MAX = 100
PROBES = frozenset({"/healthz", "/readyz"})

log = logging.getLogger("gateway")


class SecurityHeaders:
    """Middleware that adds the headers an answer does not set itself; WebSockets pass untouched."""

    def __init__(self, app: ASGIApp, *, is_secure: bool) -> None:
        self._app = app
        self._is_secure = is_secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if self._is_secure or scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class KnownHosts:
    """Middleware that answers only under the dashboard's own names: a page elsewhere may let its name point here.

    An address, or a name without a dot, is nobody's outside; names with one are known by `hosts`. Probes use any name.
    """

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        host = hostname(Headers(scope=scope).get("host", ""))
        if self._is_known(host):
            await self._app(scope, receive, send)
            return
        refusal = Malformed(
            f"this dashboard has no name {host[:100]!r}",
            remedy="Use its address; its operator adds names to GATEWAY_ALLOWED_HOSTS.",
        )
        answer = problems.problem(refusal, scope["path"][:200])
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(answer)
        else:
            await answer(scope, receive, send)

    def _is_known(self, host: str) -> bool:
        if "." not in host or host in self._hosts or host.endswith(".localhost"):
            return True
        with suppress(ValueError):
            return bool(ip_address(host))
        return False


def hostname(netloc: str) -> str:
    """The name of `host[:port]`, in lower case, an IPv6 address without its brackets."""
    name = netloc.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0].removesuffix(".")


class UntrustedProxies:
    """Middleware that reports a proxy which is not trusted, once: to the log-in throttle all behind it are one address.

    The server has replaced the client's address by the forwarded one where it believed it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._reported: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "lifespan" and scope.get("client"):
            self._look(scope["client"][0], ", ".join(Headers(scope=scope).getlist("x-forwarded-for")))
        await self._app(scope, receive, send)

    def _look(self, client: str, forwarded: str) -> None:
        is_known = client in forwarded or client in self._reported or len(self._reported) >= REPORTED_MAX
        if not forwarded.strip() or is_known:
            return
        self._reported.add(client)
        log.warning(
            "X-Forwarded-For from %s is not believed, so everybody behind it shares one address at log-in: "
            "if that is your proxy, put it into TRUSTED_PROXIES",
            client,
        )
