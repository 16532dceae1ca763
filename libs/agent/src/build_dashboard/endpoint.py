"""The endpoint: where the dashboard is and with which key, from options and environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from build_dashboard.ci_key import CiKey
from build_dashboard.config_error import ConfigError
from build_dashboard.dot_env import with_dot_env
from build_dashboard.spool_path import spool_path

DEFAULT_URL = "http://127.0.0.1:8080"
_REGION = "{region}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The gateway's WebSocket address, and the agent's key; or, for a CI's job without one, how it gets a key."""

    url: str
    api_key: str
    job: CiKey | None = None

    @property
    def has_key(self) -> bool:
        """Whether there is something to show to the gateway."""
        return bool(self.api_key) or self.job is not None

    def credential(self) -> str:
        """What to show now; a job may have to ask for it first, which takes a while. Raises CiKeyFailed."""
        if self.api_key or self.job is None:
            return self.api_key
        return self.job.current(self.dashboard_url)

    @property
    def dashboard_url(self) -> str:
        """The same server for people and REST."""
        parts = urlsplit(self.url)
        scheme = "https" if parts.scheme == "wss" else "http"
        return urlunsplit((scheme, parts.netloc, parts.path.removesuffix("/ws"), "", ""))


def find_endpoint(
    url: str | None = None, api_key: str | None = None, environment: Mapping[str, str] = os.environ
) -> Endpoint:
    """The endpoint by argument, else by WS_ENDPOINT or BUILD_DASHBOARD_URL (also in `.env`), else on this machine.

    `{region}` in it stands for WS_REGION. Without a key it is that of a CI's job, where the environment is one's.
    """
    environment = with_dot_env(environment)
    address = url or environment.get("WS_ENDPOINT") or environment.get("BUILD_DASHBOARD_URL") or DEFAULT_URL
    key = api_key or _key(environment)
    return Endpoint(websocket_url(_in_region(address, environment)), key, None if key else CiKey.of(environment))


def _in_region(address: str, environment: Mapping[str, str]) -> str:
    if _REGION not in address:
        return address
    if not (region := environment.get("WS_REGION")):
        raise ConfigError(f"{address!r} has {_REGION} in it: set WS_REGION")
    return address.replace(_REGION, region)


def _key(environment: Mapping[str, str]) -> str:
    """The key of BUILD_DASHBOARD_API_KEY, else of the file that BUILD_DASHBOARD_API_KEY_FILE names."""
    if key := environment.get("BUILD_DASHBOARD_API_KEY"):
        return key
    path = environment.get("BUILD_DASHBOARD_API_KEY_FILE")
    try:
        return Path(path).read_text().strip() if path else ""
    except (OSError, ValueError) as error:
        raise ValueError(f"BUILD_DASHBOARD_API_KEY_FILE: {path} cannot be read: {error}") from error


def websocket_url(address: str) -> str:
    """`ws://` or `wss://` of any way to write the address; a bare origin means its `/ws`.

    Raises:
        ConfigError: it is no address of a server.
    """
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    try:
        parts = urlsplit(address if "://" in address else f"ws://{address}")
        is_address = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # no number for a port, half an IPv6 address
        is_address = False
    if not is_address:
        raise ConfigError(f"{address!r} is no address: write wss://host or https://host")
    path = parts.path if parts.path not in ("", "/") else "/ws"
    return urlunsplit((schemes[parts.scheme], parts.netloc, path, parts.query, ""))


def spool_directory(path: str | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """Where builds are kept until stored, see `spool_path`."""
    return Path(spool_path(path, environment))
