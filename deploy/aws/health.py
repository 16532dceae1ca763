"""Whether what is deployed works, as people see it: it says so, and a build streams through the public address."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

PROJECT = "deploy-check"
POLL_SECONDS = 0.5
ASK_SECONDS = 10.0
STREAM_SECONDS = 60.0
"""A line of the check's build is to be read by then, and its end as well."""

T = TypeVar("T")

_COMMAND = """
import pathlib, sys, time
print("the first line", flush=True)
until = time.monotonic() + float(sys.argv[2])
while not pathlib.Path(sys.argv[1]).exists() and time.monotonic() < until:
    time.sleep(0.05)
print("the last line")
"""


class Unhealthy(Exception):
    """What is deployed does not do what it is for."""


@dataclass(frozen=True)
class Front:
    """The dashboard by its public address; the key has the scopes `agent` and `read`."""

    url: str
    key: str
    stream_seconds: float = STREAM_SECONDS

    def is_ready(self) -> bool:
        """Whether `/readyz` answers 200."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=ASK_SECONDS) as answer:  # noqa: S310  https, by terraform's own rule
                return bool(answer.status == 200)
        except OSError:
            return False

    def stream(self) -> str:
        """Stream a build, read its first line while it runs and its end after; the build's id. Raises Unhealthy."""
        config = f"check-{secrets.token_hex(4)}"
        with tempfile.TemporaryDirectory() as place:
            seen = Path(place) / "seen"
            options = (
                "--project",
                PROJECT,
                "--config-name",
                config,
                "--origin",
                "local",
                "--linger",
                str(self.stream_seconds),
            )
            build = (sys.executable, "-c", _COMMAND, str(seen), str(self.stream_seconds))
            command = [
                sys.executable,
                "-m",
                "build_dashboard",
                "run",
                "--quiet",
                *options,
                "--spool",
                place,
                "--",
                *build,
            ]
            environment = dict(os.environ) | {"WS_ENDPOINT": self.url, "BUILD_DASHBOARD_API_KEY": self.key}
            agent = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                build_id = _within(
                    self.stream_seconds, lambda: self._build_of(config), "a build that streams is not shown"
                )
                _within(
                    self.stream_seconds,
                    lambda: "the first line" in self._log(build_id),
                    "a running build's line is not shown",
                )
                seen.touch()
                _within(self.stream_seconds, lambda: self._has_ended(build_id), "a build's end is not shown")
            finally:
                seen.touch()
                agent.terminate() if agent.poll() is None and not _ends(agent) else None
                agent.wait()
        if "the last line" not in self._log(build_id):
            raise Unhealthy(f"build {build_id} ended, and its last line is not shown")
        return build_id

    def _build_of(self, config: str) -> str | None:
        builds = json.loads(self._get(f"/api/builds?project={PROJECT}") or "{}").get("items", [])
        return next((str(build["id"]) for build in builds if build.get("config") == config), None)

    def _has_ended(self, build_id: str) -> bool:
        found: dict[str, Any] = json.loads(self._get(f"/api/builds/{build_id}") or "{}")
        return found.get("status") == "succeeded"

    def _log(self, build_id: str) -> str:
        return self._get(f"/api/builds/{build_id}/logs")

    def _get(self, path: str) -> str:
        """The answer's text; empty where there is none."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.key}"})  # noqa: S310  as above
        try:
            with urllib.request.urlopen(request, timeout=ASK_SECONDS) as answer:  # noqa: S310  as above
                return str(answer.read().decode())
        except OSError:
            return ""


def _within(seconds: float, find: Callable[[], T | None], otherwise: str) -> T:
    until = time.monotonic() + seconds
    while not (found := find()):
        if time.monotonic() > until:
            raise Unhealthy(f"{otherwise} within {seconds:g} s")
        time.sleep(POLL_SECONDS)
    return found


def _ends(agent: "subprocess.Popen[bytes]") -> bool:
    try:
        agent.wait(ASK_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True
