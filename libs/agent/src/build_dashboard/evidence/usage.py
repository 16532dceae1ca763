"""Usage: what a build's processes take, read from /proc; on systems without it nothing is known, and nothing fails."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """A process tree at one moment: resident bytes of all and of the largest, CPU so far with those that ended."""

    rss_bytes: int
    largest_rss_bytes: int
    cpu_ms: int
    processes: int


def tree_usage(root: int) -> Usage:
    """What the processes below one take now."""
    rss_pages = largest_pages = ticks = count = 0
    for pid in descendants(root):
        fields = _stat_fields(pid)
        if fields:
            count += 1
            ticks += sum(int(field) for field in fields[11:15])  # own and of reaped children, user and system
            rss_pages += int(fields[21])
            largest_pages = max(largest_pages, int(fields[21]))
    return Usage(rss_pages * _PAGE_BYTES, largest_pages * _PAGE_BYTES, ticks * 1000 // _TICKS_PER_SECOND, count)


def descendants(root: int) -> Iterator[int]:
    """The processes below one, in any order."""
    todo = [root]
    while todo:
        for child in _children(todo.pop()):
            yield child
            todo.append(child)


def _children(pid: int) -> list[int]:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:
        return []


def _stat_fields(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
