"""The arena: a whole system of real processes, each within reach of a fault, and everything that is seen of it.

Whatever dies is started again, as an operator's supervisor would; a proxy stands on every connection that may be cut.
"""

import os
import secrets
import signal
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pymysql
import yaml
from build_testkit.mariadb import Database, PrivateDatabase
from build_testkit.rabbitmq import Broker, PrivateBroker
from build_testkit.sendgrid import SendGridServer, sendgrid_server
from build_testkit.stack import Process, answers_ok, free_port
from delivery.proxy import Proxy
from delivery.rest import Rest
from delivery.wire_log import WireLog

PROJECTS = 400
_NUMBERS = iter(range(PROJECTS))
"""Of projects: arenas that share a broker and a database share these, too."""
WATCH_SECONDS = 0.05
READY_SECONDS = 300.0
DATABASE = "ingest_arena"


@dataclass
class Arena:
    """One running system."""

    directory: Path
    processes: dict[str, Process]
    proxies: dict[str, Proxy]
    gateways: list[str]
    """Origins of the gateways, straight."""
    password: str
    key: str
    wire_log: WireLog
    mails: SendGridServer
    broker: Broker | None = None
    database: Database | None = None
    deaths: Counter[str] = field(default_factory=Counter)
    _spared: set[str] = field(default_factory=set)

    @property
    def agent_gateways(self) -> list[str]:
        """WebSocket origins by which agents reach the gateways: through the proxies, and their taps."""
        return [
            f"ws://127.0.0.1:{proxy.port}" for name, proxy in self.proxies.items() if name.startswith("agents-gateway")
        ]

    def rest(self, gateway: int = 0) -> Rest:
        """The administrator at one of the gateways."""
        return Rest(self.gateways[gateway], self.password)

    def next_project(self) -> str:
        """A project nobody used yet."""
        return f"p{next(_NUMBERS):03d}"

    def kill(self, name: str) -> None:
        """SIGKILL; the supervisor starts it again."""
        self._signal(name, signal.SIGKILL)

    def terminate(self, name: str) -> None:
        """SIGTERM, as a rolling update sends it."""
        self._signal(name, signal.SIGTERM)

    def freeze(self, name: str) -> None:
        """SIGSTOP: alive, and deaf."""
        self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        self._signal(name, signal.SIGCONT)

    def take_away(self, name: str) -> None:
        """Stop it in order, until it is brought back."""
        self._spared.add(name)
        self.processes[name].stop()

    def bring_back(self, name: str) -> None:
        """Start what was taken away."""
        self.processes[name].start()
        self._spared.discard(name)

    def restart_with(self, name: str, **environment: str) -> None:
        """Start a process again with these variables; they are gone with its next start."""
        self._spared.add(name)
        process = self.processes[name]
        own = process.environment
        process.stop(signal.SIGKILL)
        process.environment = {**own, **environment}
        process.start()
        process.environment = own
        self._spared.discard(name)
        wait_ready(process)

    def chunks(self, build_ids: set[str]) -> dict[str, list[tuple[int, int]]]:
        """First and last record of every chunk in the database."""
        query = "select build_id, first_seq, last_seq from chunks"
        if isinstance(self.database, Database):
            address = urlsplit(self.database.database_url(DATABASE))
            with (
                pymysql.connect(
                    host=address.hostname or "", port=address.port or 0, user="root", database=DATABASE
                ) as db,
                db.cursor() as cursor,
            ):
                cursor.execute(query)
                rows = list(cursor.fetchall())
        else:
            db_file = self.directory / "data" / "ingest.sqlite"
            with sqlite3.connect(f"file:{db_file}?mode=ro", uri=True) as reader:
                rows = reader.execute(query).fetchall()
        found: dict[str, list[tuple[int, int]]] = {build_id: [] for build_id in build_ids}
        for build_id, first, last in rows:
            if build_id in found:
                found[build_id].append((first, last))
        return found

    def supervise(self, stop: threading.Event) -> None:
        """Start again what ended, until `stop` is set."""
        while not stop.wait(WATCH_SECONDS):
            for name, process in self.processes.items():
                if name in self._spared or process.popen is None or process.popen.poll() is None:
                    continue
                self.deaths[name] += 1
                process.stop()
                process.start()

    def _signal(self, name: str, number: int) -> None:
        popen = self.processes[name].popen
        if popen is not None and popen.poll() is None:
            popen.send_signal(number)


@contextmanager
def separate_arena(
    directory: Path,
    broker: PrivateBroker,
    database: PrivateDatabase,
    extra: Mapping[str, str] | None = None,
    *,
    has_proxies: bool = True,
) -> Iterator[Arena]:
    """Two gateways, two ingests, notifier, history and artifacts on a RabbitMQ and a MariaDB.

    Without proxies on the connections to those nothing of ours slows what is measured.
    """
    with ExitStack() as stack:
        wire_log, mails = WireLog(), stack.enter_context(sendgrid_server())
        ports = {name: free_port() for name in _SEPARATE}
        broker_port, database_port = (urlsplit(url).port or 0 for url in (broker.url, database.database_url("x")))
        proxies = {
            "agents-gateway": Proxy(ports["gateway"], wire_log.tap),
            "agents-gateway-2": Proxy(ports["gateway-2"], wire_log.tap),
            "gateway-broker": Proxy(broker_port),
            "ingest-broker": Proxy(broker_port),
            "others-broker": Proxy(broker_port),
            "ingest-database": Proxy(database_port),
        }
        for proxy in proxies.values():
            proxy.start()
            stack.callback(proxy.stop)
        password, key = secrets.token_urlsafe(12), f"key-{secrets.token_hex(16)}"
        shared = _environment(directory, mails, password, key) | {
            "JWT_SECRET_KEY": secrets.token_hex(32),
            **{f"GATEWAY_{name.upper()}_URL": f"http://127.0.0.1:{ports[name]}" for name in _FORWARDED},
            "NOTIFIER_INGEST_URL": f"http://127.0.0.1:{ports['ingest']}",
            "NOTIFIER_HISTORY_URL": f"http://127.0.0.1:{ports['history']}",
            "NOTIFIER_ARTIFACTS_URL": f"http://127.0.0.1:{ports['artifacts']}",
            "HISTORY_INGEST_URL": f"http://127.0.0.1:{ports['ingest']}",
            "ARTIFACTS_INGEST_URL": f"http://127.0.0.1:{ports['ingest']}",
            "INGEST_ARTIFACTS_URL": f"http://127.0.0.1:{ports['artifacts']}",
            **(extra or {}),
        }

        def process(name: str) -> Process:
            service = name.partition("-")[0]
            prefix = service.upper()
            store = f"sqlite:///{directory / service}.sqlite"
            if service == "ingest":
                port = proxies["ingest-database"].port if has_proxies else database_port
                store = f"mysql://root@127.0.0.1:{port}/{DATABASE}"
            proxy = proxies.get(f"{service}-broker", proxies["others-broker"])
            environment = shared | {
                f"{prefix}_PORT": str(ports[name]),
                f"{prefix}_STORE_URL": store,
                "AMQP_URL": f"amqp://guest:guest@127.0.0.1:{proxy.port if has_proxies else broker_port}/",
            }
            return Process(
                name, [sys.executable, "-m", f"build_{service}"], environment, directory / f"{name}.log", ports[name]
            )

        arena = Arena(
            directory,
            {name: process(name) for name in _SEPARATE},
            proxies,
            [f"http://127.0.0.1:{ports[name]}" for name in ("gateway", "gateway-2")],
            password,
            key,
            wire_log,
            mails,
            broker,
            database,
        )
        stack.enter_context(_running(arena))
        yield arena


@contextmanager
def embedded_arena(
    directory: Path, extra: Mapping[str, str] | None = None, program: Sequence[str] = ()
) -> Iterator[Arena]:
    """The same system in one process, on its own bus and SQLite files; `program` is run as `build-dashboard`."""
    with ExitStack() as stack:
        wire_log, mails, port = WireLog(), stack.enter_context(sendgrid_server()), free_port()
        proxy = Proxy(port, wire_log.tap).start()
        stack.callback(proxy.stop)
        password, key = secrets.token_urlsafe(12), f"key-{secrets.token_hex(16)}"
        environment = _environment(directory, mails, password, key) | dict(extra or {})
        command = [*(program or (sys.executable, "-m", "build_dashboard")), "up"]
        command += ["--port", str(port), "--data", str(directory / "data"), "--config", str(directory / "config.yaml")]
        process = Process("embedded", command, environment, directory / "embedded.log", port)
        arena = Arena(
            directory,
            {"embedded": process},
            {"agents-gateway": proxy},
            [f"http://127.0.0.1:{port}"],
            password,
            key,
            wire_log,
            mails,
        )
        stack.enter_context(_running(arena))
        yield arena


def wait_ready(process: Process) -> None:
    """Wait until the process says that it is ready, however busy the machine is."""
    wait_until(
        lambda: answers_ok(f"http://127.0.0.1:{process.port}/readyz"),
        READY_SECONDS,
        lambda: f"{process.name} ready\n{process.tail()}",
    )


def wait_until(done: Callable[[], object], seconds: float, what: Callable[[], str]) -> None:
    """Return once `done` is truthy; after `seconds`, TimeoutError says what did not come."""
    limit = time.monotonic() + seconds
    while not done():
        if time.monotonic() > limit:
            raise TimeoutError(f"not within {seconds:g} s: {what()}")
        time.sleep(0.05)


_SEPARATE = ("ingest", "ingest-2", "notifier", "artifacts", "history", "gateway", "gateway-2")
_FORWARDED = ("ingest", "notifier", "artifacts", "history")


def _environment(directory: Path, mails: SendGridServer, password: str, key: str) -> dict[str, str]:
    projects = {f"p{number:03d}": {"notification_emails": [f"p{number:03d}@example.com"]} for number in range(PROJECTS)}
    (directory / "config.yaml").write_text(yaml.safe_dump({"projects": projects}))
    return dict(os.environ) | {
        "BUILD_DASHBOARD_ADMIN_PASSWORD": password,
        "BUILD_DASHBOARD_API_KEY": key,
        "BUILD_DASHBOARD_CONFIG": str(directory / "config.yaml"),
        "NOTIFIER_SENDGRID_HOST": mails.url,
        "SECRET_API_KEY": "SG.test",
        "NOTIFICATION_EMAIL": "builds@example.com",
        "NOTIFIER_QUIET_SECONDS": "0",
        "NOTIFIER_POLL_SECONDS": "0.1",
        "ARTIFACTS_DIRECTORY": str(directory / "objects"),
    }


@contextmanager
def _running(arena: Arena) -> Iterator[None]:
    stop = threading.Event()
    supervisor = threading.Thread(target=arena.supervise, args=(stop,), name="supervisor", daemon=True)
    try:
        for process in arena.processes.values():
            process.start()
        for process in arena.processes.values():
            wait_ready(process)
        supervisor.start()
        yield
    finally:
        stop.set()
        if supervisor.ident is not None:
            supervisor.join()
        for process in reversed(arena.processes.values()):
            if process.popen is not None and process.popen.poll() is None:
                process.popen.send_signal(signal.SIGCONT)
            process.stop()
