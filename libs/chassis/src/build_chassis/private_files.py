"""Files and directories that nobody but their owner reads: stores and buses hold logs, hashes and names of people."""

import os
from contextlib import suppress
from pathlib import Path

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700
_OTHERS = 0o077


def private_directory(path: Path) -> None:
    """The directory is there; where this makes it or one above, nobody else may enter. What is there stays as it is.

    Raises:
        OSError: It cannot be made.
    """
    if not path.parent.is_dir():
        private_directory(path.parent)
    path.mkdir(mode=DIRECTORY_MODE, exist_ok=True)


def private_file(path: Path) -> None:
    """The file is there, empty where it was not, and others cannot read it; SQLite's files beside it follow its mode.

    One that belongs to somebody else, who decided on it, stays as it is.

    Raises:
        OSError: It cannot be made.
    """
    private_directory(path.parent)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE))
    except FileExistsError:
        for each in (path, *(path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm", "-journal"))):
            with suppress(OSError):
                mode = each.stat().st_mode
                if mode & _OTHERS:
                    each.chmod(mode & ~_OTHERS & 0o7777)
