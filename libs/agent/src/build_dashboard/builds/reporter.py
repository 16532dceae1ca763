"""Reports one build: follows its holder to the end, through the log recorder, and hands records to delivery.

The same whether the command was just started or an earlier agent died and left it.
"""

import contextlib
import os
import select
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from build_analysis.progress import ProgressReader

from build_dashboard import __version__
from build_dashboard.delivery.delivery import Delivery
from build_dashboard.evidence.collector import EvidenceCollector
from build_dashboard.evidence.facts import Gathering, host_facts, origin_of
from build_dashboard.evidence.usage import tree_usage
from build_dashboard.holder.ending import End
from build_dashboard.holder.holding import Holding
from build_dashboard.recording.directory import BuildDirectory
from build_dashboard.recording.log_recorder import LogRecorder
from build_dashboard.recording.normalise import Normaliser
from build_dashboard.recording.records import Recorder
from build_dashboard.recording.screen import COLUMNS, ROWS
from build_dashboard.recording.spool import Spool
from build_dashboard.redaction.redactor import Redactor

if TYPE_CHECKING:
    from build_dashboard.builds.handlers import Handlers

FACTS_SECONDS = 0.3
"""BUILD_START waits this long for facts; later ones follow in BUILD_UPDATE."""

FIRST_FACTS = ("git", "tools")

LATE_FACTS = ("git", "range")
LATE_SECONDS = 3.0
"""A build that ends before its commits are known waits at most this long for them, where the dashboard is there."""

METRICS_SECONDS = 5.0
FIRST_METRICS_SECONDS = 2.0
WAIT_SECONDS = 0.05
POLL_SECONDS = 0.1
"""How often an adopted build, whose holder notifies nobody, is looked at."""

DISK_FULL_SECONDS = 30.0
"""After the command's end, how long a full disk is waited for."""


HOLDER_LOST = End(exit_code=1, reason="holder_lost")
"""Nobody recorded how it ended."""


class BuildReporter:
    """One build, from its first record to its last."""

    def __init__(
        self,
        directory: BuildDirectory,
        redactor: Redactor,
        delivery: Delivery,
        *,
        is_new: bool,
        collector: EvidenceCollector | None = None,
        handlers: "Handlers | None" = None,
    ) -> None:
        self.directory = directory
        self.spool = Spool(directory.path)
        self._delivery = delivery
        self.redactor = redactor
        self.log_recorder = self._new_log_recorder()
        for occasion in ("log", "progress"):
            if handlers is not None and handlers.has(occasion):
                self.log_recorder.listeners[occasion].append(partial(handlers.call, occasion, directory.build_id))
        self._has_handlers = handlers is not None
        self._collector = collector
        if collector is not None:
            self.log_recorder.forecast = collector.remaining_ms
            self.log_recorder.listeners["log"].append(collector.note_lines)
        self._tree_peak_bytes = self._largest_peak_bytes = 0
        self._notified_seq = 0
        delivery.add(directory, self.spool, self._replace, is_running=is_new or not self.log_recorder.is_complete)

    def _new_log_recorder(self) -> LogRecorder:
        recorder = Recorder(self.directory.build_id, self.directory.facts["project"], redactor=self.redactor)
        start = self.directory.facts["start"]
        progress = ProgressReader(start["command"], (start.get("environment") or {}).get("NINJA_STATUS"))
        columns, rows = _terminal_size() if start.get("tty") else (COLUMNS, ROWS)
        normaliser = Normaliser(self.redactor, columns=columns, rows=rows)
        return LogRecorder(self.directory.raw, self.spool, recorder, normaliser, progress=progress)

    def start(self, gathering: Gathering | None) -> None:
        """Record BUILD_START with the facts there are."""
        if gathering is not None:
            gathering.wait(FACTS_SECONDS, FIRST_FACTS)
        start = self.directory.facts["start"]
        found = gathering.take() if gathering else {}
        facts = {
            "origin": origin_of(found, os.environ, is_terminal=bool(start.get("tty"))),
            **found,
            **{name: value for name, value in start.items() if value is not None},
            "host": host_facts(),
            "agentVersion": __version__,
        }
        self.log_recorder.start(facts, self.directory.facts["startedAt"])
        if self._has_handlers:
            self.log_recorder.write()  # a program is called for the start before it is called for lines
        else:
            self.log_recorder.step()
        self._notify_delivery()

    def follow(self, holding: Holding | None, gathering: Gathering | None = None) -> End:
        """Spool everything until the command and its output are over, and record BUILD_COMPLETE; returns how it ended.

        A build that brings artifacts waits for `deliver_only`: until then more may be recorded about it.
        """
        wait = _Ticks(holding.status_fd) if holding else _Polls(self.directory.is_held)
        metrics_at = time.monotonic() + FIRST_METRICS_SECONDS
        while self.log_recorder.end is None:
            self.pump(is_over=wait.is_over)
            if self.log_recorder.end is not None or wait.is_over:
                break
            patience = self.log_recorder.patience_seconds()
            due = metrics_at - time.monotonic()
            wait(max(0.0, due if patience is None else min(due, patience)))
            if gathering is not None:
                self.report_late_facts(gathering)
            if holding and time.monotonic() >= metrics_at:
                metrics_at = time.monotonic() + METRICS_SECONDS
                self._report_metrics(holding.pid)
        return self.finish(gathering)

    def _make_room(self) -> None:
        """The disk is full of what the command printed. Delivery makes room; where it does not, the rest is cut.

        Some disks take nothing even in place of what is there (read-only, or copying on write): then nothing is lost,
        and what was printed is read on once there is room.
        """
        deadline = time.monotonic() + DISK_FULL_SECONDS
        while time.monotonic() < deadline and self._delivery.is_connected:
            time.sleep(POLL_SECONDS)
            self.pump(is_over=True)
            if not self.log_recorder.is_waiting:
                return
        try:
            self.log_recorder.cut_unread(_now_ms())
        except OSError:
            return
        self.log_recorder = self._new_log_recorder()
        if not self.log_recorder.is_started:
            self.start(None)
        self.pump(is_over=True)

    def pump(self, *, is_over: bool = False) -> None:
        """Spool what was printed since the last time."""
        while self.log_recorder.step(is_holder_gone=is_over):
            self._notify_delivery()
        self._notify_delivery()

    def report(self, data: Mapping[str, Any]) -> None:
        """Record BUILD_UPDATE."""
        self.log_recorder.update(data, _now_ms())
        self._notify_delivery()

    def report_late_facts(self, gathering: Gathering) -> None:
        """Record the facts that became known since the last time, and which ones are missing."""
        late = gathering.take()
        given = [name for name, value in self.directory.facts["start"].items() if value]
        if missing := gathering.take_missing(given):
            late["missingFacts"] = missing
        if late:
            self.report(late)

    def finish(self, gathering: Gathering | None, error: str | None = None) -> End:
        """Record what is still missing and BUILD_COMPLETE, once everything printed is spooled; returns how it ended."""
        if self.log_recorder.is_waiting:
            self._make_room()
        if self.log_recorder.end is None and not self._read_on():
            return self.log_recorder.unread_end() or HOLDER_LOST
        if gathering is not None:
            self._wait_for(gathering)
            self.report_late_facts(gathering)
        return self._complete(error)

    def report_artifact(self, data: Mapping[str, Any]) -> None:
        """Record ARTIFACT_UPLOADED, after the build is complete."""
        self.log_recorder.artifact(data, _now_ms())
        self._notify_delivery()

    def deliver_only(self) -> None:
        """Everything is spooled already."""
        self._delivery.spooled(self.directory.build_id, self.spool.last_seq)
        self._delivery.complete(self.directory.build_id, has_totals=self.log_recorder.totals_known)

    def _complete(self, error: str | None) -> End:
        end = self.log_recorder.end
        if end is None:
            end = HOLDER_LOST
            error = "the process that held the command ended without a result (killed, or the machine went down)"
        # The kernel knows the largest of those that ended in order, the samples those that were left behind.
        largest_bytes = max(self._largest_peak_bytes, end.peak_rss_bytes or 0)
        facts = {
            "wallMs": end.wall_ms,
            "cpuMs": end.cpu_ms,
            "peakRssBytes": max(self._tree_peak_bytes, largest_bytes) or None,
            "largestProcessRssBytes": largest_bytes or None,
        }
        metrics = {name: value for name, value in facts.items() if value is not None}
        metrics |= self._report_evidence(end)
        if end.reason == "command_not_found":
            error = f"command not found: {self.directory.facts['start']['command'][0]}"
        self.log_recorder.complete(end, metrics, _now_ms(), error)
        if not self._flush():
            return end
        self._notify_delivery()
        if not self.directory.facts.get("artifacts"):
            self.deliver_only()
        return end

    def _read_on(self) -> bool:
        """Spool what waited for room, and what was printed after it; False where there is no room yet."""
        while self._flush():
            self.pump(is_over=True)
            if not self.log_recorder.is_waiting:
                return True
        return False

    def _flush(self) -> bool:
        """Wait for room on the disk for what is recorded; False, and somebody is notified, where none comes."""
        deadline = time.monotonic() + DISK_FULL_SECONDS
        while not self.log_recorder.flush():
            if time.monotonic() >= deadline:
                self._delivery.notices.append(
                    f"build {self.directory.build_id} cannot be delivered yet: the disk of {self.directory.path} has no"
                    " space left; make room, then `build-dashboard run --resume` delivers it"
                )
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _report_evidence(self, end: End) -> Mapping[str, int]:
        """Record what the collector found; returns the metrics among it."""
        if self._collector is None:
            return {}
        wall_seconds = (end.wall_ms or 0) / 1000
        for update in self._collector.finish(is_green=end.status == "succeeded", wall_seconds=wall_seconds):
            self.report(update)
        return self._collector.metrics

    def _wait_for(self, gathering: Gathering) -> None:
        """Short builds end before the dashboard answers what was green; nothing is waited for that was never asked."""
        deadline = time.monotonic() + LATE_SECONDS
        while not gathering.is_done(LATE_FACTS) and time.monotonic() < deadline and self._delivery.may_answer:
            gathering.wait(WAIT_SECONDS, LATE_FACTS)

    def _report_metrics(self, pid: int) -> None:
        usage = tree_usage(pid)
        if not usage.processes:
            return
        self._tree_peak_bytes = max(self._tree_peak_bytes, usage.rss_bytes)
        self._largest_peak_bytes = max(self._largest_peak_bytes, usage.largest_rss_bytes)
        wall_ms = _now_ms() - self.directory.facts["startedAt"]
        metrics = {"cpuMs": usage.cpu_ms, "wallMs": max(0, wall_ms), "treeRssBytes": usage.rss_bytes}
        if self.log_recorder.redacted:
            metrics["secretsRedacted"] = self.log_recorder.redacted
        self.report({"metrics": metrics})

    def _notify_delivery(self) -> None:
        if self.spool.last_seq > self._notified_seq:
            self._notified_seq = self.spool.last_seq
            self._delivery.spooled(self.directory.build_id, self._notified_seq)

    def _replace(self, seq: int, problem: str) -> bytes:
        """What stands in the sequence instead of a record that the dashboard refused; called by delivery's thread."""
        # The dashboard's words may repeat what was refused, and this thread is not that of the build's redactor.
        redactor = Redactor(self.redactor.secrets)
        recorder = Recorder(self.directory.build_id, self.directory.facts["project"], seq - 1, redactor)
        return recorder.refused(_now_ms(), problem)


class _Ticks:
    """Waits on the holder's pipe."""

    def __init__(self, fd: int) -> None:
        self.is_over = False
        self._fd = fd

    def __call__(self, seconds: float) -> None:
        select.select((self._fd,), (), (), seconds)
        with contextlib.suppress(BlockingIOError):
            self.is_over = not os.read(self._fd, 64 * 1024)


class _Polls:
    """Waits without a pipe, for a holder whose agent died."""

    def __init__(self, is_held: Callable[[], Any]) -> None:
        self.is_over = False
        self._is_held = is_held

    def __call__(self, seconds: float) -> None:
        time.sleep(min(seconds, POLL_SECONDS))
        self.is_over = not self._is_held()


def _terminal_size() -> tuple[int, int]:
    """Columns and rows of our terminal, which the command's copies; of one that we do not have the usual."""
    try:
        size = os.get_terminal_size(1)
    except OSError:
        return COLUMNS, ROWS
    return (size.columns, size.lines) if size.columns and size.lines else (COLUMNS, ROWS)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
