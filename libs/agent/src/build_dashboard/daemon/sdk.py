"""The SDK: `BuildAgent`, an agent inside a person's own Python program."""

import asyncio
import os
import platform
import re
import shlex
import signal
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from build_protocol.branches import branch_fault

from build_dashboard.builds.build import Build
from build_dashboard.builds.building import BuildResult, Plan, build, drive
from build_dashboard.builds.driven import DrivenBuild
from build_dashboard.builds.handlers import (
    BuildHandler,
    CompleteHandler,
    Handlers,
    LogHandler,
    ProgressHandler,
)
from build_dashboard.builds.nested import OuterBuild, outer_build, run_within
from build_dashboard.config import config_path, find_backoff
from build_dashboard.config_error import ConfigError
from build_dashboard.delivery.delivery import Delivery
from build_dashboard.endpoint import find_endpoint, spool_directory

__all__ = ["Build", "BuildAgent", "BuildContext", "BuildResult", "ConfigError"]

CONFIG_CHARACTERS = 512

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


class BuildAgent:
    """Builds one project and reports its builds to the dashboard.

    Handlers may be plain or async functions; what they raise is logged and never breaks a build. Used as a context
    manager, the agent is closed at its end.

    Args:
        project_name: The project, as the dashboard names it.
        api_key: The agent's key; BUILD_DASHBOARD_API_KEY when None. Within a wrapped build, `run` and `build` of an
            agent without a key of its own report to that build, through its holder.
        ws_endpoint: The gateway's address, as `wss://host` or `https://host`; WS_ENDPOINT, else BUILD_DASHBOARD_URL,
            else this machine, when None.
        config: The config.yaml that `start` serves; BUILD_DASHBOARD_CONFIG, else the working directory's, when None.
        spool: Where builds are kept until they are stored; BUILD_DASHBOARD_SPOOL, else the user's state directory,
            when None.
        secrets: More to mask in all that is reported: names of variables, `@files`, or values.
        keep_key: Whether the commands it runs get the agent's own key.

    Raises:
        ConfigError: `ws_endpoint` is no address.
    """

    def __init__(
        self,
        project_name: str,
        api_key: str | None = None,
        ws_endpoint: str | None = None,
        *,
        config: Path | str | None = None,
        spool: Path | str | None = None,
        secrets: Sequence[str] = (),
        keep_key: bool = False,
    ) -> None:
        self.project_name = project_name
        self._endpoint = find_endpoint(ws_endpoint, api_key)
        self._config = Path(config) if config else config_path()
        self._spool = spool_directory(str(spool) if spool else None)
        self._secrets = tuple(secrets)
        self._keep_key = keep_key
        self._handlers = Handlers()
        self._delivery: Delivery | None = None
        self._delivery_pid = 0
        # Whoever names a key means a build of their own, wherever they run.
        self._outer = outer_build() if api_key is None else None

    def on_build_start(self, function: BuildHandler) -> BuildHandler:
        """Decorator: call `function(build_id)` when a build starts."""
        return self._handlers.add("start", function)

    def on_build_complete(self, function: CompleteHandler) -> CompleteHandler:
        """Decorator: call `function(build_id, status)` when a build ended."""
        return self._handlers.add("complete", function)

    def on_build_progress(self, function: ProgressHandler) -> ProgressHandler:
        """Decorator: call `function(build_id, percent)` when a build has come further."""
        return self._handlers.add("progress", function)

    def on_build_log(self, function: LogHandler) -> LogHandler:
        """Decorator: call `function(build_id, lines)` with what a build prints, as the dashboard will show it."""
        return self._handlers.add("log", function)

    def on_build_cancel(self, function: BuildHandler) -> BuildHandler:
        """Decorator: call `function(build_id)`, in a thread of its own, when somebody cancels a build."""
        return self._handlers.add("cancel", function)

    def start(self, *, once: bool = False) -> None:
        """Serve the project of config.yaml: build when its branch moves or when triggered; returns when stopped.

        Args:
            once: Build what is new now, and return.

        Raises:
            ConfigError: config.yaml is missing, wrong, or does not say how to build the project. Where the program
                does not catch it, it ends with that sentence and exit code 1.
        """
        from build_dashboard.daemon.daemon import Daemon, buildable  # noqa: PLC0415  (`run` does without)

        daemon = Daemon(buildable(self._config, [self.project_name]), self._endpoint, self._spool, self._handlers)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda *_: daemon.stop())
        try:
            daemon.serve(once=once)
        except KeyboardInterrupt:
            daemon.stop()

    def run(
        self,
        command: str | Sequence[str],
        *,
        cwd: Path | str | None = None,
        branch: str | None = None,
        config: str = "default",
        origin: str | None = None,
        timeout_seconds: float = 0,
        linger_seconds: float = 10.0,
    ) -> BuildResult:
        """Run one command as a build of the project, to its end.

        Args:
            command: A string is split as a shell would split it, and run without one.
            cwd: The directory to run it in; the working directory when None.
            branch: The branch that is built; read from git when None.
            config: What is built how (`release`, `asan`).
            origin: `ci`, `premerge` or `local`; guessed when None.
            timeout_seconds: The command is ended after this time; 0 means no limit.
            linger_seconds: How long to wait at most, after the command's end, for the dashboard to have everything.

        Returns:
            How the build ended. Its records may still be in the spool: the next agent delivers them.
        """
        plan = self._plan(command, cwd, branch, config, origin, timeout_seconds)
        if self._outer is not None:
            return self._run_within(self._outer, plan)
        delivery = self._deliverer()
        result = build(plan, self._spool, delivery, partial(self._handlers.call, "start"), self._handlers)
        delivery.linger([result.build_id], linger_seconds)
        self._handlers.call("complete", result.build_id, result.status)
        return result

    def build(
        self,
        *,
        command: str | Sequence[str] = (),
        cwd: Path | str | None = None,
        branch: str | None = None,
        config: str = "default",
        origin: str | None = None,
        linger_seconds: float = 10.0,
    ) -> "BuildContext":
        """A build that this program drives: `with agent.build(config="asan") as b: b.log("...")`.

        `async with` does the same beside a running event loop. What is raised inside makes the build failed and is
        raised again.

        Args:
            command: What is shown as the build's command; it is not run.
            cwd: The directory whose git facts are the build's; the working directory when None.
            branch: The branch that is built; read from git when None.
            config: What is built how (`release`, `asan`).
            origin: `ci`, `premerge` or `local`; guessed when None.
            linger_seconds: How long to wait at most, at the end, for the dashboard to have everything.

        Returns:
            A context manager of the build, to log to and to measure with. Entering it raises OSError where the spool
            cannot be written.

        Raises:
            ValueError: the project, branch, config or origin is none.
        """
        return BuildContext(partial(self._begin, self._plan(command, cwd, branch, config, origin), linger_seconds))

    def close(self) -> None:
        """Let go of the connection; what is not delivered waits in the spool."""
        if self._delivery is not None:
            self._delivery.close()
            self._delivery = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, plan: Plan, linger_seconds: float) -> tuple[Build, Callable[[BaseException | None], None]]:
        if (outer := self._outer) is not None:
            self._handlers.call("start", outer.build_id)
            return outer, lambda error: self._handlers.call(
                "complete", outer.build_id, "failed" if error else "succeeded"
            )
        driven = drive(plan, self._spool, self._deliverer(), self._handlers)
        self._handlers.call("start", driven.build_id)
        return driven, partial(self._end, driven, linger_seconds)

    def _end(self, driven: DrivenBuild, linger_seconds: float, error: BaseException | None) -> None:
        if not driven.is_mine:
            return  # a forked child that leaves the block ends nothing of its parent's
        end = driven.end(error)
        self._deliverer().linger([driven.build_id], linger_seconds)
        self._handlers.call("complete", driven.build_id, end.status)

    def _run_within(self, outer: OuterBuild, plan: Plan) -> BuildResult:
        self._handlers.call("start", outer.build_id)
        code = run_within(plan.command, plan.cwd, plan.timeout_seconds)
        result = BuildResult(outer.build_id, "succeeded" if code == 0 else "failed", code)
        self._handlers.call("complete", result.build_id, result.status)
        return result

    def _plan(  # noqa: PLR0917  (the arguments of `run` and `build`, in their order)
        self,
        command: str | Sequence[str],
        cwd: Path | str | None,
        branch: str | None,
        config: str,
        origin: str | None,
        timeout_seconds: float = 0,
    ) -> Plan:
        """What to build, checked: a record with anything else would be refused, and the build with it."""
        arguments = shlex.split(command) if isinstance(command, str) else list(map(str, command))
        if not isinstance(self.project_name, str) or not _PROJECT.fullmatch(self.project_name):
            raise ValueError(
                f"project {self.project_name!r}: write a-z, 0-9, _ . and -, beginning with one of a-z, 0-9"
            )
        if branch is not None and (fault := branch_fault(branch)):
            raise ValueError(f"branch: {fault}")
        if not isinstance(config, str) or not 0 < len(config) <= CONFIG_CHARACTERS:
            raise ValueError(f"config {config!r:.80}: write 1 to {CONFIG_CHARACTERS} characters")
        if origin not in (None, "ci", "premerge", "local"):
            raise ValueError(f"origin {origin!r}: write ci, premerge, local or nothing")
        place = str(Path(cwd or ".").resolve())
        return Plan(
            self.project_name,
            arguments,
            place,
            branch=branch,
            config=config,
            origin=origin,
            timeout_seconds=timeout_seconds,
            secrets=self._secrets,
            keep_key=self._keep_key,
        )

    def _deliverer(self) -> Delivery:
        if self._delivery is None or self._delivery_pid != os.getpid():
            # A forked child has its parent's memory and none of its threads: it dials for itself.
            self._delivery_pid = os.getpid()
            backoff = find_backoff(self.project_name, self._config)
            self._delivery = Delivery(self._endpoint, platform.node(), str(self._spool), backoff)
            self._delivery.on_cancel = partial(self._handlers.call_aside, "cancel")
            self._delivery.start()
        return self._delivery


class BuildContext:
    """`with` and `async with` of a build that a program reports of."""

    def __init__(self, begin: Callable[[], tuple[Build, Callable[[BaseException | None], None]]]) -> None:
        self._begin = begin
        self._end: Callable[[BaseException | None], None] | None = None

    def __enter__(self) -> Build:
        build, self._end = self._begin()
        return build

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._end is not None:
            self._end(error)

    async def __aenter__(self) -> Build:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Shielded: a task that is cancelled still reports how its build ended.
        await asyncio.shield(asyncio.to_thread(self.__exit__, kind, error, trace))
