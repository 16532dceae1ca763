"""Nested builds: a program within a wrapped build reports through that build's holder; it needs no key and no network.

What it prints it prints, which the holder records; the rest goes through the pipe that BUILD_DASHBOARD_REPORTS names.
"""

import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from build_dashboard import reportable
from build_dashboard.builds.driven import BuildOver
from build_dashboard.reportable import Outcome, Phase, Stream


class OuterBuild:
    """The build that this process runs in. May be used from any thread, process and forked child of it."""

    is_cancelled = False
    """A wrapped build is ended by signals: nobody need look."""

    def __init__(self, reports: Path, build_id: str) -> None:
        self.build_id = build_id
        self._reports = reports

    def phase(self, name: Phase) -> None:
        """Record that a phase begins, as `DrivenBuild.phase`."""
        self.report(reportable.phase(name))

    def log(self, text: str, stream: Stream = "out") -> None:
        """Print, as `DrivenBuild.log`: to this process's own output, which is the build's."""
        text, stream = reportable.log(text, stream)
        print(
            text,
            end="" if text.endswith("\n") else "\n",
            file=sys.stderr if stream == "err" else sys.stdout,
            flush=True,
        )

    def metric(self, name: str, value: float) -> None:
        """Record a number, as `DrivenBuild.metric`."""
        self.report(reportable.metric(name, value))

    def progress(self, percent: float, step: str | None = None) -> None:
        """Record how far it is, as `DrivenBuild.progress`."""
        self.report(reportable.progress(percent, step))

    def test(self, name: str, outcome: Outcome, seconds: float | None = None) -> None:
        """Record the result of a test, as `DrivenBuild.test`."""
        self.report(reportable.result(name, outcome, seconds))

    def report(self, update: Mapping[str, Any]) -> None:
        """Pass fields of BUILD_UPDATE to the holder.

        Raises:
            ValueError: they are larger than a pipe takes in one piece.
            BuildOver: nobody holds the build any more.
        """
        line = reportable.encode(dict(update))
        if len(line) > select.PIPE_BUF:
            raise ValueError(f"{len(line)} bytes at once: a program in a build reports at most {select.PIPE_BUF}")
        try:
            # Only a pipe that somebody reads can be opened so; then there is time to wait for room in it.
            fd = os.open(self._reports, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            raise BuildOver(f"build {self.build_id} is over: nothing more can be reported of it") from error
        try:
            os.set_blocking(fd, True)
            os.write(fd, line)
        finally:
            os.close(fd)


def outer_build(environment: Mapping[str, str] = os.environ) -> OuterBuild | None:
    """The build that this process runs in; None where it runs in none."""
    reports, build_id = environment.get("BUILD_DASHBOARD_REPORTS"), environment.get("BUILD_DASHBOARD_BUILD_ID")
    return OuterBuild(Path(reports), build_id) if reports and build_id and Path(reports).is_fifo() else None


def run_within(command: Sequence[str], cwd: str, timeout_seconds: float) -> int:
    """Run a command as a part of the build around it; its exit code, as a shell gives it."""
    try:
        code = subprocess.run(command, cwd=cwd, timeout=timeout_seconds or None, check=False).returncode
    except subprocess.TimeoutExpired:
        return 124
    return code if code >= 0 else 128 - code
