"""The parts that decide, put together without any I/O, under every order of events that Hypothesis can think of.

Agent session, gateway window, ingest's plan and fold, and a viewer's cursor are the product's own; the spool, the
sockets, the broker's queue and the store between them are lists that lose, repeat and delay as the real ones may.
"""

import json
import os
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from build_chassis.bus import Delivery
from build_dashboard.delivery.session import BuildState, Session
from build_dashboard.recording.normalise import Block
from build_dashboard.recording.records import Recorder
from build_gateway.agents.window import BuildWindow, Run
from build_ingest.intake.announcements import log_announcements, stored_announcement
from build_ingest.intake.reorder_buffer import ReorderBuffer
from build_ingest.records.chunk import text_of
from build_ingest.records.delivery import decode
from build_ingest.records.plan import plan_build
from build_protocol.frames import LogAppended, Stored
from build_protocol.ids import new_build_id
from build_protocol.messages import agent_record
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

plan_build_, log_announcements_ = plan_build, log_announcements
"""What the machine calls: a test plants bugs here."""

AGENT = "builder-1"
PROJECT = "p"


@dataclass
class Connection:
    """One connection: frames under way in both directions, and the gateway's window."""

    window: BuildWindow = field(default_factory=BuildWindow)
    up: deque[list[bytes]] = field(default_factory=deque)
    down: deque[dict[str, Any]] = field(default_factory=deque)
    publishing: deque[tuple[Run, list[bytes]]] = field(default_factory=deque)
    """Published and not confirmed, in order."""


class Delivering(RuleBasedStateMachine):
    """One build from its agent to its viewer."""

    def __init__(self) -> None:
        super().__init__()
        self.build_id = new_build_id(1_800_000_000_000)
        self.recorder = Recorder(self.build_id, PROJECT)
        self.spool: list[bytes] = [self.recorder.record("BUILD_START", 1, {"status": "running"})]
        self.printed: list[str] = []
        self.is_complete = False
        self.connection: Any = None
        """A Connection, while there is one."""
        self.queue: deque[bytes] = deque()
        self.unacked: list[bytes] = []
        self.taken: set[int] = set()
        """Records the broker took at least once."""
        self.state: Any = None
        self.chunks: list[Any] = []
        self.waiting = ReorderBuffer()
        self.reported_stored = 0
        self.live: deque[tuple[str, Any]] = deque()
        self.viewer_lines: list[str] = []
        self.viewer_seq = 0
        self.start_agent()

    # --- the build and its agent

    @rule(lines=st.lists(st.text("ab \u2603", max_size=8), min_size=1, max_size=3), goes_on=st.booleans())
    def print_lines(self, lines: list[str], goes_on: bool) -> None:
        if self.is_complete:
            return
        goes_on = goes_on and bool(self.printed)
        first = len(self.printed) + (0 if goes_on else 1)
        if goes_on:
            self.printed[-1] += lines[0]
        self.printed += lines[1:] if goes_on else lines
        self.spool += self.recorder.log([Block("out", first, lines, 1, continues=goes_on)])
        self.notify_spooled()

    @rule()
    def say_progress(self) -> None:
        if not self.is_complete:
            self.spool.append(self.recorder.record("BUILD_UPDATE", 1, {"status": "running", "progress": 1.0}))
            self.notify_spooled()

    @rule()
    def complete(self) -> None:
        if not self.is_complete:
            data = {"status": "succeeded", "exitCode": 0, "totals": self.recorder.totals()}
            self.spool.append(self.recorder.record("BUILD_COMPLETE", 1, data))
            self.is_complete = True
            self.notify_spooled()

    @rule()
    def start_agent(self) -> None:
        """The agent was killed, and one that knows only the spool follows it."""
        self.drop_connection()
        self.session = Session("test", "instance", None)
        state = BuildState(self.build_id, PROJECT, None, None, len(self.spool), is_running=not self.is_complete)
        self.session.add(state)
        self.notify_spooled()

    def notify_spooled(self) -> None:
        build = self.session.builds[self.build_id]
        build.spooled, build.is_complete = len(self.spool), self.is_complete

    # --- the connection

    @rule(ingest_answers=st.booleans())
    def connect(self, ingest_answers: bool) -> None:
        self.drop_connection()
        self.connection = Connection()
        self.session.hello()
        welcome: dict[str, Any] = {"type": "WELCOME", "windowBytes": 2000, "limits": {"frameBytes": 700}}
        if ingest_answers:
            stored = self.applied
            self.connection.window.store(stored, None, None)
            welcome["stored"] = {self.build_id: stored} if self.state else {}
        self.session.welcome(welcome)

    @rule()
    def drop_connection(self) -> None:
        """A cut, or a killed gateway: what was under way on it is gone; what the broker has, it has."""
        self.connection = None
        if hasattr(self, "session"):
            self.session.is_welcome = False

    @precondition(lambda self: self.connection)
    @rule()
    def send(self) -> None:
        want = self.session.want()
        if want is None:
            return
        records: list[bytes] = []
        for record in self.spool[want.after_seq : want.after_seq + want.limit_records]:
            if records and sum(map(len, records)) + len(record) > want.limit_bytes:
                break
            records.append(record)
        self.session.sent(self.build_id, [len(record) for record in records])
        self.connection.up.append(records)

    @precondition(lambda self: self.connection and self.connection.up)
    @rule()
    def gateway_reads(self) -> None:
        """As `build_gateway.agents.admission` does it: consecutive records are one run, a gap is refused."""
        connection = self.connection
        run: Run | None = None
        bodies: list[bytes] = []
        for body in connection.up.popleft():
            seq = json.loads(body)["seq"]
            if not connection.window.take(seq):
                connection.window.resend_from = connection.window.next_seq
                refused = {"type": "REFUSED", "code": "sequence_gap", "detail": "", "buildId": self.build_id}
                connection.down.append({**refused, "seq": seq})
                self.acknowledge()
                break
            if run is None:
                run = connection.window.sent(seq, seq)
            run.last = seq
            bodies.append(body)
        if run is not None:
            connection.publishing.append((run, bodies))

    # --- the broker

    @precondition(lambda self: self.connection and self.connection.publishing)
    @rule(count=st.integers(1, 3))
    def broker_confirms(self, count: int) -> None:
        """The oldest publishes are taken and confirmed."""
        connection = self.connection
        for _ in range(min(count, len(connection.publishing))):
            run, bodies = connection.publishing.popleft()
            self.take(bodies)
            if connection.window.confirm(run):
                self.acknowledge()

    @precondition(lambda self: self.connection and self.connection.publishing)
    @rule(place=st.integers(0, 3), part=st.integers(0, 5))
    def broker_takes_unconfirmed(self, place: int, part: int) -> None:
        """Some of a publish arrive, perhaps before older ones, and the confirm is lost: all is published again."""
        publishing = self.connection.publishing
        _, bodies = publishing[min(place, len(publishing) - 1)]
        self.take(bodies[:part])

    def take(self, bodies: list[bytes]) -> None:
        self.queue.extend(bodies)
        self.taken |= {json.loads(body)["seq"] for body in bodies}

    # --- ingest

    @precondition(lambda self: self.queue)
    @rule(
        count=st.integers(1, 6), ends=st.sampled_from(["well", "well", "before commit", "after commit", "before ack"])
    )
    def ingest_handles(self, count: int, ends: str) -> None:
        bodies = [self.queue.popleft() for _ in range(min(count, len(self.queue)))]
        deliveries = [Delivery(tag, f"0.X.{PROJECT}", body, {"agent": AGENT}) for tag, body in enumerate(bodies)]
        decoded = decode(deliveries)
        assert [] == decoded.poison
        plan = plan_build_(self.state, self.waiting.of(self.build_id), decoded.records[self.build_id])
        assert [] == plan.poison
        if ends == "before commit":
            self.crash_ingest(bodies)
            return
        if plan.step is not None:
            self.state = plan.step.after
            self.chunks += plan.step.chunks
        if ends == "after commit":
            self.crash_ingest(bodies)
            return
        if plan.step is not None:
            self.live.extend(
                ("LOG", LogAppended.model_validate_json(announcement.body))
                for announcement in log_announcements_(plan.step, plan.accepted)
            )
        is_new_hole = self.waiting.keep(self.build_id, plan.ahead)
        if self.state is not None:
            self.announce_stored(self.state.applied + 1 if is_new_hole else None)
        if ends == "before ack":
            self.crash_ingest(bodies)

    def crash_ingest(self, unacked: list[bytes]) -> None:
        """What it knew beside its store is gone; what it had not acked comes again, first."""
        self.waiting = ReorderBuffer()
        self.queue.extendleft(reversed(unacked))

    @precondition(lambda self: self.state)
    @rule()
    def ingest_repeats_heads(self) -> None:
        has_hole = self.waiting.has_hole(self.build_id)
        self.announce_stored(self.state.applied + 1 if has_hole else None)

    def announce_stored(self, resend_from: int | None) -> None:
        announcement = stored_announcement(self.state, resend_from)
        self.live.append(("STORED", Stored.model_validate_json(announcement.body)))

    @property
    def applied(self) -> int:
        return 0 if self.state is None else self.state.applied

    @precondition(lambda self: self.connection)
    @rule(rounds=st.integers(1, 3))
    def goes_well(self, rounds: int) -> None:
        """For a while nothing fails: else few examples would come far enough to have something to lose."""
        for _ in range(rounds):
            self.flow()

    def flow(self) -> None:
        """Everything moves one hop on."""
        self.send()
        while self.connection.up:
            self.gateway_reads()
        if self.connection.publishing:
            self.broker_confirms(3)
        while self.queue:
            self.ingest_handles(6, "well")
        if self.state is not None:
            self.ingest_repeats_heads()
        while self.live:
            self.live_arrives(is_lost=False)
        while self.connection.down:
            self.agent_receives()

    # --- the live exchange, the gateway's answers, the viewer

    @precondition(lambda self: self.live)
    @rule(is_lost=st.booleans())
    def live_arrives(self, is_lost: bool) -> None:
        kind, event = self.live.popleft()
        if is_lost:
            return
        if kind == "LOG":
            self.show(event)
        elif self.connection and self.connection.window.store(event.upto, event.resend_from, event.verified):
            self.acknowledge()

    def acknowledge(self) -> None:
        window = self.connection.window
        resend_from, window.resend_from = window.resend_from, None
        ack = {"type": "ACK", "buildId": self.build_id, "confirmed": window.confirmed, "stored": window.stored}
        self.connection.down.append({**ack, "windowBytes": 2000, "resendFrom": resend_from})

    @precondition(lambda self: self.connection and self.connection.down)
    @rule()
    def agent_receives(self) -> None:
        frame = self.connection.down.popleft()
        if frame["type"] == "REFUSED":
            assert self.session.refuse(frame) is None, "a gap that the agent can fill is no reason to give up a build"
        else:
            self.session.acknowledge(frame)
            self.reported_stored = max(self.reported_stored, frame["stored"])

    def show(self, event: LogAppended) -> None:
        """A viewer as docs/protocol.md has it."""
        if event.seq <= self.viewer_seq:
            return
        if event.after_seq > self.viewer_seq or (event.continues and event.after_seq < self.viewer_seq):
            self.viewer_reads()
            return
        known = len(self.viewer_lines)
        if event.continues:
            self.viewer_lines[event.first_line - 1] += event.lines[0]
            self.viewer_lines += event.lines[1:]
        else:
            assert event.first_line <= known + 1
            self.viewer_lines[event.first_line - 1 :] = event.lines
        self.viewer_seq = event.seq

    @rule()
    def viewer_reads(self) -> None:
        self.viewer_lines = self.stored_lines()
        self.viewer_seq = self.applied

    def stored_lines(self) -> list[str]:
        lines: list[str] = []
        for chunk in self.chunks:
            if chunk.has_text:
                found = text_of(chunk).decode().split("\n")
                if chunk.continues and lines:
                    lines[-1] += found.pop(0)
                lines += found
        return lines

    # --- what holds after every step

    @invariant()
    def what_is_reported_stored_is_stored(self) -> None:
        assert self.reported_stored <= self.applied
        assert self.session.builds[self.build_id].stored <= self.applied

    @invariant()
    def what_is_confirmed_was_taken(self) -> None:
        if self.connection:
            window = self.connection.window
            assert all(seq in self.taken or seq <= self.applied for seq in range(1, window.confirmed + 1))

    @invariant()
    def what_is_stored_was_recorded_once_and_in_order(self) -> None:
        count = self.applied
        records = [agent_record.validate_json(body) for body in self.spool[:count]]
        lines: list[str] = []
        for record in records:
            if record.type == "BUILD_LOG":
                goes_on = bool(record.data.continues)
                if goes_on:
                    lines[-1] += record.data.lines[0]
                lines += record.data.lines[1 if goes_on else 0 :]
        assert lines == self.stored_lines()
        places = [(chunk.first_seq, chunk.last_seq) for chunk in self.chunks]
        assert [first for first, _ in places] == [1, *(last + 1 for _, last in places[:-1])][: len(places)]

    @invariant()
    def what_is_shown_is_stored(self) -> None:
        stored = self.stored_lines()
        assert self.viewer_seq <= self.applied
        assert len(self.viewer_lines) <= len(stored)
        for shown, whole in zip(self.viewer_lines, stored, strict=False):
            assert whole.startswith(shown)
        assert self.viewer_lines[:-1] == stored[: max(0, len(self.viewer_lines) - 1)]

    def teardown(self) -> None:
        """Once nothing fails any more all is stored, reported and shown, within a bounded number of steps."""
        self.complete()
        self.connect(ingest_answers=True)
        for _ in range(40 + 8 * len(self.spool)):
            build = self.session.builds[self.build_id]
            if build.is_delivered and self.reported_stored >= len(self.spool):
                break
            self.flow()
        assert self.applied == len(self.spool), "everything that was spooled is stored"
        assert self.session.builds[self.build_id].is_delivered, "and the agent knows"
        assert self.printed == self.stored_lines()
        self.viewer_reads()
        assert self.printed == self.viewer_lines


def one_more_is_reported_stored(patch: pytest.MonkeyPatch) -> None:
    store = BuildWindow.store
    patch.setattr(BuildWindow, "store", lambda self, upto, again, verified: store(self, upto + 1, again, verified))


def later_confirms_count_for_earlier(patch: pytest.MonkeyPatch) -> None:
    def confirm(self: BuildWindow, run: Run) -> bool:
        self.confirmed = max(self.confirmed, run.last + 1)
        return True

    patch.setattr(BuildWindow, "confirm", confirm)


def repeats_are_stored_again(patch: pytest.MonkeyPatch) -> None:
    def bad(state: Any, waiting: Any, arrivals: Any, *rest: Any) -> Any:
        if state is not None:
            following = state.applied + 1
            moved = [each.record.model_copy(update={"seq": following + place}) for place, each in enumerate(arrivals)]
            arrivals = [replace(each, record=record) for each, record in zip(arrivals, moved, strict=True)]
        return plan_build(state, waiting, arrivals, *rest)

    patch.setattr(sys.modules[__name__], "plan_build_", bad)


def text_is_shown_a_line_too_far(patch: pytest.MonkeyPatch) -> None:
    def bad(step: Any, accepted: Any) -> Any:
        for announcement in log_announcements(step, accepted):
            frame = json.loads(announcement.body)
            yield replace(announcement, body=json.dumps({**frame, "lines": [*frame["lines"], "more"]}).encode())

    patch.setattr(sys.modules[__name__], "log_announcements_", bad)


@pytest.mark.slow
@pytest.mark.delivery
@pytest.mark.parametrize(
    "bug",
    [
        one_more_is_reported_stored,
        later_confirms_count_for_earlier,
        repeats_are_stored_again,
        text_is_shown_a_line_too_far,
    ],
)
def test_the_machine_finds_planted_bugs(bug: Callable[[pytest.MonkeyPatch], None]) -> None:
    """An invariant that no bug can break says nothing."""
    with pytest.MonkeyPatch.context() as patch:
        bug(patch)
        with pytest.raises((AssertionError, IndexError, ExceptionGroup)):
            run_state_machine_as_test(
                Delivering,
                settings=settings(
                    max_examples=300,
                    stateful_step_count=60,
                    deadline=None,
                    database=None,
                    derandomize=True,
                    phases=(Phase.generate,),
                    suppress_health_check=list(HealthCheck),
                ),
            )


TestDelivering = pytest.mark.slow(pytest.mark.delivery(Delivering.TestCase))
TestDelivering.settings = settings(
    max_examples=2000 if os.environ.get("FULL") else 120,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
