"""Driven builds: what a Python program does, reported as a build by the program itself, without a command.

The same spool, records and promises as for a command: output goes to raw files first, and a program that is killed
leaves a build that the next agent ends as failed.
"""

import contextlib
import json
import os
import select
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from build_dashboard import reportable
from build_dashboard.builds.handlers import Handlers
from build_dashboard.builds.reporter import BuildReporter
from build_dashboard.evidence.facts import Gathering
from build_dashboard.holder import raw
from build_dashboard.holder.ending import End
from build_dashboard.holder.raw import RawWriter
from build_dashboard.recording.directory import BuildDirectory
from build_dashboard.reportable import Outcome, Phase, Stream

TICK_SECONDS = 0.1
"""Lines are recorded together, this often."""

PIECE_CHARACTERS = 64 * 1024

_KINDS = {"out": raw.OUT, "err": raw.ERR}


class BuildOver(RuntimeError):
    """Something was reported of a build after its end, or by a process that is not the build's."""


class DrivenBuild:
    """One build; its methods may be called from any thread, and each records one thing about it.

    A forked child reports through its parent: what it reports arrives while the parent's build goes on.
    """

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
        self._pid = os.getpid()
        self._child_read, self._child_write = os.pipe()
        os.set_blocking(self._child_read, False)
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
            BuildOver: the build is over.
        """
        self._report(reportable.phase(name))

    def log(self, text: str, stream: Stream = "out") -> None:
        """Print into the build's log.

        Args:
            text: One or more lines; a missing line end is added.
            stream: `out` or `err`, as of a command's standard output and standard error.

        Raises:
            TypeError: `text` is no text (bytes, None).
            ValueError: `text` has more than 16 Mi characters, or there is no such stream.
            BuildOver: the build is over.
        """
        text, stream = reportable.log(text, stream)
        whole = text if text.endswith("\n") else f"{text}\n"
        if not self.is_mine:
            for piece in reportable.pieces(whole, select.PIPE_BUF // 8):
                self._pass_up({"log": piece, "stream": stream})
            return
        with self._mine():
            for piece in reportable.pieces(whole, PIECE_CHARACTERS):
                self._raw.append(_KINDS[stream], _now_ms(), piece.encode("utf-8", "replace"))
        self._handlers.call("log", self.build_id, text.splitlines())

    def metric(self, name: str, value: float) -> None:
        """Record a number of the build.

        Args:
            name: Its name, in snake_case; the protocol's own (`tests_passed`) are shown in their place.
            value: The number, whole or not.

        Raises:
            TypeError: `value` is no number.
            ValueError: `value` is not finite or beyond 2**53 - 1, or `name` is none: of a-z, A-Z, 0-9 and `_`,
                not beginning with a digit. The protocol's own are whole numbers from 0 on.
            BuildOver: the build is over.
        """
        self._report(reportable.metric(name, value))

    def progress(self, percent: float, step: str | None = None) -> None:
        """Record how far the build is, and what it is doing now.

        Args:
            percent: From 0 to 100.
            step: What it is doing, in words, at most 8192 characters.

        Raises:
            TypeError: `percent` is no number, or `step` no text.
            ValueError: `percent` is not between 0 and 100, or `step` too long.
            BuildOver: the build is over.
        """
        self._report(reportable.progress(percent, step))
        self._handlers.call("progress", self.build_id, float(percent))

    def test(self, name: str, outcome: Outcome, seconds: float | None = None) -> None:
        """Record the result of a test.

        Args:
            name: Its whole name, at most 8192 characters.
            outcome: How it ended.
            seconds: How long it ran.

        Raises:
            TypeError: `name` is no text, or `seconds` no number.
            ValueError: there is no such outcome, or `name` is too long.
            BuildOver: the build is over.
        """
        self._report(reportable.result(name, outcome, seconds))

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
            self._take_from_children()
            self._raw.close(_now_ms(), f"code={_code(error)} reason={self._reason(error)} wall_ms={wall_ms}")
            self._reporter.pump(is_over=True)
            end = self._reporter.finish(self._gathering, _words(error))
        for fd in (self._holder_fd, self._control_fd, self._child_read, self._child_write):
            os.close(fd)
        return end

    @property
    def is_mine(self) -> bool:
        """Whether this process drives the build; a forked child of it does not."""
        return os.getpid() == self._pid

    @contextlib.contextmanager
    def _mine(self) -> Iterator[None]:
        """The lock, while the build goes on."""
        with self._lock:
            if self._is_over.is_set():
                raise BuildOver(f"build {self.build_id} is over: nothing more can be reported of it")
            yield

    def _report(self, data: Mapping[str, Any]) -> None:
        if not self.is_mine:
            self._pass_up(data)
            return
        with self._mine():
            # What was printed before stands before it.
            self._reporter.pump()
            self._reporter.report(data)

    def _pass_up(self, data: Mapping[str, Any]) -> None:
        """In a forked child, where neither locks nor threads are to be relied on: one write to the parent."""
        if self._child_read >= 0:
            os.close(self._child_read)  # only the parent reads: else nobody would notice that it is gone
            self._child_read = -1
        line = reportable.encode(dict(data))
        if len(line) > select.PIPE_BUF:
            raise ValueError(f"{len(line)} bytes at once: a forked child reports at most {select.PIPE_BUF}")
        try:
            os.write(self._child_write, line)
        except OSError as error:
            raise BuildOver(f"build {self.build_id} is over: nothing more can be reported of it") from error

    def _take_from_children(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._child_read, 65536):
                for line in data.splitlines():
                    found = json.loads(line)
                    if "log" in found:
                        self._raw.append(_KINDS[found["stream"]], _now_ms(), found["log"].encode("utf-8", "replace"))
                    else:
                        self._reporter.pump()
                        self._reporter.report(found)

    def _tick(self) -> None:
        while not self._is_over.wait(TICK_SECONDS):
            with self._lock:
                self._take_from_children()
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
