"""The session's decisions, without a socket."""

import json

from build_dashboard.delivery.backoff import Backoff
from build_dashboard.delivery.session import BuildState, Session
from build_protocol.frames import agent_frame
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

BUILD = "01a20a9f-9028-77f4-a411-c8af79849228"
WELCOME = {"type": "WELCOME", "session": "s", "agent": "a", "serverAt": 1}


def session(spooled: int = 10, **welcome) -> tuple[Session, BuildState]:
    made = Session("1", "i", "h")
    build = BuildState(BUILD, "p", None, None, spooled)
    made.add(build)
    made.welcome({**WELCOME, **welcome})
    return made, build


def ack(**fields) -> dict[str, object]:
    return {"type": "ACK", "buildId": BUILD, "confirmed": 0, "stored": 0, "windowBytes": 1000, **fields}


def _after(made: Session) -> int:
    """The record after which it wants to send."""
    want = made.want()
    assert want is not None
    return want.after_seq


def test_hello_names_what_is_held() -> None:
    """HELLO is a frame of the protocol and says from where to where records are held."""
    made, build = session()
    build.stored = 4
    frame = agent_frame.validate_json(json.dumps(made.hello()))

    assert (frame.builds[0].first_unacked, frame.builds[0].last_spooled) == (5, 10)


def test_sending_goes_on_after_what_the_server_has() -> None:
    """After WELCOME the first record sent is the first that is not stored."""
    made, _ = session(stored={BUILD: 6})

    assert _after(made) == 6


def test_welcome_without_stored_uses_own_knowledge() -> None:
    """When ingest does not answer, the agent resends from what it knows to be stored."""
    made, _ = session()
    made.sent(BUILD, [1] * 10)
    made.acknowledge(ack(confirmed=9, stored=3))
    made.welcome(WELCOME)

    assert _after(made) == 3


def test_window_closes_and_opens() -> None:
    """What is sent and not confirmed fills the window; a window of 0 pauses everything."""
    made, _ = session(windowBytes=100)
    made.sent(BUILD, [100])
    assert made.want() is None
    made.acknowledge(ack(confirmed=1, windowBytes=100))
    assert _after(made) == 1
    made.acknowledge(ack(confirmed=1, windowBytes=0))
    assert made.want() is None


def test_only_stored_is_progress() -> None:
    """Confirmed alone moves nothing that back-off or the spool depend on."""
    made, build = session()
    made.sent(BUILD, [1] * 10)

    assert not made.acknowledge(ack(confirmed=10))
    assert build.stored == 0
    assert made.acknowledge(ack(confirmed=10, stored=10))


def test_spool_may_go_only_when_verified() -> None:
    """Stored is not enough while the server can still ask again."""
    made, build = session()
    build.is_complete = True
    made.sent(BUILD, [1] * 10)
    made.acknowledge(ack(confirmed=10, stored=10))
    assert (build.is_delivered, build.may_forget) == (True, False)
    made.acknowledge(ack(confirmed=10, stored=10, verified=True))
    assert build.may_forget


def test_verified_is_asked_for_again_after_a_cut() -> None:
    """When all is stored but the ACK with `verified` was lost, the last record is sent again to get another."""
    made, build = session()
    build.is_complete = True
    made.welcome({**WELCOME, "stored": {BUILD: 10}})

    assert _after(made) == 9
    made.sent(BUILD, [1])
    made.acknowledge(ack(confirmed=10, stored=10, verified=True))
    assert build.may_forget


def test_server_may_ask_again() -> None:
    """`resendFrom` rewinds, also behind what was stored."""
    made, _ = session()
    made.sent(BUILD, [1] * 10)
    made.acknowledge(ack(confirmed=10, stored=10))
    made.acknowledge(ack(confirmed=10, stored=10, resendFrom=4))

    assert _after(made) == 3


def test_gap_that_never_closes_is_given_up() -> None:
    """A build whose gap stays after several fillings is refused rather than resent for ever."""
    made, build = session()
    refused = {"type": "REFUSED", "code": "sequence_gap", "detail": "", "buildId": BUILD, "seq": 1}
    answers = [made.refuse(refused) for _ in range(4)]

    assert answers[:3] == [None] * 3
    assert answers[3] == (build, None)
    assert made.want() is None


def _many(window_bytes: int, **running: bool) -> Session:
    made = Session("1", "i", "h")
    for name, is_running in running.items():
        made.add(BuildState(name, "p", None, None, 1000, is_running=is_running))
    made.welcome({**WELCOME, "windowBytes": window_bytes})
    return made


def _frames(made: Session, count: int, size: int = 1) -> list[str]:
    """Whose records the next frames carry, one record each."""
    sent = []
    for _ in range(count):
        want = made.want()
        if want is None:
            break
        made.sent(want.build_id, [size])
        sent.append(want.build_id)
    return sent


def test_a_backlog_does_not_delay_a_live_build() -> None:
    """Builds left by earlier runs are sent beside it, as far as they are in nobody's way: one frame of four."""
    made = _many(1_000_000, left=False, live=True, other=False)
    sent = _frames(made, 400)

    assert sent.count("live") == 300
    assert (sent.count("left"), sent.count("other")) == (50, 50)
    made.builds["live"].spooled = made.builds["live"].sent
    assert set(_frames(made, 10)) == {"left", "other"}
    made.builds["live"].spooled += 1
    assert "live" in _frames(made, 2)


def test_builds_of_one_agent_take_turns() -> None:
    """However many there are and whichever began first; one that prints without end holds up none."""
    made = _many(1_000_000, a=True, b=True, c=True)

    assert sorted(_frames(made, 3)) == ["a", "b", "c"]
    assert sorted(_frames(made, 300)) == ["a"] * 100 + ["b"] * 100 + ["c"] * 100


def test_a_backlog_leaves_room_in_the_window() -> None:
    """The next line of a live build need not wait for the backlog's confirms."""
    made = _many(1000, left=False, live=True)
    made.builds["live"].spooled = 0
    assert _frames(made, 100, size=50) == ["left"] * 15
    made.builds["live"].spooled = 1
    live = made.want()
    assert live is not None
    assert live.build_id == "live"

    alone = _many(1000, left=False)
    assert len(_frames(alone, 100, size=50)) == 20


def test_a_build_that_just_ended_is_still_live() -> None:
    """Its end does not queue behind what is left of last week; after the next connection it is backlog."""
    made = _many(1_000_000, left=False, live=True)
    made.builds["live"].is_running = False
    assert _frames(made, 8).count("live") == 6
    made.welcome({**WELCOME, "windowBytes": 1_000_000})
    assert _frames(made, 8).count("live") == 4


def test_a_build_that_cannot_be_read_holds_up_no_other() -> None:
    """It is tried again in the next connection."""
    made = _many(1_000_000, broken=True, live=True)
    made.set_aside("broken", "record 1 is damaged")
    assert set(_frames(made, 20)) == {"live"}
    made.welcome({**WELCOME, "windowBytes": 1_000_000})
    assert set(_frames(made, 20)) == {"broken", "live"}


def test_backoff_doubles_to_a_minute_and_waits_windows_out() -> None:
    """Tries fall one into each window: 1, 2, 4 ... 64 s."""
    backoff = Backoff()
    waits = [backoff.next_wait(0.0) for _ in range(9)]
    assert waits == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 64.0]
    backoff.reset()

    assert [backoff.next_wait(1.0), backoff.next_wait(0.5)] == [1.0, 1.0]


def test_offline_is_reported_after_the_configured_attempts() -> None:
    """`reconnect_attempts` tries pass before the agent calls itself offline; it goes on trying."""
    backoff = Backoff(first_seconds=2.0, attempts_before_offline=2)
    states = []
    for _ in range(4):
        backoff.next_wait(0.5)
        states.append(backoff.is_offline)

    assert states == [False, False, True, True]


class Delivery(RuleBasedStateMachine):
    """A server that takes, confirms, stores, forgets what is not stored, and cuts: in the end all is there once."""

    def __init__(self) -> None:
        super().__init__()
        self.session, self.build = session(spooled=0)
        self.wire: list[int] = []
        self.taken: set[int] = set()
        self.stored = 0

    @rule(count=st.integers(1, 5))
    def spool(self, count: int) -> None:
        self.build.spooled += count

    @rule(limit=st.integers(1, 4))
    def send(self, limit: int) -> None:
        want = self.session.want()
        if want is not None:
            count = min(limit, self.build.spooled - want.after_seq)
            self.wire += range(want.after_seq + 1, want.after_seq + count + 1)
            self.session.sent(BUILD, [100] * count)

    @precondition(lambda self: self.wire)
    @rule()
    def arrive(self) -> None:
        seq = self.wire.pop(0)
        assert seq <= self.stored + len(self.taken) + 1 or seq - 1 in self.taken or seq - 1 <= self.stored
        self.taken.add(seq)

    @rule()
    def store(self) -> None:
        while self.stored + 1 in self.taken:
            self.stored += 1
        self.session.acknowledge(ack(confirmed=max(self.taken, default=0), stored=self.stored))

    @rule(knows=st.booleans())
    def cut(self, knows: bool) -> None:
        self.wire.clear()
        self.taken = {seq for seq in self.taken if seq <= self.stored}
        self.session.welcome({**WELCOME, "windowBytes": 1000, **({"stored": {BUILD: self.stored}} if knows else {})})

    @invariant()
    def nothing_is_believed_stored_that_is_not(self) -> None:
        assert self.build.stored <= self.stored
        assert self.build.in_flight_bytes == sum(size for _, size in self.build.in_flight)

    def teardown(self) -> None:
        for _ in range(1000):
            self.send(4)
            while self.wire:
                self.arrive()
            self.store()
            if self.build.stored == self.build.spooled:
                break
        assert self.stored == self.build.spooled


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
