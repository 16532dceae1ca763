"""Builds reach the dashboard through the proxies that companies have: real sockets, real TLS, whole agents."""

import hashlib
import json
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from build_dashboard.builds import artifacts
from build_dashboard.builds.artifacts import Uploader, find
from build_testkit.web import serving

pytestmark = pytest.mark.slow

HOST = "dashboard.test"
OBJECTS = "objects.test"


@pytest.fixture
def far_agent(agent, authority):
    """An agent that must go out through a proxy."""
    for name in [name for name in agent.environment if name.lower().endswith("_proxy") or name == "SSL_CERT_FILE"]:
        del agent.environment[name]
    agent.environment |= {"WS_ENDPOINT": f"wss://{HOST}", "BUILD_DASHBOARD_CA_FILE": str(authority.pem)}
    return agent


def assert_built(agent, gateway, *lines: str) -> None:
    script = "; ".join(f"echo {line}" for line in lines)
    assert agent.build("sh", "-c", script).returncode == 0
    assert gateway.log(gateway.only_build()) == list(lines)
    assert agent.left() == []


def test_a_build_arrives_through_a_proxy_with_a_password(far_agent, gateway, proxy) -> None:
    """User and password stand in HTTPS_PROXY; this machine never looks the dashboard's name up."""
    through = proxy(user_password="ann:p@ss")
    far_agent.environment["HTTPS_PROXY"] = through.url_for("ann:p%40ss")

    assert_built(far_agent, gateway, "one", "two")
    assert through.connects == [HOST]


def test_a_build_arrives_through_a_proxy_that_speaks_tls_itself(far_agent, gateway, authority, proxy) -> None:
    """An https:// proxy: the way to it is encrypted too, with the same authorities."""
    through = proxy(user_password="ann:pass", tls=authority.server_context("127.0.0.1"))
    far_agent.environment["HTTPS_PROXY"] = through.url_for("ann:pass")

    assert_built(far_agent, gateway, "one")
    assert through.connects == [HOST]


def test_a_refused_password_costs_the_build_nothing(far_agent, proxy) -> None:
    """The command runs and its exit code stays; what is to be done is printed; the output waits in the spool."""
    through = proxy(user_password="ann:right")
    far_agent.environment["HTTPS_PROXY"] = through.url_for("ann:wrong")

    done = far_agent.build("sh", "-c", "echo out; exit 3")

    assert (done.returncode, done.stdout) == (3, b"out\n")
    assert b"refuses the user or the password (HTTP 407)" in done.stderr
    assert b"wrong" not in done.stderr.replace(b"the API key is wrong", b"")
    assert len(far_agent.left()) == 1


def test_a_build_arrives_through_a_proxy_that_looks_into_tls(far_agent, gateway, authority, company, proxy) -> None:
    """The company's authority is trusted beside the system's; without it nothing is sent."""
    through = proxy(inspects_as=company, trusts=authority)
    far_agent.environment["HTTPS_PROXY"] = through.url
    refused = far_agent.build("true")
    assert b"signed by nobody we trust" in refused.stderr

    far_agent.environment["BUILD_DASHBOARD_CA_FILE"] = str(company.pem)
    assert far_agent.run("run", "--resume").returncode == 0
    assert gateway.of(gateway.only_build(), "BUILD_COMPLETE")


def test_a_proxy_that_cuts_idle_connections_does_not_cut_ours(far_agent, gateway, proxy) -> None:
    """A build that says nothing for longer than the proxy's patience keeps its one connection, by heartbeats."""
    through = proxy(idle_seconds=1.2)
    far_agent.environment["HTTPS_PROXY"] = through.url

    assert far_agent.build("sh", "-c", "echo one; sleep 3; echo two").returncode == 0
    assert gateway.log(gateway.only_build()) == ["one", "two"]
    assert through.connects == [HOST]


def test_a_connection_cut_while_idle_comes_back(far_agent, gateway, tmp_path, wait_until, proxy) -> None:
    """Where heartbeats are rarer than the proxy's patience, the agent dials again and goes on."""
    welcome = gateway._welcome
    gateway._welcome = lambda hello: welcome(hello) | {"heartbeatSeconds": 60}
    through = proxy(idle_seconds=0.3)
    far_agent.environment["HTTPS_PROXY"] = through.url
    gate = tmp_path / "gate"
    build = far_agent.start(
        "run", "--project", "p", "--", "sh", "-c", f"echo one; while [ ! -e {gate} ]; do sleep 0.05; done; echo two"
    )
    wait_until(lambda: len(through.connects) > 1, 20)
    gate.touch()

    assert build.wait(20) == 0
    assert gateway.log(gateway.only_build()) == ["one", "two"]


def test_a_client_certificate_opens_the_door(agent, gateway, authority, company, front) -> None:
    """A front that lets nobody in without one takes ours, key and certificate in one file."""
    door = front(gateway.port, authority.server_context("127.0.0.1", clients=company))
    agent.environment |= {"WS_ENDPOINT": f"wss://127.0.0.1:{door.port}", "BUILD_DASHBOARD_CA_FILE": str(authority.pem)}
    refused = agent.build("true")
    assert b"may want a certificate of ours" in refused.stderr

    agent.environment["BUILD_DASHBOARD_CLIENT_CERT"] = str(company.issue("agent"))
    assert agent.run("run", "--resume").returncode == 0
    assert gateway.of(gateway.only_build(), "BUILD_COMPLETE")


class Store(ThreadingHTTPServer):
    """Dashboard and object store in one: plans one PUT, elsewhere or to itself as it is asked."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.offers: list[dict[str, Any]] = []
        self.content = b""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Store

    def do_POST(self) -> None:
        offer = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.offers.append(offer)
        where = "/relay" if offer.get("via") == "gateway" else f"https://{OBJECTS}/direct"
        put = {"offset": 0, "sizeBytes": offer["sizeBytes"], "url": where, "headers": {}}
        self._answer({"artifactId": "a" * 32, "puts": [put]})

    def do_PUT(self) -> None:
        self.server.content = self.rfile.read(int(self.headers["content-length"]))
        self._answer({})

    def _answer(self, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Nothing: the tests look at the store."""


@pytest.fixture
def store(authority) -> Iterator[Store]:
    server = Store(authority.server_context(HOST))
    with serving(server):
        yield server


@pytest.fixture
def upload(tmp_path, authority, bare_environment):
    """Uploads one file through the proxy given."""

    def upload(proxy: str) -> dict[str, Any]:
        bare_environment.setenv("HTTPS_PROXY", proxy)
        bare_environment.setenv("BUILD_DASHBOARD_CA_FILE", str(authority.pem))
        (tmp_path / "a.whl").write_bytes(b"wheel")
        uploader = Uploader(
            f"https://{HOST}",
            lambda: "key",
            {"buildId": "b", "project": "p"},
            progress=lambda *_: None,
            is_hurried=lambda: False,
            pause=lambda _: None,
        )
        try:
            (wheel,), _ = find(["*.whl"], tmp_path)
            return uploader.upload(wheel)
        finally:
            uploader.close()

    return upload


@pytest.mark.parametrize("is_secured", [False, True], ids=["http", "https"])
def test_uploads_take_the_same_way_as_the_build(upload, store, authority, proxy, is_secured) -> None:
    """Proxy, password and authority hold for uploads too."""
    tls = authority.server_context("127.0.0.1") if is_secured else None
    through = proxy({HOST: store.server_address[1]}, user_password="ann:pass", tls=tls)

    uploaded = upload(through.url_for("ann:pass"))

    assert store.content == b"wheel"
    assert uploaded["sha256"] == hashlib.sha256(b"wheel").hexdigest()
    assert set(through.connects) == {HOST}


def test_only_the_dashboard_need_be_reachable(upload, store, proxy) -> None:
    """An object store that the proxy does not connect to is left out: the next offer asks the dashboard to relay."""
    through = proxy({HOST: store.server_address[1]})

    upload(through.url)

    assert [offer.get("via") for offer in store.offers] == [None, artifacts.RELAY]
    assert store.content == b"wheel"


def test_relaying_can_be_asked_for(upload, store, bare_environment, proxy) -> None:
    """With BUILD_DASHBOARD_UPLOADS=gateway the object store is never tried."""
    bare_environment.setenv("BUILD_DASHBOARD_UPLOADS", "gateway")
    through = proxy({HOST: store.server_address[1]})

    upload(through.url)

    assert [offer.get("via") for offer in store.offers] == [artifacts.RELAY]
