"""`build-dashboard up`: start the embedded system."""

import argparse
import fcntl
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from chassis.service import serve

from embedded.secrets_file import KEY, PASSWORD, load_secrets
from embedded.system import Place, create_system


def up(arguments: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C or SIGTERM. `arguments` are those behind `up`; the command line's own where None."""
    options = _parser().parse_args(arguments)
    data: Path = options.data.expanduser().resolve()
    data.mkdir(parents=True, exist_ok=True)
    owned = own(data)
    secrets = load_secrets(data)
    # The gateway's settings read both from the environment, as in a process of its own.
    os.environ[PASSWORD], os.environ[KEY] = secrets.password, secrets.key
    system = create_system(Place(data, options.host, options.port, options.config, secrets.signing))
    url = f"http://{options.host}:{options.port}"
    print(f"The dashboard is at {url} (data in {data})", file=sys.stderr)
    for name, label, value in ((PASSWORD, "log in as admin /", secrets.password), (KEY, "agent key", secrets.key)):
        if name in secrets.made:
            print(f"  made {name}: {label} {value}", file=sys.stderr)
    with owned:
        serve(system.app, system.settings, frame_bytes=system.settings.frame_bytes)


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
    """Entry of `python server.py`."""
    up(sys.argv[1:])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="build-dashboard up", description="The whole system in one process.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path("data"), help="directory of all stores (default: ./data)")
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(os.environ.get("BUILD_DASHBOARD_CONFIG", "config.yaml")),
        help="projects, owners and rules (default: %(default)s, where it exists)",
    )
    return parser
