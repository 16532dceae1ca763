"""A gateway in miniature: real WebSockets, frames checked against build_protocol, faults on demand."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from build_protocol.frames import AGENT_SUBPROTOCOL, agent_frame
from build_protocol.messages import agent_record
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

KEY = "bmk_test_key_of_the_tests"


class MiniGateway:
    """Stores what it is sent, in memory, by the protocol's rules; its switches make it misbehave."""

    def __init__(self) -> None:
        self.records: dict[str, dict[int, dict[str, Any]]] = {}
        self.frames: list[dict[str, Any]] = []
        self.connections = 0
        self.acknowledges = True
        self.verifies = True
        self.refuse: Callable[[dict[str, Any]], str | None] = lambda record: None
        self.refused_by_hello: str | None = None
        self.cut_after_frames: int | None = None
        self.is_checked = True
        self.green: str | None = None
        self.server_at = 1
        self.port = 0
        self._sockets: set[ServerConnection] = set()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        # Whoever is still half-way through a handshake when the test ends is ended by asyncio.run.
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def start(self, port: int = 0) -> "MiniGateway":
        self.port = port
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)

    def close_sockets(self, code: int) -> None:
        async def close() -> None:
            for socket in list(self._sockets):
                await socket.close(code)

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)

    def send(self, frame: dict[str, Any]) -> None:
        async def send() -> None:
            for socket in list(self._sockets):
                await socket.send(json.dumps(frame))

        asyncio.run_coroutine_threadsafe(send(), self._loop).result(10)

    def log(self, build_id: str) -> list[str]:
        """The log as it would be stored."""
        lines: list[str] = []
        for record in self.of(build_id, "BUILD_LOG"):
            data = record["data"]
            if data.get("continues"):
                assert data["firstLine"] == len(lines), data
                lines[-1] += data["lines"][0]
                lines += data["lines"][1:]
            else:
                assert data["firstLine"] == len(lines) + 1, (data["firstLine"], len(lines))
                lines += data["lines"]
        return lines

    def of(self, build_id: str, kind: str) -> list[dict[str, Any]]:
        stored = self.records.get(build_id, {})
        return [stored[seq] for seq in sorted(stored) if stored[seq]["type"] == kind]

    def only_build(self) -> str:
        (build_id,) = self.records
        return build_id

    def stored(self, build_id: str) -> int:
        stored, upto = self.records.get(build_id, {}), 0
        while upto + 1 in stored:
            upto += 1
        return upto

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with serve(
            self._serve,
            "127.0.0.1",
            self.port,
            subprotocols=[Subprotocol(AGENT_SUBPROTOCOL)],
            process_request=self._admit,
            max_size=2**20,
        ) as server:
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._stop.wait()

    def _admit(self, connection: ServerConnection, request: Any) -> Any:
        if request.path != "/ws":
            return connection.respond(404, "no such path\n")
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return connection.respond(401, "wrong key\n")
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        self.connections += 1
        self._sockets.add(socket)
        upto: dict[str, int] = {}
        frames = 0
        try:
            async for text in socket:
                assert isinstance(text, str)
                frame = json.loads(text)
                if self.is_checked:
                    agent_frame.validate_json(text)
                    self.frames.append(frame)
                if frame["type"] == "HELLO":
                    for build in frame["builds"] if self.refused_by_hello else ():
                        named = {"code": self.refused_by_hello, "detail": "a test", "buildId": build["buildId"]}
                        await socket.send(json.dumps({"type": "REFUSED", **named}))
                    await socket.send(json.dumps(self._welcome(frame)))
                if frame["type"] == "LAST_GREEN_QUERY":
                    answer = {"type": "LAST_GREEN", "buildId": frame["buildId"]}
                    await socket.send(json.dumps(answer | ({"commit": self.green} if self.green else {})))
                if frame["type"] == "RECORDS":
                    frames += 1
                    if self.cut_after_frames is not None and frames > self.cut_after_frames:
                        socket.transport.abort()
                        return
                    await self._take(socket, frame["records"], upto)
        except ConnectionClosed:
            pass
        finally:
            self._sockets.discard(socket)

    def _welcome(self, hello: dict[str, Any]) -> dict[str, Any]:
        stored = {build["buildId"]: self.stored(build["buildId"]) for build in hello["builds"]}
        return {
            "type": "WELCOME",
            "session": "s",
            "agent": "a",
            "serverAt": self.server_at,
            "stored": stored,
            "heartbeatSeconds": 0.2,
        }

    async def _take(self, socket: ServerConnection, records: list[dict[str, Any]], upto: dict[str, int]) -> None:
        for record in records:
            build_id, seq = record["buildId"], record["seq"]
            code = self.refuse(record)
            if code:
                refused = {"type": "REFUSED", "code": code, "detail": "a test", "buildId": build_id, "seq": seq}
                await socket.send(json.dumps(refused))
                return
            stored = self.records.setdefault(build_id, {})
            assert stored.get(seq, record) == record, f"record {seq} changed"
            stored[seq] = record
        if not self.acknowledges:
            return
        build_id = records[-1]["buildId"]
        last = upto[build_id] = _contiguous(self.records[build_id], upto.get(build_id, 0))
        ack = {"type": "ACK", "buildId": build_id, "confirmed": last, "stored": last}
        if self.verifies and self.records[build_id][last]["type"] == "BUILD_COMPLETE":
            ack["verified"] = True
        await socket.send(json.dumps(ack))


def _contiguous(stored: dict[int, Any], upto: int) -> int:
    while upto + 1 in stored:
        upto += 1
    return upto


@pytest.fixture(autouse=True, scope="session")
def signals_as_in_a_terminal() -> None:
    """A shell's background job ignores SIGINT and SIGQUIT, and so would every program a test starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.fixture
def gateway() -> Iterator[MiniGateway]:
    server = MiniGateway().start()
    yield server
    server.stop()
    for records in server.records.values():
        for record in records.values():
            agent_record.validate_python(record)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


class Agent:
    """Runs `build-dashboard` as a program."""

    def __init__(self, spool: Path, url: str) -> None:
        self.spool = spool
        self.environment = {
            # Where CI is set the link to the build's page is printed; the tests say what is printed without it.
            **{n: value for n, value in os.environ.items() if n != "CI" and not n.startswith("BUILD_DASHBOARD")},
            "WS_ENDPOINT": url,
            "BUILD_DASHBOARD_API_KEY": KEY,
            "BUILD_DASHBOARD_SPOOL": str(spool),
            "XDG_CACHE_HOME": str(spool.parent / "cache"),
            "PYTHONUNBUFFERED": "1",
        }
        self.program = [sys.executable, "-m", "build_dashboard"]

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen([*self.program, *arguments], env=self.environment, **options)

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def run_program(self, command: tuple[str, ...], **options: Any) -> subprocess.CompletedProcess[bytes]:
        """Another program, in the agent's environment."""
        return subprocess.run(command, env=self.environment, capture_output=True, timeout=60, check=False, **options)

    def build(
        self, *command: str, options: tuple[str, ...] = (), cwd: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return self.run("run", "--project", "p", *options, "--", *command, cwd=cwd)

    def left(self) -> list[str]:
        """What is not delivered yet."""
        return (
            sorted(path.name for path in self.spool.iterdir() if path.name != ".anchors") if self.spool.exists() else []
        )


@pytest.fixture
def agent(spool: Path, gateway: MiniGateway) -> Iterator[Agent]:
    yield Agent(spool, gateway.url)
    _end_builds(spool)


@pytest.fixture
def lone_agent(spool: Path) -> Iterator[Agent]:
    """An agent whose dashboard is down."""
    yield Agent(spool, "ws://127.0.0.1:9")
    _end_builds(spool)


def _end_builds(spool: Path) -> None:
    """Builds outlive their agents by design; those of a failed test must not outlive it."""
    for control in spool.glob("*/control"):
        with contextlib.suppress(OSError):
            fd = os.open(control, os.O_WRONLY | os.O_NONBLOCK)
            os.write(fd, b"test_over\n")
            os.close(fd)


@pytest.fixture
def wait_until() -> Callable[..., None]:
    return _wait_until


def _wait_until(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
