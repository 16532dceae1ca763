"""What CMake's instrumentation noted of a build in one directory, where the project or its people turned it on."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from build_analysis.cmake_instrumentation import ROLES, RunCommand, read_command, steps_of
from build_analysis.ninja_files import BuiltStep

DATA = ".cmake/instrumentation/v1/data"
FILES_MAX = 20_000
FILE_BYTES = 256 * 1024
LEAST_SECONDS = 0.5
READ_SHARE = 0.005
"""Of the build's time: reading the files takes no longer than this, or `LEAST_SECONDS`."""


@dataclass(frozen=True, slots=True)
class CMakeSteps:
    """The steps of one build, and what else is known of them."""

    steps: list[BuiltStep] = field(default_factory=list)
    targets: dict[str, str] = field(default_factory=dict)
    """The target that each output belongs to."""


def read_cmake_steps(
    tree: str, since: float, wall_seconds: float, clock: Callable[[], float] = time.monotonic
) -> CMakeSteps:
    """What the commands of a build did in this directory; nothing where there is too much to read.

    Args:
        tree: the build directory.
        since: when the build began, in Unix seconds.
        wall_seconds: how long it took.
        clock: in seconds.
    """
    deadline = clock() + max(LEAST_SECONDS, READ_SHARE * wall_seconds)
    tree = os.path.realpath(tree)
    names = _names(f"{tree}/{DATA}")
    if not names or len(names) > FILES_MAX:
        return CMakeSteps()
    ran: list[RunCommand] = []
    for name in names:
        if clock() > deadline:
            return CMakeSteps()  # half of the steps would be no truth
        command = _read(f"{tree}/{DATA}/{name}", tree, since)
        if command is not None and command.started_at >= since * 1000:
            ran.append(command)
    targets = {output: each.target for each in ran if each.target for output in each.outputs}
    return CMakeSteps(steps_of(ran), targets)


def _names(data: str) -> list[str]:
    try:
        names = os.listdir(data)  # noqa: PTH208  (thousands)
        return [name for name in names if name.partition("-")[0] in ROLES and name.endswith(".json")]
    except OSError:
        return []


def _read(path: str, tree: str, since: float) -> RunCommand | None:
    try:
        if os.stat(path).st_mtime < since:  # noqa: PTH116  (thousands)
            return None
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123  (as above)
            return read_command(file.read(FILE_BYTES), tree)
    except (OSError, ValueError, RecursionError):
        return None  # being written, being deleted, or none of CMake's
