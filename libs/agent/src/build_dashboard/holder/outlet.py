"""An outlet: passes the command's bytes on to our own standard output or error. Imported by the holder."""

import os
import select

SLICE_BYTES = 4096
"""A pipe or terminal that says it is writable takes this much without blocking."""

_FILE_TYPE, _REGULAR = 0o170000, 0o100000


class Outlet:
    """While its reader is slow, what cannot be written waits here, and no more is read from the command."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.pending = b""
        self.is_gone = False
        self._never_blocks = os.fstat(fd).st_mode & _FILE_TYPE == _REGULAR

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
            except OSError:
                self.is_gone = True
        if self.is_gone:
            self.pending = b""
