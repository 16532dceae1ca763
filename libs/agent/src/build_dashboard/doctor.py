"""The doctor: checks the way from this machine to the dashboard, step by step, and names the fix for what fails."""

import asyncio
import json
import os
import socket
import ssl
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from build_dashboard import __version__
from build_dashboard.connection import SUBPROTOCOL
from build_dashboard.endpoint import Endpoint, find_endpoint, spool_directory

LIMIT_SECONDS = 5.0
CLOCK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    is_well: bool
    detail: str
    remedy: str | None = None


def examine(endpoint: Endpoint | None = None) -> Iterator[Finding]:
    """Check by check; stops where the next one cannot be made."""
    yield _spool()
    try:
        endpoint = endpoint or find_endpoint()
    except ValueError as error:
        yield Finding("address", False, str(error), "set WS_ENDPOINT, e.g. wss://dashboard.example.com")
        return
    yield Finding("address", True, endpoint.url)
    parts = urlsplit(endpoint.url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80)
    proxy = _proxy(parts.scheme, host)
    yield Finding("proxy", True, proxy or "none; the connection is direct")
    if proxy is None:
        try:
            address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
        except OSError as error:
            yield Finding("DNS", False, f"{host}: {error}", "check the name in WS_ENDPOINT and this machine's resolver")
            return
        yield Finding("DNS", True, f"{host} is {address}")
        finding = _reach(host, port, is_tls=parts.scheme == "wss")
        yield finding
        if not finding.is_well:
            return
    yield from asyncio.run(_speak(endpoint))


def _spool() -> Finding:
    path = spool_directory()
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = path / f".doctor-{uuid.uuid4().hex}"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        return Finding("spool", False, f"{path}: {error}", "make it writable, or set BUILD_DASHBOARD_SPOOL")
    waiting = sum(1 for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    free = os.statvfs(path)
    return Finding("spool", True, f"{path}: {waiting} builds in it, {free.f_bavail * free.f_frsize >> 20} MiB free")


def _proxy(scheme: str, host: str) -> str | None:
    if proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get("https" if scheme == "wss" else "http") or proxies.get("all")


def _reach(host: str, port: int, *, is_tls: bool) -> Finding:
    try:
        with socket.create_connection((host, port), LIMIT_SECONDS) as plain:
            if not is_tls:
                return Finding("connection", True, f"{host}:{port} answers (without TLS)")
            with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secured:
                return Finding("TLS", True, f"{secured.version()}, certificate trusted")
    except ssl.SSLCertVerificationError as error:
        return Finding(
            "TLS", False, error.verify_message, "a company CA? set SSL_CERT_FILE to the bundle that contains it"
        )
    except OSError as error:
        return Finding(
            "connection", False, f"{host}:{port}: {error}", "a firewall or proxy? set HTTPS_PROXY, or ask for it"
        )


async def _speak(endpoint: Endpoint) -> list[Finding]:
    if not endpoint.api_key:
        return [
            Finding("key", False, "BUILD_DASHBOARD_API_KEY is not set", "create one: build-dashboard keys add NAME")
        ]
    headers = {"Authorization": f"Bearer {endpoint.api_key}"}
    try:
        async with connect(
            endpoint.url,
            subprotocols=[SUBPROTOCOL],
            additional_headers=headers,
            compression=None,
            open_timeout=LIMIT_SECONDS,
            close_timeout=1,
        ) as connection:
            hello = {"type": "HELLO", "agentVersion": __version__, "instance": f"doctor-{uuid.uuid4().hex}"}
            await connection.send(json.dumps(hello))
            welcome = json.loads(await asyncio.wait_for(connection.recv(), LIMIT_SECONDS))
    except InvalidStatus as error:
        return [_upgrade_refused(error.response.status_code, endpoint)]
    except (OSError, TimeoutError, WebSocketException, ValueError) as error:
        remedy = "a proxy that does not let WebSockets through? ask for an exception for this host"
        return [Finding("upgrade", False, f"{type(error).__name__}: {error}", remedy)]
    if not isinstance(welcome, dict) or welcome.get("type") != "WELCOME":
        return [Finding("upgrade", False, "the server does not speak our protocol", "update build-dashboard")]
    skew = welcome["serverTimeMs"] / 1000 - time.time()
    is_timely = abs(skew) < CLOCK_SECONDS
    fix = None if is_timely else "set this machine's clock (NTP); times on the pages will be wrong"
    return [
        Finding("key", True, f"accepted; this agent is called {welcome.get('agent')}"),
        Finding("clock", is_timely, f"{abs(skew):.1f} s {'behind' if skew > 0 else 'ahead of'} the server", fix),
        Finding(
            "ingest",
            "stored" in welcome,
            "answers" if "stored" in welcome else "does not answer: builds wait in the spool",
        ),
    ]


def _upgrade_refused(status: int, endpoint: Endpoint) -> Finding:
    if status in (401, 403):
        return Finding("key", False, f"refused (HTTP {status})", "create a new key: build-dashboard keys add NAME")
    if status == 407:
        return Finding(
            "proxy", False, "it wants a password", "write it into HTTPS_PROXY: http://user:password@host:port"
        )
    remedy = f"is {Path(urlsplit(endpoint.url).path)} the dashboard's WebSocket path?"
    return Finding("upgrade", False, f"HTTP {status} where a WebSocket was asked for", remedy)
