"""Wrapping: everything that happens beside a running command until it is reported to the dashboard."""

import os
import platform
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from build_dashboard.builds.console import say
from build_dashboard.builds.reporter import BuildReporter
from build_dashboard.builds.resume import adopt_left_builds
from build_dashboard.builds.run_options import RunOptions
from build_dashboard.config import find_backoff
from build_dashboard.delivery.delivery import Delivery
from build_dashboard.endpoint import find_endpoint, spool_directory
from build_dashboard.evidence import facts
from build_dashboard.evidence.build_tree import BuildTree
from build_dashboard.evidence.collector import EvidenceCollector
from build_dashboard.evidence.commit_range import gather_range
from build_dashboard.holder.holding import Holding
from build_dashboard.holder.signals import Signals
from build_dashboard.recording.directory import BuildDirectory, build_facts
from build_dashboard.recording.places import Places
from build_dashboard.redaction.redactor import Redactor

if TYPE_CHECKING:
    from build_dashboard.builds.status_line import StatusLine


def wrap(
    places: Places,
    holding: Holding,
    options: RunOptions,
    signals: Signals,
    trees: Sequence[BuildTree],
    *,
    cwd: str,
    is_terminal: bool,
) -> "Wrapping":
    """Begin to report a command that runs already.

    Raises:
        OSError: the spool takes nothing more.
    """
    redactor = Redactor.of(os.environ, options.secret, options.redact)
    noted = build_facts(
        options.project,
        redactor.command(options.command),
        branch=options.branch,
        commit=options.commit,
        config=options.config_name,
        origin=options.origin,
        retry_of=options.retry_of,
        artifacts=options.artifact,
        junit=options.junit,
        is_terminal=is_terminal,
        cwd=cwd,
        begun=(places.build_id, places.began_at),
    )
    directory = BuildDirectory.begun(places, noted)
    return Wrapping(directory, holding, options, signals, trees, redactor=redactor)


class Wrapping:
    """One `run`, from the command's start to the end of delivery."""

    def __init__(
        self,
        directory: BuildDirectory,
        holding: Holding,
        options: RunOptions,
        signals: Signals,
        trees: Sequence[BuildTree],
        *,
        redactor: Redactor,
    ) -> None:
        endpoint = find_endpoint(options.endpoint)
        redactor.add(filter(None, [endpoint.api_key]))  # that of a file is as secret as the environment's
        directory.seal_redaction(redactor)
        self._directory = directory
        self._holding = holding
        self._signals = signals
        self._is_quiet = options.quiet
        self._lost: Mapping[int, tuple[int, int]] = {}
        self._has_status = options.tty and not options.quiet
        spool = spool_directory(options.spool)
        self._gathering = facts.gather(directory.facts["start"]["cwd"], os.environ)
        directory.facts["start"]["environment"] = redactor.environment(facts.environment_facts(os.environ))
        backoff = find_backoff(directory.facts["project"])
        self._delivery = Delivery(endpoint, platform.node(), str(spool), backoff)
        self._collector = EvidenceCollector(directory.facts, trees, os.environ, spool, redactor)
        self._reporter = BuildReporter(directory, redactor, self._delivery, is_new=True, collector=self._collector)
        self._collector.begin()
        self._delivery.start()
        gather_range(self._gathering, self._delivery, directory.facts, may_deepen=options.deepen)
        # What earlier builds left goes out after what this one says.
        self._left = threading.Thread(target=adopt_left_builds, args=(spool, self._delivery), daemon=True)

    def follow(self) -> None:
        """Report the build until its command is over."""
        self._reporter.start(self._gathering)
        self._left.start()
        self._show_link_later()
        status = self._status_line()
        try:
            self._lost = self._reporter.follow(self._holding, self._gathering).lost
        finally:
            if status is not None:
                status.stop()
        self._signals.build_is_over()

    def deliver(self, linger_seconds: float, wait_seconds: float | None) -> None:
        """Wait a little for the rest to be stored, or by time where one is given, and say what is left."""
        build_id = self._directory.build_id
        is_delivered = self._wait(build_id, linger_seconds, wait_seconds)
        self._delivery.close()
        if not is_delivered and self._reporter.log_recorder.is_complete:
            self._directory.settle()
        if self._is_quiet:
            return
        for fd, (size, problem) in self._lost.items():
            name = "standard output" if fd == 1 else "standard error"
            say(f"{size} bytes could not be written to {name} ({os.strerror(problem)}); the build's log has them")
        for notice in self._delivery.notices:
            say(notice)
        if self._delivery.is_offline:
            say(f"the dashboard could not be reached {self._delivery.failures} times")
        if not is_delivered:
            left = self._reporter.spool.last_seq - self._reporter.spool.stored_seq
            why = f" ({self._delivery.problem})" if self._delivery.problem else ""
            if left:
                say(f"{left} records of build {build_id} wait in the spool{why}")
                if self._delivery.has_key:
                    say("the next run, or `build-dashboard run --resume`, delivers them")
                else:
                    say(f"whoever has a key delivers them: build-dashboard deliver {self._directory.path.parent}")
            else:
                say(f"build {build_id} is stored, and its log is still being checked{why}")
                say("its spool stays until the next run, or `build-dashboard run --resume`, learns the result")

    def _wait(self, build_id: str, linger_seconds: float, wait_seconds: float | None) -> bool:
        def is_hurried() -> bool:
            return self._signals.is_hurried

        deadline = time.monotonic() + (wait_seconds or 0)
        if wait_seconds is not None:
            self._delivery.reach(wait_seconds, is_hurried)
        if self._directory.facts.get("artifacts"):
            self._bring_artifacts()
        if wait_seconds is None:
            return self._delivery.linger([build_id], linger_seconds, is_hurried)
        return self._delivery.wait([build_id], deadline - time.monotonic(), is_hurried)

    def _bring_artifacts(self) -> None:
        from build_dashboard.builds.bringing import bring_artifacts  # noqa: PLC0415  (costs builds without any nothing)

        bring_artifacts(
            self._reporter,
            self._delivery,
            # Quiet runs print no notices; they are kept with the delivery's.
            say=self._delivery.notices.append if self._is_quiet else say,
            is_hurried=lambda: self._signals.is_hurried,
        )

    def _status_line(self) -> "StatusLine | None":
        if not self._has_status or not os.isatty(2):
            return None
        from build_dashboard.builds.status_line import StatusLine  # noqa: PLC0415  (only who asks for it needs it)

        log_recorder, count = self._reporter.log_recorder, self._collector.lookups
        status = StatusLine(lambda: (log_recorder.last_progress, log_recorder.remaining_ms, self._link(0)), count)
        status.start()
        return status

    def _link(self, seconds: float) -> str | None:
        """The address of the build's page, once there is a connection."""
        url = self._delivery.wait_for_dashboard(seconds)
        return f"{url.rstrip('/')}/builds/{self._directory.build_id}" if url else None

    def _show_link_later(self) -> None:
        """Print the page's address once it is known, where a person or a CI log will see it."""
        if self._is_quiet or not (os.isatty(2) or os.environ.get("CI")):
            return
        threading.Thread(target=self._show_link, daemon=True).start()

    def _show_link(self) -> None:
        if link := self._link(10):
            say(link)
