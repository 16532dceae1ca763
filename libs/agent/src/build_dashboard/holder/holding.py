"""Holding: starts the holder beside the agent, and reads what it reports of the command's end."""

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from build_dashboard.holder.raw import CAP_BYTES

GRACE_SECONDS = 10.0

# Isolated Python (-I) does not look beside us, so the package's place is an argument.
_START = "import sys; sys.path.append(sys.argv.pop(1)); from build_dashboard.holder.process import main; main()"


@dataclass(frozen=True, slots=True)
class Holding:
    """A running holder: its process, and the pipe on which it ticks and whose end is its end."""

    pid: int
    status_fd: int

    def wait(self) -> int:
        """The command's exit code, once the holder is gone."""
        _, status = os.waitpid(self.pid, 0)
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)

    def signal(self, number: int) -> None:
        """Pass a signal on to the command."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


@dataclass(frozen=True, slots=True)
class End:
    """How the command ended."""

    exit_code: int
    signal: str | None = None
    reason: str | None = None
    """Why it was ended; None where it ended by itself."""
    wall_ms: int | None = None
    cpu_ms: int | None = None
    peak_rss_bytes: int | None = None
    lost: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """Of descriptors 1 and 2: bytes that could not be written there (they are recorded), and the error's number."""

    @property
    def status(self) -> str:
        """The build's status on the wire."""
        if self.reason in ("timeout", "silence_timeout"):
            return "timed_out"
        if self.reason and self.reason.startswith("cancelled"):
            return "cancelled"
        if self.exit_code == 0:
            return "succeeded"
        # A person's Ctrl-C or a stopped CI job says nothing about the code.
        return "cancelled" if self.reason in ("interrupted", "terminated", "hangup", "quit") else "failed"


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
    directory: Path,
    command: Sequence[str],
    environment: Mapping[str, str],
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
    package_parent = str(Path(__file__).resolve().parents[2])
    arguments = [
        *(sys.executable, "-I", "-S", "-E", "-c", _START, package_parent),
        f"directory={directory.resolve()}",
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


def parse_end(text: str) -> End:
    """Read the holder's exit frame."""
    fields = dict(word.split("=", 1) for word in text.split() if "=" in word)
    user, system = fields.get("user_ms"), fields.get("system_ms")
    return End(
        exit_code=int(fields["code"]),
        signal=fields.get("signal") or None,
        reason=fields.get("reason") or None,
        wall_ms=_number(fields.get("wall_ms")),
        cpu_ms=int(user) + int(system) if user and system else None,
        peak_rss_bytes=_number(fields.get("peak_rss_bytes")),
        lost={fd: _loss(fields[f"lost{fd}"]) for fd in (1, 2) if f"lost{fd}" in fields},
    )


def _loss(text: str) -> tuple[int, int]:
    size, _, problem = text.partition(":")
    return int(size), int(problem)


def _number(text: str | None) -> int | None:
    return int(text) if text else None
