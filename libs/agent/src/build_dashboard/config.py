"""config.yaml: where it is, and what the agent takes from it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from build_dashboard.config_error import ConfigError
from build_dashboard.delivery.backoff import Backoff

if TYPE_CHECKING:
    from build_protocol.project_config import ConfigFile
    from pydantic import ValidationError


def config_path(environment: Mapping[str, str] = os.environ) -> Path:
    """BUILD_DASHBOARD_CONFIG, else `config.yaml` in the working directory."""
    return Path(environment.get("BUILD_DASHBOARD_CONFIG") or "config.yaml")


def read_config(path: Path) -> "ConfigFile":
    """The whole file, checked.

    Raises:
        ConfigError: names the file and what is wrong.
    """
    from build_protocol.project_config import ConfigFile  # noqa: PLC0415  (pydantic: `run` does without)
    from pydantic import ValidationError  # noqa: PLC0415  (as above)

    try:
        return ConfigFile.model_validate(_load(path))
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first_fault(error)}") from error


def find_backoff(project: str, path: Path | None = None) -> Backoff:
    """How to reconnect for this project, by its `websocket:` where there is a config.yaml that says so."""
    path = path or config_path()
    try:
        websocket = _load(path)["projects"][project]["websocket"] if path.is_file() else {}
        interval_ms, attempts = websocket.get("reconnect_interval", 1000), websocket.get("reconnect_attempts", 5)
        return Backoff(max(float(interval_ms), 1.0) / 1000, int(attempts))
    except (ConfigError, KeyError, TypeError, ValueError, AttributeError):
        return Backoff()  # another tool's config.yaml, or one without this: nothing a build should fail for


def _load(path: Path) -> Any:
    import yaml  # noqa: PLC0415  (most runs have no config.yaml)

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} is not there: write it, or name another by BUILD_DASHBOARD_CONFIG") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, no date, a number of too many digits
        raise ConfigError(f"{path} is no YAML: {error}") from error


def _first_fault(error: "ValidationError") -> str:
    """Where the first fault is, what it is, and how many more there are."""
    first, *others = error.errors()
    place = ".".join(str(part) for part in first["loc"] if part != "[key]")
    if not place:
        return "it must be a mapping whose `projects:` names the projects"
    words = {
        "extra_forbidden": "there is no such field",
        "missing": "it is missing",
    }.get(first["type"], first["msg"].removeprefix("Value error, "))
    return f"{place}: {words}" + (f" (and {len(others)} more)" if others else "")
