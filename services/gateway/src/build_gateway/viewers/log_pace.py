"""How often log text is shown: at once while that is cheap, merged while it takes most of the time. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from build_gateway.viewers.events import LogEvent

REST_PER_COST = 2.0
"""After text was shown to its followers, this many times as long passes before the next: a third of a core at most."""

LONGEST_SECONDS = 0.1
MERGED_CHARACTERS = 128 * 1024


@dataclass(slots=True)
class LogPace:
    """Holds back log text for a while after some was shown."""

    _free_at: float = 0.0
    _held: dict[str, list[LogEvent]] = field(default_factory=dict)

    def offer(self, event: LogEvent, now: float) -> list[LogEvent]:
        """What to show now; empty: the event is held, and `due` has it later."""
        held = self._held.get(event.build_id)
        if held is None and now >= self._free_at:
            return [event]
        if held is None:
            held = self._held[event.build_id] = []
        held.append(event)
        if sum(len(each.text) for each in held) > MERGED_CHARACTERS:
            return merge_logs(self._held.pop(event.build_id))
        return []

    def due(self, now: float) -> list[LogEvent]:
        """Held text, merged, once the pause is over."""
        if now < self._free_at:
            return []
        held, self._held = self._held, {}
        return [event for events in held.values() for event in merge_logs(events)]

    def next_at(self) -> float | None:
        """When to ask `due` again; None: nothing is held."""
        return self._free_at if self._held else None

    def shown(self, cost_seconds: float, now: float) -> None:
        """Showing text took this long."""
        self._free_at = now + min(REST_PER_COST * cost_seconds, LONGEST_SECONDS)


def merge_logs(events: Sequence[LogEvent]) -> list[LogEvent]:
    """The events of one build with fewer, longer frames: adjacent ones become one wherever the result is the same."""
    if len(events) == 1:
        return list(events)
    merged: list[tuple[LogEvent, dict[str, Any]]] = []
    for event in events:
        frame = json.loads(event.text)
        joined = _join(merged[-1][1], frame) if merged else None
        if joined is None:
            merged.append((event, frame))
        else:
            merged[-1] = (event, joined)
    return [LogEvent(event.build_id, event.project, event.seq, _text(frame)) for event, frame in merged]


def _join(older: dict[str, Any], newer: dict[str, Any]) -> dict[str, Any] | None:
    """Both frames as one, or None when one frame cannot hold what both held."""
    goes_on = bool(newer.get("continues"))
    next_line = older["firstLine"] + len(older["lines"]) - goes_on
    times = _times(older), _times(newer)
    if newer["afterSeq"] != older["seq"] or newer["firstLine"] != next_line or bool(times[0]) != bool(times[1]):
        return None
    lines, more = list(older["lines"]), newer["lines"]
    if goes_on:
        # The piece belongs to the line the older frame ended with, and keeps that line's stream and time.
        lines[-1] += more[0]
    joined = {**older, "seq": newer["seq"], "lines": lines + more[goes_on:]}
    joined["streams"] = _streams(older) + _streams(newer)[goes_on:]
    joined["timesMs"] = times[0] + times[1][goes_on:]
    return joined


def _streams(frame: dict[str, Any]) -> list[str]:
    streams = frame.get("streams") or ["out"]
    return streams * len(frame["lines"]) if len(streams) == 1 else streams


def _times(frame: dict[str, Any]) -> list[int]:
    times: list[int] = frame.get("timesMs") or []
    return times + times[-1:] * (len(frame["lines"]) - len(times))


def _text(frame: dict[str, Any]) -> str:
    if len(set(frame.get("streams") or ())) == 1:
        frame = {**frame, "streams": frame["streams"][:1]}
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
