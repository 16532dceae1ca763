"""The server's time of a build's start, from what a gateway wrote beside its BUILD_START. Pure.

The agent's wall clock decides nothing. Its boot-time clock tells the age of the start at a moment whose server time is
known: the receipt, or a WELCOME that the spool remembers (an anchor). Where neither is of the boot in which the build
began (the machine was restarted, the spool was carried elsewhere), the start lies between the anchor before it and the
receipt. Only ingest keeps the result, once, when BUILD_START is first stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from build_protocol.clocks import (
    ANCHOR_HEADER,
    CLOCK_HEADER,
    KEY_CREATED_AT_HEADER,
    RECEIVED_AT_HEADER,
    AgentClock,
    ClockAnchor,
    StartSource,
    StartTime,
)
from build_protocol.messages import BuildStart
from build_protocol.model import MAX_SAFE_INTEGER, WireModel

WALL_TRUSTED_MS = 60_000
"""An age by a wall clock alone is believed up to here: a record sent as it was made. Wall clocks leap."""

Model = TypeVar("Model", bound=WireModel)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the gateway wrote beside a record; all but the time of receipt only beside BUILD_START."""

    received_at: int
    clock: AgentClock | None = None
    anchor: ClockAnchor | None = None
    key_created_at: int | None = None
    """No build is older than the key it is delivered with."""


def receipt_of(headers: Mapping[str, str]) -> Receipt | None:
    """The gateway's stamp of a message; None where there is none that can be read."""
    received_at = _instant(headers, RECEIVED_AT_HEADER)
    if received_at is None:
        return None
    clock, anchor = _read(AgentClock, headers, CLOCK_HEADER), _read(ClockAnchor, headers, ANCHOR_HEADER)
    return Receipt(received_at, clock, anchor, _instant(headers, KEY_CREATED_AT_HEADER))


def start_time_of(start: BuildStart, receipt: Receipt | None) -> StartTime:
    """When the build began, as exactly as its clocks tell."""
    if receipt is None:
        return StartTime()
    received_at = receipt.received_at
    earliest, latest, source = _bounds(start, receipt)
    # What a CI has of its past is older than any key of ours.
    floor = 0 if source == "source" else min(receipt.key_created_at or 0, received_at)
    latest = max(floor, min(latest, received_at))
    return StartTime(
        received_at=received_at,
        server_started_at=latest,
        server_started_earliest_at=None if earliest is None and not floor else min(latest, max(floor, earliest or 0)),
        start_source=source,
        clock_skew_ms=None if receipt.clock is None else receipt.clock.wall_at - received_at,
    )


def _bounds(start: BuildStart, receipt: Receipt) -> tuple[int | None, int, StartSource]:
    """The earliest and the latest the start may have been, as the clocks have it, and by which of them."""
    data, received_at, now = start.data, receipt.received_at, receipt.clock
    if data.backfill or data.source_url is not None:
        return start.timestamp, start.timestamp, "source"
    began = data.clock
    if began is None or began.boot_id is None or now is None or now.boot_id is None:
        began_at = start.timestamp if began is None else began.wall_at
        age_ms = 0 if now is None else max(0, now.wall_at - began_at)
        return max(0, received_at - age_ms), received_at - (age_ms if age_ms <= WALL_TRUSTED_MS else 0), "clock"
    if (at := _in_boot_of(began, received_at, now)) is not None:
        return at, at, "monotonic"
    for anchor in (receipt.anchor, data.anchor):
        if anchor is not None and (at := _in_boot_of(began, anchor.server_at, anchor)) is not None:
            return at, at, "anchor"
    # An anchor taken before the start bounds it, whatever boot it is of.
    return None if data.anchor is None else data.anchor.server_at, received_at, "anchor"


def _in_boot_of(began: AgentClock, server_at: int, reading: AgentClock | ClockAnchor) -> int | None:
    """The server's time of the start by a reading taken at `server_at`; None where that is of another boot."""
    if reading.boot_id != began.boot_id or reading.uptime_ms is None or began.uptime_ms is None:
        return None
    return max(0, server_at - (reading.uptime_ms - began.uptime_ms))


def _instant(headers: Mapping[str, str], name: str) -> int | None:
    stamp = headers.get(name, "")
    if not (stamp.isascii() and stamp.isdecimal()) or len(stamp) > 16 or int(stamp) > MAX_SAFE_INTEGER:
        return None
    return int(stamp)


def _read(model: type[Model], headers: Mapping[str, str], name: str) -> Model | None:
    text = headers.get(name)
    if text is None:
        return None
    try:
        return model.model_validate_json(text)
    except ValidationError:
        return None
