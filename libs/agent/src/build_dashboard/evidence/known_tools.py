"""Known tools: versions of compilers, kept in the user's cache, so that not every build asks for them.

Kept only where the same file must give the same answer: a real program, unchanged since, that is what it is called. A
script, or a program that becomes another (ccache, a version manager's shim), may answer differently in each directory.
"""

import json
import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from build_dashboard.whole_file import write_whole

KEPT = 64
"""So many programs' versions."""

_COMPILED = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
"""How programs of Linux and macOS begin."""

_CALLED = {"cc": ("gcc", "clang"), "c++": ("g++", "clang"), "gcc": ("gcc",), "ld.lld": ("lld",)}
"""What the file behind these names is called; else by the name itself."""


class KnownTools:
    """The versions known to this user; any thread may ask."""

    def __init__(self, path: Path | None) -> None:
        """Those in this file; None where nothing can be kept."""
        self._path = path
        self._lock = threading.Lock()
        self._known = self._read()
        self._is_new = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Those of the user who has this environment."""
        home = environment.get("HOME")
        cache = environment.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "")
        return cls(Path(cache) / "build-dashboard" / "tools.json" if cache else None)

    def find(self, name: str, environment: Mapping[str, str]) -> tuple[str, str | None]:
        """What stands for this program as it is now, and its version if known; empty where no answer can be kept."""
        identity = _identity(name, environment)
        with self._lock:
            return identity, self._known.get(identity)

    def keep(self, identity: str, version: str) -> None:
        """Remember the version."""
        if identity:
            with self._lock:
                self._known[identity] = version
                self._is_new = True

    def save(self) -> None:
        """Write what is new; a disk that takes nothing keeps what it has."""
        with self._lock:
            if not self._is_new or self._path is None:
                return
            newest = dict(list(self._known.items())[-KEPT:])
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self._path, json.dumps(newest))
        except OSError:
            return  # they are asked again

    def _read(self) -> dict[str, str]:
        try:
            known = json.loads(self._path.read_text()) if self._path else {}
        except (OSError, ValueError):
            return {}
        if not isinstance(known, dict):
            return {}
        return {identity: version for identity, version in known.items() if isinstance(version, str)}


def _identity(name: str, environment: Mapping[str, str]) -> str:
    found = shutil.which(name, path=environment.get("PATH"))
    if found is None:
        return ""
    real = os.path.realpath(found)
    called = Path(real).name
    if not any(part in called for part in _CALLED.get(name, (name,))):
        return ""
    try:
        with open(real, "rb") as file:  # noqa: PTH123  (the descriptor is asked, too)
            if file.read(4) not in _COMPILED:
                return ""
            status = os.fstat(file.fileno())
    except OSError:
        return ""
    return f"{name} {real} {status.st_dev}:{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
