"""docker-compose.yml on a real engine: what it starts, what it refuses, and that nothing is lost while it is broken.

The images are the product's own Dockerfile and, where there is no registry, stand-ins from Debian's packages
(deploy/stand-ins/README.md says what they do not prove).
"""

import asyncio
import json
import os
import re
import ssl
import subprocess
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from build_chassis.errors import StoreUnavailable
from build_chassis.settings import store_url_of
from build_chassis.store.sql import SqlEngine
from build_embedded.serve import SERVICES
from build_testkit import images
from build_testkit.engine import Engine
from build_testkit.sendgrid import sendgrid_server
from build_testkit.stack import wait_until
from delivery.bout import STORY, Bout
from delivery.rest import Rest
from sqlalchemy import MetaData

from .composed import Composed, composed_arena
from .test_compose import CLUSTER, MYSQL, ROOT, TOOLS, resolve

CAP_SECONDS = 1800
pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(CAP_SECONDS),
    pytest.mark.skipif(
        not os.environ.get("FULL"),
        reason="builds images and starts ten containers, a quarter of an hour from nothing: FULL=1 runs it",
    ),
]

STANDSTILL_SECONDS = 90
SETTLE_SECONDS = 240
STORES = ("rabbitmq", "mongodb", "objects")
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2)"
OUTSIDER = """
import socket, ssl, sys
context = ssl._create_unverified_context()
answers = []
for _ in range(50):
    with context.wrap_socket(socket.create_connection((sys.argv[1], 443)), server_hostname="localhost") as s:
        body = b'{"username": "admin", "password": "wrong-password"}'
        s.sendall(b"POST /api/auth/login HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n"
                  b"Content-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
        answers.append(s.recv(12)[9:12].decode())
print(*sorted(set(answers)))
"""


@pytest.fixture(scope="module")
def loaded(engine: Engine) -> Engine:
    """The engine with every image that the files name."""
    composed = resolve(Path("/nowhere"), profiles=["*"])
    names = {name: service["image"] for name, service in composed["services"].items()}
    images.load(engine, ROOT, names, with_product=True)
    return engine


@contextmanager
def running(engine: Engine, directory: Path, monkeypatch: pytest.MonkeyPatch, *files: str) -> Iterator[Composed]:
    """The system of docker-compose.yml and these files: started, trusted, and gone with the context."""
    with engine.network(), sendgrid_server("0.0.0.0") as mails:
        system = composed_arena(engine, directory, mails, files)
        try:
            system.up()
            monkeypatch.setenv("SSL_CERT_FILE", str(system.fetch_certificate()))
            yield system
        finally:
            system.compose("--profile", "*", "down", "--volumes", "--timeout", "10")


def test_docker_compose_holds_what_it_promises(loaded: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real build with its artifact and mails, through TLS, while every container crashes and is restarted in turn."""
    the_development_database_starts_alone(loaded)
    with running(loaded, tmp_path, monkeypatch) as system:
        no_container_has_more_than_it_needs(system)
        the_stores_are_out_of_the_fronts_reach(system)
        the_object_store_is_closed_to_strangers(system)
        a_log_in_gives_a_cookie_for_this_host_over_tls_only(system)
        an_outsiders_bad_log_ins_lock_nobody_else_out(system)
        system.note("closed to strangers")
        with ExitStack() as stack:
            streams = Streams(system, stack)
            for service in (*SERVICES, "front", *STORES):
                streams.go_on_after(partial(system.crash, service), f"{service} crashed")
            for service in (*STORES, *SERVICES, "front"):
                restart = partial(system.compose, "restart", "--timeout", "20", service)
                streams.go_on_after(restart, f"{service} was restarted")
            assert [] == streams.faults()
            system.note("nothing lost")
            a_dead_object_store_is_named(system)
            system.compose("down", "--timeout", "20")
            system.up()
            assert [] == streams.verdict(), "after down and up, on the same volumes"
            an_overwritten_artifact_is_not_served(system, streams.first)
            system.note("nothing lost after down and up, nothing overwritten served")


@pytest.mark.skipif(not os.environ.get("FULL"), reason="FULL=1 runs it")
def test_three_brokers_lose_nothing(loaded: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On MariaDB: the queues' leader is killed, then another node is cut off, while builds stream."""
    with running(loaded, tmp_path, monkeypatch, MYSQL, CLUSTER) as system:
        every_queue_has_three_members(system)
        with ExitStack() as stack:
            streams = Streams(system, stack)
            streams.go_on_after(partial(system.crash, "rabbitmq"), "a node crashed")
            system.wait_healthy("rabbitmq")
            node, network = system.container("rabbitmq2"), f"{system.project}_bus"
            cut_off = partial(loaded.docker, "network", "disconnect", network, node)
            streams.go_on_after(cut_off, "a node was cut off")
            loaded.docker("network", "connect", "--alias", "rabbitmq2", "--alias", "broker", network, node)
            assert [] == streams.faults()
            system.note("nothing lost")
        every_queue_has_three_members(system)
        prometheus_sees_all_of_it(system)


def the_development_database_starts_alone(engine: Engine) -> None:
    """`docker-compose up -d mysql` as it is, without `.env` and secrets: its log has an address for services."""
    environment = {"PATH": os.environ["PATH"], "DOCKER_HOST": engine.host, "COMPOSE_PROJECT_NAME": "seed"}

    def compose(*arguments: str) -> str:
        command = [str(TOOLS / "docker-compose"), *arguments]
        ran = subprocess.run(command, env=environment, cwd=ROOT, check=False, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    with engine.network():
        try:
            compose("up", "-d", "mysql")
            (uri,) = re.findall(r"MYSQL_URI=(\S+)", wait_until(lambda: compose("logs", "mysql"), 30, "its log"))
            store = SqlEngine(store_url_of("history", uri, "build_dashboard"))
            wait_until(lambda: asyncio.run(opens(store)), 60, "the database takes tables", every=0.5)
            asyncio.run(store.close())
        finally:
            compose("--profile", "mysql", "down", "--volumes", "--timeout", "5")


async def opens(store: SqlEngine) -> bool:
    """Whether a service's database can be made there."""
    try:
        await store.migrate(MetaData())
    except StoreUnavailable:
        return False
    return True


class Streams:
    """Builds under way, each on its own project: there is always one, however long what happens takes.

    The first brings a file and has a story of green, red, green; the checker knows all of them.
    """

    def __init__(self, system: Composed, stack: ExitStack) -> None:
        self._system, self._stack = system, stack
        self.first = self._begin(story=STORY, brings_artifact=True)
        self._bouts = [self.first]

    def go_on_after(self, happen: Callable[[], object], what: str) -> None:
        """Let it happen while a build streams; more of that build is stored afterwards, or all of it."""
        if all(agent.is_done for agent in self._bouts[-1]._agents):
            self._bouts.append(self._begin(story=()))
        agents = self._bouts[-1]._agents
        happen()
        before = [agent.state.stored for agent in agents]

        def more() -> bool:
            return all(agent.is_done or agent.state.stored > old for agent, old in zip(agents, before, strict=True))

        wait_until(more, STANDSTILL_SECONDS, f"records are stored after: {what}", every=0.1)
        self._system.note(f"{what}, and it goes on")

    def faults(self) -> list[str]:
        """Every way in which a promise was broken, once all builds have ended."""
        for bout in self._bouts:
            bout.settle(SETTLE_SECONDS)
        return self.verdict()

    def verdict(self) -> list[str]:
        """The same of what is there now."""
        return [fault for bout in self._bouts for fault in bout.verdict()]

    def _begin(self, **more: Any) -> Bout:
        bout = Bout(self._system, harsh=1, lines=400, seconds=60, patience_seconds=200, **more)
        self._stack.enter_context(bout)
        bout.wait_stored(10)
        return bout


def no_container_has_more_than_it_needs(system: Composed) -> None:
    """As the engine has it: read-only, without capabilities, bounded; no secret where `docker inspect` shows it."""
    known = [path.read_text().strip() for path in (system.directory / "secrets").iterdir()]
    for service in (*SERVICES, "front", *STORES):
        facts = system.inspect(service)
        host = facts["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert host["Memory"] > 0, service
        assert host["PidsLimit"] > 0, service
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}, service
        assert not [secret for secret in known if secret and secret in json.dumps(facts)], service


def the_stores_are_out_of_the_fronts_reach(system: Composed) -> None:
    """Neither by name nor by address; and what needs no way out has none."""
    assert system.engine
    front = system.container("front")
    targets = {"rabbitmq": ("bus", 5672), "mongodb": ("stores", 27017), "objects": ("objects", 8333)}
    for service, (network, port) in targets.items():
        for host in (service, system.address(service, network)):
            with pytest.raises(subprocess.CalledProcessError):
                system.engine.docker("exec", front, "wget", "-q", "-T", "2", "-t", "1", "-O-", f"http://{host}:{port}/")
    outside = system.address("front", "edge")
    for service in ("ingest", "history", "artifacts", "gateway"):
        with pytest.raises(subprocess.CalledProcessError):
            system.engine.docker("exec", system.container(service), "python", "-c", CONNECT, outside, "443")


def the_object_store_is_closed_to_strangers(system: Composed) -> None:
    """Unsigned PUT, list and DELETE: 403, even for whoever stands beside it."""
    url = f"http://{system.address('objects', 'objects')}:8333"
    for method, path in (("PUT", "x"), ("GET", ""), ("GET", "?list-type=2"), ("DELETE", "x"), ("DELETE", "")):
        answer = httpx.request(method, f"{url}/build-artifacts/{path}", content=b"x", trust_env=False)
        assert answer.status_code == 403, (method, path)


def log_in(system: Composed) -> httpx.Response:
    """The administrator's log-in, by the front."""
    context = ssl.create_default_context(cafile=str(system.directory / "ca.crt"))
    account = {"username": "admin", "password": system.password}
    return httpx.post("https://localhost/api/auth/login", json=account, verify=context, trust_env=False, timeout=30)


def a_log_in_gives_a_cookie_for_this_host_over_tls_only(system: Composed) -> None:
    """`__Host-`, Secure, HttpOnly."""
    (cookie,) = log_in(system).raise_for_status().headers.get_list("set-cookie")
    assert cookie.startswith("__Host-")
    assert {"secure", "httponly", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}


def an_outsiders_bad_log_ins_lock_nobody_else_out(system: Composed) -> None:
    """Fifty of them from one address: that one has to wait, the administrator at another has not."""
    assert system.engine
    network, front = f"{system.project}_edge", system.address("front", "edge")
    answers = system.engine.docker(
        "run", "--rm", "--network", network, "build-dashboard:latest", "python", "-c", OUTSIDER, front
    )
    assert answers.split() == ["401", "429"]
    assert log_in(system).status_code == 200


def a_dead_object_store_is_named(system: Composed) -> None:
    """By the artifacts service's readiness, and so by its container's health; ready again once it is back."""
    system.compose("stop", "objects")
    asked = subprocess.run(
        ["docker", "exec", system.container("artifacts"), "python", "-m", "build_chassis.ready"],
        env=system.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (asked.returncode, json.loads(asked.stdout)["missing"]) == (1, ["objects"])
    system.compose("start", "objects")
    system.wait_healthy("artifacts")


def brought(rest: Rest, build_id: str) -> dict[str, Any]:
    """The file that a build brought, as it is listed."""
    rows = rest.get(f"/api/builds/{build_id}/artifacts")["items"]
    (artifact,) = [row for row in rows if row["name"].endswith(".bin")]
    return dict(artifact)


def an_overwritten_artifact_is_not_served(system: Composed, bout: Bout) -> None:
    """Whoever has the store's key puts other bytes there: nobody is given them as the verified ones."""
    rest = system.rest()
    build_id = sorted(bout.expected.products)[0]
    artifact = brought(rest, build_id)
    folder = system.directory / "secrets"
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{system.address('objects', 'objects')}:8333",
        region_name="us-east-1",
        aws_access_key_id=(folder / "s3_access_key").read_text().strip(),
        aws_secret_access_key=(folder / "s3_secret_key").read_text().strip(),
        config=Config(s3={"addressing_style": "path"}),
    )
    key = f"artifacts/{artifact['id'][:2]}/{artifact['id']}"
    client.put_object(Bucket="build-artifacts", Key=key, Body=b"x" * artifact["sizeBytes"])
    with pytest.raises(urllib.error.HTTPError) as refused:
        rest.read(f"/api/artifacts/{artifact['id']}/download")
    assert refused.value.code == 410
    artifact = brought(rest, build_id)
    assert artifact["state"] == "damaged"


def every_queue_has_three_members(system: Composed) -> None:
    """So that any one node may be away."""
    assert system.engine

    ask = ["rabbitmqctl", "-q", "list_queues", "name", "type", "members", "online", "--formatter", "json"]

    def members() -> list[dict[str, Any]]:
        listed = system.engine.docker("exec", system.container("rabbitmq"), *ask)  # type: ignore[union-attr]
        return [queue for queue in json.loads(listed) if queue["type"] == "quorum"]

    def are_whole() -> bool:
        queues = members()
        return len(queues) > 10 and all(len(queue["members"]) == len(queue["online"]) == 3 for queue in queues)

    wait_until(are_whole, 60, "every queue has three members", every=1)


def prometheus_sees_all_of_it(system: Composed) -> None:
    """The five services and the three nodes answer its questions; each alert passes its own test on this version."""
    system.compose("--profile", "monitoring", "up", "--detach", "--no-deps", "prometheus", "alertmanager")
    url = f"http://{system.address('prometheus', 'monitoring')}:9090/api/v1/query"

    def answering() -> list[str]:
        try:
            found = httpx.get(url, params={"query": "up == 1"}, trust_env=False).json()["data"]["result"]
        except httpx.TransportError:
            return []
        return [each["metric"]["job"] for each in found]

    wait_until(lambda: sorted(answering()) == ["broker"] * 3 + ["services"] * 5, 90, "all are scraped", every=1)
    assert system.engine
    system.engine.docker(
        "exec", "-w", "/etc/prometheus", system.container("prometheus"), "promtool", "test", "rules", "rules_test.yml"
    )
    system.note("all are scraped")
