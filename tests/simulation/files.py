"""Files of the simulation: SQLite and the spool on real files, and between them and the code disks and a network."""

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from build_chassis import group_commit
from build_chassis.group_commit import GroupCommit
from simulation.loop import PROCESS
from simulation.machine import Disk, Process
from simulation.network import here
from typing_extensions import override

DiskOf = Callable[[str], Disk]
"""Of the file at a path, as the running process reaches it; raises OSError where it does not."""

_connect = sqlite3.connect
_find_disk: list[Callable[[str], Disk]] = []


def install(find_disk: Callable[[str], Disk]) -> None:
    """Have every SQLite file lie on a simulated disk."""
    _find_disk[:] = [find_disk]
    sqlite3.connect = sqlite3.dbapi2.connect = _open  # type: ignore[assignment]


def uninstall() -> None:
    """A run is over: what is opened from now on is the machine's own, such as coverage's data."""
    sqlite3.connect = sqlite3.dbapi2.connect = _connect


def connect_beside(path: Path) -> sqlite3.Connection:
    """A connection past all faults, to look at what a file holds."""
    return _connect(f"file:{path}?mode=ro", uri=True)


class InlineGroupCommit(GroupCommit[Any]):
    """Group commit without its thread: what is queued while the disk is busy shares the next commit, as ever."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._waiting: list[Any] = []

    @override
    def submit(self, run: Callable[[Any], Any], *, durable: bool = True) -> Any:
        if self._is_closed:
            raise group_commit.WriterClosed
        import asyncio

        loop = asyncio.get_running_loop()
        future: Any = loop.create_future()
        if not self._waiting:
            loop.call_later(here().disk_seconds(), self._flush)
        self._waiting.append(group_commit._Write(run, durable, future))
        return future

    @override
    async def close(self) -> None:
        self._is_closed = True
        self._flush()
        self.end()

    def end(self) -> None:
        """Give the file back, once."""
        end, self._end = self._end, lambda: None
        end()

    def _flush(self) -> None:
        most = group_commit.MAX_WRITES_PER_TRANSACTION
        while self._waiting:
            taken, self._waiting = self._waiting[:most], self._waiting[most:]
            if writes := [write for write in taken if not write.future.done()]:
                group_commit._tell(writes, self._commit(writes))


class _Cursor(sqlite3.Cursor):
    def execute(self, sql: str, *arguments: Any) -> Any:
        _meet(self.connection, sql)
        return super().execute(sql, *arguments)


class _Connection(sqlite3.Connection):
    place = ""
    is_remote = False

    def execute(self, sql: str, *arguments: Any) -> Any:
        _meet(self, sql)
        return super().execute(sql, *arguments)

    def cursor(self, factory: Any = _Cursor) -> Any:
        return super().cursor(factory)

    def commit(self) -> None:
        if self.in_transaction:
            _meet(self, "commit")
        super().commit()


def _open(database: Any, *arguments: Any, **options: Any) -> sqlite3.Connection:
    options.setdefault("factory", _Connection)
    path = str(database)
    if path not in ("", ":memory:"):
        _refuse(_disk(path), "open")
    connection = _connect(database, *arguments, **options)
    if isinstance(connection, _Connection):
        connection.place = path if path not in ("", ":memory:") else ""
        process = PROCESS.get()
        if isinstance(process, Process) and connection.place:
            process.on_end.append(connection.close)
    return connection


def _meet(connection: Any, sql: str) -> None:
    if not connection.place:
        return
    disk = _disk(connection.place)
    _refuse(disk, sql)


def _disk(path: str) -> Disk:
    try:
        return _find_disk[0](path)
    except OSError as error:
        raise _error(sqlite3.SQLITE_CANTOPEN, f"unable to open database file: {error}") from error


def _refuse(disk: Disk, sql: str) -> None:
    if disk.is_broken:
        raise _error(sqlite3.SQLITE_IOERR, "disk I/O error")
    if sql in ("begin immediate", "commit"):
        if disk.is_full:
            raise _error(sqlite3.SQLITE_FULL, "database or disk is full")
        if disk.is_read_only:
            raise _error(sqlite3.SQLITE_READONLY, "attempt to write a readonly database")


def _error(code: int, text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


class SimulatedOs:
    """`os` for what writes an agent's files: its disk, and what of it would outlive a loss of power."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, flags: int, *arguments: Any) -> int:
        if flags & (os.O_CREAT | os.O_TRUNC):
            _refuse_file(_own_disk())
        return os.open(path, flags, *arguments)

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        disk = _own_disk()
        _refuse_file(disk)
        disk.unsynced.setdefault(_path_of(fd), os.fstat(fd).st_size)
        return os.pwrite(fd, data, offset)

    def write(self, fd: int, data: bytes) -> int:
        disk = _own_disk()
        if disk.is_full and disk.reserve_bytes >= len(data):
            disk.reserve_bytes -= len(data)
        else:
            _refuse_file(disk)
        return os.write(fd, data)

    def unlink(self, path: Any) -> None:
        """What is deleted makes room."""
        _own_disk().reserve_bytes += Path(path).stat().st_size
        Path(path).unlink()

    def fdatasync(self, fd: int) -> None:
        """Only now is what was written safe."""
        disk = _own_disk()
        if disk.is_broken:
            raise OSError(errno.EIO, "Input/output error")
        disk.unsynced.pop(_path_of(fd), None)

    fsync = fdatasync

    def ftruncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def statvfs(self, path: Any) -> Any:
        disk = _own_disk()
        free = 0 if disk.is_full else 1 << 24
        return os.statvfs_result((4096, 4096, 1 << 26, free, free, 1 << 20, 1 << 20, 1 << 20, 0, 255))


def _path_of(fd: int) -> str:
    return str(Path(f"/proc/self/fd/{fd}").readlink())


def _own_disk() -> Disk:
    process = PROCESS.get()
    return process.machine.disk if isinstance(process, Process) else Disk()


def _refuse_file(disk: Disk) -> None:
    if disk.is_full:
        raise OSError(errno.ENOSPC, "No space left on device")
    if disk.is_broken:
        raise OSError(errno.EIO, "Input/output error")
