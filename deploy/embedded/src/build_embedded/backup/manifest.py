"""The manifest: what a backup holds, with checksums. It is written last: a directory without one is no backup."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

from build_chassis.private_files import private_directory
from build_dashboard.whole_file import write_whole
from pydantic import BaseModel, ConfigDict, ValidationError

MANIFEST = "manifest.json"
FORMAT = 1
_BLOCK = 1024 * 1024


class BackupFault(Exception):
    """Why nothing was backed up or restored, as a sentence."""


class File(BaseModel):
    """One file of a backup."""

    model_config = ConfigDict(frozen=True)

    size_bytes: int
    sha256: str


class Manifest(BaseModel):
    """What a backup holds.

    Attributes:
        format: Of the directory; a newer one is not read.
        version: The release that made it.
        taken_at: The moment everything in it is of, in ms since the Unix epoch; of several servers, the earliest.
        kind: One process's data directory, or the stores of separate services.
        pause_ms: How long nothing could be written.
        files: By path within the directory, with `/`.
        missing: Verified artifacts whose bytes were gone before.
    """

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    version: str
    taken_at: int
    kind: Literal["embedded", "services"]
    pause_ms: float = 0.0
    files: dict[str, File]
    missing: list[str] = []

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size_bytes for file in self.files.values())


@contextmanager
def begun(directory: Path) -> Iterator[None]:
    """Make the directory a backup goes to, for its owner only; nothing is left in it where the backup fails.

    Raises:
        BackupFault: Something is in it already, or the disk refused what was written.
    """
    _make(directory)
    try:
        yield
    except BaseException as error:
        for left in directory.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        if isinstance(error, OSError):
            raise BackupFault(f"nothing was backed up: {error}") from error
        raise


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (directory / MANIFEST).exists():
            raise BackupFault(f"{directory} holds a backup already: name a new directory")
        if any(directory.iterdir()):
            raise BackupFault(f"{directory} is not empty (a backup that was cut off?): name a new one, or empty it")
        directory.chmod(0o700)
    except OSError as error:
        raise BackupFault(f"{directory} cannot be used: {error.strerror}") from error


def seal(directory: Path, manifest: Manifest) -> None:
    """Put everything on the disk, then the manifest: from now on it is a backup."""
    for path in (directory, *directory.rglob("*")):
        sync(path)
    write_whole(directory / MANIFEST, manifest.model_dump_json(indent=1) + "\n")


def read_manifest(directory: Path) -> Manifest:
    """What the backup in this directory holds. Raises BackupFault."""
    path = directory / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise BackupFault(f"{directory} is no backup, or one that was cut off: it has no {MANIFEST}") from None
    except OSError as error:
        raise BackupFault(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise BackupFault(f"{path} is damaged: {error.error_count()} errors, {error.errors()[0]['msg']}") from error
    if manifest.format > FORMAT:
        raise BackupFault(
            f"{directory} was made by release {manifest.version}, in a form that this one does not know: restore it "
            "with that release"
        )
    return manifest


def check(directory: Path, manifest: Manifest) -> None:
    """Compare every file with the manifest. Raises BackupFault with all that differ."""
    found = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()} - {MANIFEST}
    faults = [f"{name}: not in the manifest" for name in sorted(found - manifest.files.keys())]
    for name, promised in manifest.files.items():
        if name not in found:
            faults.append(f"{name}: missing")
        elif (there := described(directory / name)) != promised:
            faults.append(
                f"{name}: " + ("its bytes differ" if there.size_bytes == promised.size_bytes else "its size differs")
            )
    if faults:
        shown = "\n  ".join(faults[:20])
        raise BackupFault(f"{directory} is not what was backed up:\n  {shown}\n({len(faults)} files)")


def described(path: Path) -> File:
    """The size and hash of a file."""
    with path.open("rb") as file:
        return File(size_bytes=os.fstat(file.fileno()).st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())


def copy(source: Path, target: Path) -> File:
    """Copy a file, for its owner only; what was copied. Raises OSError."""
    with source.open("rb") as file:
        return write(_blocks(file), target)


def write(blocks: Iterator[bytes], target: Path) -> File:
    """Write a new file, for its owner only. Raises OSError."""
    private_directory(target.parent)
    digest, size_bytes = hashlib.sha256(), 0
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for block in blocks:
            digest.update(block)
            size_bytes += len(block)
            file.write(block)
    return File(size_bytes=size_bytes, sha256=digest.hexdigest())


def copy_all(directory: Path, manifest: Manifest, target: Path) -> None:
    """Copy every file of a backup to another directory, checking it. Raises BackupFault."""
    for name, promised in manifest.files.items():
        if copy(directory / name, target / name) != promised:
            raise BackupFault(f"{directory / name} is not what was backed up: its bytes differ")
    for path in (target, *target.rglob("*")):
        sync(path)


def sync(path: Path) -> None:
    """Put a file, or the names in a directory, on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block
