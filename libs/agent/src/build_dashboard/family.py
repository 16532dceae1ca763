"""A command's family: its process group and all its descendants, to be signalled as one. Imported by the holder."""

import contextlib
import os


class Family:
    """The command and what it started; `look` notes descendants, for some leave the group."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._others: list[tuple[int, str]] = []

    def look(self) -> None:
        """Note who is there now, each with its start time, for process numbers are used again."""
        self._others = [(pid, _started(pid)) for pid in _descendants(self.pid)]

    def signal(self, number: int) -> None:
        """Signal everybody."""
        for pid, started in self._others:
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
            return any(_started(pid) == started for pid, started in self._others)
        return True


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208  (pathlib costs the holder a megabyte)
            if name.isdigit() and (fields := _stat_fields(int(name))):
                children.setdefault(int(fields[1]), []).append(int(name))
    found, todo = [], [root]
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
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return []
    try:
        return os.read(fd, 4096).decode("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return []
    finally:
        os.close(fd)
