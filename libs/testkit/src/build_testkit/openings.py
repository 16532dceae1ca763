"""What keeps a store or a bus from being opened, until a test says otherwise; and what this process holds open."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit, urlunsplit

import pytest

from build_testkit.stack import free_port

T = TypeVar("T")

_HOLD = """
import sqlite3, sys
holder = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    holder.execute(statement).fetchall()
print("held", flush=True)
sys.stdin.read()
"""
LOCK = ("pragma locking_mode=exclusive", "begin exclusive")
"""Shuts everybody out of a file, readers of one in WAL mode too."""

IN_USE = ("pragma journal_mode=wal", "begin immediate")
"""As a shell or a backup uses a file that is ours: others may still read it."""


@contextmanager
def locked(path: Path, *statements: str) -> Iterator[Callable[[], None]]:
    """Another process holds the SQLite file after these statements, until it ends or what is given is called.

    In a process of its own: SQLite closes no file of a process that holds a lock on it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", _HOLD, str(path), *(statements or LOCK)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:

        def release() -> None:
            holder.kill()
            holder.wait()

        try:
            if holder.stdout is None or holder.stdout.readline() != b"held\n":
                raise OSError(f"{path} could not be locked")
            yield release
        finally:
            release()


@dataclass(frozen=True)
class Cause(Generic[T]):
    """Why what `subject` leads to cannot be opened, until `end`; its error's hint begins with `hint`."""

    subject: T
    hint: str
    _end: Callable[[], Awaitable[None] | None]

    async def end(self) -> None:
        """From now on it can be opened."""
        ending = self._end()
        if ending is not None:
            await ending


class Disk:
    """A small file system of a test's own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        """Leave no byte free."""
        with (self.path / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while filler.write(b"x" * 4096):
                pass

    def grow(self) -> None:
        """Make room."""
        self.remount("size=8m")

    def remount(self, option: str) -> None:
        """Change one of its options: `ro`, `rw`, `size=8m`."""
        _run("mount", "-o", f"remount,{option}", str(self.path))


@contextmanager
def small_disk(path: Path) -> Iterator[Disk]:
    """256 KiB; the test is skipped where this process may not mount anything."""
    path.mkdir()
    try:
        _run("mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(path))
    except OSError as error:
        pytest.skip(f"needs the right to mount a disk of its own: {error}")
    try:
        yield Disk(path)
    finally:
        _run("umount", "--lazy", str(path))


def _run(*command: str) -> None:
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    if ran.returncode:
        raise OSError(ran.stderr.strip())


@asynccontextmanager
async def away(url: str) -> AsyncIterator[tuple[str, Callable[[], Awaitable[None]]]]:
    """A URL at which nobody listens until what is given is called: then it leads to the server of `url`."""
    real = urlsplit(url)
    port = free_port()
    async with AsyncExitStack() as running:

        async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection(real.hostname, real.port)
            await asyncio.gather(_copy(reader, back), _copy(there, writer))

        async def listen() -> None:
            server = await asyncio.start_server(hand_on, "127.0.0.1", port)
            running.callback(server.close)

        yield urlunsplit(real._replace(netloc=real.netloc.replace(str(real.port), str(port)))), listen


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()


def held() -> tuple[set[str], set[str]]:
    """The open files and connections of this process, and its threads but asyncio's own."""
    files = {f"{number} {_target(number)}" for number in os.listdir("/proc/self/fd")}  # noqa: PTH208  its names only
    threads = {thread.name for thread in threading.enumerate() if not thread.name.startswith("asyncio")}
    return {file for file in files if "/proc" not in file}, threads


async def released(before: tuple[set[str], set[str]], seconds: float = 5.0, *, collect: bool = False) -> None:
    """Return once no more files and threads are held than before: a driver's own may take a moment to end.

    `collect` what a driver left to the garbage collector.
    """
    limit = time.monotonic() + seconds
    while any(len(now) > len(then) for now, then in zip(held(), before, strict=True)):
        if time.monotonic() > limit:
            raise AssertionError(f"still held: {[now - then for now, then in zip(held(), before, strict=True)]}")
        await asyncio.sleep(0.01)
        if collect:
            gc.collect()


def _target(number: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115  the target may be no path
    except OSError:
        return "/proc"  # the listing's own, closed by now
