"""CMake's own instrumentation (CMake 4.3 and later): a file for each command of a build, whatever its generator.

Pure: what one file says, and the steps of the commands of one run.
"""

import json
import os.path
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from build_analysis.ninja_files import BuiltStep

ROLES = ("compile", "link", "custom")
"""Of the commands that make something; files of others are named by other words."""

_LAUNCHER = re.compile(
    r"(?:(?<=\s)|^)(?:\"[^\"\n]{0,1000}ctest(?:\.exe)?\"|[^\s\"]{0,1000}ctest(?:\.exe)?)\s+--instrument(?:\s.*?)??\s--\s+"
)


@dataclass(frozen=True, slots=True)
class RunCommand:
    """One command that CMake timed."""

    role: str
    outputs: tuple[str, ...]
    """Relative to the build directory where they are in it."""

    target: str | None
    started_at: int
    """Milliseconds since the Unix epoch."""

    duration_ms: int


def read_command(text: str, tree: str) -> RunCommand:
    """What a file of `data/` says, as of a build in this directory (without symbolic links).

    Raises:
        ValueError: it is none, is not whole, or of a version that is not known.
    """
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("no object")
    version = found.get("version")
    if (version.get("major") if isinstance(version, dict) else version) != 1:
        raise ValueError(f"unknown version {version!r}")
    role = found.get("role")
    if role not in ROLES:
        raise ValueError("no command that makes something")
    outputs, place, target = found.get("outputs"), found.get("workingDir"), found.get("target")
    if not isinstance(outputs, list) or not all(isinstance(each, str) for each in outputs):
        raise ValueError("outputs that are no names")
    here = place if isinstance(place, str) else tree
    return RunCommand(
        role,
        tuple(dict.fromkeys(_within(tree, os.path.join(here, each)) for each in outputs)),  # noqa: PTH118  (strings)
        target if isinstance(target, str) and target else None,
        _count(found.get("timeStart")),
        _count(found.get("duration")),
    )


def steps_of(commands: Iterable[RunCommand]) -> list[BuiltStep]:
    """The steps of a run: the commands that make the same (an archive and its index, the lines of a rule) are one."""
    spans: dict[tuple[str, ...], tuple[int, int]] = {}
    for command in commands:
        if command.outputs:
            started_at, ended_at = spans.get(command.outputs, (command.started_at, 0))
            ended_at = max(ended_at, command.started_at + command.duration_ms)
            spans[command.outputs] = (min(started_at, command.started_at), ended_at)
    first_at = min((started_at for started_at, _ in spans.values()), default=0)
    return [BuiltStep(made, start - first_at, end - first_at) for made, (start, end) in spans.items()]


def without_launcher(command: str) -> str:
    """The command that was to be timed, of one in which CMake put `ctest --instrument ... --` before it."""
    return _LAUNCHER.sub("", command) if "--instrument" in command else command


def _within(tree: str, path: str) -> str:
    path = os.path.normpath(path)
    return path.removeprefix(f"{tree}/")


def _count(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53:
        return value
    raise ValueError(f"no time: {value!r}")
