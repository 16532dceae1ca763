"""Frames of one agent in the order it sent them: an API Gateway's requests may pass each other. Pure.

A RECORDS frame that is ahead of its build's records waits for those before it. One that never comes was lost underway,
which no later frame heals: the connection is to end then, and its agent goes on from what is stored.
"""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WAIT_SECONDS = 3.0
WAITING_FRAMES = 256
KNOWN_BUILDS = 1000


@dataclass(frozen=True, slots=True)
class _Ahead:
    since: float
    text: str
    last: int


class Ordering:
    """What came, in order; `now` is in seconds, of any clock."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}
        self._ahead: dict[tuple[str, int], _Ahead] = {}
        self._ready: deque[str] = deque()

    def put(self, text: str, now: float) -> None:
        """A frame came."""
        frame = _read(text)
        if frame.get("type") == "HELLO":
            self._expect({build["buildId"]: build["firstUnacked"] for build in _builds(frame)})
        place = _place(frame)
        if place is None:
            self._ready.append(text)
            return
        build_id, first, last = place
        if first > self._next.get(build_id, 1):
            self._ahead[build_id, first] = _Ahead(now, text, last)
            return
        self._pass(build_id, text, last)

    def welcomed(self, text: str) -> None:
        """This WELCOME is sent: the agent goes on from what it says is stored."""
        stored = _read(text).get("stored") or {}
        self._expect({build_id: count + 1 for build_id, count in stored.items()})

    def take(self) -> str | None:
        """The next frame, None while there is none."""
        return self._ready.popleft() if self._ready else None

    def lost_in_seconds(self, now: float) -> float | None:
        """Until what is waited for is to be taken for lost, 0 where it is; None where nothing is waited for."""
        if not self._ahead:
            return None
        if len(self._ahead) > WAITING_FRAMES:
            return 0.0
        return max(0.0, min(ahead.since for ahead in self._ahead.values()) + WAIT_SECONDS - now)

    def _expect(self, numbers: Mapping[str, int]) -> None:
        self._next.update(numbers)

    def _pass(self, build_id: str, text: str, last: int) -> None:
        self._ready.append(text)
        if len(self._next) > KNOWN_BUILDS and build_id not in self._next:
            del self._next[next(iter(self._next))]
        self._next[build_id] = last + 1
        while (ahead := self._following(build_id)) is not None:
            self._ready.append(ahead.text)
            self._next[build_id] = max(self._next[build_id], ahead.last + 1)

    def _following(self, build_id: str) -> _Ahead | None:
        """What waited and need not any more: after a rewind frames may begin elsewhere than before it."""
        due = [key for key in self._ahead if key[0] == build_id and key[1] <= self._next[build_id]]
        return self._ahead.pop(min(due)) if due else None


def _read(text: str) -> dict[str, Any]:
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return {}  # the session says what is wrong with it
    return frame if isinstance(frame, dict) else {}


def _builds(hello: Mapping[str, Any]) -> list[dict[str, Any]]:
    builds = hello.get("builds")
    return [
        build
        for build in (builds if isinstance(builds, list) else ())
        if isinstance(build, dict)
        and isinstance(build.get("buildId"), str)
        and isinstance(build.get("firstUnacked"), int)
    ]


def _place(frame: Mapping[str, Any]) -> tuple[str, int, int] | None:
    """The build of a RECORDS frame and the numbers of its first and last record; None for whatever else it is."""
    try:
        if frame["type"] != "RECORDS":
            return None
        first, last = frame["records"][0], frame["records"][-1]
        if first["buildId"] != last["buildId"]:
            return None
        return str(first["buildId"]), int(first["seq"]), int(last["seq"])
    except (ValueError, TypeError, LookupError):
        return None  # as above
