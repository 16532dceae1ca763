"""This machine's clocks as the wire has them, and what the spool remembers of the server's time.

The wall clock may be wrong or leap; the clock since boot counts sleep and is never set. See `build_protocol.clocks`.
"""

import contextlib
import json
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from build_dashboard.whole_file import write_whole

ANCHOR_FRESH_MS = 10 * 60 * 1000
ANCHOR_SLACK_MS = 1000
"""An anchor of this boot that is so fresh, and leads to the same server's time within so much, stays."""

ANCHORS_KEPT = 16
"""The newest anchor of so many boots."""


def read_clock(wall_at: int | None = None) -> dict[str, Any]:
    """Both clocks now, as an `AgentClock`; without boot id and uptime where this system has none that counts sleep.

    Args:
        wall_at: the wall clock where it was just read, in ms since the Unix epoch.
    """
    reading: dict[str, Any] = {"wallAt": time.time_ns() // 1_000_000 if wall_at is None else wall_at}
    boot = boot_id()
    if boot is not None:
        reading |= {"bootId": boot, "uptimeMs": time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000}
    return reading


@cache
def boot_id() -> str | None:
    """Random per boot; None where there is no clock to go with it."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return None
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # A container may have a time namespace of its own, whose clock is shifted: another boot to whoever compares.
        return f"{boot}-{_time_namespace()}"
    return None


def keep_anchor(spool: Path, server_at: int, clock: Mapping[str, Any]) -> None:
    """Remember the server's time at this reading of the clock; a disk that takes nothing keeps what it has."""
    if "bootId" not in clock:
        return
    anchor = {"serverAt": server_at, "bootId": clock["bootId"], "uptimeMs": clock["uptimeMs"]}
    anchors = _read_anchors(spool)
    if any(_says_as_much(known, anchor) for known in anchors):
        return
    others = [known for known in anchors if known["bootId"] != clock["bootId"]]
    with contextlib.suppress(OSError):
        write_whole(spool / ".anchors", json.dumps([*others, anchor][-ANCHORS_KEPT:]))


def newest_anchor(spool: Path) -> dict[str, Any] | None:
    """The latest moment at which this spool knew the server's time."""
    return max(_read_anchors(spool), key=lambda anchor: anchor["serverAt"], default=None)


def anchor_of_boot(spool: Path, boot: str) -> dict[str, Any] | None:
    """The server's time in that boot, where the spool was connected in it."""
    return next((anchor for anchor in _read_anchors(spool) if anchor["bootId"] == boot), None)


def _says_as_much(known: Mapping[str, Any], anchor: Mapping[str, Any]) -> bool:
    """Whether what is known already leads to the same time: it need not be written anew for every short build."""
    passed_ms = int(anchor["uptimeMs"] - known["uptimeMs"])
    drift_ms = abs(int(anchor["serverAt"] - known["serverAt"]) - passed_ms)
    is_same_boot = bool(known["bootId"] == anchor["bootId"])
    return is_same_boot and 0 <= passed_ms < ANCHOR_FRESH_MS and drift_ms < ANCHOR_SLACK_MS


def _time_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/time").readlink()).partition("[")[2].rstrip("]")
    except OSError:
        return "0"  # a kernel without


def _read_anchors(spool: Path) -> list[dict[str, Any]]:
    try:
        anchors = json.loads((spool / ".anchors").read_text())
        return [anchor for anchor in anchors if {"serverAt", "bootId", "uptimeMs"} <= anchor.keys()]
    except (OSError, ValueError, AttributeError, TypeError):
        return []
