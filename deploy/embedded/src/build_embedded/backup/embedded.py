"""Backup of a data directory, while its dashboard runs or not: every store, the bus, the objects and the secrets.

A backup has the form of the data directory, so that restoring is copying.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from build_dashboard import __version__

from build_embedded.backup.manifest import BackupFault, File, Manifest, begun, copy, described, seal, write
from build_embedded.backup.snapshot import Moment, moment
from build_embedded.secrets_file import SIGNING, kept_secrets
from build_embedded.serve import SERVICES

OBJECTS = Path("objects", "objects")
CONFIG = "config.yaml"
SECRETS = "secrets.json"
STORES = (*(f"{service}.sqlite" for service in SERVICES), "bus.sqlite")
_ARTIFACTS = "artifacts.sqlite"


def back_up(data: Path, directory: Path, config: Path) -> Manifest:
    """Copy what is in `data` to a new directory.

    Args:
        data: The data directory of `build-dashboard up`, which may be running.
        directory: Where the backup goes; new, or empty.
        config: The server's config.yaml, which goes along where it exists.

    Raises:
        BackupFault: Nothing was left in the directory.
    """
    stores = [data / name for name in STORES if (data / name).is_file()]
    if not stores:
        raise BackupFault(f"there is no dashboard's data in {data}: name its directory, --data DIR")
    if directory.resolve().is_relative_to(data.resolve()):
        raise BackupFault(f"{directory} is within {data}: a backup goes somewhere else, best to another disk")
    with begun(directory):
        return _fill(data, directory, config, stores)


def _fill(data: Path, directory: Path, config: Path, stores: list[Path]) -> Manifest:
    files: dict[str, File] = {}
    _check_room(data, directory, stores)
    # Before the moment, and what came until then right after it: an object is there before its row says so, and is
    # deleted long after its row says that.
    _copy_objects(data, directory, files)
    with moment(stores) as taken:
        _copy_objects(data, directory, files)
        missing = _missing(taken, data, files)
        for store in stores:
            taken.copy(store, directory / store.name)
            files[store.name] = described(directory / store.name)
        at, pause_ms = taken.at, taken.pause_ms
    # What a restored dashboard is to sign with, nobody else has ever known.
    secrets = {name: value for name, value in kept_secrets(data).items() if name != SIGNING}
    files[SECRETS] = write(iter([json.dumps(secrets, indent=2).encode()]), directory / SECRETS)
    if config.is_file():
        files[CONFIG] = copy(config, directory / CONFIG)
    manifest = Manifest(
        version=__version__, taken_at=at, kind="embedded", pause_ms=round(pause_ms, 1), files=files, missing=missing
    )
    seal(directory, manifest)
    return manifest


def _copy_objects(data: Path, directory: Path, files: dict[str, File]) -> None:
    for source in _objects(data):
        name = (OBJECTS / source.name).as_posix()
        if name not in files:
            with suppress(FileNotFoundError):  # deleted just now
                files[name] = copy(source, directory / name)


def _missing(taken: Moment, data: Path, files: dict[str, File]) -> list[str]:
    """Verified artifacts whose bytes are not there."""
    path = data / _ARTIFACTS
    if not path.is_file():
        return []
    verified = taken.query(path, "select id from artifacts where state = 'verified'")
    return sorted(str(one) for (one,) in verified if (OBJECTS / str(one)).as_posix() not in files)


def _check_room(data: Path, directory: Path, stores: list[Path]) -> None:
    beside = [path.with_name(f"{path.name}-wal") for path in stores]
    needed = sum(path.stat().st_size for path in (*stores, *_objects(data), *beside) if path.is_file())
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise BackupFault(f"{directory} has {free >> 20} MiB free, and up to {needed >> 20} MiB are needed")


def _objects(data: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        yield from (path for path in (data / OBJECTS).iterdir() if path.is_file())
