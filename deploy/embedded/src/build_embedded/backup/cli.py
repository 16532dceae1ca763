"""`build-dashboard backup DIR` and `build-dashboard restore DIR`."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from build_embedded.backup import embedded
from build_embedded.backup.manifest import BackupFault, Manifest, check, read_manifest
from build_embedded.secrets_file import SIGNING, given


def backup_command(arguments: Sequence[str]) -> None:
    """Back up, or `--verify` a backup. `arguments` are those behind `backup`. SystemExit with what is wrong."""
    parser = argparse.ArgumentParser(
        prog="build-dashboard backup",
        description="Copy everything a dashboard keeps to a new directory, of one moment; it may run meanwhile.",
    )
    _add_places(parser)
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="goes along (default: %(default)s)")
    parser.add_argument("--verify", action="store_true", help="compare a backup with its checksums; copy nothing")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    try:
        if options.verify:
            manifest = read_manifest(options.directory)
            check(options.directory, manifest)
        else:
            manifest = _back_up(options)
    except BackupFault as fault:
        sys.exit(f"build-dashboard backup: {fault}")
    done = "is whole" if options.verify else "is made"
    print(f"The backup {options.directory} {done}: {_summary(manifest)} ({time.monotonic() - began:.1f} s)")
    for artifact in manifest.missing:
        print(f"its bytes were gone before, open it in the dashboard: artifact {artifact}", file=sys.stderr)


def restore_command(arguments: Sequence[str]) -> None:
    """Restore. `arguments` are those behind `restore`. SystemExit with what is wrong."""
    parser = argparse.ArgumentParser(
        prog="build-dashboard restore",
        description="Make a data directory from a backup. Everybody logs in anew; keys and people wait until an admin "
        "confirms them, and nobody is notified of what happened since the backup.",
    )
    _add_places(parser)
    parser.add_argument("--confirm-all", action="store_true", help="nothing was revoked since: nobody has to wait")
    parser.add_argument("--send-mails", action="store_true", help="notify people of what happened since, perhaps again")
    options = parser.parse_args(arguments)
    data: Path = options.data.expanduser().resolve()
    began = time.monotonic()
    try:
        manifest = read_manifest(options.directory)
        if (manifest.kind == "services") != options.services:
            other = "of separate services: add" if manifest.kind == "services" else "of a data directory: leave out"
            raise BackupFault(f"{options.directory} is {other} --services")
        from build_embedded.backup.restore import restore  # noqa: PLC0415  all services' code, seconds of it

        how = {"confirmed": options.confirm_all, "sends_gap": options.send_mails}
        if options.services:
            from build_embedded.backup import services  # noqa: PLC0415  as above

            settings = services.read_all()
            held = services.restore(settings, options.directory, manifest, **how)
            restored, accounts = "The services' stores are", settings["gateway"].store_url
        else:
            held = restore(options.directory, manifest, data, **how)
            restored, accounts = f"{data} is", f"sqlite:///{data / 'gateway.sqlite'}"
    except BackupFault as fault:
        sys.exit(f"build-dashboard restore: {fault}")
    print(f"{restored} restored: {_summary(manifest)} ({time.monotonic() - began:.1f} s)", file=sys.stderr)
    if (options.directory / embedded.CONFIG).is_file():
        print(f"config.yaml as it was: {options.directory / embedded.CONFIG}", file=sys.stderr)
    _say_held({"people": held.people, "keys": held.keys})
    for origin, values in given():
        if values.get(SIGNING):
            print(f"{SIGNING} comes from {origin}: replace it, so that no token of before is valid", file=sys.stderr)
    if not options.confirm_all:
        from build_gateway import reset_admin as reset  # noqa: PLC0415  as above

        reset.reset_admin(accounts, from_stdin=False)


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", type=Path, help="the backup")
    parser.add_argument("--data", type=Path, default=Path("data"), help="directory of all stores (default: ./data)")
    parser.add_argument(
        "--services", action="store_true", help="separate services' stores instead, as the environment names them"
    )


def _back_up(options: argparse.Namespace) -> Manifest:
    if options.services:
        from build_embedded.backup import services  # noqa: PLC0415  all services' code, seconds of it

        return services.back_up(services.read_all(), options.directory)
    return embedded.back_up(options.data.expanduser().resolve(), options.directory, options.config)


def _say_held(held: Mapping[str, Sequence[str]]) -> None:
    for what, names in held.items():
        if names:
            command = "users" if what == "people" else "keys"
            print(
                f"{len(names)} {what} are on hold: {', '.join(names[:50])}\n"
                f"  once those revoked since are removed: build-dashboard {command} confirm --all",
                file=sys.stderr,
            )


def _summary(manifest: Manifest) -> str:
    at = datetime.fromtimestamp(manifest.taken_at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return (
        f"{len(manifest.files)} files, {manifest.size_bytes / 2**20:.1f} MiB, as of {at}, "
        f"{manifest.pause_ms:g} ms without writes"
    )
