"""The session: what to send, what is acknowledged, what to send again. Decides only; `connection` does the I/O.

Of every build it knows up to where records are spooled, sent, confirmed by the broker and stored. A new connection
goes on after what is stored; within one, records go out in order, as far as the gateway's window allows.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from build_protocol.limits import FRAME_BYTES, RECORDS_PER_FRAME, WINDOW_BYTES

from build_dashboard.recording.clock import read_clock

FRAME_OVERHEAD_BYTES = 512
"""What a RECORDS frame has beside its records: its clock and an anchor."""

BACKLOG_EVERY = 4
"""One frame of so many is the backlog's, while live builds have something to send."""

GAP_LIMIT = 3
"""A gap that stays after being filled this often will never close."""

WHOLE_BUILD_CODES = ("sequence_gap", "build_unknown", "project_not_allowed", "build_not_yours", "closed")


@dataclass(slots=True)
class BuildState:
    """One build's way to the store."""

    build_id: str
    project: str
    branch: str | None
    config: str | None
    spooled: int  # the last record on the disk
    stored: int = 0
    confirmed: int = 0
    sent: int = 0
    is_running: bool = False
    is_complete: bool = False  # its last record is spooled
    has_totals: bool = True  # without them the server cannot verify; stored must do
    is_verified: bool = False
    is_live: bool = False  # it ran in this connection: people watch it
    refusal: str | None = None
    problem: str | None = None  # why it cannot be read now
    turn: int = 0  # when it was last sent from, in frames
    gaps: int = 0  # times the gateway missed what came before, since `stored` last moved
    in_flight: deque[tuple[int, int]] = field(default_factory=deque)  # sent and not confirmed: seq, bytes
    in_flight_bytes: int = 0

    @property
    def is_delivered(self) -> bool:
        """Whether every record is stored, and there will be no more."""
        return self.is_complete and self.stored >= self.spooled

    def settle(self, upto: int) -> None:
        """Records up to this one no longer count against the window."""
        while self.in_flight and self.in_flight[0][0] <= upto:
            self.in_flight_bytes -= self.in_flight.popleft()[1]

    def rewind(self, seq: int) -> None:
        """Send this record and all after it again."""
        self.sent = min(self.sent, seq - 1)
        self.stored = min(self.stored, seq - 1)
        self.confirmed = min(self.confirmed, seq - 1)
        while self.in_flight and self.in_flight[-1][0] >= seq:
            self.in_flight_bytes -= self.in_flight.pop()[1]

    @property
    def may_forget(self) -> bool:
        """Whether the spool may go."""
        return self.is_delivered and (self.is_verified or not self.has_totals)


@dataclass(frozen=True, slots=True)
class Want:
    """Read these records of a build and send them in one frame."""

    build_id: str
    after_seq: int
    limit_bytes: int
    limit_records: int


class Session:
    """All builds of one agent, over any number of connections."""

    def __init__(self, agent_version: str, instance: str, host: str | None, serves: Sequence[str] = ()) -> None:
        self.builds: dict[str, BuildState] = {}
        self.heartbeat_seconds = 10.0
        self.dashboard_url: str | None = None
        self.greens: dict[str, str | None] = {}
        """Of the builds that asked and were answered: the last green commit, where one is known."""

        self.unbuildable: dict[str, dict[str, Any]] = {}
        """By project: why it cannot be built now, as HEARTBEAT carries it."""

        self.sources: dict[str, dict[str, Any]] = {}
        """By name: how well a mirror follows a CI, as HEARTBEAT carries it."""

        self.extents: dict[str, dict[str, Any] | None] = {}
        """By query: what is stored of the builds that were asked about; None where ingest did not answer."""

        self._questions: dict[str, dict[str, Any]] = {}
        self.is_welcome = False
        self._hello: dict[str, Any] = {
            "type": "HELLO",
            "agentVersion": agent_version,
            "instance": instance,
            "host": host,
        }
        if serves:
            self._hello["serves"] = list(serves)
        self._window_bytes = WINDOW_BYTES
        self._turn = 1
        self._frame_bytes = FRAME_BYTES

    def add(self, build: BuildState) -> None:
        """Report this build too."""
        build.is_live = build.is_running
        self.builds[build.build_id] = build

    def remove(self, build_id: str) -> None:
        """This build is verified, or refused for good."""
        self.builds.pop(build_id, None)
        self.greens.pop(build_id, None)
        self._questions.pop(build_id, None)

    # --- frames out ---

    def hello(self) -> dict[str, Any]:
        """The first frame of a connection; what was refused wholly is not named again."""
        builds = [_hello_build(build) for build in self.builds.values() if build.refusal is None][:1000]
        return {**self._hello, "clock": read_clock(), "builds": builds}

    def heartbeat(self, spool_bytes: int, oldest_unacked_ms: int | None, disk_free_bytes: int | None) -> dict[str, Any]:
        """The sign of life for the builds that run."""
        frame = {
            "type": "HEARTBEAT",
            "builds": [build.build_id for build in self.builds.values() if build.is_running][:1000],
            "spoolBytes": spool_bytes,
            "oldestUnackedMs": oldest_unacked_ms,
            "diskFreeBytes": disk_free_bytes,
            "unbuildable": list(self.unbuildable.values())[:100] or None,
            "sources": list(self.sources.values())[:32] or None,
        }
        return {name: value for name, value in frame.items() if value is not None}

    def ask_green(self, build_id: str, branch: str | None) -> None:
        """Which commit was the last green one of this build's config on this branch?"""
        if build := self.builds.get(build_id):
            facts = {"buildId": build_id, "project": build.project, "branch": branch, "config": build.config}
            question = {name: value for name, value in facts.items() if value is not None}
            self._questions[build_id] = {"type": "LAST_GREEN_QUERY", **question}

    def ask_stored(self, query: str, builds: Sequence[tuple[str, str]]) -> None:
        """How much of these builds (id and project) is stored?"""
        asked = [{"buildId": build_id, "project": project} for build_id, project in builds]
        self._questions[query] = {"type": "STORED_QUERY", "query": query, "builds": asked}

    def questions(self) -> list[dict[str, Any]]:
        """What is not answered yet; to be asked again in every connection."""
        return list(self._questions.values())

    def want(self, room_bytes: int | None = None) -> Want | None:
        """What to send next, in at most so many bytes; None while there is nothing or the window is closed."""
        room = self._window_bytes - sum(build.in_flight_bytes for build in self.builds.values())
        if not self.is_welcome or room <= 0:
            return None
        build = self._next(room)
        if build is None:
            return None
        limit = min(room, self._frame_bytes, room_bytes or self._frame_bytes) - FRAME_OVERHEAD_BYTES - RECORDS_PER_FRAME
        return Want(build.build_id, build.sent, max(limit, 1), RECORDS_PER_FRAME)

    def set_aside(self, build_id: str, problem: str) -> None:
        """This build cannot be read: the others go on, and it is tried again in the next connection."""
        self.builds[build_id].problem = problem

    def _next(self, room: int) -> BuildState | None:
        """Whose turn it is: live builds first, each in its turn, so that no backlog delays what people watch.

        The backlog gets every fourth frame all the same, and never the last quarter of the window.
        """
        waiting = [
            build
            for build in self.builds.values()
            if build.sent < build.spooled and build.refusal is None and build.problem is None
        ]
        live = [build for build in waiting if build.is_live]
        backlog = [build for build in waiting if not build.is_live]
        is_spared = any(build.is_live for build in self.builds.values()) and room <= self._window_bytes // 4
        if is_spared:
            backlog = []
        is_backlogs_turn = backlog and self._turn % BACKLOG_EVERY == 0
        chosen = backlog if is_backlogs_turn or not live else live
        return min(chosen, key=lambda build: build.turn, default=None)

    def sent(self, build_id: str, sizes: list[int]) -> None:
        """The next records of the build, this many bytes each, are in the socket."""
        build = self.builds[build_id]
        self._turn += 1
        build.turn = self._turn
        for size in sizes:
            build.sent += 1
            build.in_flight.append((build.sent, size))
            build.in_flight_bytes += size

    # --- frames in ---

    def welcome(self, frame: Mapping[str, Any]) -> None:
        """The gateway listens: everything unstored is sent from the beginning of what it lacks."""
        self._note_limits(frame)
        stored = frame.get("stored") or {}
        for build in self.builds.values():
            build.is_live, build.problem = build.is_running, None
            build.settle(build.sent)
            build.stored = max(build.stored, min(int(stored.get(build.build_id, 0)), build.spooled))
            build.sent = build.confirmed = build.stored
            if build.is_delivered and not build.is_verified:
                # Verified while we were away, perhaps: the last record again makes the server say so.
                build.sent -= 1
        self.is_welcome = True

    def welcome_again(self, frame: Mapping[str, Any]) -> list[str]:
        """A further post was answered: go on where we are, with what is stored now; the builds of which more is."""
        self._note_limits(frame)
        moved = []
        for build_id, upto in (frame.get("stored") or {}).items():
            build = self.builds.get(build_id)
            if build is not None and min(int(upto), build.spooled) > build.stored:
                build.stored = min(int(upto), build.spooled)
                build.settle(build.stored)
                build.sent, build.confirmed = max(build.sent, build.stored), max(build.confirmed, build.stored)
                moved.append(build_id)
        return moved

    def _note_limits(self, frame: Mapping[str, Any]) -> None:
        limits = frame.get("limits") or {}
        self._frame_bytes = int(limits.get("frameBytes") or FRAME_BYTES)
        self._window_bytes = int(frame.get("windowBytes", WINDOW_BYTES))
        self.heartbeat_seconds = float(frame.get("heartbeatSeconds") or self.heartbeat_seconds)
        self.dashboard_url = frame.get("dashboardUrl")

    def learn_green(self, frame: Mapping[str, Any]) -> None:
        """Take a LAST_GREEN."""
        if self._questions.pop(str(frame.get("buildId")), None) is not None:
            self.greens[str(frame["buildId"])] = frame.get("commit")

    def learn_stored(self, frame: Mapping[str, Any]) -> None:
        """Take a STORED_BUILDS."""
        query = str(frame.get("query"))
        if self._questions.pop(query, None) is not None:
            self.extents[query] = frame.get("builds")

    def acknowledge(self, frame: Mapping[str, Any]) -> bool:
        """Take an ACK; True when `stored` moved (that is progress)."""
        self._window_bytes = int(frame.get("windowBytes", self._window_bytes))
        build = self.builds.get(frame["buildId"])
        if build is None:
            return False
        build.confirmed = max(build.confirmed, min(int(frame.get("confirmed", 0)), build.sent))
        stored = min(int(frame.get("stored", 0)), build.spooled)
        has_moved = stored > build.stored
        build.stored = max(build.stored, stored)
        build.settle(max(build.confirmed, build.stored))
        build.sent = max(build.sent, build.stored)
        if has_moved:
            build.gaps = 0
        if frame.get("verified"):
            has_moved = has_moved or not build.is_verified
            build.is_verified = True
        resend_from = frame.get("resendFrom")
        if resend_from is not None:
            build.rewind(int(resend_from))
        return has_moved

    def refuse(self, frame: Mapping[str, Any]) -> tuple[BuildState, int | None] | None:
        """Take a REFUSED; the build and record to give up (None: the whole build), or None when nothing is lost."""
        build = self.builds.get(frame.get("buildId") or "")
        if build is None:
            return None
        code, seq = str(frame.get("code")), frame.get("seq")
        if code in ("sequence_gap", "build_unknown") and build.gaps < GAP_LIMIT:
            # The gateway lacks what came before: its ACK says from where, else from what is stored.
            build.gaps += 1
            build.rewind(build.stored + 1 if code == "sequence_gap" else 1)
            return None
        if seq is None or code in WHOLE_BUILD_CODES:
            build.refusal = f"{code}: {frame.get('detail', '')}"
            build.settle(build.sent)
            return build, None
        # The store never had this record, so another may take its number.
        build.rewind(int(seq))
        return build, int(seq)


def _hello_build(build: BuildState) -> dict[str, Any]:
    facts = {
        "buildId": build.build_id,
        "project": build.project,
        "branch": build.branch,
        "config": build.config,
        "firstUnacked": build.stored + 1,
        "lastSpooled": build.spooled,
    }
    return {name: value for name, value in facts.items() if value is not None}
