"""The whole system as real processes: embedded, or five services on a RabbitMQ; for scenarios and benchmarks.

Nothing is imported from a service: processes are started by their module's name, as an operator would.
"""

import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

SERVICES = ("ingest", "notifier", "artifacts", "history", "gateway")
START_SECONDS = 90.0
STOP_SECONDS = 15.0


PORTS = range(10_240, 20_000)
"""Below those that the kernel gives to connections and to listeners without a choice of their own: else one of these
may take a port between its being found free and its server's start.
"""

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_own = PORTS[_worker::_workers]
_left = random.SystemRandom().sample(_own, len(_own))


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now; no worker of a test run is given what one had before."""
    while _left:
        port = _left.pop()
        if port_is_free(port):
            return port
    raise OSError(f"no port of {PORTS.start} to {PORTS.stop - 1} is left")


def port_is_free(port: int) -> bool:
    """Whether nobody listens on this TCP port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def wait_until(done: Callable[[], Any], seconds: float, what: str, every: float = 0.02) -> Any:
    """Ask `done` until it is truthy and return its answer; after `seconds`, TimeoutError says what did not come."""
    limit = time.monotonic() + seconds
    while not (answer := done()):
        if time.monotonic() > limit:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(every)
    return answer


@dataclass
class Process:
    """One service process and the file its output goes to."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    port: int
    popen: subprocess.Popen[bytes] | None = None
    _output: IO[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start the process; its output is appended to the log."""
        self._output = self.log.open("ab")
        self.popen = subprocess.Popen(
            self.command, env=dict(self.environment), stdout=self._output, stderr=subprocess.STDOUT, cwd=self.log.parent
        )

    def wait_ready(self) -> None:
        """Wait until `/readyz` answers 200; raises with the end of the log when the process died instead."""

        def ready() -> bool:
            if self.popen is None or self.popen.poll() is not None:
                raise RuntimeError(f"{self.name} ended at start:\n{self.tail()}")
            return answers_ok(f"http://127.0.0.1:{self.port}/readyz")

        try:
            wait_until(ready, START_SECONDS, f"{self.name} ready", every=0.05)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.tail()}") from error

    def stop(self, how: int = signal.SIGTERM) -> None:
        """Signal the process and wait for its end; SIGKILL when it takes too long."""
        self.send(how)
        if self.popen is not None:
            try:
                self.popen.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        if self._output is not None:
            self._output.close()

    def send(self, how: int) -> None:
        """Signal the process, if it runs."""
        if self.popen is not None and self.popen.poll() is None:
            self.popen.send_signal(how)

    def restart(self, how: int = signal.SIGTERM) -> None:
        """Stop (SIGKILL for a crash), start, wait until ready."""
        self.stop(how)
        self.start()
        self.wait_ready()

    def tail(self) -> str:
        """The end of what it printed."""
        return self.log.read_bytes()[-4000:].decode(errors="replace")


@dataclass
class Stack:
    """A running system: where it is, and how to log in and stream."""

    directory: Path
    url: str
    password: str
    api_key: str
    processes: dict[str, Process]

    @property
    def agent_environment(self) -> dict[str, str]:
        """Environment in which `build-dashboard run` and the client commands reach this system."""
        return dict(os.environ) | {
            "WS_ENDPOINT": self.url.replace("http", "ws", 1),
            "BUILD_DASHBOARD_URL": self.url,
            "BUILD_DASHBOARD_API_KEY": self.api_key,
            "BUILD_DASHBOARD_ADMIN_PASSWORD": self.password,
            "XDG_STATE_HOME": str(self.directory / "state"),
        }

    def agent_command(self, project: str, *command: str, options: tuple[str, ...] = ()) -> list[str]:
        """The command line that wraps `command` in an agent."""
        return [sys.executable, "-m", "build_dashboard", "run", "--project", project, *options, "--", *command]

    @contextmanager
    def streaming(self, project: str, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """A build that runs while the context lasts; it is ended with it."""
        agent = subprocess.Popen(
            self.agent_command(project, *command), env=self.agent_environment, stdout=subprocess.DEVNULL
        )
        try:
            yield agent
        finally:
            if agent.poll() is None:
                agent.terminate()
            agent.wait(2 * STOP_SECONDS)

    def resume(self, seconds: float) -> None:
        """What an agent could not deliver comes with the next run, which waits so long for it at the most."""
        command = [sys.executable, "-m", "build_dashboard", "run", "--resume", "--linger", str(seconds)]
        subprocess.run(
            command,
            env=self.agent_environment,
            check=True,
            timeout=seconds + 2 * STOP_SECONDS,
            stdin=subprocess.DEVNULL,
        )

    def get(self, path: str, token: str | None = None) -> Any:
        """GET a path as the administrator; the answer's JSON."""
        return json.loads(self.get_bytes(path, token))

    def get_bytes(self, path: str, token: str | None = None) -> bytes:
        """GET a path as the administrator; the answer's body."""
        request = urllib.request.Request(  # noqa: S310  our own server on 127.0.0.1
            self.url + path, headers={"Authorization": f"Bearer {token or self.token()}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  as above
            return bytes(answer.read())

    def token(self) -> str:
        """An access token of the administrator."""
        request = urllib.request.Request(  # noqa: S310  our own server on 127.0.0.1
            self.url + "/api/auth/login",
            json.dumps({"username": "admin", "password": self.password}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  as above
            return str(json.loads(answer.read())["accessToken"])

    def wait_for_build(self, build_id: str, done: Callable[[dict[str, Any]], bool], seconds: float) -> dict[str, Any]:
        """Wait until the build's detail satisfies `done`."""
        token = self.token()

        def look() -> dict[str, Any] | None:
            build: dict[str, Any] = self.get(f"/api/builds/{build_id}", token)
            return build if done(build) else None

        found: dict[str, Any] = wait_until(look, seconds, f"build {build_id} as expected", every=0.05)
        return found


def answers_ok(url: str) -> bool:
    """Whether GET `url` answers 200 now."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  our own server on 127.0.0.1
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def embedded_stack(
    directory: Path,
    extra: Mapping[str, str] | None = None,
    port: int | None = None,
    *,
    is_awaited: bool = True,
    python: str = sys.executable,
    options: Sequence[str] = (),
) -> Iterator[Stack]:
    """`build-dashboard up` with its data in `directory`, on a free port unless one is given; ready if `is_awaited`.

    `python` has the packages that are started; `options` are further ones of `up`.
    """
    port = port or free_port()
    environment = dict(os.environ) | {
        "BUILD_DASHBOARD_ADMIN_PASSWORD": secrets.token_urlsafe(12),
        "BUILD_DASHBOARD_API_KEY": f"key-{secrets.token_hex(16)}",
        **(extra or {}),
    }
    password, key = environment["BUILD_DASHBOARD_ADMIN_PASSWORD"], environment["BUILD_DASHBOARD_API_KEY"]
    command = [python, "-m", "build_dashboard", "up", "--port", str(port), "--data", str(directory / "data")]
    command += options
    process = Process("embedded", command, environment, directory / "embedded.log", port)
    with _running(
        Stack(directory, f"http://127.0.0.1:{port}", password, key, {"embedded": process}), is_awaited
    ) as stack:
        yield stack


def peer_variables(addresses: Mapping[str, str]) -> dict[str, str]:
    """Who asks whom, as the environment of separate services, from each one's address."""
    asked = {
        "gateway": SERVICES[:-1],
        "ingest": ("artifacts",),
        "notifier": ("ingest", "history", "artifacts"),
        "history": ("ingest",),
        "artifacts": ("ingest",),
    }
    return {
        f"{service.upper()}_{peer.upper()}_URL": addresses[peer] for service, peers in asked.items() for peer in peers
    }


@contextmanager
def separate_stack(
    directory: Path,
    amqp_url: str,
    store_urls: Mapping[str, str] | None = None,
    gateways: int = 1,
    extra: Mapping[str, str] | None = None,
    *,
    python: str = sys.executable,
) -> Iterator[Stack]:
    """One process per service on the broker at `amqp_url`; `python` has the packages that are started.

    `store_urls` names a service's store, else it is a SQLite file; several gateways are processes `gateway`,
    `gateway-2`, ... sharing one store.
    """
    password, key, secret = secrets.token_urlsafe(12), f"key-{secrets.token_hex(16)}", secrets.token_hex(32)
    ports = {service: free_port() for service in SERVICES}
    shared = dict(os.environ) | {
        "AMQP_URL": amqp_url,
        "JWT_SECRET_KEY": secret,
        "BUILD_DASHBOARD_ADMIN_PASSWORD": password,
        "BUILD_DASHBOARD_API_KEY": key,
        **peer_variables({name: f"http://127.0.0.1:{port}" for name, port in ports.items()}),
        **(extra or {}),
    }

    def process(service: str, name: str, port: int) -> Process:
        prefix = service.upper()
        store = (store_urls or {}).get(service, f"sqlite:///{directory / service}.sqlite")
        environment = shared | {f"{prefix}_PORT": str(port), f"{prefix}_STORE_URL": store}
        return Process(name, [python, "-m", f"build_{service}"], environment, directory / f"{name}.log", port)

    processes = {service: process(service, service, ports[service]) for service in SERVICES}
    for number in range(2, gateways + 1):
        processes[f"gateway-{number}"] = process("gateway", f"gateway-{number}", free_port())
    with _running(Stack(directory, f"http://127.0.0.1:{ports['gateway']}", password, key, processes)) as stack:
        yield stack


@contextmanager
def _running(stack: Stack, is_awaited: bool = True) -> Iterator[Stack]:
    try:
        for process in stack.processes.values():
            process.start()
        for process in stack.processes.values():
            if is_awaited:
                process.wait_ready()
        yield stack
    finally:
        for process in reversed(stack.processes.values()):
            process.send(signal.SIGTERM)  # to all of them first: they end at the same time
        for process in reversed(stack.processes.values()):
            process.stop()
