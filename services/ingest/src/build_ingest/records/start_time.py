"""The server's time of a build's start: derived once, when BUILD_START is first stored, and kept. Pure.

The agent's wall clock decides nothing. Its boot-time clock tells the age of the start at a moment whose server time is
known: the receipt, or a WELCOME that the spool remembers (an anchor). Where neither is of the boot in which the build
began (the machine was restarted, the spool was carried elsewhere), the start lies between the anchor before it and the
receipt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from build_protocol.clocks import ANCHOR_HEADER, CLOCK_HEADER, RECEIVED_AT_HEADER, AgentClock, ClockAnchor
from build_protocol.messages import BuildStartData
from build_protocol.model import MAX_SAFE_INTEGER, EpochMs, WireModel
from pydantic import ValidationError

Model = TypeVar("Model", bound=WireModel)


class StartTime(WireModel):
    """When a build was received and began, by the server's clock; all absent where no gateway stamped it."""

    received_at: EpochMs | None = None
    server_started_at: EpochMs | None = None
    """The latest the start may have been; never after `received_at`."""
    server_started_earliest_at: EpochMs | None = None
    """The earliest: equal to the latest where the start is known exactly, absent where nothing bounds it."""
    clock_skew_ms: int | None = None
    """The agent's wall clock less the server's, at receipt; above zero: the agent's is ahead."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the gateway wrote beside a BUILD_START."""

    received_at: int
    clock: AgentClock | None = None
    anchor: ClockAnchor | None = None


def receipt_of(headers: Mapping[str, str]) -> Receipt | None:
    """The gateway's stamp of a message; None where there is none that can be read."""
    stamp = headers.get(RECEIVED_AT_HEADER, "")
    if not (stamp.isascii() and stamp.isdecimal()) or len(stamp) > 16 or int(stamp) > MAX_SAFE_INTEGER:
        return None
    return Receipt(int(stamp), _read(AgentClock, headers, CLOCK_HEADER), _read(ClockAnchor, headers, ANCHOR_HEADER))


def start_time_of(start: BuildStartData, receipt: Receipt | None) -> StartTime:
    """When the build began, as exactly as its clocks tell."""
    if receipt is None:
        return StartTime()
    received_at, clock = receipt.received_at, receipt.clock
    skew_ms = None if clock is None else clock.wall_at - received_at
    exact = _exact(start, receipt)
    if exact is not None:
        at = max(0, min(exact, received_at))
        return _start_time(received_at, at, at, skew_ms)
    # An anchor taken before the start bounds it, whatever boot it is of.
    earliest = None if start.anchor is None else min(start.anchor.server_at, received_at)
    return _start_time(received_at, received_at, earliest, skew_ms)


def _exact(start: BuildStartData, receipt: Receipt) -> int | None:
    """The start by a clock of the boot in which the build began."""
    began = start.clock
    if began is None or began.boot_id is None or began.uptime_ms is None:
        return None
    readings: list[tuple[int, AgentClock | ClockAnchor]] = []
    if receipt.clock is not None:
        readings.append((receipt.received_at, receipt.clock))
    readings += [(anchor.server_at, anchor) for anchor in (receipt.anchor, start.anchor) if anchor is not None]
    for server_at, reading in readings:
        if reading.boot_id == began.boot_id and reading.uptime_ms is not None:
            return server_at - (reading.uptime_ms - began.uptime_ms)
    return None


def _start_time(received_at: int, latest: int, earliest: int | None, skew_ms: int | None) -> StartTime:
    return StartTime(
        received_at=received_at,
        server_started_at=latest,
        server_started_earliest_at=earliest,
        clock_skew_ms=skew_ms,
    )


def _read(model: type[Model], headers: Mapping[str, str], name: str) -> Model | None:
    text = headers.get(name)
    if text is None:
        return None
    try:
        return model.model_validate_json(text)
    except ValidationError:
        return None
