"""Machines and the processes on them: clocks, disks, and everything that can befall both."""

import asyncio
import os
import random
from collections.abc import Callable, Coroutine
from contextvars import Context
from pathlib import Path
from typing import Any

from simulation.clock import CLOCKS, EPOCH_SECONDS
from simulation.loop import PROCESS, VirtualLoop


class Disk:
    """What happens to whoever reads or writes on a machine, and what a loss of power takes away."""

    def __init__(self) -> None:
        self.is_full = False
        self.is_broken = False
        self.is_read_only = False
        self.slow_seconds = 0.0
        self.reserve_bytes = 0
        self.unsynced: dict[str, int] = {}
        """Of each file written and not yet synced: how long it is on the platter."""

    def lose_power(self, rng: random.Random) -> list[str]:
        """What was not synced is gone, or torn; the files it happened to."""
        lost = []
        for path, safe_bytes in self.unsynced.items():
            if Path(path).exists() and (size := Path(path).stat().st_size) > safe_bytes:
                os.truncate(path, rng.randint(safe_bytes, size - 1))
                lost.append(path)
        self.unsynced.clear()
        return lost


class Machine:
    """A host: its clocks go on while its processes come and go."""

    def __init__(self, name: str, loop: VirtualLoop, rng: random.Random) -> None:
        self.name = name
        self.disk = Disk()
        self.skew_seconds = 0.0
        self.boots = 0
        self.up_before = rng.uniform(100, 100_000)
        self.blocked_seconds = 0.0
        self._loop = loop
        self._booted_at = loop.now
        self._rng = rng

    @property
    def boot_id(self) -> str:
        """Another one after each reboot."""
        return f"boot-{self.name}-{self.boots}"

    def reboot(self) -> None:
        """Its clock since boot begins anew."""
        self.boots += 1
        self.up_before, self._booted_at, self.blocked_seconds = self._rng.uniform(5, 60), self._loop.now, 0.0

    def wall(self) -> float:
        """What its clock shows."""
        return EPOCH_SECONDS + self._loop.now + self.skew_seconds

    def monotonic(self) -> float:
        """Since boot, and what it slept through a blocking call."""
        return self.uptime() + self.blocked_seconds

    def uptime(self) -> float:
        """Since boot."""
        return self.up_before + self._loop.now - self._booted_at

    def disk_seconds(self) -> float:
        """How long the next access takes: mostly not at all, now and then a moment."""
        draw = self._rng.random()
        usual = 0.0005 if draw < 0.9 else 0.004 if draw < 0.99 else 0.08
        return usual * (0.5 + self._rng.random()) + self.disk.slow_seconds * self._rng.random()


class Process:
    """One life of a program: after a kill nothing of it runs any more, and what it held in memory is gone."""

    def __init__(self, name: str, machine: Machine, loop: VirtualLoop) -> None:
        self.name = name
        self.machine = machine
        self.is_alive = True
        self.is_leaving = False
        self.waiting: list[asyncio.Handle] | None = None
        self.tasks: list[asyncio.Task[Any]] = []
        self.on_end: list[Callable[[], None]] = []
        """What others notice, or lose, once it is gone: its connections, its files."""

        self.main: asyncio.Task[Any] | None = None
        self._loop = loop
        self.context = Context()
        self.context.run(PROCESS.set, self)
        self.context.run(CLOCKS.set, machine)

    def start(self, main: Callable[[], Coroutine[Any, Any, Any]]) -> "asyncio.Task[Any]":
        """Run the program; its process ends with it."""
        self.main = self.spawn(main())
        self.main.add_done_callback(lambda _: self.end(), context=Context())
        return self.main

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Another task of this process."""
        return self._loop.create_task(work, context=self.context.copy())

    def call(self, what: Callable[..., Any], *arguments: Any) -> Any:
        """Call something as this process."""
        return self.context.copy().run(what, *arguments)

    def disk_seconds(self) -> float:
        """How long the next access to its disk takes."""
        return self.machine.disk_seconds()

    def leave(self) -> None:
        """SIGTERM: it ends in order."""
        if self.is_alive and not self.is_leaving and self.main is not None:
            self.is_leaving = True
            self.main.cancel()

    def stop(self) -> None:
        """SIGSTOP."""
        if self.is_alive and self.waiting is None:
            self.waiting = []

    def go_on(self) -> None:
        """SIGCONT."""
        if self.is_alive and self.waiting is not None:
            self._loop.go_on(self)

    def end(self) -> None:
        """It is gone: by itself, or by `kill -9`."""
        if not self.is_alive:
            return
        self.is_alive = False
        for notice in list(self.on_end):  # who leaves strikes itself off
            notice()
