"""What keeps a SQLite file from being opened, in a sentence that says what to do; no I/O."""

import errno
import sqlite3

_LOCKED = "is locked by another process; once that lets go of it, this one goes on by itself"
_FULL = "has no space left on its disk; make room, and it goes on by itself"
_READ_ONLY = "cannot be written; make the file and its directory writable for this process, and it goes on by itself"
_CANNOT_OPEN = (
    "cannot be opened; its directory must be there and be readable and writable for this process, then it goes on"
    " by itself"
)
_BROKEN_DISK = "cannot be read or written, its disk answers with errors; once that works again, it goes on by itself"
_PASSING = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_PROTOCOL: _LOCKED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _CANNOT_OPEN,
    sqlite3.SQLITE_CANTOPEN: _CANNOT_OPEN,
    sqlite3.SQLITE_IOERR: _BROKEN_DISK,
    sqlite3.SQLITE_NOMEM: "cannot be opened for lack of memory; once there is some, it goes on by itself",
}
_REPLACE = "restore it from a backup, or move it away and start with an empty one"
_LASTING = {
    sqlite3.SQLITE_NOTADB: f"is not a SQLite database; {_REPLACE}",
    sqlite3.SQLITE_CORRUPT: f"is damaged; {_REPLACE}",
}
_OF_THE_SYSTEM = {
    errno.EWOULDBLOCK: _LOCKED,
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _CANNOT_OPEN,
    errno.EPERM: _CANNOT_OPEN,
    errno.EIO: _BROKEN_DISK,
}


def passing(error: BaseException) -> str | None:
    """What waiting may end, as the rest of a sentence that begins with the file's name; None for what stays."""
    if isinstance(error, OSError):
        return _OF_THE_SYSTEM.get(error.errno or 0, _CANNOT_OPEN)
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_SHMSIZE:
        return _FULL  # a full disk has no room for what readers and the writer share
    return _PASSING.get(_code(error))


def lasting(error: BaseException) -> str | None:
    """What no waiting ends, as the rest of such a sentence; None where the file is a sound database."""
    return _LASTING.get(_code(error))


def is_read_only(error: BaseException) -> bool:
    """Whether the file could not be written by whoever opened it, who finds it so for ever."""
    return _code(error) == sqlite3.SQLITE_READONLY


def foreign(error: BaseException) -> str:
    """A sound database in which something else was found than what belongs there, as the rest of such a sentence."""
    return f"holds something else than what belongs there ({error}); {_REPLACE}"


def _code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the upper bits only say more about the same
