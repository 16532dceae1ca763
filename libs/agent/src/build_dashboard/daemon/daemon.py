"""The daemon: builds projects of config.yaml when their branch moves or when triggered from the dashboard.

A thread a project, one build of it at a time. Killed at any moment, its builds run on under their holders; the next
daemon delivers them before it builds anything itself.
"""

import logging
import platform
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from build_protocol.project_config import Project

from build_dashboard.builds.handlers import Handlers
from build_dashboard.builds.resume import adopt_left_builds
from build_dashboard.config import find_backoff, read_config
from build_dashboard.config_error import ConfigError
from build_dashboard.daemon.project_builder import ProjectBuilder
from build_dashboard.delivery.delivery import Delivery
from build_dashboard.endpoint import Endpoint, find_endpoint, spool_directory

logger = logging.getLogger("build_dashboard")
LINGER_SECONDS = 30.0

SPOOL_SECONDS = 2.0
"""How often a spool that cannot be made is tried again."""

CONNECT_SECONDS = 10.0
"""Nobody waits for the end of a daemon's round, so it waits longer for a slow dashboard than `run` does."""


class Daemon:
    """Serves some projects until stopped."""

    def __init__(
        self, projects: Mapping[str, Project], endpoint: Endpoint, spool: Path, handlers: Handlers | None = None
    ) -> None:
        self._spool = spool
        self._stop = threading.Event()
        first = next(iter(projects))
        self._delivery = Delivery(endpoint, platform.node(), str(spool), find_backoff(first), serves=sorted(projects))
        self._delivery.commander = self._command
        if handlers is not None:
            self._delivery.on_cancel = partial(handlers.call_aside, "cancel")
        self._builders = {
            name: ProjectBuilder(name, project, spool, self._delivery, handlers=handlers or Handlers(), stop=self._stop)
            for name, project in projects.items()
        }

    def serve(self, *, once: bool = False) -> int:
        """Build what is new, again and again until stopped (0); with `once`, once: 1 when a build could not begin."""
        while not self._has_spool():
            if once or self._stop.wait(SPOOL_SECONDS):
                return 1
        for builder in self._builders.values():
            builder.recall()
        self._delivery.start()
        # A build left by a killed daemon may still run in a build_dir: it comes first.
        left = adopt_left_builds(self._spool, self._delivery)
        threads = [
            threading.Thread(target=builder.run, args=(once,), daemon=True) for builder in self._builders.values()
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) and not self._stop.is_set():
            self._stop.wait(0.2)
        built = [build_id for builder in self._builders.values() for build_id in builder.built]
        seconds = LINGER_SECONDS if once else 0
        self._delivery.linger(left + built, seconds, unconnected_seconds=min(seconds, CONNECT_SECONDS))
        self._delivery.close()
        return 1 if once and any(builder.has_failed for builder in self._builders.values()) else 0

    def _has_spool(self) -> bool:
        try:
            self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            logger.error("cannot make the spool %s (%s); it is tried again", self._spool, error)
            return False
        return True

    def stop(self) -> None:
        """Return from `serve` soon; running builds go on, and are delivered by the next daemon."""
        self._stop.set()

    def _command(self, frame: Mapping[str, Any]) -> tuple[str, str | None]:
        kind, project = frame.get("kind"), frame.get("project")
        if project is not None and project not in self._builders:
            return "rejected", f"this agent does not build {project}"
        chosen = [self._builders[project]] if project is not None else list(self._builders.values())
        if kind in ("drain", "resume"):
            for builder in chosen:
                builder.drain(kind == "drain")
            return "done", None
        if kind != "trigger" or project is None:
            return "rejected", f"this agent does not know how to {kind} {project or 'nothing in particular'}"
        return chosen[0].trigger(str(frame.get("commandId")), frame.get("args") or {})


def buildable(path: Path, names: Sequence[str] | None) -> dict[str, Project]:
    """The projects of a config.yaml that an agent can build.

    Raises:
        ConfigError: the file is wrong, a name is not in it, or there is nothing to build.
    """
    projects = read_config(path).projects
    unknown = sorted(set(names or ()) - set(projects))
    if unknown:
        raise ConfigError(f"{path} has no project {', '.join(unknown)}")
    chosen = {name: projects[name] for name in names or projects}
    ready = {name: project for name, project in chosen.items() if project.repo_url and project.build_command}
    if not ready or (names and len(ready) < len(chosen)):
        unready = ", ".join(f"projects.{name}" for name in sorted(set(chosen) - set(ready)))
        raise ConfigError(f"{path}: {unready or 'projects'}: nothing to build without repo_url and build_command")
    return ready


def serve(path: Path, names: Sequence[str] | None, *, once: bool = False, tell: Callable[[str], None] = print) -> int:
    """`build-dashboard agent`: its exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        daemon = Daemon(buildable(path, names), find_endpoint(), spool_directory())
    except (ValueError, OSError) as error:
        tell(f"build-dashboard: {error}")
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.stop())
    try:
        return daemon.serve(once=once)
    except OSError as error:
        tell(f"build-dashboard: the spool or what is kept beside it cannot be used: {error}")
        return 2
