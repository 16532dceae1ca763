"""Secrets of an embedded system: from the environment, else made once and kept in its data directory."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "BUILD_DASHBOARD_ADMIN_PASSWORD"  # noqa: S105  the variable's name
KEY = "BUILD_DASHBOARD_API_KEY"
SIGNING = "JWT_SECRET_KEY"


@dataclass(frozen=True)
class Secrets:
    """What the system needs to start, and which of it was made just now: that is printed, once."""

    password: str
    key: str
    signing: str
    made: tuple[str, ...]


def load_secrets(data: Path) -> Secrets:
    """Read the secrets of the system in `data`; what neither the environment nor an earlier start gave is made."""
    path = data / "secrets.json"
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    fresh = {PASSWORD: secrets.token_urlsafe(12), KEY: f"key-{secrets.token_hex(16)}", SIGNING: secrets.token_hex(32)}
    values = {name: os.environ.get(name) or kept.get(name) or fresh[name] for name in fresh}
    made = tuple(name for name in fresh if values[name] is fresh[name])
    if made:
        # What the environment gives stays there: a file must not outlive a rotated secret.
        _write_private(path, kept | {name: fresh[name] for name in made})
    return Secrets(values[PASSWORD], values[KEY], values[SIGNING], made)


def _write_private(path: Path, values: dict[str, str]) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(values, indent=2) + "\n")
