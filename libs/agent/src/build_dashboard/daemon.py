"""The daemon: builds projects of config.yaml when their branch moves or when triggered from the dashboard.

A thread a project, one build of it at a time. Killed at any moment, its builds run on under their holders; the next
daemon delivers them before it builds anything itself.
"""

import json
import logging
import os
import platform
import queue
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build_protocol.project_config import Project

from build_dashboard.building import Plan, build
from build_dashboard.checkout import Checkout, CheckoutError
from build_dashboard.config import ConfigError, find_backoff, read_config
from build_dashboard.delivery import Delivery
from build_dashboard.endpoint import Endpoint, find_endpoint, spool_directory
from build_dashboard.handlers import Handlers
from build_dashboard.resume import adopt_left_builds

logger = logging.getLogger("build_dashboard")

PARAMETERS = frozenset({"branch", "commit", "config"})
"""What a trigger may choose; never the command."""

REMEMBERED_COMMANDS = 1000
LINGER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Trigger:
    """Somebody asked for a build."""

    command_id: str
    branch: str | None = None
    commit: str | None = None
    config: str = "default"


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
        self._keepers = {
            name: Keeper(name, project, spool, self._delivery, handlers=handlers or Handlers(), stop=self._stop)
            for name, project in projects.items()
        }

    def serve(self, *, once: bool = False) -> int:
        """Build what is new, again and again until stopped; with `once`, once. 0 when nothing failed to start."""
        self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._delivery.start()
        # A build left by a killed daemon may still run in a build_dir: it comes first.
        left = adopt_left_builds(self._spool, self._delivery)
        threads = [threading.Thread(target=keeper.keep, args=(once,), daemon=True) for keeper in self._keepers.values()]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) and not self._stop.is_set():
            self._stop.wait(0.2)
        built = [build_id for keeper in self._keepers.values() for build_id in keeper.built]
        self._delivery.linger(left + built, LINGER_SECONDS if once else 0)
        self._delivery.close()
        return 1 if any(keeper.has_failed for keeper in self._keepers.values()) else 0

    def stop(self) -> None:
        """Return from `serve` soon; running builds go on, and are delivered by the next daemon."""
        self._stop.set()

    def _command(self, frame: Mapping[str, Any]) -> tuple[str, str | None]:
        kind, project = frame.get("kind"), str(frame.get("project"))
        chosen = [self._keepers[project]] if project in self._keepers else list(self._keepers.values())
        if kind in ("drain", "resume"):
            for keeper in chosen:
                keeper.is_drained = kind == "drain"
            return "done", None
        if kind != "trigger" or project not in self._keepers:
            return "rejected", f"this agent does not build {project}"
        return self._keepers[project].trigger(str(frame.get("commandId")), frame.get("args") or {})


class Keeper:
    """Keeps one project built."""

    def __init__(
        self,
        name: str,
        project: Project,
        spool: Path,
        delivery: Delivery,
        *,
        handlers: Handlers,
        stop: threading.Event,
    ) -> None:
        self.is_drained = False
        self.has_failed = False
        self.built: list[str] = []
        self._name = name
        self._project = project
        self._spool = spool
        self._delivery = delivery
        self._handlers = handlers
        self._stop = stop
        self._triggers: queue.Queue[Trigger] = queue.Queue()
        self._checkout = Checkout(project.repo_url or "", Path(project.build_dir or f"./{name}-build").resolve())
        self._memory = Memory(spool.parent / "projects" / f"{name}.json")

    def keep(self, once: bool) -> None:
        """Look for something new to build, until stopped."""
        while not self._stop.is_set():
            self.look()
            if once:
                return
            try:
                self._triggered(self._triggers.get(timeout=self._project.poll_seconds))
            except queue.Empty:
                continue

    def look(self) -> bool:
        """Build the branch where it moved; True when something was built."""
        if self.is_drained:
            return False
        try:
            branch, commit = self._checkout.head(self._project.branch)
            if commit == self._memory.built_commit:
                return False
            self._build(branch, commit, "default")
        except (CheckoutError, OSError) as error:
            self._note_failure(error)
            return False
        return True

    def trigger(self, command_id: str, args: Mapping[str, Any]) -> tuple[str, str | None]:
        """Take an order to build; state and detail of its acknowledgement."""
        unknown = set(args) - PARAMETERS
        if unknown:
            return "rejected", f"only {', '.join(sorted(PARAMETERS))} may be chosen, not {', '.join(sorted(unknown))}"
        if self.is_drained:
            return "rejected", "this agent is drained"
        if self._memory.note_command(command_id):
            self._triggers.put(Trigger(command_id, **{name: str(value) for name, value in args.items()}))
        return "accepted", None

    def _triggered(self, trigger: Trigger) -> None:
        try:
            branch = trigger.branch or self._project.branch
            commit = trigger.commit
            if commit is None:
                branch, commit = self._checkout.head(branch)
            build_id = self._build(branch, commit, trigger.config)
        except (CheckoutError, OSError) as error:
            self._note_failure(error)
            self._delivery.answer(trigger.command_id, "rejected", None, str(error)[:1000])
            return
        self._delivery.answer(trigger.command_id, "done", build_id)

    def _build(self, branch: str | None, commit: str, config: str) -> str:
        self._checkout.move_to(commit)
        script = self._project.build_command or ""
        plan = Plan(
            self._name,
            ["sh", "-ec", script],
            str(self._checkout.working_directory(script)),
            branch=branch,
            commit=commit,
            config=config,
        )
        # Noted first: a daemon killed in the middle must not build the same commit a second time.
        self._memory.note_built(commit)
        result = build(plan, self._spool, self._delivery, lambda build_id: self._handlers.call("start", build_id))
        self.built.append(result.build_id)
        self._handlers.call("complete", result.build_id, result.status)
        logger.info("built %s of %s: %s, build_id %s", commit[:12], self._name, result.status, result.build_id)
        return result.build_id

    def _note_failure(self, error: Exception) -> None:
        self.has_failed = True
        logger.error("cannot build %s: %s", self._name, error)


class Memory:
    """What a daemon must not forget: the commit it built last, and the commands it took."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            known = json.loads(path.read_text())
        except (OSError, ValueError):
            known = {}
        self.built_commit: str | None = known.get("builtCommit")
        self._commands: list[str] = known.get("commands", [])
        self._lock = threading.Lock()

    def note_built(self, commit: str) -> None:
        """This commit is being built."""
        with self._lock:
            self.built_commit = commit
            self._write()

    def note_command(self, command_id: str) -> bool:
        """This command is taken; False when it was before."""
        with self._lock:
            if command_id in self._commands:
                return False
            self._commands = [*self._commands, command_id][-REMEMBERED_COMMANDS:]
            self._write()
        return True

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        with new.open("w") as file:
            file.write(json.dumps({"builtCommit": self.built_commit, "commands": self._commands}))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


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
    if not ready:
        raise ConfigError(f"{path}: no project with repo_url and build_command to build")
    return ready


def serve(path: Path, names: Sequence[str] | None, *, once: bool = False, tell: Callable[[str], None] = print) -> int:
    """`build-dashboard agent`: its exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        daemon = Daemon(buildable(path, names), find_endpoint(), spool_directory())
    except (ConfigError, ValueError) as error:
        tell(f"build-dashboard: {error}")
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.stop())
    return daemon.serve(once=once)
