"""An outlet: passes the command's bytes on to our own standard output or error. Imported by the holder."""

import errno
import os
import select

SLICE_BYTES = 4096
"""A pipe or terminal that says it is writable takes this much without blocking."""

_FILE_TYPE, _REGULAR = 0o170000, 0o100000


class Outlet:
    """While its reader is slow, what cannot be written waits here, and no more is read from the command.

    A reader that left is passed on to the command, as without us. Any other failure (a full disk, a lost terminal,
    a descriptor that is closed) costs what was to be written then: the output is recorded, and the next write is tried.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.pending = b""
        self.is_gone = False  # nobody will read it
        self.lost_bytes = 0
        self.problem = 0  # why bytes were lost: the newest error's number
        self._never_blocks = os.fstat(fd).st_mode & _FILE_TYPE == _REGULAR
        self.has_one_reader = _opened_name(fd).startswith(("pipe:", "socket:"))
        """Whether somebody is at the other end who cannot come back: the kernel reports it when they leave."""

    def write(self, data: bytes) -> None:
        """Pass on as much as does not block; the rest stays in `pending`."""
        self.pending = self.pending + data if self.pending else data
        while self.pending and not self.is_gone:
            if not self._never_blocks and not select.select((), (self.fd,), (), 0)[1]:
                return
            part = self.pending if self._never_blocks else self.pending[:SLICE_BYTES]
            try:
                self.pending = self.pending[os.write(self.fd, part) :]
            except BlockingIOError:
                return
            except OSError as error:
                self.is_gone = error.errno in (errno.EPIPE, errno.ECONNRESET)
                self._lose(error.errno or errno.EIO)

    def leave(self) -> None:
        """The reader left."""
        self.is_gone = True
        self.pending = b""

    def _lose(self, problem: int) -> None:
        if not self.is_gone:
            self.problem = problem
            self.lost_bytes += len(self.pending)
        self.pending = b""


def _opened_name(fd: int) -> str:
    """What is open there, in the kernel's words; a pipe with a name may find another reader."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115  (pathlib costs a megabyte)
    except OSError:
        return ""
