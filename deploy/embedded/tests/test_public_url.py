"""Behind a proxy that speaks TLS: the public address decides cookies, and outsiders are distinguished by theirs."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from build_testkit.stack import Process, Stack, answers_ok, embedded_stack, free_port, wait_until

pytestmark = pytest.mark.slow

PUBLIC = "https://builds.example.com"
ANN, BOB = "127.0.0.2", "127.0.0.3"
"""Outsiders: the proxy and the gateway are at 127.0.0.1."""


class Proxy(BaseHTTPRequestHandler):
    """A front as people set them up: plain to the gateway, the peer's address appended to X-Forwarded-For."""

    upstream = ""

    def do_POST(self) -> None:
        """Pass a request on."""
        seen = [*self.headers.get_all("X-Forwarded-For", []), self.client_address[0]]
        kept = {name: value for name, value in self.headers.items() if name.lower() not in ("x-forwarded-for", "host")}
        headers = {**kept, "Host": "builds.example.com", "X-Forwarded-For": ", ".join(seen)}
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        with httpx.Client(trust_env=False) as client:
            answer = client.request(self.command, self.upstream + self.path, content=body, headers=headers)
        self.send_response(answer.status_code)
        for name, value in answer.headers.multi_items():
            if name not in ("content-length", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST  # noqa: N815  the base looks for these names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base's signature
        """Say nothing."""


@contextmanager
def proxy_to(url: str) -> Iterator[str]:
    """A proxy in front of this address; gives its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("To", (Proxy,), {"upstream": url}))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def gateway_alone(directory: Path, extra: dict[str, str]) -> Iterator[Stack]:
    """The gateway as a process of its own; its broker and its peers are away."""
    port, password = free_port(), secrets.token_urlsafe(12)
    environment = dict(os.environ) | {
        "AMQP_URL": f"amqp://127.0.0.1:{free_port()}/",
        "JWT_SECRET_KEY": secrets.token_hex(32),
        "BUILD_DASHBOARD_ADMIN_PASSWORD": password,
        "GATEWAY_PORT": str(port),
        "GATEWAY_STORE_URL": f"sqlite:///{directory}/gateway.sqlite",
        **extra,
    }
    process = Process("gateway", [sys.executable, "-m", "build_gateway"], environment, directory / "gateway.log", port)
    process.start()
    try:
        wait_until(lambda: answers_ok(f"http://127.0.0.1:{port}/healthz"), 60, "the gateway answers")
        yield Stack(directory, f"http://127.0.0.1:{port}", password, "", {"gateway": process})
    finally:
        process.stop()


STACKS = {"embedded": embedded_stack, "gateway": gateway_alone}


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stack]:
    """The system in one process, and the gateway as one of its own; both only know their public address."""
    with STACKS[request.param](tmp_path, {"BUILD_DASHBOARD_URL": PUBLIC, "TRUSTED_PROXIES": ""}) as running:
        yield running


@contextmanager
def outsider(url: str, address: str) -> Iterator[httpx.Client]:
    """Somebody at this address."""
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(base_url=url, transport=transport, timeout=30) as client:
        yield client


def log_in(client: httpx.Client, password: str, name: str = "admin", **headers: str) -> httpx.Response:
    return client.post("/api/auth/login", json={"username": name, "password": password}, headers=headers)


def test_the_public_address_decides_the_cookie_and_the_headers(stack: Stack) -> None:
    """Though the last hop is plain: `__Host-refresh`, Secure, HSTS; refresh and logout work, from that origin."""
    with proxy_to(stack.url) as url, outsider(url, ANN) as client:
        answer = log_in(client, stack.password)
        name, *flags = answer.headers["set-cookie"].split("; ")
        cookie = {"Cookie": name}
        assert name.startswith("__Host-refresh=")
        assert {"HttpOnly", "Path=/", "SameSite=strict", "Secure"} == {f for f in flags if "Age" not in f}
        assert answer.headers["strict-transport-security"] == "max-age=31536000"

        for origin in ("http://builds.example.com", "https://evil.example"):
            assert client.post("/api/auth/refresh", headers=cookie | {"Origin": origin}).status_code == 403
        refreshed = client.post("/api/auth/refresh", headers=cookie | {"Origin": PUBLIC})
        assert refreshed.status_code == 200
        cookie = {"Cookie": refreshed.headers["set-cookie"].split(";")[0]}
        out = client.post("/api/auth/logout", headers=cookie)
        assert out.headers["set-cookie"].startswith('__Host-refresh=""; ')
        assert "Secure" in out.headers["set-cookie"]
        assert client.post("/api/auth/refresh", headers=cookie).status_code == 401


def test_one_outsiders_failures_lock_out_nobody_else(stack: Stack) -> None:
    """Fifty for the admin's own name: that outsider waits; the admin elsewhere, and others here, do not."""
    with proxy_to(stack.url) as url, outsider(url, ANN) as ann, outsider(url, BOB) as bob:
        codes = [log_in(ann, "wrong").status_code for _ in range(50)]
        assert codes[:5] == [401] * 5
        assert 429 in codes
        # Fifty of an address are free; the first wait behind them is a second, which is over soon on a slow machine.
        assert any(log_in(ann, "wrong", f"name-{n}").status_code == 429 for n in range(60))
        assert log_in(ann, stack.password).status_code == 429
        assert log_in(bob, stack.password).status_code == 200


def test_nobody_chooses_the_address_they_are_seen_at(stack: Stack) -> None:
    """What a client writes into X-Forwarded-For, through the proxy or past it, changes nothing."""
    with proxy_to(stack.url) as url, outsider(url, ANN) as ann, outsider(stack.url, BOB) as past:
        for client in (ann, past):

            def is_refused(n: int, client: httpx.Client = client) -> bool:
                forged = f"198.51.100.{n}, 127.0.0.1" if n % 2 else f"198.51.100.{n}"
                guess = log_in(client, "wrong", f"name-{n}", **{"X-Forwarded-For": forged})
                # The wait behind the fiftieth is a second, over soon on a slow machine: the next one is longer.
                return (
                    guess.status_code == 429
                    and log_in(client, stack.password, **{"X-Forwarded-For": BOB}).status_code == 429
                )

            assert any(is_refused(n) for n in range(80))


def test_a_proxy_that_is_not_trusted_is_reported_once(stack: Stack) -> None:
    """One sentence with its address and the variable's name; nothing of one that is trusted."""
    (process,) = stack.processes.values()
    with proxy_to(stack.url) as url, outsider(url, ANN) as ann, outsider(stack.url, BOB) as past:
        for client in (ann, past, past):
            client.get("/healthz", headers={"X-Forwarded-For": "198.51.100.7"})
        lines = [line for line in process.log.read_text().splitlines() if "TRUSTED_PROXIES" in line]

    assert len(lines) == 1
    assert f"X-Forwarded-For from {BOB} is not believed" in lines[0]


def test_a_cookie_from_before_tls_is_ended_and_removed(tmp_path: Path) -> None:
    """After the switch its bearer logs in once more; the old cookie neither works nor stays."""
    extra = {"JWT_SECRET_KEY": secrets.token_hex(32), "BUILD_DASHBOARD_ADMIN_PASSWORD": "four geese on a bicycle"}
    with gateway_alone(tmp_path, extra) as stack, httpx.Client(base_url=stack.url, timeout=30) as client:
        plain = log_in(client, extra["BUILD_DASHBOARD_ADMIN_PASSWORD"]).headers["set-cookie"].split(";")[0]
        assert plain.startswith("refresh=")
    secure = extra | {"BUILD_DASHBOARD_URL": PUBLIC}
    with gateway_alone(tmp_path, secure) as stack, httpx.Client(base_url=stack.url, timeout=30) as client:
        refused = client.post("/api/auth/refresh", headers={"Cookie": plain})
        assert refused.status_code == 401
        assert refused.headers["set-cookie"].startswith('refresh=""; ')
    with gateway_alone(tmp_path, extra) as stack, httpx.Client(base_url=stack.url, timeout=30) as client:
        assert client.post("/api/auth/refresh", headers={"Cookie": plain}).status_code == 401
