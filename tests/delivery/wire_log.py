"""The wire log: what passed between agents and gateways, read off the wire, an `AgentState` for each build."""

import threading
from typing import Any

from delivery.evidence import AgentState
from delivery.proxy import FrameTap


class WireLog:
    """Shared by all connections of all taps."""

    def __init__(self) -> None:
        self._states: dict[str, AgentState] = {}
        self._lock = threading.Lock()

    def tap(self) -> FrameTap:
        """A tap for one more connection."""
        return FrameTap(self._take)

    def of(self, build_ids: set[str]) -> list[AgentState]:
        """What passed about these builds."""
        with self._lock:
            return [state for build_id, state in self._states.items() if build_id in build_ids]

    def _take(self, goes_up: bool, frame: dict[str, Any]) -> None:
        with self._lock:
            match frame.get("type"):
                case "RECORDS" if goes_up:
                    for record in frame["records"]:
                        state = self._find(record["buildId"])
                        state.last = max(state.last, record["seq"])
                case "ACK" if not goes_up:
                    state = self._find(frame["buildId"])
                    again = frame.get("resendFrom")
                    if again is not None and again <= state.stored:
                        state.asked_again.append(again)
                    state.stored = max(state.stored, frame["stored"])
                    state.is_verified = state.is_verified or bool(frame.get("verified"))
                case "WELCOME" if not goes_up:
                    for build_id, stored in (frame.get("stored") or {}).items():
                        state = self._find(build_id)
                        if stored < state.stored:
                            state.asked_again.append(stored + 1)
                        state.stored = max(state.stored, stored)

    def _find(self, build_id: str) -> AgentState:
        return self._states.setdefault(build_id, AgentState(build_id))
