"""Build trees: the directories a command builds in, and ninja's log of each as it was before ninja ran.

Found before the command starts, so it costs a few system calls: the log is opened, and read when there is time. ninja
replaces a log that has grown too long, and the open file is still the old one. What a script does not name on its
command line, CMake and ninja name in what they print.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence

TREES_MAX = 8
LOG_BYTES = 64 * 1024 * 1024

_MARKS = (".ninja_log", "CMakeCache.txt", "build.ninja")
_ANNOUNCING = ("-- Build files have been written to: ", "ninja: Entering directory `")


class BuildTree:
    """One directory, and what ninja had logged in it before."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.log_path = os.path.join(path, ".ninja_log")  # noqa: PTH118  (before the start: no objects)
        self._fd = -1
        self.logged_bytes = 0
        self.log_number = 0
        with contextlib.suppress(OSError):
            self._fd = os.open(self.log_path, os.O_RDONLY | os.O_CLOEXEC)
            status = os.fstat(self._fd)
            self.logged_bytes, self.log_number = min(status.st_size, LOG_BYTES), status.st_ino

    @property
    def is_real(self) -> bool:
        """Whether something is built here, rather than only kept."""
        return any(os.path.exists(os.path.join(self.path, mark)) for mark in _MARKS)  # noqa: PTH110, PTH118  (as above)

    def log_before(self) -> str:
        """What ninja had logged before the command; to be asked once."""
        if self._fd < 0:
            return ""
        try:
            return os.pread(self._fd, self.logged_bytes, 0).decode("utf-8", "replace")
        except OSError:
            return ""
        finally:
            os.close(self._fd)
            self._fd = -1


def find_trees(command: Sequence[str], cwd: str) -> list[BuildTree]:
    """The directories that the command names, the one it runs in and its `build`, as far as they may be built in."""
    found: dict[str, None] = {}
    for path in (*_named(command), cwd, os.path.join(cwd, "build")):  # noqa: PTH118  (before the start: no objects)
        found.setdefault(os.path.normpath(os.path.join(cwd, os.path.expanduser(path))))  # noqa: PTH111, PTH118  (as above)
    return [BuildTree(path) for path in list(found)[:TREES_MAX]]


def announced_trees(lines: Sequence[str], cwd: str) -> Iterator[str]:
    """The directories that CMake and ninja say in these lines they are about to build in, absolute."""
    for line in lines:
        if line.startswith(_ANNOUNCING):
            prefix = next(prefix for prefix in _ANNOUNCING if line.startswith(prefix))
            path = line[len(prefix) :].rstrip("'\r\n ")
            yield os.path.normpath(os.path.join(cwd, path))  # noqa: PTH118  (one string)


def _named(command: Sequence[str]) -> Iterator[str]:
    if not any("-" in argument for argument in command):
        return
    import re  # noqa: PLC0415  (a command without options does not wait for it)

    pattern = re.compile(r"(?:^|\s)(?:-C|-B|--build|--directory|--output_base)(?:[ =]|(?<=-[CB]))[\"']?([^\s\"';&|]+)")
    for text in (" ".join(command), *(argument for argument in command if " " in argument)):
        for match in pattern.finditer(text):
            yield match[1]
