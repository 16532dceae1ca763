"""The configuration of a build tree: what differs from the last green build in it.

Of each tree that was built green a small snapshot is kept beside the spool; values that look like secrets are masked
before it is written.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from build_analysis.cmake_cache import changes, read_cmake_cache

from build_dashboard.recording.fitting import fitting
from build_dashboard.redaction.names import is_secret_name
from build_dashboard.redaction.redactor import MASK_TEXT, Redactor
from build_dashboard.whole_file import write_whole

CACHE_BYTES = 8 * 1024 * 1024
CHANGES_MAX = 200
VALUE_CHARACTERS = 1000


def read_configuration(tree: str, redactor: Redactor) -> dict[str, str]:
    """What the tree is configured with now, masked; nothing where CMake did not configure it."""
    text = configuration_text(tree)
    return {name: _masked(name, value, redactor) for name, value in read_cmake_cache(text).items()}


def configuration_text(tree: str) -> str:
    """CMakeCache.txt, as far as it is not unreasonably long."""
    path = os.path.join(tree, "CMakeCache.txt")  # noqa: PTH118  (one string)
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123  (as above)
        return file.read(CACHE_BYTES)
    return ""


def wire_changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[dict[str, Any]]:
    """The differences as they stand on the wire."""
    fields = ({"name": one.name[:500], "before": one.before, "after": one.after} for one in changes(before, after))
    present = ({name: value for name, value in one.items() if value is not None} for one in fields)
    return fitting(present, CHANGES_MAX)


class GreenConfigurations:
    """What each tree was configured with when it was last built green."""

    def __init__(self, spool: Path) -> None:
        self._directory = spool / ".trees"

    def find(self, tree: str, config: str) -> dict[str, str] | None:
        """The snapshot of this tree and config, if there is one."""
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(self._path(tree, config).read_text())
            return found if isinstance(found, dict) else None
        return None

    def keep(self, tree: str, config: str, configuration: Mapping[str, str]) -> None:
        """This is green now."""
        path = self._path(tree, config)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(path, json.dumps(configuration))

    def _path(self, tree: str, config: str) -> Path:
        known_by = f"{os.path.realpath(tree)}\0{config}"
        return self._directory / f"{hashlib.sha256(known_by.encode()).hexdigest()[:32]}.json"


def _masked(name: str, value: str, redactor: Redactor) -> str:
    if is_secret_name(name):
        return MASK_TEXT if value else ""
    return redactor.text(value)[:VALUE_CHARACTERS]
