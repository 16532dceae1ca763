"""`build-dashboard migrate [--check]`: bring every store to this release's schema, or say what it has.

A start does the same; this is for whoever wants to know before, or to have it done while no traffic waits.
"""

import argparse
import asyncio
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from build_chassis.bus import open_bus
from build_chassis.bus.journal import VERSION
from build_chassis.errors import StoreUnavailable, Unusable
from build_chassis.store.contract import Schema, Store, refuse_foreign

from build_embedded.backup.restore import OPEN_STORE
from build_embedded.backup.services import read_all
from build_embedded.serve import SERVICES

BUS = "bus"


def migrate(arguments: Sequence[str]) -> None:
    """Migrate, or `--check`. `arguments` are those behind `migrate`. SystemExit 1 where something is to be done."""
    parser = argparse.ArgumentParser(
        prog="build-dashboard migrate",
        description="Bring every store to this release's schema, as a start does. The release before this one can go "
        "on with them; a later one's are refused.",
    )
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where there is something to do")
    parser.add_argument("--data", type=Path, default=Path("data"), help="directory of all stores (default: ./data)")
    parser.add_argument("--services", action="store_true", help="separate services' stores, as the environment says")
    options = parser.parse_args(arguments)
    data: Path = options.data.expanduser().resolve()
    if options.services:
        urls = {service: settings.store_url for service, settings in read_all().items()}
    elif data.is_dir():
        urls = {service: f"sqlite:///{data / service}.sqlite" for service in SERVICES}
    else:
        sys.exit(f"build-dashboard migrate: there is no dashboard's data in {data}: name its directory, --data DIR")
    bus = None if options.services else data / "bus.sqlite"
    sys.exit(0 if asyncio.run(_all(urls, bus, changes=not options.check)) else 1)


async def _all(urls: Mapping[str, str], bus: Path | None, *, changes: bool) -> bool:
    """Print a line for each store; whether all are as this release wants them."""
    is_done = True
    for service, url in urls.items():
        store: Store = OPEN_STORE[service](url)
        try:
            is_done = await _one(service, store, changes=changes) and is_done
        except (StoreUnavailable, Unusable) as error:
            print(f"{service:10} {error}")
            is_done = False
        finally:
            await store.close()
    return (bus is None or await _bus(bus, changes=changes)) and is_done


async def _one(service: str, store: Store, *, changes: bool) -> bool:
    found, own = await store.schema()
    refuse_foreign(service, found, own)
    if changes:
        await store.open()
        found, own = await store.schema()
    return _say(service, found, own)


async def _bus(path: Path, *, changes: bool) -> bool:
    try:
        if changes:
            bus = open_bus(f"sqlite:///{path}")
            await bus.open()
            await bus.close()
        version = _version_of(path)
    except (ConnectionError, Unusable, sqlite3.Error) as error:
        print(f"{BUS:10} {error}")
        return False
    return _say(BUS, Schema(version, version), VERSION)


def _version_of(path: Path) -> int:
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return int(connection.execute("pragma user_version").fetchone()[0])


def _say(name: str, found: Schema, own: int) -> bool:
    is_done = found.version >= own >= found.least
    state = "as it should be" if is_done else "empty" if not found.version else "to be migrated, by a start or by this"
    if found.least > own:
        state = "of a later release: run that one, or restore a backup of before it (docs/backup.md)"
    print(f"{name:10} schema {found.version}, this release's {own}: {state}")
    return is_done
