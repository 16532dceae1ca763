"""`build-dashboard up`: start the embedded system. `build-dashboard reset-admin`: the way back in."""

import argparse
import asyncio
import fcntl
import ipaddress
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from build_chassis.errors import StoreUnavailable, Unusable
from build_chassis.private_files import private_directory
from build_chassis.service import serve
from build_gateway import reset_admin as reset
from build_gateway.accounts.directory import ADMIN
from build_gateway.store import open_store

from build_embedded.mirrors import mirroring
from build_embedded.secrets_file import KEY, PASSWORD, SIGNING, forget, given, load_secrets
from build_embedded.set_aside import set_aside
from build_embedded.system import Place, create_system


def up(arguments: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C or SIGTERM. `arguments` are those behind `up`; the command line's own where None."""
    options = _parser().parse_args(arguments)
    data: Path = options.data.expanduser().resolve()
    private_directory(data)
    owned = own(data)
    accounts = _accounts(data)
    exists = asyncio.run(_existing(accounts)) if accounts.exists() else {}
    secrets = load_secrets(data, given(), is_local=_is_local(options.host), exists=exists)
    system = create_system(
        Place(
            data,
            options.host,
            options.port,
            options.config,
            secrets.values[SIGNING],
            secrets.values.get(PASSWORD),
            secrets.values.get(KEY),
        )
    )
    url = f"http://{options.host}:{options.port}"
    print(f"The dashboard is at {url} (data in {data})", file=sys.stderr)
    labels = {PASSWORD: f"log in as {ADMIN} /", KEY: "agent key"}
    for name, origin in secrets.origins.items():
        shown = f": {labels[name]} {secrets.values[name]}" if name in labels and name in secrets.made else ""
        print(f"  {name}: {origin}{shown}", file=sys.stderr)
    for name, why in set_aside(str(data)).items():
        print(f"  {name}: {why}", file=sys.stderr)
    with owned, mirroring(options.config, data, url, secrets.values.get(KEY)):
        serve(system.app, system.settings, frame_bytes=system.settings.frame_bytes)


def reset_admin(arguments: Sequence[str] | None = None) -> None:
    """Let user `admin` of a data directory in again. `arguments` are those behind `reset-admin`."""
    parser = reset.add_options(argparse.ArgumentParser(prog="build-dashboard reset-admin"))
    _add_data(parser)
    options = parser.parse_args(arguments)
    data: Path = options.data.expanduser().resolve()
    reset.reset_admin(_url(_accounts(data)), from_stdin=options.password_stdin)
    forget(data, PASSWORD)


def own(data: Path) -> IO[str]:
    """Lock the data directory for this process; SystemExit where another system runs on it."""
    lock = (data / "lock").open("w")
    try:
        # Two processes on one bus file would each hand out the same messages.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(f"build-dashboard up: another dashboard runs on {data}; stop it, or choose another --data")
    return lock


def main() -> None:
    """Entry of `python server.py`, and of `python server.py reset-admin`."""
    if sys.argv[1:2] == ["reset-admin"]:
        reset_admin(sys.argv[2:])
    else:
        up(sys.argv[1:])


def _accounts(data: Path) -> Path:
    return data / "gateway.sqlite"


def _url(path: Path) -> str:
    return f"sqlite:///{path}"


async def _existing(path: Path) -> dict[str, str]:
    """What the environment would seed and the store in this file has already, with what to say of it."""
    store = open_store(_url(path))
    try:
        await store.open()
        has_admin, has_keys = await store.find_user(ADMIN) is not None, bool(await store.list_keys())
    except (StoreUnavailable, Unusable):
        # The server waits for it or says why it cannot; a password printed now might never be anybody's.
        return dict.fromkeys((PASSWORD, KEY), f"{path.name} cannot be read yet; what it has stays as it is")
    finally:
        await store.close()
    exists = {}
    if has_admin:
        exists[PASSWORD] = f"user {ADMIN} is there, as it was left (forgotten: build-dashboard reset-admin)"
    if has_keys:
        exists[KEY] = "there are keys, as they were left"
    return exists


def _is_local(host: str) -> bool:
    """Whether only this machine reaches an address to listen on."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="build-dashboard up", description="The whole system in one process.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on (default: %(default)s)")
    _add_data(parser)
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(os.environ.get("BUILD_DASHBOARD_CONFIG", "config.yaml")),
        help="projects, owners and rules (default: %(default)s, where it exists)",
    )
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=Path("data"), help="directory of all stores (default: ./data)")
