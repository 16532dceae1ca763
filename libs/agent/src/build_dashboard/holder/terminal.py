"""The command's own terminal, where ours is one: colours and status lines stay as they were. Imported by the holder."""

import contextlib
import fcntl
import os
import select
import termios
import tty

TYPED_BYTES = 4096
CTRL_C = b"\x03"


class Terminal:
    """A pseudo-terminal between the person's terminal and the command."""

    def __init__(self) -> None:
        self.master, self._slave = os.openpty()
        self._typed = b""  # by the person, not yet taken by the command
        self._before: list[object] | None = None
        self.has_interrupt = False
        self.copy_size()
        mode = termios.tcgetattr(1)
        if _is_in_foreground():
            self._before = termios.tcgetattr(0)
            mode = termios.tcgetattr(0)
            tty.setraw(0, termios.TCSADRAIN)  # what is typed is the command's, Ctrl-C too
        else:
            mode[1] &= ~termios.OPOST  # the outer terminal ends lines; twice would be once too often
        termios.tcsetattr(self._slave, termios.TCSANOW, mode)

    def enter(self) -> None:
        """In the child: a session of its own, whose terminal is the pseudo-terminal."""
        os.setsid()
        fcntl.ioctl(self._slave, termios.TIOCSCTTY, 0)
        for fd in (0, 1, 2):
            if os.isatty(fd):
                os.dup2(self._slave, fd)

    def entered(self) -> None:
        """In the parent: the last process with the other side shall be the command's."""
        os.close(self._slave)

    def copy_size(self) -> None:
        """Make it as large as ours."""
        with contextlib.suppress(OSError):
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, fcntl.ioctl(1, termios.TIOCGWINSZ, b"\0" * 8))

    def register(self, poll: select.poll) -> None:
        """Ask for what typing needs."""
        if self._typed:
            poll.register(self.master, select.POLLIN | select.POLLOUT)
        elif self._before is not None:
            poll.register(0, select.POLLIN)

    def pass_typed(self, ready: dict[int, int]) -> None:
        """Pass on what the person typed."""
        if 0 in ready and self._before is not None and not self._typed:
            try:
                self._typed = os.read(0, TYPED_BYTES)
            except OSError:
                self._typed = b""
            self.has_interrupt = self.has_interrupt or CTRL_C in self._typed
            if not self._typed:
                self.restore()  # the terminal is gone, or another's by now
        if self._typed and ready.get(self.master, 0) & select.POLLOUT:
            with contextlib.suppress(OSError):
                self._typed = self._typed[os.write(self.master, self._typed) :]

    def restore(self) -> None:
        """Leave the person's terminal as it was found."""
        if self._before is not None:
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(0, termios.TCSADRAIN, self._before)  # type: ignore[arg-type]  # as it was got
            self._before = None


def _is_in_foreground() -> bool:
    """Whether what is typed is for us; a terminal that does not control our session types for somebody else."""
    try:
        return os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
