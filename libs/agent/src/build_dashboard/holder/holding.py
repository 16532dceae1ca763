"""Holding: starts the holder beside the agent. A build's command waits for what this imports."""

import contextlib
import os
import sys

from build_dashboard.holder.raw import CAP_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GRACE_SECONDS = 10.0

# Isolated Python (-I) does not look beside us, so the package's place is an argument.
_START = "import sys; sys.path.append(sys.argv.pop(1)); from build_dashboard.holder.process import main; main()"


class Holding:
    """A running holder: its process, and the pipe on which it ticks and whose end is its end."""

    def __init__(self, pid: int, status_fd: int) -> None:
        self.pid = pid
        self.status_fd = status_fd

    def wait(self) -> int:
        """The command's exit code, once the holder is gone."""
        _, status = os.waitpid(self.pid, 0)
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)

    def signal(self, number: int) -> None:
        """Pass a signal on to the command."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


def open_standard_descriptors() -> bool:
    """Open /dev/null where standard input, output or error is closed; whether standard input was.

    Else the next file opened, a record or a socket, would be what somebody takes for their output.
    """
    is_input_closed = False
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            is_input_closed = is_input_closed or fd == 0
    return is_input_closed


def start(
    directory: str,
    command: "Sequence[str]",
    environment: "Mapping[str, str]",
    *,
    is_terminal: bool,
    timeout_seconds: float = 0,
    silence_seconds: float = 0,
    grace_seconds: float = GRACE_SECONDS,
    cap_bytes: int = CAP_BYTES,
    cwd: str | None = None,
    is_input_closed: bool = False,
) -> Holding:
    """Start the command under a holder that writes into this build directory; 0 seconds mean no limit.

    Descriptors 0, 1 and 2 must be open (`open_standard_descriptors`).
    """
    status_read, status_write = os.pipe()
    os.set_inheritable(status_write, True)
    package_parent = os.path.realpath(f"{__file__}/../../..")
    arguments = [
        *(sys.executable, "-I", "-S", "-E", "-c", _START, package_parent),
        f"directory={os.path.realpath(directory)}",
        f"status_fd={status_write}",
        f"terminal={int(is_terminal)}",
        f"timeout={timeout_seconds}",
        f"silence_timeout={silence_seconds}",
        f"grace={grace_seconds}",
        f"cap_bytes={cap_bytes}",
        f"cwd={cwd or ''}",
        f"input_closed={int(is_input_closed)}",
        "--",
        *command,
    ]
    pid = os.posix_spawn(sys.executable, arguments, dict(environment))
    os.close(status_write)
    os.set_blocking(status_read, False)
    return Holding(pid, status_read)
