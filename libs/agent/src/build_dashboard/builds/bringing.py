"""Bringing a complete build's artifacts: upload each file, record it in the build's sequence, then let the build go."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Lock

from build_dashboard.builds.artifacts import FILES_MAX, Uploader, UploadLater, UploadRefused, find
from build_dashboard.builds.console import draw
from build_dashboard.builds.reporter import BuildReporter
from build_dashboard.delivery.delivery import Delivery

CONNECT_SECONDS = 5.0
"""A dashboard that is not there by then gets the files from the next run."""

KEEP_SECONDS = 7 * 24 * 3600
"""Files of a build older than this are no longer tried: what is left of it goes without them."""

SHOW_SECONDS = 0.2


def bring_artifacts(
    reporter: BuildReporter,
    delivery: Delivery,
    *,
    say: Callable[[str], None],
    is_hurried: Callable[[], bool],
) -> bool:
    """Upload what the build's patterns match; False when some wait for the next run, and the build with them."""
    facts = reporter.directory.facts
    matched, left_out = find(facts["artifacts"], Path(facts["start"]["cwd"]))
    found = [replace(file, name=reporter.redactor.text(file.name)) for file in matched]
    for sentence in left_out:
        say(f"--artifact {sentence}")
    if len(found) > FILES_MAX:
        say(f"--artifact matches {len(found)} files; the first {FILES_MAX} are uploaded")
    is_old = facts["startedAt"] / 1000 < time.time() - KEEP_SECONDS
    if found and not is_old:
        if delivery.wait_for_dashboard(CONNECT_SECONDS) is None:
            say(f"{len(found)} artifacts wait for the dashboard")
            return False
        meter, endpoint = _Meter(), delivery.endpoint
        uploader = Uploader(
            endpoint.dashboard_url, endpoint.credential, facts, progress=meter.show, is_hurried=is_hurried
        )
        try:
            for file in found[:FILES_MAX]:
                try:
                    reporter.report_artifact(data := uploader.upload(file))
                    meter.clear()
                    say(f"uploaded {file.name} ({data['sizeBytes'] / 2**20:.1f} MiB)")
                except UploadRefused as error:
                    meter.clear()
                    say(f"artifact {file.name} is not uploaded: {error}")
        except UploadLater as error:
            meter.clear()
            say(f"artifact {file.name} and those after it wait for the next run: {error}")
            return False
        finally:
            uploader.close()
    reporter.deliver_only()
    return True


class _Meter:
    """One line on a terminal's stderr that shows how far a large file is."""

    def __init__(self) -> None:
        self._is_shown = os.isatty(2)
        self._shown_at = time.monotonic()
        self._lock = Lock()

    def show(self, name: str, done_bytes: int, size_bytes: int) -> None:
        with self._lock:
            if not self._is_shown or time.monotonic() < self._shown_at + SHOW_SECONDS:
                return
            self._shown_at = time.monotonic()
            draw(f"\r\x1b[Kbuild-dashboard: {name[:60]!r} {100 * done_bytes // max(size_bytes, 1)} %")

    def clear(self) -> None:
        if self._is_shown:
            draw("\r\x1b[K")
