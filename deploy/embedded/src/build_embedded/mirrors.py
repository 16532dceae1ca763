"""Mirrors inside `up`: the CIs of config.yaml, followed by a process of their own while the system serves."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

RESTART_SECONDS = 5.0
STOP_SECONDS = 10.0


@contextmanager
def mirroring(config: Path, data: Path, url: str, api_key: str | None) -> Iterator[None]:
    """Follow what `mirrors:` of the file names, as long as the context lasts.

    Args:
        config: config.yaml.
        data: Where the mirror keeps its spool.
        url: The dashboard.
        api_key: An agent's key; without one nothing is followed, and a sentence says so.
    """
    if not _has_mirrors(config):
        yield
        return
    if not api_key:
        print("  mirrors: not followed, for no key is known here: set BUILD_DASHBOARD_API_KEY", file=sys.stderr)
        yield
        return
    environment = {**os.environ, "BUILD_DASHBOARD_URL": url, "BUILD_DASHBOARD_API_KEY": api_key}
    # What would send it to another dashboard.
    environment.pop("WS_ENDPOINT", None)
    command = [sys.executable, "-m", "build_dashboard", "mirror", "config"]
    command += ["--config", str(config), "--spool", str(data / "mirror")]
    ends = threading.Event()
    following = threading.Thread(target=_follow, args=(command, environment, ends), name="mirrors", daemon=True)
    following.start()
    try:
        yield
    finally:
        ends.set()
        following.join(2 * STOP_SECONDS)


def _follow(command: list[str], environment: Mapping[str, str], ends: threading.Event) -> None:
    """Keep the process running until the end; one that fails is started again."""
    while not ends.is_set():
        # A system that is killed, or leaves by its signal, closes the pipe: no mirror outlives it.
        process = subprocess.Popen([*command, "--ends-with-input"], env=dict(environment), stdin=subprocess.PIPE)
        while process.poll() is None and not ends.wait(0.2):
            pass
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            return
        ends.wait(RESTART_SECONDS)


def _has_mirrors(config: Path) -> bool:
    """Whether it names any; what is wrong with the file the services say."""
    with suppress(OSError, ValueError, yaml.YAMLError):
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
        return isinstance(content, dict) and bool(content.get("mirrors"))
    return False
