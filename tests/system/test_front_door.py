"""Whole systems: huge bodies cost no memory, and no path climbs to what services say only to services."""

import itertools
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from build_testkit.apart import run_apart
from build_testkit.served import chunked, send_raw
from build_testkit.stack import Stack

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
BUILD = "01890000-0000-7000-8000-000000000001"
GROWTH_KIB = 10 * 1024
"""What a body of 200 MiB may add to any process, answered, thrown away and all."""

BODIES = [
    ("POST", "/api/auth/login", {413}),
    ("POST", "/api/users", {413}),
    ("POST", "/api/commands", {413}),
    ("POST", f"/api/builds/{BUILD}/failures/feedback", {413}),
    ("POST", "/api/artifacts", {413}),
    ("PUT", f"/api/history/verdicts/{BUILD}/x", {413}),
    ("POST", "/api/notifications/mutes", {413}),
    # Who reads no body answers first in one process; between two, the gateway is over its limit before that.
    ("POST", "/api/notifications/webhooks/sendgrid", {404, 413}),
    ("GET", f"/api/builds/{BUILD}", {404, 413}),
    ("PUT", "/api/artifacts/objects/forged", {403}),
    ("POST", "/api/teapots", {404}),
    ("GET", "/builds/7", {200, 413, 503}),
]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("method", "path", "statuses"), BODIES)
def test_a_huge_body_costs_no_memory(stack: Stack, method: str, path: str, statuses: set[int]) -> None:
    """200 MiB in chunks, from a client that sends until it may not: refused, and no process has grown."""
    headers = [f"Authorization: Bearer {stack.token()}", "Transfer-Encoding: chunked", "Content-Type: application/json"]
    before = {name: _forget_peak(pid) for name, pid in _processes(stack)}
    body = chunked(itertools.repeat(b'"' + b"x" * 65534 + b"\n", 200 * MIB // 65536))

    status, _ = run_apart(
        send_raw(stack.url, path, method=method, headers=headers, body=body, seconds=120, until_closed=True)
    )

    grown = {name: _peak_kib(pid) - before[name] for name, pid in _processes(stack)}
    assert status in statuses
    assert {name: kib for name, kib in grown.items() if kib > GROWTH_KIB} == {}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("service", ["ingest", "artifacts", "history", "notifier"])
@pytest.mark.rabbitmq
def test_a_service_reached_directly_keeps_its_memory(separate: Stack, service: str) -> None:
    """Whoever is inside the network and sends 200 MiB to a service's own port is refused like at the front door."""
    method, path = {
        "ingest": ("POST", f"/api/builds/{BUILD}/failures/feedback"),
        "artifacts": ("POST", "/api/artifacts"),
        "history": ("PUT", f"/api/history/verdicts/{BUILD}/x"),
        "notifier": ("POST", "/api/notifications/mutes"),
    }[service]
    process = separate.processes[service]
    assert process.popen is not None
    before = _forget_peak(process.popen.pid)
    body = chunked(itertools.repeat(b"[" * 65536, 200 * MIB // 65536))
    headers = ["Transfer-Encoding: chunked", "Content-Type: application/json"]
    url = f"http://127.0.0.1:{process.port}"

    status, _ = run_apart(
        send_raw(url, path, method=method, headers=headers, body=body, seconds=120, until_closed=True)
    )

    assert status == 413
    assert _peak_kib(process.popen.pid) - before < GROWTH_KIB


def test_a_key_of_one_project_learns_nothing_of_another(stack: Stack) -> None:
    """By no way up does a key that may read reach what ingest answers the gateway, nor a service's own pages."""
    token = stack.token()
    made = urllib.request.Request(
        f"{stack.url}/api/keys",
        json.dumps({"name": "reads-one", "scopes": ["read"], "projects": ["mine"]}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(made, timeout=30) as answer:
        key = json.loads(answer.read())["value"]

    for bearer, up, page in itertools.product(
        (key, token),
        ("..", "%2e%2e", ".%2e", "%252e%252e", "..;", "%c0%ae%c0%ae"),
        (f"internal/stored?build={BUILD}", "internal/openapi.json", "metrics", "readyz", "healthz"),
    ):
        target = f"/api/builds/{up}/{up}/{page}"
        status, text = run_apart(send_raw(stack.url, target, headers=[f"Authorization: Bearer {bearer}"]))
        assert (status, json.loads(text)["title"]) == (400, "Bad Request"), target


def _processes(stack: Stack) -> Iterator[tuple[str, int]]:
    for name, process in stack.processes.items():
        assert process.popen is not None
        yield name, process.popen.pid


def _forget_peak(pid: int) -> int:
    """Let the peak of the process's memory be what it is now; gives that, in KiB."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return _peak_kib(pid)


def _peak_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1])
