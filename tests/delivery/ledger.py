"""The ledger: what passed between agents and gateways, read off the wire, a `Said` for each build."""

import threading
from typing import Any

from delivery.evidence import Said
from delivery.proxy import FrameTap


class Ledger:
    """Shared by all connections of all taps."""

    def __init__(self) -> None:
        self._said: dict[str, Said] = {}
        self._lock = threading.Lock()

    def tap(self) -> FrameTap:
        """A tap for one more connection."""
        return FrameTap(self._hear)

    def of(self, build_ids: set[str]) -> list[Said]:
        """What was said of these builds."""
        with self._lock:
            return [said for build_id, said in self._said.items() if build_id in build_ids]

    def _hear(self, goes_up: bool, frame: dict[str, Any]) -> None:
        with self._lock:
            match frame.get("type"):
                case "RECORDS" if goes_up:
                    for record in frame["records"]:
                        said = self._find(record["buildId"])
                        said.last = max(said.last, record["seq"])
                case "ACK" if not goes_up:
                    said = self._find(frame["buildId"])
                    again = frame.get("resendFrom")
                    if again is not None and again <= said.stored:
                        said.asked_again.append(again)
                    said.stored = max(said.stored, frame["stored"])
                    said.is_verified = said.is_verified or bool(frame.get("verified"))
                case "WELCOME" if not goes_up:
                    for build_id, stored in (frame.get("stored") or {}).items():
                        said = self._find(build_id)
                        if stored < said.stored:
                            said.asked_again.append(stored + 1)
                        said.stored = max(said.stored, stored)

    def _find(self, build_id: str) -> Said:
        return self._said.setdefault(build_id, Said(build_id))
