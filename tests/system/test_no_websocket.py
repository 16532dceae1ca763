"""Networks that pass no WebSocket: builds arrive by posts, whole and once, and the agent says how it delivers."""

import asyncio
import hashlib
import json
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from build_dashboard.delivery.backoff import Backoff
from build_dashboard.delivery.connection import Connection
from build_dashboard.delivery.posting import Posts
from build_dashboard.delivery.session import BuildState, Session
from build_dashboard.delivery.transport_choice import TransportChoice, is_posted
from build_dashboard.endpoint import Endpoint
from build_protocol.ids import new_build_id
from build_testkit.apart import run_apart
from build_testkit.gateway import record
from build_testkit.middlebox import Middlebox, Upgrades, middlebox
from build_testkit.stack import Stack, wait_until

pytestmark = pytest.mark.slow


def behind(stack: Stack, box: Middlebox, directory: Path) -> dict[str, str]:
    """The environment of an agent that reaches the stack through the box only."""
    here = {"WS_ENDPOINT": f"ws://127.0.0.1:{box.port}", "BUILD_DASHBOARD_SPOOL": str(directory / "spool")}
    return stack.agent_environment | here


def port_of(stack: Stack) -> int:
    return int(stack.url.rpartition(":")[2])


def run(
    stack: Stack, box: Middlebox, directory: Path, project: str, *command: str, options: tuple[str, ...] = ()
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        stack.agent_command(project, *command, options=options),
        env=behind(stack, box, directory),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=90,
        check=False,
    )


def the_build(stack: Stack, project: str) -> dict[str, Any]:
    (build,) = stack.get(f"/api/builds?project={project}")["items"]
    return dict(build)


def log_of(stack: Stack, build_id: str) -> bytes:
    return stack.get_bytes(f"/api/builds/{build_id}/logs?format=text")


class Records:
    """Records of one build, served as a spool serves them."""

    def __init__(self, connected: Callable[[], None]) -> None:
        self.build_id = str(new_build_id(int(time.time() * 1000), random.randbytes(10)))
        self.changed = connected
        self._records = [record(1, "BUILD_START", self.build_id, project="posted")]

    def add(self, kind: str = "BUILD_LOG") -> int:
        seq = len(self._records) + 1
        data = {"data": {"firstLine": seq - 1, "lines": [f"line {seq - 1}"]}} if kind == "BUILD_LOG" else {}
        self._records.append(record(seq, kind, self.build_id, project="posted", **data))
        return seq

    def read(self, _: str, after_seq: int, limit_bytes: int, limit_records: int) -> list[bytes]:
        encoded = [json.dumps(each).encode() for each in self._records[after_seq : after_seq + limit_records]]
        return encoded[: max(1, limit_bytes // 1024)]

    def unreadable(self, build_id: str, problem: str) -> None:
        raise AssertionError((build_id, problem))

    def refused(self, build_id: str, seq: int | None, problem: str) -> None:
        raise AssertionError((build_id, seq, problem))

    def anchor(self, _: str) -> None:
        """The boot is this one."""

    def welcomed(self, frame: Mapping[str, Any], clock: Mapping[str, Any]) -> None:
        """No anchors are kept."""

    def stored(self, _: str) -> None:
        """Nothing is deleted."""

    def command(self, _: Mapping[str, Any]) -> None:
        """Nobody orders anything."""


class Wire:
    """An agent's connection in this process, and the one build that it reports."""

    def __init__(self, stack: Stack, box: Middlebox, spool: Path, probe_seconds: float = 60) -> None:
        self.changed = asyncio.Event()
        self.records = Records(self.changed.set)
        self.session = Session("1", f"test-{box.port}", "host")
        self.build = BuildState(self.records.build_id, "posted", None, None, 1, is_running=True)
        self.session.add(self.build)
        self.connection = Connection(
            Endpoint(f"ws://127.0.0.1:{box.port}/ws", stack.api_key),
            self.session,
            self.records,
            Backoff(0.1),
            str(spool),
            open_posts=Posts,
            choice=TransportChoice(probe_seconds=probe_seconds),
        )

    def print_line(self, kind: str = "BUILD_LOG") -> None:
        self.build.spooled = self.records.add(kind)
        self.connection.wake()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(40):
            while not condition():  # noqa: ASYNC110  the session has no event for it
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "upgrades", ["400", "403", "426", "501", "page", "strip", "reset", "cut", "swallow", "mute", "pass"]
)
def test_an_agent_gets_through(embedded: Stack, tmp_path: Path, upgrades: Upgrades) -> None:
    """However the upgrade is refused or swallowed, records are stored by posts; where it passes, none is sent."""
    run_apart(get_through(embedded, tmp_path, upgrades))


async def get_through(embedded: Stack, tmp_path: Path, upgrades: Upgrades) -> None:
    """Deliver two records behind a proxy that does this to upgrades."""
    with middlebox([port_of(embedded)], upgrades) as box:
        wire = Wire(embedded, box, tmp_path)
        running = asyncio.create_task(wire.connection.run())
        wire.print_line()
        await wire.until(lambda: wire.build.stored == 2)
        is_posted = bool(box.requests)
        problem = wire.connection.socket_problem
        wire.connection.close()
        await running

    assert (is_posted, bool(problem)) == ((False, False) if upgrades == "pass" else (True, True))


def test_a_socket_takes_over_once_one_passes(embedded: Stack, tmp_path: Path) -> None:
    """While frames are posted the WebSocket is tried again; what was posted and what follows is stored once."""
    run_apart(take_over(embedded, tmp_path))


async def take_over(embedded: Stack, tmp_path: Path) -> None:
    """Post, let a socket pass, and send on."""
    with middlebox([port_of(embedded)], "403") as box:
        wire = Wire(embedded, box, tmp_path, probe_seconds=0.2)
        running = asyncio.create_task(wire.connection.run())
        for _ in range(200):
            wire.print_line()
            await asyncio.sleep(0.002)
        await wire.until(lambda: wire.build.stored > 50)
        assert is_posted(tmp_path, f"ws://127.0.0.1:{box.port}/ws")
        box.upgrades = "pass"
        while wire.connection.socket_problem:
            wire.print_line()
            await asyncio.sleep(0.01)
        for _ in range(200):
            wire.print_line()
        wire.print_line("BUILD_COMPLETE")
        wire.build.is_complete, wire.build.is_running = True, False
        await wire.until(lambda: wire.build.stored == wire.build.spooled)
        posted = box.requests.total()
        wire.connection.close()
        await running

    assert not is_posted(tmp_path, f"ws://127.0.0.1:{box.port}/ws")
    assert 1 < posted < wire.build.spooled
    lines = log_of(embedded, wire.build.build_id).decode().splitlines()
    assert [f"line {n}" for n in range(1, wire.build.spooled - 1)] == lines


def test_a_build_arrives_where_no_websocket_passes(embedded: Stack, tmp_path: Path) -> None:
    """Every line is stored, the exit code stays, the spool is empty, and it is printed how the build was delivered."""
    with middlebox([port_of(embedded)], "403") as box:
        done = run(embedded, box, tmp_path, "refused", "sh", "-c", "seq 1 2000; exit 3", options=("--wait", "40"))

    assert (3, b"".join(b"%d\n" % n for n in range(1, 2001))) == (done.returncode, done.stdout)
    build = the_build(embedded, "refused")
    assert ("failed", 2000) == (build["status"], build["logLines"])
    assert done.stdout == log_of(embedded, build["id"])
    assert b"no WebSocket passes" in done.stderr
    assert [] == [entry.name for entry in (tmp_path / "spool").iterdir() if not entry.name.startswith(".")]


def test_a_short_build_need_not_find_out_anew(embedded: Stack, tmp_path: Path) -> None:
    """That no WebSocket passes is remembered beside the spool: the next build posts at once."""
    with middlebox([port_of(embedded)], "403") as box:
        run(embedded, box, tmp_path, "remembered", "true", options=("--wait", "20"))
        seen = box.upgrades_seen
        run(embedded, box, tmp_path, "remembered", "true", options=("--wait", "20"))

        assert seen == box.upgrades_seen
    assert 2 == len(embedded.get("/api/builds?project=remembered")["items"])


def test_a_front_that_takes_little_is_given_little(embedded: Stack, tmp_path: Path) -> None:
    """Bodies of 128 KiB at most: 413 makes the agent post less at once, and nothing is lost."""
    script = "import sys\nfor n in range(20000): sys.stdout.write(f'{n} ' + 'x' * 60 + chr(10))"
    with middlebox([port_of(embedded)], "403", body_bytes=128 * 1024) as box:
        done = run(embedded, box, tmp_path, "small", sys.executable, "-c", script, options=("--wait", "40"))

    build = the_build(embedded, "small")
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(log_of(embedded, build["id"])).digest()


def test_cancel_reaches_an_agent_that_posts(embedded: Stack, tmp_path: Path) -> None:
    """The command comes with the answer that waits: the build ends within seconds, and the command is done."""
    with middlebox([port_of(embedded)], "403") as box:
        agent = subprocess.Popen(
            embedded.agent_command("post-cancel", "sleep", "300", options=("--grace", "1", "--wait", "20")),
            env=behind(embedded, box, tmp_path),
            stdout=subprocess.DEVNULL,
        )
        token = embedded.token()
        path = "/api/builds?project=post-cancel&status=running"
        build = wait_until(lambda: embedded.get(path, token)["items"], 20, "the running build", every=0.1)[0]
        began = time.monotonic()
        command = order_cancel(embedded, build["id"], token)
        agent.wait(30)
        took = time.monotonic() - began

    assert took < 8
    assert "cancelled" == the_build(embedded, "post-cancel")["status"]
    path = f"/api/commands/{command}"
    wait_until(lambda: embedded.get(path, token)["state"] == "done", 10, "the command's end")


def order_cancel(stack: Stack, build_id: str, token: str) -> str:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps({"kind": "cancel", "buildId": build_id}).encode()
    with urllib.request.urlopen(
        urllib.request.Request(f"{stack.url}/api/commands", body, headers), timeout=30
    ) as answer:
        return str(json.loads(answer.read())["id"])


def test_the_doctor_names_the_transport(embedded: Stack, tmp_path: Path) -> None:
    """Where no WebSocket passes the doctor says so, why, and that posts do; it ends well."""
    with middlebox([port_of(embedded)], "403") as box:
        done = subprocess.run(
            [sys.executable, "-m", "build_dashboard", "doctor"],
            env=behind(embedded, box, tmp_path),
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert 0 == done.returncode, done.stdout
    assert b"HTTP posts" in done.stdout
    assert b"HTTP 403" in done.stdout


@pytest.mark.rabbitmq
@pytest.mark.timeout(300)
def test_no_line_is_lost_or_doubled_while_gateways_die(separate: Stack, tmp_path: Path) -> None:
    """Two gateways behind a front without sticky sessions, each killed while lines are posted: the log is equal."""
    script = f"import time, os\nn = 0\nwhile not os.path.exists({str(tmp_path / 'end')!r}):\n"
    script += " n += 1\n print('line', n, flush=True)\n time.sleep(0.002)"
    gateways = [separate.processes["gateway"], separate.processes["gateway-2"]]
    with middlebox([gateway.port for gateway in gateways], "403") as box:
        agent = subprocess.Popen(
            separate.agent_command("killed", sys.executable, "-c", script, options=("--wait", "90")),
            env=behind(separate, box, tmp_path),
            stdout=subprocess.PIPE,
        )
        output = threading.Thread(target=lambda: printed.append(agent.stdout.read() if agent.stdout else b""))
        printed: list[bytes] = []
        output.start()
        for gateway in gateways:
            for each in gateways:
                before = box.requests[each.port]
                wait_until(partial(_has_posted, box, each.port, before + 3), 60, "posts there")
            gateway.restart(signal.SIGKILL)
        (tmp_path / "end").touch()
        output.join(120)
        agent.wait(10)
    build = the_build(separate, "killed")

    assert (0, "succeeded") == (agent.returncode, build["status"])
    assert printed[0] == log_of(separate, build["id"])
    assert len(printed[0].splitlines()) == build["logLines"] > 100


def _has_posted(box: Middlebox, port: int, count: int) -> bool:
    return box.requests[port] > count
