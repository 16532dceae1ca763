"""A command's family: its process group, its descendants, and who left both but still carries the build's mark.

To be signalled as one. Imported by the holder.
"""

import contextlib
import os

SERVERS = ("sccache", "bazel")
"""Started by one build and used by others too: these are left alone unless they are descendants."""


class Family:
    """The command and what it started; `look` notes who left the group. `mark` stands in their environment."""

    def __init__(self, pid: int, mark: str = "") -> None:
        self.pid = pid
        self._mark = mark.encode()
        self._others: dict[int, str] = {}

    def look(self) -> None:
        """Note who is there now, each with its start time, for process numbers are used again."""
        known = [pid for pid, started in self._others.items() if _started(pid) == started]
        for pid in _descendants([self.pid, *known]) + self._marked():
            self._others[pid] = _started(pid)

    def signal(self, number: int) -> None:
        """Signal everybody."""
        for pid, started in self._others.items():
            if _started(pid) == started:
                with contextlib.suppress(OSError):
                    os.kill(pid, number)
        self.signal_group(number)

    def signal_group(self, number: int) -> None:
        """Signal the process group, as a terminal would."""
        with contextlib.suppress(OSError):
            os.killpg(self.pid, number)

    def lives(self) -> bool:
        """Whether anybody is left."""
        try:
            os.killpg(self.pid, 0)
        except OSError:
            return any(_started(pid) == started for pid, started in self._others.items())
        return True

    def _marked(self) -> list[int]:
        """Who was started by the build, however it left it (two forks and a session of its own)."""
        if not self._mark:
            return []
        return [pid for pid in _processes() if pid != os.getpid() and self._mark in _environment(pid)]


def _processes() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208  (pathlib costs a megabyte)
    except OSError:
        return []


def _environment(pid: int) -> list[bytes]:
    """The variables a process was started with; none of another user's, and of those that serve several builds."""
    try:
        fd = os.open(f"/proc/{pid}/environ", os.O_RDONLY)
    except OSError:
        return []
    try:
        variables = b""
        while piece := os.read(fd, 65536):
            variables += piece
    except OSError:
        return []
    finally:
        os.close(fd)
    return [] if _name(pid).startswith(SERVERS) else variables.split(b"\0")


def _descendants(roots: list[int]) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid in _processes():
        if fields := _stat_fields(pid):
            children.setdefault(int(fields[1]), []).append(pid)
    found, todo = [], list(roots)
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _started(pid: int) -> str:
    """When a process began, in the kernel's ticks; `gone` when it is, or only waits to be reaped."""
    fields = _stat_fields(pid)
    return fields[19] if fields and fields[0] not in ("Z", "X") else "gone"


def _stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent, ..."""
    return _stat(pid).rpartition(")")[2].split()


def _name(pid: int) -> str:
    return _stat(pid).partition("(")[2].rpartition(")")[0]


def _stat(pid: int) -> str:
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.read(fd, 4096).decode("ascii", "replace")
    except OSError:
        return ""
    finally:
        os.close(fd)
