"""A disk in memory for tests' files: they kill processes, never machines, so a flush to a real disk proves nothing."""

import os
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  each user of it makes a directory of its own there
ROOM_BYTES = 4 * 1024**3
"""What a whole run may need at once; containers have 64 MiB there unless they are given more."""


def memory_disk(disk: Path = SHARED_MEMORY, room_bytes: int = ROOM_BYTES) -> Path | None:
    """Where files cost no wait for a disk; None where there is none with this room, or where no program may run.

    Args:
        disk: The memory's file system.
        room_bytes: What must be free on it, in bytes.
    """
    try:
        state = os.statvfs(disk)
    except OSError:
        return None
    may_run = not state.f_flag & os.ST_NOEXEC
    return disk if may_run and state.f_bavail * state.f_frsize >= room_bytes and os.access(disk, os.W_OK) else None
