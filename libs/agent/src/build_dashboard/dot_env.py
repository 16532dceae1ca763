"""`.env` in the working directory: what people write there for the server also serves the agent beside it.

The environment comes first. In a CI job nothing is read: its working directory is a checkout, whose authors are not
those who gave the job its key, and an address of theirs would be sent that key.
"""

from collections.abc import Mapping
from pathlib import Path

NAMES = (
    *("WS_ENDPOINT", "WS_REGION", "BUILD_DASHBOARD_URL"),
    *("BUILD_DASHBOARD_API_KEY", "BUILD_DASHBOARD_API_KEY_FILE"),
)
"""What is taken: who the agent talks to. All else in it is other programs'."""

FILE_BYTES = 64 * 1024
_NO = ("", "0", "false")
_UNFILLED = ("your-", "your_")


def with_dot_env(environment: Mapping[str, str], path: Path = Path(".env")) -> dict[str, str]:
    """The environment, and below it what this file says of the agent's address and key."""
    if environment.get("CI", "").lower() not in _NO:
        return dict(environment)
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(FILE_BYTES)
    except (OSError, ValueError):
        return dict(environment)
    return {**_read(text), **{name: value for name, value in environment.items() if value or name not in NAMES}}


def _read(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        name, is_set, value = line.strip().removeprefix("export ").partition("=")
        name, value = name.strip(), value.strip()
        if not is_set or name not in NAMES:
            continue
        if value[:1] in ("'", '"') and (end := value.find(value[0], 1)) > 0:
            value = value[1:end]
        else:
            value = value.partition(" #")[0].rstrip()
        # An example that was copied and not filled in.
        if value and not any(word in value for word in _UNFILLED):
            found[name] = value
    return found
