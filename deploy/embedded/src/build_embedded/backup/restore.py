"""Restore: a data directory made from a backup; nothing that was taken away since then comes back by itself."""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import build_artifacts.store
import build_gateway.store
import build_history.store
import build_ingest.store
import build_notifier.store
from build_chassis.bus import BusUnavailable, open_bus
from build_chassis.errors import StoreUnavailable, Unusable
from build_chassis.private_files import private_directory
from build_gateway.restored import hold_back
from build_gateway.store import GatewayStore
from build_notifier.store import NotifierStore
from build_protocol.clock import now_ms

from build_embedded.backup.embedded import CONFIG
from build_embedded.backup.manifest import BackupFault, Manifest, copy_all, sync
from build_embedded.secrets_file import PASSWORD, forget

OPEN_STORE: Mapping[str, Callable[[str], Any]] = {
    "gateway": build_gateway.store.open_store,
    "ingest": build_ingest.store.open_store,
    "notifier": build_notifier.store.open_store,
    "artifacts": build_artifacts.store.open_store,
    "history": build_history.store.open_store,
}


@dataclass(frozen=True)
class Held:
    """Who waits for an admin: names of people, and of keys with their ids."""

    people: list[str]
    keys: list[str]


def restore(directory: Path, manifest: Manifest, data: Path, *, confirmed: bool, sends_gap: bool) -> Held:
    """Make a data directory from a backup: wholly, or not at all.

    Args:
        directory: The backup.
        manifest: What it holds.
        data: The data directory; new, or empty.
        confirmed: Nothing was revoked since the backup: nobody has to wait.
        sends_gap: Notify people of what happened since the backup, too, though they may have been.

    Raises:
        BackupFault: `data` is as it was.
    """
    if data.exists() and any(data.iterdir()):
        raise BackupFault(
            f"{data} is not empty: stop its dashboard and move it away, or name another directory, --data DIR"
        )
    stage = data.with_name(f".{data.name}.restoring")
    try:
        private_directory(stage.parent)
        shutil.rmtree(stage, ignore_errors=True)  # of a restore that was cut off
        _check_room(manifest, stage.parent)
        stage.mkdir(mode=0o700)
        copy_all(directory, manifest, stage)
        (stage / CONFIG).unlink(missing_ok=True)
        held = asyncio.run(_settle(stage, confirmed=confirmed, sends_gap=sends_gap))
        if not confirmed:
            forget(stage, PASSWORD)
        if data.exists():
            data.rmdir()
        stage.rename(data)
        sync(data.parent)
    except (StoreUnavailable, BusUnavailable, Unusable, OSError) as error:
        raise BackupFault(f"nothing was restored: {error}") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return held


async def hold(gateway: GatewayStore, notifier: NotifierStore, *, confirmed: bool, sends_gap: bool) -> Held:
    """Let nothing come back by itself, in open stores that were restored just now. Raises StoreUnavailable."""
    if not sends_gap:
        await notifier.note_time("restored", now_ms())
    return Held(*await hold_back(gateway, confirmed=confirmed))


async def _settle(stage: Path, *, confirmed: bool, sends_gap: bool) -> Held:
    """Open everything, as this release will, before anybody depends on it."""
    stores = {name: open_store(f"sqlite:///{stage / name}.sqlite") for name, open_store in OPEN_STORE.items()}
    bus = open_bus(f"sqlite:///{stage / 'bus'}.sqlite")
    try:
        await bus.open()
        for store in stores.values():
            await store.open()
        return await hold(stores["gateway"], stores["notifier"], confirmed=confirmed, sends_gap=sends_gap)
    finally:
        for store in stores.values():
            await store.close()
        await bus.close()


def _check_room(manifest: Manifest, parent: Path) -> None:
    free = shutil.disk_usage(parent).free
    if free < manifest.size_bytes:
        raise BackupFault(f"{parent} has {free >> 20} MiB free, and {manifest.size_bytes >> 20} MiB are needed")
