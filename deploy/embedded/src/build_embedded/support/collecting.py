"""What a support bundle holds, read where the server is; whatever cannot be read is in it as the reason."""

import json
import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions
from pathlib import Path

from build_chassis.settings import ServiceSettings
from build_dashboard import __version__
from build_protocol.clock import now_ms
from build_protocol.config_reading import read_config
from pydantic import SecretStr

from build_embedded.backup.services import SETTINGS
from build_embedded.secrets_file import given, kept_secrets
from build_embedded.support.masking import passwords_of

ANSWER_SECONDS = 10.0
LOG_BYTES = 2 * 1024 * 1024
"""So much of a log's end."""

JOURNAL_LINES = 5_000


def about(data: Path) -> str:
    """Release, machine, packages, and how large each store is."""
    disk = shutil.disk_usage(data) if data.is_dir() else None
    return json.dumps(
        {
            "version": __version__,
            "at": now_ms(),
            "python": sys.version,
            "machine": platform.platform(),
            "processors": os.cpu_count(),
            "data": str(data),
            "disk_free_bytes": disk.free if disk else None,
            "disk_total_bytes": disk.total if disk else None,
            "stores": {path.name: path.stat().st_size for path in sorted(data.glob("*.sqlite*"))},
            "packages": dict(sorted((each.metadata["Name"], each.version) for each in distributions())),
        },
        indent=1,
    )


def settings() -> dict[str, ServiceSettings]:
    """Each service's settings, as the environment and `.env` of this folder have them. Raises ValidationError."""
    # Nothing is signed here; the key in force is among the secrets that are known.
    return {service: kind(jwt_secret_key=secrets.token_hex(32)) for service, kind in SETTINGS.items()}


def settings_text(found: dict[str, ServiceSettings]) -> str:
    """Every setting by service; of a secret only whether it is set."""
    shown: dict[str, dict[str, str]] = {}
    for service, own in found.items():
        shown[service] = {}
        for name in type(own).model_fields:
            value = _plain(getattr(own, name))
            shown[service][name] = ("set" if value else "unset") if _is_secret(name) else value
    return json.dumps(shown, indent=1)


def secrets_of(found: dict[str, ServiceSettings], data: Path, folder: Path) -> Iterator[str]:
    """Every secret that is known here: of settings, of the data directory, of the folder's own files."""
    for own in found.values():
        for name in type(own).model_fields:
            value = _plain(getattr(own, name))
            # Of an address its password.
            yield from [value] if _is_secret(name) else passwords_of(value)
    yield from (value for _, values in given() for value in values.values())
    yield from kept_secrets(data).values()
    for path in (folder / "secrets").glob("*"):
        yield path.read_text(errors="replace")
    agent = folder / "agent.env"
    if agent.is_file():
        yield from (line.partition("KEY=")[2] for line in agent.read_text().splitlines() if "KEY=" in line)


def secrets_of_chats(config: Path) -> Iterator[str]:
    """The words of the chats' addresses in config.yaml, which are their tokens; none where it cannot be read."""
    try:
        projects = read_config(config.read_text(encoding="utf-8")).projects
    except (OSError, ValueError):
        return
    for project in projects.values():
        for url in project.channels:
            yield from re.split(r"[/?&=:@]+", url.partition("://")[2])


def _is_secret(name: str) -> bool:
    return bool({"key", "password", "secret", "token"} & set(name.split("_")))


def _plain(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return "" if value is None else str(value)


def answer(url: str) -> str:
    """What this address answers, or why it does not."""
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as response:  # noqa: S310  an operator's own server
            return str(response.read().decode(errors="replace"))
    except urllib.error.HTTPError as error:
        return error.read().decode(errors="replace")
    except (OSError, ValueError) as error:
        return f"{url} does not answer: {error}\n"


def schemas(data: Path) -> str:
    """Which schema each store has."""
    command = [sys.executable, "-m", "build_dashboard", "migrate", "--check", "--data", str(data)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return ran.stdout + ran.stderr


def end_of(path: Path) -> str:
    """A log's end, or why it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_BYTES))
            return file.read(LOG_BYTES).decode(errors="replace")
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}\n"


def journal(units: Sequence[str]) -> str | None:
    """What systemd's journal has of these units; None where there is no systemd."""
    if not Path("/run/systemd/system").is_dir() or shutil.which("journalctl") is None:
        return None
    command = ["journalctl", "--no-pager", f"--lines={JOURNAL_LINES}", *(f"--unit={unit}" for unit in units)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return ran.stdout + ran.stderr
