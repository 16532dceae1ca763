"""The doctor: checks the way from this machine to the dashboard, step by step, and names the fix for what fails."""

import asyncio
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.exceptions import WebSocketException

from build_dashboard import __version__
from build_dashboard.delivery.connection import dial, may_be_posted
from build_dashboard.delivery.exchange import PostFailed
from build_dashboard.delivery.network import find_proxy, tls_context, without_password
from build_dashboard.delivery.obstacles import explain
from build_dashboard.delivery.posting import http_client, posting_url
from build_dashboard.delivery.transport import RoutedTransport
from build_dashboard.endpoint import Endpoint, find_endpoint, spool_directory

LIMIT_SECONDS = 5.0
CLOCK_SECONDS = 30.0

_PROXY_PORTS = {"https": 443, "socks5": 1080, "socks5h": 1080, "socks4": 1080, "socks4a": 1080}


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
    for check in (_settings, _proxy, _name, _door):
        finding = check(endpoint)
        yield finding
        if not finding.is_well:
            return
    welcome = yield from _speak(endpoint)
    if welcome is not None:
        yield from _answers(welcome)
        yield _uploads(endpoint)


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
    free_bytes = shutil.disk_usage(path).free
    return Finding("spool", True, f"{path}: {waiting} builds in it, {free_bytes >> 20} MiB free")


def _settings(endpoint: Endpoint) -> Finding:
    try:
        tls_context()
    except ValueError as error:
        return _failed(error, endpoint)
    named = [
        name
        for name in ("SSL_CERT_FILE", "BUILD_DASHBOARD_CA_FILE", "BUILD_DASHBOARD_CLIENT_CERT")
        if name in os.environ
    ]
    return Finding("certificates", True, f"the system's, and {', '.join(named)}" if named else "the system's")


def _proxy(endpoint: Endpoint) -> Finding:
    try:
        proxy = find_proxy(endpoint.url)
        if proxy is None:
            return Finding("proxy", True, "none; the connection is direct")
        parts = urlsplit(proxy)
        port = parts.port or _PROXY_PORTS.get(parts.scheme, 80)
        socket.create_connection((parts.hostname or "", port), LIMIT_SECONDS).close()
    except (OSError, ValueError) as error:
        return _failed(error, endpoint)
    return Finding("proxy", True, f"{without_password(proxy)} answers")


def _name(endpoint: Endpoint) -> Finding:
    url = endpoint.url
    host, port = _place(url)
    if find_proxy(url):
        return Finding("DNS", True, f"{host} is looked up by the proxy")
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
    except OSError as error:
        return Finding("DNS", False, f"{host}: {error}", "check the name in WS_ENDPOINT and this machine's resolver")
    return Finding("DNS", True, f"{host} is {address}")


def _door(endpoint: Endpoint) -> Finding:
    """Reach the port and agree on TLS; through a proxy both are part of the next check."""
    url = endpoint.url
    if find_proxy(url):
        return Finding("connection", True, "made by the proxy")
    host, port = _place(url)
    try:
        with socket.create_connection((host, port), LIMIT_SECONDS) as plain:
            if not url.startswith("wss:"):
                return Finding("connection", True, f"{host}:{port} answers (without TLS)")
            with tls_context().wrap_socket(plain, server_hostname=host) as secured:
                return Finding("TLS", True, f"{secured.version()}, certificate trusted")
    except OSError as error:
        return _failed(error, endpoint)


def _speak(endpoint: Endpoint) -> Generator[Finding, None, dict[str, Any] | None]:
    """Dial as an agent does; returns the WELCOME, or None after saying why there is none."""
    if not endpoint.has_key:
        yield Finding("key", False, "BUILD_DASHBOARD_API_KEY is not set", "create one: build-dashboard keys add NAME")
        return None
    try:
        welcome = asyncio.run(_greet(endpoint))
    except (OSError, WebSocketException, ValueError) as error:
        welcome = asyncio.run(_greet_by_post(endpoint)) if may_be_posted(error) else None
        if welcome is None:
            yield _failed(error, endpoint)
            return None
        why = explain(error, endpoint).problem
        detail = f"no WebSocket passes ({why}); builds are delivered by HTTP posts, and pages ask every few seconds"
        yield Finding("upgrade", True, detail)
    if not isinstance(welcome, dict) or welcome.get("type") != "WELCOME":
        yield Finding("upgrade", False, "the server does not speak our protocol", "update build-dashboard")
        return None
    return welcome


def _hello() -> dict[str, str]:
    return {"type": "HELLO", "agentVersion": __version__, "instance": f"doctor-{uuid.uuid4().hex}"}


async def _greet(endpoint: Endpoint) -> Any:
    async with dial(endpoint, LIMIT_SECONDS) as connection:
        await connection.send(json.dumps(_hello()))
        async with asyncio.timeout(LIMIT_SECONDS):
            return json.loads(await connection.recv())


async def _greet_by_post(endpoint: Endpoint) -> dict[str, Any] | None:
    """The WELCOME that a post is answered with; None where none is."""
    try:
        async with http_client(endpoint) as http:
            answer = await http.post(posting_url(endpoint.url), content=json.dumps(_hello()), timeout=LIMIT_SECONDS)
            frames = [json.loads(line) for line in answer.text.splitlines()] if answer.is_success else []
    except (PostFailed, httpx.HTTPError, ValueError):
        return None
    return next((frame for frame in frames if isinstance(frame, dict) and frame.get("type") == "WELCOME"), None)


def _answers(welcome: dict[str, Any]) -> Iterator[Finding]:
    skew = welcome["serverAt"] / 1000 - time.time()
    is_timely = abs(skew) < CLOCK_SECONDS
    fix = None if is_timely else "set this machine's clock (NTP); times on the pages will be wrong"
    has_ingest = "stored" in welcome
    yield Finding("key", True, f"accepted; this agent is called {welcome.get('agent')}")
    yield Finding("clock", is_timely, f"{abs(skew):.1f} s {'behind' if skew > 0 else 'ahead of'} the server", fix)
    yield Finding("ingest", has_ingest, "answers" if has_ingest else "does not answer: builds wait in the spool")


def _uploads(endpoint: Endpoint) -> Finding:
    """Where artifacts' bytes go; what lies elsewhere need not be reachable, for the dashboard passes them on."""
    headers = {"Authorization": f"Bearer {endpoint.credential()}"}
    with httpx.Client(transport=RoutedTransport(), timeout=LIMIT_SECONDS) as http:
        try:
            answer = http.get(f"{endpoint.dashboard_url}/api/artifacts/destination", headers=headers)
        except httpx.HTTPError as error:
            return Finding(
                "uploads", False, f"{endpoint.dashboard_url}: {error}", "its REST interface must be reachable too"
            )
        if answer.status_code >= 500:
            return Finding("uploads", False, f"HTTP {answer.status_code}", "the artifacts service is down: files wait")
        elsewhere = answer.json().get("url") if answer.is_success else None
        if elsewhere is None:
            return Finding("uploads", True, "go to the dashboard")
        try:
            http.head(elsewhere)  # any answer will do: only signed requests are welcome there
        except httpx.HTTPError as error:
            return Finding("uploads", True, f"go through the dashboard, for {elsewhere} cannot be reached ({error})")
    return Finding("uploads", True, f"go to {elsewhere}")


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80)


def _failed(error: Exception, endpoint: Endpoint) -> Finding:
    obstacle = explain(error, endpoint)
    return Finding(obstacle.check, False, obstacle.problem, obstacle.remedy)
