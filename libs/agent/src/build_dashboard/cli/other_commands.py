"""Commands of other distributions: entry points of the group `build_dashboard.commands`.

Read from the files that installers write, for `importlib.metadata` takes longer to load than `--help` may take.
"""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module

GROUP = "build_dashboard.commands"

_Command = Callable[[Sequence[str]], int]


def other_commands(paths: Iterable[str] | None = None) -> dict[str, str]:
    """The names of the commands that are installed on these paths (Python's own), each with `module:function`."""
    found: dict[str, str] = {}
    for path in sys.path if paths is None else paths:
        try:
            names = sorted(name for name in os.listdir(path or ".") if name.endswith(".dist-info"))  # noqa: PTH208  (quick)
        except OSError:  # a zip file, or nothing
            continue
        for name in names:
            for command, place in _entries(f"{path or '.'}/{name}/entry_points.txt"):
                found.setdefault(command, place)
    return found


def load(place: str) -> _Command:
    """The function behind `module:function`.

    Raises:
        ImportError: it is not there.
    """
    module, _, name = place.partition(":")
    command: _Command = getattr(import_module(module), name)
    return command


def _entries(path: str) -> Iterable[tuple[str, str]]:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  (as above)
            lines = file.read().splitlines()
    except (OSError, ValueError):
        return
    is_ours = False
    for line in map(str.strip, lines):
        if line.startswith("["):
            is_ours = line == f"[{GROUP}]"
        elif is_ours and "=" in line and not line.startswith(("#", ";")):
            name, _, place = line.partition("=")
            yield name.strip(), place.partition("[")[0].strip()
