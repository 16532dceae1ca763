"""Small files that matter: a crash at any moment leaves the old one or the new one, whole."""

import contextlib
import os
import time
from pathlib import Path

CUT_OFF_SECONDS = 60
"""A writer that has not finished by now never will."""


def write_whole(path: Path, text: str) -> None:
    """Put a file in place, for its owner only; on return it is on the disk, and so is its name.

    Args:
        path: The file; its folder exists.
        text: All of it.

    Raises:
        OSError: The old file is as it was, and nothing is left of the new one.
    """
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    for left in path.parent.glob(f"{path.name}.*.new"):
        # Of a writer that was cut off: it may hold what nobody should keep.
        with contextlib.suppress(FileNotFoundError):
            if left == fresh or left.stat().st_mtime < time.time() - CUT_OFF_SECONDS:
                left.unlink()
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems sync no folders
            os.fsync(folder)
    finally:
        os.close(folder)
