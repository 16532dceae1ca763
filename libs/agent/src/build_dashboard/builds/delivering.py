"""Delivering: `build-dashboard deliver DIR` brings the spool of another machine, trusted or not, to the dashboard."""

import os
import platform
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from build_dashboard.builds.origin import Origin
from build_dashboard.builds.resume import Say, adopt_left_builds, say_what_came
from build_dashboard.builds.untrusted import rewrite
from build_dashboard.config_error import ConfigError
from build_dashboard.delivery.delivery import NO_KEY, Delivery
from build_dashboard.endpoint import Endpoint
from build_dashboard.recording.directory import BuildDirectory, build_facts
from build_dashboard.recording.records import Recorder
from build_dashboard.recording.spool import Spool

UNTRUSTED_BUILDS_MAX = 20
SPOOL_BYTES_MAX = 1024**3
"""Of an untrusted build; nobody reads more than that to keep a little of it."""

_BUILD_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def deliver(spool: Path, endpoint: Endpoint, wait_seconds: float, *, origin: Origin | None, say: Say) -> int:
    """Deliver what is in the spool; 0 when nothing is left.

    Args:
        spool: The directory that BUILD_DASHBOARD_SPOOL named when the builds ran, or a copy of it.
        endpoint: The dashboard and a key for it.
        wait_seconds: How long to wait, also for a dashboard that is away.
        origin: Whose builds these are, where whoever left them is not trusted.
        say: Gets a sentence of each thing worth one.

    Raises:
        ConfigError: there is no key, or the directory is none that builds can be delivered from.
    """
    if not endpoint.has_key:
        raise ConfigError(NO_KEY)
    if not spool.is_dir() or not os.access(spool, os.R_OK | os.W_OK):
        raise ConfigError(f"{spool} is no directory that can be read and written")
    delivery = Delivery(endpoint, platform.node(), str(spool))
    with tempfile.TemporaryDirectory(prefix="build-dashboard-", ignore_cleanup_errors=True) as copies:
        delivery.start()
        if origin is None:
            build_ids = adopt_left_builds(spool, delivery, retry_refused=True, is_handed_over=True)
        else:
            build_ids = _adopt_untrusted(spool, Path(copies), delivery, origin, say)
        is_delivered = delivery.wait(build_ids, wait_seconds)
        delivery.close()
    say_what_came(delivery, build_ids, say)
    return 0 if is_delivered else 1


def _adopt_untrusted(spool: Path, copies: Path, delivery: Delivery, origin: Origin, say: Say) -> list[str]:
    build_ids = []
    for place in _plain_builds(spool, say):
        build_id = origin.build_id(place.name)
        try:
            source = Spool(place)
            records = rewrite(source.records(), origin, build_id)
            source.close()
        except (OSError, ValueError) as error:
            say(f"{place.name} is left out: {error}")
            continue
        if not records:
            say(f"{place.name} is left out: there is no build in it")
            continue
        facts = build_facts(origin.project, (), branch=origin.branch, config=origin.config)
        directory = BuildDirectory.create(copies, {**facts, "buildId": build_id, "startedAt": origin.started_at})
        copy = Spool(directory.path)
        copy.append(records)
        delivery.add(directory, copy, _note_of(build_id, origin), is_running=False)
        delivery.complete(build_id, has_totals=True)
        build_ids.append(build_id)
    return build_ids


def _plain_builds(spool: Path, say: Say) -> Iterator[Path]:
    """The builds in the spool, as far as they are directories of regular files: no link leads out of it."""
    found = sorted(path for path in spool.iterdir() if _BUILD_ID.fullmatch(path.name))
    for path in found[:UNTRUSTED_BUILDS_MAX]:
        if not stat.S_ISDIR(path.lstat().st_mode):
            say(f"{path.name} is left out: it is no directory")
            continue
        parts = [part.lstat() for part in path.glob("*.spool")]
        if any(not stat.S_ISREG(part.st_mode) for part in parts):
            say(f"{path.name} is left out: it holds what is no regular file")
        elif sum(part.st_size for part in parts) > SPOOL_BYTES_MAX:
            say(f"{path.name} is left out: it is larger than {SPOOL_BYTES_MAX // 2**20} MiB")
        else:
            yield path
    if len(found) > UNTRUSTED_BUILDS_MAX:
        say(f"{len(found) - UNTRUSTED_BUILDS_MAX} builds are left out: {UNTRUSTED_BUILDS_MAX} of one job are delivered")


def _note_of(build_id: str, origin: Origin) -> Callable[[int, str], bytes]:
    def note(seq: int, problem: str) -> bytes:
        return Recorder(build_id, origin.project, seq - 1).refused(origin.started_at, problem)

    return note
