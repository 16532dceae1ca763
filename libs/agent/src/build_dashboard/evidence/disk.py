"""Disk use of build trees: the most seen, looked at so rarely that looking costs next to nothing."""

import os
import threading
import time
from collections.abc import Callable, Sequence

ENTRIES_MAX = 500_000
PAUSE_SECONDS = 60.0
COST = 500.0
"""Between two looks this many times what the last one took: at most 0.2 % of the time."""

BLOCK_BYTES = 512


class DiskWatch:
    """Looks in a thread of its own from `start` on."""

    def __init__(self, find_paths: Callable[[], Sequence[str]]) -> None:
        self._find_paths = find_paths
        self._peak_bytes = 0
        self._took_seconds = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="disk", daemon=True)

    def start(self) -> None:
        """Begin to look, after the first pause: at its start a build has made nothing yet."""
        self._thread.start()

    def peak_bytes(self, wall_seconds: float) -> int | None:
        """The most there was; looks once more where that is cheap beside the build."""
        self._stop.set()
        if not self._took_seconds or COST * self._took_seconds < max(wall_seconds, 1.0):
            self._look()
        return self._peak_bytes or None

    def _watch(self) -> None:
        while not self._stop.wait(max(PAUSE_SECONDS, COST * self._took_seconds)):
            self._look()

    def _look(self) -> None:
        began = time.monotonic()
        self._peak_bytes = max(self._peak_bytes, sum(used_bytes(path) for path in self._find_paths()))
        self._took_seconds = time.monotonic() - began


def used_bytes(path: str) -> int:
    """What the files below take on the disk; 0 where there are too many to count, rather than a wrong number."""
    used = entries = 0
    todo = [path]
    while todo:
        try:
            with os.scandir(todo.pop()) as found:
                for entry in found:
                    entries += 1
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    else:
                        used += entry.stat(follow_symlinks=False).st_blocks * BLOCK_BYTES
        except OSError:
            continue  # gone meanwhile, or not ours to read
        if entries > ENTRIES_MAX:
            return 0
    return used
