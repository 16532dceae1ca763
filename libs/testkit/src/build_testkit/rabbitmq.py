"""A real RabbitMQ for tests: `AMQP_URL`, else a private node that this process starts, else a container."""

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aio_pika
import pytest
from build_protocol import topology

from build_testkit.server import STOP_SECONDS, ServerProgram, running_in_a_directory, some_server
from build_testkit.stack import free_port

IMAGE = "rabbitmq:4.1-management-alpine"
"""Where a container is all there is: the one of docker-compose.yml."""

_DEBIAN = Path("/usr/lib/rabbitmq/bin")  # the wrappers in /usr/sbin insist on the system's own user and node

_CONFIG = """
listeners.tcp.local = 127.0.0.1:{port}
disk_free_limit.absolute = 50MB
raft.wal_max_size_bytes = 33554432
log.console = false
log.file.level = info
"""


class Broker:
    """A broker at a URL, which somebody else runs: tests that restart it are skipped."""

    def __init__(self, url: str) -> None:
        self.url = url

    def start(self) -> None:
        """Start the node and wait until it accepts connections."""
        pytest.skip("this RabbitMQ is not ours to restart")

    def stop(self) -> None:
        """Stop the node in order."""
        pytest.skip("this RabbitMQ is not ours to restart")

    def kill(self) -> None:
        """Kill the node with SIGKILL, as a power cut would."""
        pytest.skip("this RabbitMQ is not ours to kill")

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl; returns what it printed."""
        pytest.skip(f"this RabbitMQ is not ours to control: {arguments}")

    def restart(self) -> None:
        """Stop in order, then start."""
        self.stop()
        self.start()


class PrivateBroker(Broker):
    """A node of our own: own ports, own epmd, own cookie, all files in one directory."""

    def __init__(self, directory: Path, binaries: Path) -> None:
        self._directory = directory
        self._binaries = binaries
        self._port, self._epmd_port = free_port(), free_port()
        self._program = ServerProgram("rabbitmq-server", directory)
        super().__init__(f"amqp://guest:guest@127.0.0.1:{self._port}/")
        (directory / "rabbitmq.conf").write_text(_CONFIG.format(port=self._port))
        (directory / "enabled_plugins").write_text("[].\n")
        self._environment = {
            **os.environ,
            "HOME": str(directory),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test{secrets.token_hex(4)}@localhost",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(directory / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(directory / "data"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_PID_FILE": str(directory / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
        }

    def start(self) -> None:
        """Start the node and wait until it accepts connections."""
        self._program.start([self._binaries / "rabbitmq-server"], lambda: _accepts(self._port), self._environment)

    def stop(self) -> None:
        """Stop the node in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the node with SIGKILL, as a power cut would."""
        self._end(signal.SIGKILL)

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl; returns what it printed."""
        command = [str(self._binaries / "rabbitmqctl"), "--quiet", *arguments]
        ran = subprocess.run(command, env=self._environment, check=True, capture_output=True, text=True)
        return ran.stdout

    def forget(self) -> None:
        """End the node and the epmd that its Erlang started."""
        self.kill()
        epmd = shutil.which("epmd")
        if epmd is not None:
            subprocess.run(
                [epmd, "-port", str(self._epmd_port), "-kill"],
                env=self._environment,
                check=False,
                capture_output=True,
            )

    def _end(self, how: int) -> None:
        self._program.end(how)
        limit = time.monotonic() + STOP_SECONDS
        while _accepts(self._port) and time.monotonic() < limit:
            time.sleep(0.05)


@contextmanager
def private_rabbitmq() -> Iterator[PrivateBroker]:
    """A node of our own, gone with the context; raises FileNotFoundError where RabbitMQ is not installed."""
    binaries = _installed()
    if binaries is None:
        raise FileNotFoundError("rabbitmq-server is not installed")
    with running_in_a_directory(lambda directory: PrivateBroker(directory, binaries)) as broker:
        yield broker


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[Broker]:
    """A real broker. In CI (`CI` is set) a missing one fails the test, elsewhere it skips it with the reason."""
    with some_server("AMQP_URL", Broker, private_rabbitmq, _contained, "install rabbitmq-server") as broker:
        yield broker


@pytest.fixture
def amqp_url(rabbitmq: Broker) -> str:
    """The broker's URL, with none of our queues on it at the begin of the test."""
    asyncio.run(wipe(rabbitmq.url))
    return rabbitmq.url


async def wipe(url: str) -> None:
    """Delete every queue of the topology, and so every message."""
    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    returned = map(topology.returned_queue, topology.SERVICES)
    for name in (topology.PARKING_QUEUE, *returned, *(queue.name for queue in topology.QUEUES)):
        await channel.queue_delete(name)
    await connection.close()


@contextmanager
def _contained() -> Iterator[Broker]:
    from testcontainers.community.rabbitmq import RabbitMqContainer  # noqa: PLC0415  only where nothing else is there

    with RabbitMqContainer(IMAGE) as container:
        port = container.get_exposed_port(5672)
        yield Broker(f"amqp://guest:guest@{container.get_container_host_ip()}:{port}/")


def _installed() -> Path | None:
    if (_DEBIAN / "rabbitmq-server").exists():
        return _DEBIAN
    found = shutil.which("rabbitmq-server")
    return None if found is None else Path(found).resolve().parent


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
