"""Backup of separate services: each store by its own tools, where each service's settings say that it is.

There is no one moment of several servers, and what lies in RabbitMQ's queues is in no store. So each store is read
after those that announce to it: what one announced is missing in the next one only where that had not read it yet.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import build_artifacts.settings
import build_gateway.settings
import build_history.settings
import build_ingest.settings
import build_notifier.settings
from build_artifacts.settings import Settings as ArtifactsSettings
from build_chassis.errors import StoreUnavailable, Unusable
from build_chassis.settings import ServiceSettings, read_settings
from build_dashboard import __version__
from build_protocol.clock import now_ms

from build_embedded.backup import mongodb, mysql, s3
from build_embedded.backup.embedded import CONFIG
from build_embedded.backup.manifest import BackupFault, File, Manifest, begun, check, copy, described, seal
from build_embedded.backup.restore import OPEN_STORE, Held, hold
from build_embedded.backup.snapshot import moment

SETTINGS: Mapping[str, type[ServiceSettings]] = {
    "gateway": build_gateway.settings.Settings,
    "ingest": build_ingest.settings.Settings,
    "artifacts": build_artifacts.settings.Settings,
    "history": build_history.settings.Settings,
    "notifier": build_notifier.settings.Settings,
}
"""In the order in which they are read: ingest announces to those behind it, and history to notifier."""

FILES = Path("directory")
Driver = Literal["sqlite", "mysql", "mongodb"]
_SUFFIX: Mapping[Driver, str] = {"sqlite": "sqlite", "mysql": "sql.zst", "mongodb": "bson.zst"}


def read_all() -> dict[str, ServiceSettings]:
    """Each service's settings, as the environment has them; SystemExit where one cannot start with them."""
    return {service: read_settings(kind) for service, kind in SETTINGS.items()}


def back_up(settings: Mapping[str, ServiceSettings], directory: Path) -> Manifest:
    """Copy every store and all objects to a new directory. Raises BackupFault: nothing was left in it."""
    at = now_ms()
    with begun(directory):
        files = {}
        for service, own in settings.items():
            name = _file_of(service, own)
            files[name] = _dump(own.store_url, directory / name)
        files |= _dump_objects(_artifacts(settings), directory)
        config = Path(settings["gateway"].config_path)
        if config.is_file():
            files[CONFIG] = copy(config, directory / CONFIG)
        manifest = Manifest(version=__version__, taken_at=at, kind="services", files=files)
        seal(directory, manifest)
    return manifest


def restore(
    settings: Mapping[str, ServiceSettings],
    directory: Path,
    manifest: Manifest,
    *,
    confirmed: bool,
    sends_gap: bool,
) -> Held:
    """Fill empty stores, while no service runs, as `backup.restore.restore` fills a data directory.

    Raises:
        BackupFault: A store that was filled by then has to be emptied before the next try.
    """
    if absent := [name for service, own in settings.items() if (name := _file_of(service, own)) not in manifest.files]:
        raise BackupFault(f"{directory} has no {absent[0]}: the settings name another driver than its backup's")
    check(directory, manifest)
    try:
        for service, own in settings.items():
            _load(directory / _file_of(service, own), own.store_url)
        _load_objects(directory, _artifacts(settings))
        return asyncio.run(_settle(settings, confirmed=confirmed, sends_gap=sends_gap))
    except (StoreUnavailable, Unusable, OSError) as error:
        raise BackupFault(str(error)) from error


async def _settle(settings: Mapping[str, ServiceSettings], *, confirmed: bool, sends_gap: bool) -> Held:
    gateway = OPEN_STORE["gateway"](settings["gateway"].store_url)
    notifier = OPEN_STORE["notifier"](settings["notifier"].store_url)
    try:
        await gateway.open()
        await notifier.open()
        return await hold(gateway, notifier, confirmed=confirmed, sends_gap=sends_gap)
    finally:
        await gateway.close()
        await notifier.close()


def _dump(url: str, target: Path) -> File:
    driver = _driver(url)
    if driver == "mysql":
        return mysql.dump(url, target)
    if driver == "mongodb":
        return mongodb.dump(url, target)
    source = _path(url)
    if not source.is_file():
        raise BackupFault(f"there is no store at {source}")
    with moment([source]) as taken:
        taken.copy(source, target)
    return described(target)


def _load(source: Path, url: str) -> None:
    driver = _driver(url)
    if driver == "mysql":
        mysql.load(source, url)
    elif driver == "mongodb":
        mongodb.load(source, url)
    elif _path(url).exists():
        raise BackupFault(f"{_path(url)} exists: stop its service and move it away")
    else:
        copy(source, _path(url))


def _dump_objects(settings: ArtifactsSettings, directory: Path) -> dict[str, File]:
    if settings.s3_bucket:
        return s3.dump(settings, directory)
    root = Path(settings.directory) / "objects"
    names = [path.name for path in root.iterdir()] if root.is_dir() else []
    return {(FILES / name).as_posix(): copy(root / name, directory / FILES / name) for name in names}


def _load_objects(directory: Path, settings: ArtifactsSettings) -> None:
    if settings.s3_bucket:
        s3.load(directory, settings)
        return
    for path in (directory / FILES).glob("*"):
        copy(path, Path(settings.directory) / "objects" / path.name)


def _artifacts(settings: Mapping[str, ServiceSettings]) -> ArtifactsSettings:
    artifacts = settings["artifacts"]
    if not isinstance(artifacts, ArtifactsSettings):
        raise TypeError(type(artifacts))
    return artifacts


def _file_of(service: str, settings: ServiceSettings) -> str:
    return f"{service}.{_SUFFIX[_driver(settings.store_url)]}"


def _driver(url: str) -> Driver:
    scheme = url.partition(":")[0].partition("+")[0]
    if scheme in ("mysql", "mariadb"):
        return "mysql"
    return "mongodb" if scheme == "mongodb" else "sqlite"


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///")).absolute()
