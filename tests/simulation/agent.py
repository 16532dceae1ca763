"""An agent's machine: the agent's process, which records and delivers, and the holders of the commands it runs."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from build_dashboard.builds.reporter import BuildReporter
from build_dashboard.delivery.connection import Connection
from build_dashboard.delivery.delivery import Delivery
from build_dashboard.endpoint import Endpoint
from build_dashboard.holder import raw
from build_dashboard.holder.raw import RawWriter
from build_dashboard.recording.directory import BuildDirectory, build_facts, left_builds
from build_dashboard.redaction.redactor import Redactor
from simulation.machine import Machine, Process
from simulation.network import here
from typing_extensions import override

TICK_SECONDS = 0.25


@dataclass
class Plan:
    """A build as it is to go."""

    name: str
    project: str
    branch: str
    config: str
    starts_at: float
    lines: list[tuple[float, str]]
    """Seconds since the line before, and the line."""

    exit_code: int
    machine: str
    signature: str = ""
    """What of the failure names it, for a red one."""


@dataclass
class Build:
    """A build as it went: the truth."""

    plan: Plan
    build_id: str
    began_at: float
    boot: str
    printed: list[str] = field(default_factory=list)
    ended_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    cancelled_at: float | None = None
    is_cut_off: bool = False
    """Whoever held the command was killed: how it would have ended, nobody knows."""

    is_squeezed: bool = False
    """The disk was full: not all that was printed could be kept."""

    is_displaced: bool = False
    """It was delivered by a machine that was started again, and forgot what it knew of the server's time."""

    @property
    def status(self) -> str:
        """What the dashboard is to say of it in the end."""
        if self.reason == "cancelled_by_user":
            return "cancelled"
        return "succeeded" if self.exit_code == 0 else "failed"


class SimDelivery(Delivery):
    """Delivery without its thread: the same loop as everybody's."""

    @override
    def start(self) -> None:
        here().spawn(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection = Connection(self._endpoint, self._session, self, self._backoff, self._spool_path)
        self.ready_at = 0.0
        self._drain()
        await self._connection.run()


class Agent:
    """One machine that builds."""

    def __init__(self, world: Any, machine: Machine, spool: Path, key: str) -> None:
        self.world = world
        self.machine = machine
        self.spool = spool
        self.builds: dict[str, Build] = {}
        self.queue: list[Plan] = []
        self.holders: list[Process] = []
        self.delivery: SimDelivery | None = None
        self._key = key
        self._wake = asyncio.Event()

    @property
    def undelivered(self) -> list[Build]:
        """What is still in the spool."""
        return [build for build in self.builds.values() if (self.spool / build.build_id).exists()]

    def displace(self, *, forgets: bool) -> None:
        """The machine loses what gives a build its place: its boot, or (`forgets`) what it knew of earlier boots."""
        known = [anchor["bootId"] for anchor in read_anchors(self.spool)]
        for build in self.undelivered:
            lost = build.boot != self.machine.boot_id if forgets else build.boot not in known
            build.is_displaced = build.is_displaced or lost

    @property
    def running(self) -> list[Build]:
        """Builds whose command goes on."""
        return [build for build in self.builds.values() if build.ended_at is None and not build.is_cut_off]

    def acknowledged(self) -> dict[str, int]:
        """Up to which record each build was reported stored."""
        if self.delivery is None:
            return {}
        return {build_id: state.stored for build_id, state in self.delivery._session.builds.items()}

    def problems(self) -> str:
        """What the agent itself says."""
        delivery = self.delivery
        return "it does not run" if delivery is None else "; ".join([delivery.problem, *delivery.notices]).strip("; ")

    def request(self, plan: Plan) -> None:
        """Have the agent run this, now or when it is there again."""
        self.queue.append(plan)
        self._wake.set()

    async def run(self) -> None:
        """The agent's program."""
        process = here()
        delivery = SimDelivery(Endpoint("ws://gateway/ws", self._key), self.machine.name, str(self.spool))
        delivery.start()
        self.delivery = delivery
        self.spool.mkdir(parents=True, exist_ok=True)
        for directory in left_builds(self.spool):
            self._own(process, directory)
            process.spawn(self._report(directory.build_id, self._adopt(directory, delivery)))
        while True:
            while self.queue:
                plan = self.queue.pop(0)
                process.spawn(self._report(plan.name, self._build(plan, delivery)))
            self._wake.clear()
            await self._wake.wait()

    async def _build(self, plan: Plan, delivery: Delivery) -> None:
        process = here()
        facts = build_facts(
            plan.project, ["ninja"], branch=plan.branch, config=plan.config, origin="ci", commit=None, cwd="/build"
        )
        try:
            directory = BuildDirectory.create(self.spool, facts)
        except OSError as error:
            self.world.note(f"{plan.name} cannot begin: {error}")
            await asyncio.sleep(10)
            self.request(plan)
            return
        build = Build(plan, directory.build_id, self.world.loop.now, self.machine.boot_id)
        self.builds[build.build_id] = build
        self.world.note(
            f"{plan.name} ({plan.project} {plan.branch} {plan.config}) begins as {build.build_id[-12:]},"
            f" will {'succeed' if plan.exit_code == 0 else 'fail'}"
        )
        self._own(process, directory)
        self.world.start_holder(self, build, directory)
        reporter = BuildReporter(directory, Redactor(), delivery, is_new=True)
        self._own_spool(process, reporter)
        reporter.start(None)
        await self._follow(reporter, directory)

    async def _report(self, build_id: str, work: Coroutine[Any, Any, None]) -> None:
        """Report one build; that this fails is nothing that a fault excuses: the build would never arrive."""
        try:
            await work
        except Exception as error:  # noqa: BLE001  whatever it was
            self.world.violated(f"{self.machine.name} stops to report {build_id}: {type(error).__name__}: {error}")

    async def _adopt(self, directory: BuildDirectory, delivery: Delivery) -> None:
        reporter = BuildReporter(directory, Redactor(), delivery, is_new=False)
        self._own_spool(here(), reporter)
        if not reporter.log_recorder.is_complete:
            if not reporter.log_recorder.is_started:
                reporter.start(None)
            await self._follow(reporter, directory)
        else:
            reporter.deliver_only()

    async def _follow(self, reporter: BuildReporter, directory: BuildDirectory) -> None:
        """What `BuildReporter.follow` does, with a wait that lets others run."""
        is_over = False
        while reporter.log_recorder.end is None:
            reporter.pump(is_over=is_over)
            if reporter.log_recorder.end is not None or is_over:
                break
            await asyncio.sleep(TICK_SECONDS)
            is_over = not directory.is_held()
        reporter.finish(None)

    def _own(self, process: Process, directory: BuildDirectory) -> None:
        process.on_end.append(directory.close)

    def _own_spool(self, process: Process, reporter: BuildReporter) -> None:
        process.on_end.append(reporter.spool.close)


class Holder:
    """The process that owns a build's command: it outlives the agent, not its machine."""

    def __init__(self, world: Any, agent: Agent, build: Build, directory: BuildDirectory) -> None:
        self._world = world
        self._agent = agent
        self._build = build
        self._directory = directory

    async def run(self) -> None:
        """Print, look at the control pipe, and end."""
        process, build, plan = here(), self._build, self._build.plan
        directory = BuildDirectory(self._directory.path, self._directory.facts, -1)
        hold, control = directory.hold(), directory.open_control()
        process.on_end.append(lambda: _close(hold, control))
        out = RawWriter(directory.raw)
        process.on_end.append(lambda: _close(out._fd))
        began = self._world.loop.now
        for wait, line in plan.lines:
            if await self._cancelled(wait, control):
                break
            if out.append(raw.OUT, _now_ms(), f"{line}\n".encode()):
                build.printed.append(line)
        else:
            build.exit_code = plan.exit_code
        wall_ms = int(1000 * (self._world.loop.now - began))
        reason = ""
        if build.exit_code is None:
            build.exit_code, reason = 143, "cancelled_by_user"
        build.reason, build.ended_at = reason, self._world.loop.now
        out.close(_now_ms(), f"code={build.exit_code} reason={reason} wall_ms={wall_ms}")
        out._fd = -1
        self._world.note(f"{plan.name} ends: {build.status}, {len(build.printed)} lines")

    async def _cancelled(self, seconds: float, control: int) -> bool:
        until = self._world.loop.now + seconds
        while True:
            with contextlib.suppress(BlockingIOError):
                if b"cancelled" in os.read(control, 4096):
                    return True
            left = until - self._world.loop.now
            if left <= 0:
                return False
            await asyncio.sleep(min(left, 2.0))


def read_anchors(spool: Path) -> list[dict[str, Any]]:
    """What the spool remembers of the server's time."""
    try:
        return list(json.loads((spool / ".anchors").read_text()))
    except (OSError, ValueError):
        return []


def _close(*fds: int) -> None:
    for fd in fds:
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
