"""config.yaml: where it is, and what the agent takes from it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from build_dashboard.config_error import ConfigError
from build_dashboard.delivery.backoff import Backoff

if TYPE_CHECKING:
    from build_protocol.project_config import ConfigFile


def config_path(environment: Mapping[str, str] = os.environ) -> Path:
    """BUILD_DASHBOARD_CONFIG, else `config.yaml` in the working directory."""
    return Path(environment.get("BUILD_DASHBOARD_CONFIG") or "config.yaml")


def read_config(path: Path) -> "ConfigFile":
    """The whole file, checked.

    Raises:
        ConfigError: names the file and what is wrong.
    """
    from build_protocol import config_reading  # noqa: PLC0415  (pydantic: `run` does without)

    try:
        return config_reading.read_config(read_text(path))
    except config_reading.ConfigFaulty as fault:
        raise ConfigError(f"{path}: {fault}") from fault


def find_backoff(project: str, path: Path | None = None) -> Backoff:
    """How to reconnect for this project, by its `websocket:` where there is a config.yaml that says so."""
    path = path or config_path()
    try:
        # Loading YAML takes longer than a short build: most files of this name say nothing of it.
        says_how = path.is_file() and "websocket" in read_text(path)
        websocket = _load(path)["projects"][project]["websocket"] if says_how else {}
        interval_ms, attempts = websocket.get("reconnect_interval", 1000), websocket.get("reconnect_attempts", 5)
        return Backoff(max(float(interval_ms), 1.0) / 1000, int(attempts))
    except (ConfigError, KeyError, TypeError, ValueError, AttributeError):
        return Backoff()  # another tool's config.yaml, or one without this: nothing a build should fail for


def read_text(path: Path) -> str:
    """The file's text.

    Raises:
        ConfigError: it cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path} is not there: write it, or name another by BUILD_DASHBOARD_CONFIG") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: it is no YAML: byte {error.start + 1} is no UTF-8") from error


def _load(path: Path) -> Any:
    import yaml  # noqa: PLC0415  (most runs have no config.yaml)

    try:
        return yaml.safe_load(read_text(path))
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: no date, a number of too many digits
        return None
