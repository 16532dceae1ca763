"""One moment of several SQLite files that are written to: nothing of it is earlier or later in one than in another.

A write lock on each, then a read transaction on each, then the locks go: their users waited for milliseconds, and the
read transactions show that moment for as long as copying takes.
"""

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from build_chassis.private_files import private_file
from build_chassis.sqlite_file import foreign, lasting, passing
from build_protocol.clock import now_ms

from build_embedded.backup.manifest import BackupFault

BUSY_SECONDS = 0.2
"""How long a lock is waited for while others are held: below what their users wait."""

PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Moment:
    """The files as they were at one moment.

    Attributes:
        at: The moment, in ms since the Unix epoch.
        pause_ms: How long nobody could write.
    """

    at: int
    pause_ms: float
    _readers: Mapping[Path, sqlite3.Connection]

    def copy(self, source: Path, target: Path) -> None:
        """Copy one of the files to a new one. Raises BackupFault."""
        private_file(target)
        try:
            with closing(sqlite3.connect(target, isolation_level=None)) as copy:
                # Whoever made it syncs it; a copy that is cut off is no backup.
                copy.execute("pragma synchronous=off")
                copy.execute("pragma journal_mode=off")
                self._readers[source].backup(copy)
        except sqlite3.Error as error:
            raise _fault(target, error) from error

    def query(self, source: Path, statement: str) -> list[tuple[object, ...]]:
        """What one of the files says."""
        return self._readers[source].execute(statement).fetchall()


@contextmanager
def moment(paths: Sequence[Path]) -> Iterator[Moment]:
    """Hold one moment of these files while this lasts.

    Raises:
        BackupFault: One of them cannot be read, or somebody kept one locked for too long.
    """
    with ExitStack() as stack:
        readers = {path: stack.enter_context(closing(_connect(path))) for path in paths}
        writers = {path: stack.enter_context(closing(_connect(path))) for path in paths}
        limit = time.monotonic() + PATIENCE_SECONDS
        while (taken := _take(readers, writers, is_last=time.monotonic() > limit)) is None:
            time.sleep(PAUSE_SECONDS)
        yield taken


def _take(
    readers: Mapping[Path, sqlite3.Connection], writers: Mapping[Path, sqlite3.Connection], *, is_last: bool
) -> Moment | None:
    """The moment; None where one of the files is locked for longer than the others' users should wait."""
    began: float | None = None
    asked = next(iter(writers))
    try:
        for asked in writers:
            writers[asked].execute("begin immediate")
            began = began or time.monotonic()
        at = now_ms()
        for asked in readers:
            readers[asked].execute("begin")
            readers[asked].execute("select count(*) from sqlite_master").fetchone()  # only now does it see a moment
    except sqlite3.Error as error:
        _end(readers)
        if is_last or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise _fault(asked, error) from error
        return None
    finally:
        _end(writers)
    return Moment(at, (time.monotonic() - (began or 0)) * 1000, readers)


def _end(connections: Mapping[Path, sqlite3.Connection]) -> None:
    for connection in connections.values():
        if connection.in_transaction:
            connection.execute("rollback")


def _connect(path: Path) -> sqlite3.Connection:
    try:
        # As read-write, which does not make it where it is missing.
        return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_SECONDS)
    except sqlite3.Error as error:
        raise _fault(path, error) from error


def _fault(path: Path, error: sqlite3.Error) -> BackupFault:
    return BackupFault(f"{path} {passing(error) or lasting(error) or foreign(error)}")
