"""Every name of the product, and below it, that the simulation replaces; nothing else of the product is touched.

`tests/simulation/test_simulation.py` holds this list against what is really replaced.
"""

import asyncio
import fcntl
import os
import random
import sys
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import aiosmtplib
import anyio.to_thread
import build_chassis.bus.embedded
import build_chassis.bus.journal
import build_chassis.store.sql
import build_chassis.vital
import build_dashboard.builds.reporter
import build_dashboard.delivery.connection
import build_dashboard.delivery.delivery
import build_dashboard.evidence.facts
import build_dashboard.holder.raw
import build_dashboard.recording.clock
import build_dashboard.recording.directory
import build_dashboard.recording.spool
import build_dashboard.whole_file
import build_notifier.channels.smtp
import jose.jwt
from simulation import files
from simulation.network import here
from simulation.peers import MailServer
from simulation.sockets import ClientSocket

SEAMS = {
    "transport": ["build_dashboard.delivery.connection.dial", "build_notifier.channels.smtp.aiosmtplib"],
    "files": [
        "build_chassis.bus.embedded.GroupCommit",
        "build_chassis.bus.journal.fcntl",
        "build_chassis.store.sql.GroupCommit",
        "build_dashboard.holder.raw.os",
        "build_dashboard.recording.spool._sync",
        "build_dashboard.recording.spool.os",
        "build_dashboard.whole_file.os",
        "sqlite3.connect",
        "sqlite3.dbapi2.connect",
    ],
    "clock": [
        "anyio.to_thread.run_sync",
        "build_dashboard.builds.reporter.threading",
        "build_dashboard.builds.reporter.time",
        "build_dashboard.delivery.delivery.boot_id",
        "build_dashboard.recording.clock.boot_id",
        "jose.jwt.datetime",
    ],
    "randomness": ["os.urandom", "random._urandom", "uuid.os"],
    "machine": [
        "build_chassis.vital._is_serving",
        "build_chassis.vital.os",
        "build_dashboard.builds.reporter.host_facts",
        "build_dashboard.recording.directory.machine_id",
    ],
}
"""Beside these: the event loop and its executor (loop.py), the functions of `time` (clock.py), the bus and the peers
that each service is created with (broker.py, peers.py), and `Delivery.start`, which starts a thread (agent.py)."""


class _Forwarding:
    """A module with some of its names replaced."""

    def __init__(self, module: Any, **replaced: Any) -> None:
        self.__dict__.update(replaced)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


class _ThreadAtOnce:
    def __init__(self, target: Callable[..., Any], args: tuple[Any, ...] = (), **_: Any) -> None:
        self._run = lambda: target(*args)

    def start(self) -> None:
        self._run()


def install(world: Any) -> None:
    """Put the simulation in place of what is outside the product. For the whole of this process."""
    _randomness(world.seed)
    _agent(world)
    for module in (build_chassis.bus.embedded, build_chassis.store.sql):
        module.GroupCommit = files.InlineGroupCommit  # type: ignore[attr-defined]
    files.install(world.disk_of)
    journal: Any = build_chassis.bus.journal
    journal.fcntl = _Forwarding(fcntl, flock=_flock)
    smtp: Any = build_notifier.channels.smtp
    smtp.aiosmtplib = _Forwarding(aiosmtplib, SMTP=lambda **_: _Smtp(world.mail))
    anyio.to_thread.run_sync = _run_sync  # type: ignore[assignment]
    tokens: Any = jose.jwt
    tokens.datetime = _Datetime
    vital: Any = build_chassis.vital
    vital.os = _Forwarding(os, kill=lambda *_: here().leave())
    vital.serving()


def replaced(world: Any) -> set[str]:
    """Install, and see what that changed, in the product and in what it stands on."""
    watched = {name: module for name, module in sys.modules.items() if name.startswith(("build_", *_BELOW))}
    before = {name: dict(vars(module)) for name, module in watched.items()}
    install(world)
    return {
        f"{name}.{attribute}"
        for name, module in watched.items()
        for attribute, value in vars(module).items()
        if before[name].get(attribute, value) is not value
    }


_BELOW = ("os", "random", "uuid", "sqlite3", "anyio", "jose", "aiosmtplib", "asyncio", "threading", "socket", "httpx")


def _agent(world: Any) -> None:
    shim: Any = files.SimulatedOs()
    spool: Any = build_dashboard.recording.spool
    spool.os, spool._sync = shim, shim.fdatasync
    for module in (build_dashboard.holder.raw, build_dashboard.whole_file):
        module.os = shim  # type: ignore[attr-defined]
    clock: Any = build_dashboard.recording.clock
    delivery: Any = build_dashboard.delivery.delivery
    clock.boot_id = delivery.boot_id = lambda: here().machine.boot_id
    connection: Any = build_dashboard.delivery.connection
    connection.dial = lambda endpoint, seconds, **_: ClientSocket(world.network, world.find_gateway, endpoint, seconds)
    reporter: Any = build_dashboard.builds.reporter
    reporter.threading = SimpleNamespace(Thread=_ThreadAtOnce)
    reporter.time = _Forwarding(reporter.time, sleep=_sleep)
    reporter.host_facts = lambda: {"name": here().machine.name, "os": "Linux", "arch": "x86_64", "cores": 4}
    directory: Any = build_dashboard.recording.directory
    directory.machine_id = lambda: f"{here().machine.name:0>16}"


def _randomness(seed: int) -> None:
    random.seed(seed)
    own = random.Random(seed)
    os.urandom = own.randbytes
    random._urandom = own.randbytes  # type: ignore[attr-defined]
    uuid.os = SimpleNamespace(urandom=own.randbytes)  # type: ignore[attr-defined]


def _flock(lock: Any, operation: int) -> None:
    fcntl.flock(lock, operation)
    here().on_end.append(lock.close)


class _Datetime(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.fromtimestamp(time.time(), tz)


def _sleep(seconds: float) -> None:
    process = here()
    process.machine.blocked_seconds += seconds


async def _run_sync(work: Callable[..., Any], *arguments: Any, **_: Any) -> Any:
    return await asyncio.to_thread(work, *arguments)


class _Smtp:
    """`aiosmtplib.SMTP`, as far as the channel uses it."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._recipient = ""

    async def connect(self) -> None:
        await self._server.connect()

    async def mail(self, sender: str) -> None:
        return

    async def rcpt(self, recipient: str) -> None:
        self._recipient = recipient
        if self._server.refuses:
            raise aiosmtplib.SMTPResponseException(451, "try again later")

    async def data(self, data: bytes) -> None:
        if not await self._server.take(self._recipient, data):
            raise ConnectionResetError("connection reset")

    def close(self) -> None:
        return
