"""Driven builds: what a Python program does, reported as a build by the program itself, without a command.

The same spool, records and promises as for a command: output goes to raw files first, and a program that is killed
leaves a build that the next agent ends as failed.
"""

import contextlib
import math
import os
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any, Literal, get_args

from build_dashboard.builds.handlers import Handlers
from build_dashboard.builds.reporter import BuildReporter
from build_dashboard.evidence.facts import Gathering
from build_dashboard.holder import raw
from build_dashboard.holder.holding import End
from build_dashboard.holder.raw import RawWriter
from build_dashboard.recording.directory import BuildDirectory

Phase = Literal["configure", "build", "link", "test"]

TICK_SECONDS = 0.1
"""Lines are recorded together, this often."""

_KINDS = {"out": raw.OUT, "err": raw.ERR}


class DrivenBuild:
    """One build; its methods may be called from any thread, and each records one thing about it."""

    def __init__(
        self, directory: BuildDirectory, reporter: BuildReporter, handlers: Handlers, gathering: Gathering
    ) -> None:
        self.build_id = directory.build_id
        self.is_cancelled = False
        """Somebody cancelled the build on the dashboard: end it when you can."""

        self._directory = directory
        self._reporter = reporter
        self._handlers = handlers
        self._gathering = gathering
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._holder_fd = directory.hold()
        self._control_fd = directory.open_control()
        self._raw = RawWriter(directory.raw)
        reporter.start(gathering)
        self._thread = threading.Thread(target=self._tick, name="driven-build", daemon=True)
        self._thread.start()

    def phase(self, name: Phase) -> None:
        """Record that a phase begins.

        Args:
            name: `configure`, `build`, `link` or `test`.

        Raises:
            ValueError: `name` is none of configure, build, link and test.
        """
        if name not in get_args(Phase):
            raise ValueError(f"no phase {name!r}: a build has the phases {', '.join(get_args(Phase))}")
        self._report({"phase": name})

    def log(self, text: str, stream: Literal["out", "err"] = "out") -> None:
        """Print into the build's log.

        Args:
            text: One or more lines; a missing line end is added.
            stream: `out` or `err`, as of a command's standard output and standard error.
        """
        data = (text if text.endswith("\n") else f"{text}\n").encode("utf-8", "replace")
        with self._lock:
            self._raw.append(_KINDS[stream], _now_ms(), data)
        self._handlers.call("log", self.build_id, text.splitlines())

    def metric(self, name: str, value: float) -> None:
        """Record a number of the build.

        Args:
            name: Its name, in snake_case; the protocol's own (`tests_passed`) are shown in their place.
            value: The number, whole or not.

        Raises:
            ValueError: `value` is no finite number.
        """
        if not math.isfinite(value):
            raise ValueError(f"metric {name} is {value}: only finite numbers can be reported")
        first, *rest = name.split("_")
        number = int(value) if float(value).is_integer() else value
        self._report({"metrics": {first + "".join(word.capitalize() for word in rest): number}})

    def progress(self, percent: float, step: str | None = None) -> None:
        """Record how far the build is, and what it is doing now.

        Args:
            percent: From 0 to 100.
            step: What it is doing, in words.

        Raises:
            ValueError: `percent` is not between 0 and 100.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"progress is {percent}: it goes from 0 to 100")
        self._report({"progress": float(percent), "step": step})
        self._handlers.call("progress", self.build_id, float(percent))

    def end(self, error: BaseException | None) -> End:
        """Record how the build ended.

        Args:
            error: What ended it; None when it ended well.
        """
        if error is not None and not isinstance(error, SystemExit):
            self.log("".join(traceback.format_exception(error)), "err")
        self._is_over.set()
        self._thread.join()
        wall_ms = int(1000 * (time.monotonic() - self._began))
        with self._lock:
            self._raw.close(_now_ms(), f"code={_code(error)} reason={self._reason(error)} wall_ms={wall_ms}")
            self._reporter.pump(is_over=True)
            end = self._reporter.finish(self._gathering, _words(error))
        for fd in (self._holder_fd, self._control_fd):
            os.close(fd)
        return end

    def _report(self, data: Mapping[str, Any]) -> None:
        with self._lock:
            # What was printed before stands before it.
            self._reporter.pump()
            self._reporter.report(data)

    def _tick(self) -> None:
        while not self._is_over.wait(TICK_SECONDS):
            with self._lock:
                self._reporter.pump()
                self._reporter.report_late_facts(self._gathering)
            with contextlib.suppress(BlockingIOError):
                if b"cancelled" in os.read(self._control_fd, 4096):
                    self.is_cancelled = True

    def _reason(self, error: BaseException | None) -> str:
        if self.is_cancelled:
            return "cancelled_by_user"
        return "interrupted" if isinstance(error, KeyboardInterrupt) else ""


def _code(error: BaseException | None) -> int:
    if isinstance(error, SystemExit):
        return error.code & 255 if isinstance(error.code, int) else int(error.code is not None)
    return int(error is not None)


def _words(error: BaseException | None) -> str | None:
    if error is None or isinstance(error, SystemExit | KeyboardInterrupt):
        return None
    return f"{type(error).__name__}: {error}"[:2000]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
