"""Resuming: builds that an earlier process left in the spool are reported to their end, and delivered."""

import logging
import os
import platform
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from build_dashboard.builds.console import say
from build_dashboard.builds.reporter import BuildReporter
from build_dashboard.delivery.delivery import Delivery
from build_dashboard.endpoint import find_endpoint, spool_directory
from build_dashboard.recording.directory import BuildDirectory, left_builds
from build_dashboard.redaction.redactor import Redactor

if TYPE_CHECKING:
    from build_dashboard.builds.run_options import RunOptions

logger = logging.getLogger("build_dashboard")

Say = Callable[[str], None]
"""Gets a sentence of each thing worth one."""

ADOPTED_LIMIT = 100
"""Builds of earlier processes that one process takes on; the next takes more."""


def resume(options: "RunOptions") -> int:
    """Deliver everything in the spool; 0 when nothing is left."""
    spool = spool_directory(options.spool)
    delivery = Delivery(find_endpoint(options.endpoint), platform.node(), str(spool))
    delivery.start()
    build_ids = adopt_left_builds(spool, delivery, retry_refused=True)
    if options.wait is None:
        is_delivered = delivery.linger(build_ids, max(options.linger, 1.0))
    else:
        is_delivered = delivery.wait(build_ids, options.wait)
    delivery.close()
    if not options.quiet:
        say_what_came(delivery, build_ids, say)
    return 0 if is_delivered else 1


def say_what_came(delivery: Delivery, build_ids: Sequence[str], say: Say) -> None:
    """Say what there was to notice, how many of these builds are delivered, and how many are left for what reason."""
    for notice in delivery.notices:
        say(notice)
    why = f" ({delivery.problem})" if delivery.problem else ""
    left = sum(1 for build_id in build_ids if not delivery.is_delivered(build_id))
    delivered = len(build_ids) - left
    noun = "build" if delivered == 1 else "builds"
    say(f"{delivered} {noun} delivered" + (f", {left} left{why}" if left else ""))


def adopt_left_builds(
    spool: Path, delivery: Delivery, *, retry_refused: bool = False, is_handed_over: bool = False
) -> list[str]:
    """Report the builds that no process reports; returns when all of them are over.

    Of those handed over by another machine no artifacts are brought: their files are there, or other files are here.
    """
    threads: list[threading.Thread] = []
    build_ids: list[str] = []
    for directory in left_builds(spool, retry_refused=retry_refused, is_handed_over=is_handed_over):
        build_ids.append(directory.build_id)
        if directory.is_held():
            thread = threading.Thread(target=_report_alone, args=(directory, delivery, is_handed_over), daemon=True)
            threads.append(thread)
            thread.start()
        else:
            _report_alone(directory, delivery, is_handed_over)
        if len(build_ids) >= ADOPTED_LIMIT:
            break
    for thread in threads:
        thread.join()
    return build_ids


def _report_alone(directory: BuildDirectory, delivery: Delivery, is_handed_over: bool) -> None:
    """Report one build; an error in it keeps no other from being delivered."""
    try:
        _report(directory, delivery, is_handed_over=is_handed_over)
    except Exception as error:
        logger.exception("fail to deliver build %s", directory.build_id)
        delivery.notices.append(f"build {directory.build_id} waits: {type(error).__name__}: {error}")


def _report(directory: BuildDirectory, delivery: Delivery, *, is_handed_over: bool) -> None:
    secrets, patterns = directory.sealed_redaction()
    redactor = Redactor.of(os.environ, [*secrets, delivery.endpoint.api_key], patterns)
    reporter = BuildReporter(directory, redactor, delivery, is_new=False)
    has_artifacts = bool(directory.facts.get("artifacts"))
    if not reporter.log_recorder.is_complete:
        if not reporter.log_recorder.is_started:
            reporter.start(None)
        reporter.follow(None)
    elif not has_artifacts:
        reporter.deliver_only()
    if has_artifacts and is_handed_over:
        delivery.notices.append(f"artifacts of build {directory.build_id} are not brought: their files are not here")
        reporter.deliver_only()
    elif has_artifacts:
        from build_dashboard.builds.bringing import bring_artifacts  # noqa: PLC0415  (costs builds without any nothing)

        bring_artifacts(reporter, delivery, say=delivery.notices.append, is_hurried=lambda: False)
