"""Subscriptions: what a viewer wants and may see."""

from build_chassis.auth import Principal
from build_gateway.viewers.events import BuildEvent, LogEvent
from build_gateway.viewers.subscription import Subscription
from build_protocol.frames import Subscribe

BUILD = "01890000-0000-7000-8000-000000000001"
OTHER = "01890000-0000-7000-8000-000000000002"
ANYONE = Principal("ann", "viewer", None)
OF_TORCH = Principal("ann", "viewer", frozenset({"torch-mlir"}))


def build_event(project: str = "torch-mlir", *types: str, build_id: str = BUILD) -> BuildEvent:
    return BuildEvent(build_id, project, 1, frozenset(types or ("BUILD_UPDATE",)), "{}")


def log_event(seq: int, project: str = "torch-mlir", build_id: str = BUILD) -> LogEvent:
    return LogEvent(build_id, project, seq, "{}")


def test_rows_are_chosen_by_project_and_type() -> None:
    """A subscriber receives its projects' messages of its types and no others."""
    wanted = Subscription(ANYONE, Subscribe(projects=["torch-mlir"], events=["BUILD_COMPLETE"]))

    assert wanted.wants_build(build_event("torch-mlir", "BUILD_COMPLETE", "BUILD_LOG"))
    assert not wanted.wants_build(build_event("torch-mlir", "BUILD_LOG"))
    assert not wanted.wants_build(build_event("llvm-mlir", "BUILD_COMPLETE"))


def test_a_followed_build_is_received_whole() -> None:
    """Following a build brings its rows whatever else was subscribed."""
    wanted = Subscription(ANYONE, Subscribe(projects=[], events=[], build_ids=[BUILD]))

    assert wanted.wants_build(build_event())
    assert not wanted.wants_build(build_event(build_id=OTHER))


def test_nothing_of_a_foreign_project_passes() -> None:
    """`*` means every project the person may see; following a build by its id shows nothing of a foreign one."""
    wanted = Subscription(OF_TORCH, Subscribe(build_ids=[BUILD]))

    assert not wanted.wants_build(build_event("llvm-mlir"))
    assert not wanted.wants_log(log_event(1, "llvm-mlir"))
    assert wanted.wants_build(build_event("torch-mlir"))


def test_log_goes_on_after_the_cursor_and_never_repeats() -> None:
    """What the viewer has is not sent again."""
    wanted = Subscription(ANYONE, Subscribe(build_ids=[BUILD], after_seq={BUILD: 7}))

    assert [wanted.wants_log(log_event(seq)) for seq in (6, 7, 8, 8, 9)] == [False, False, True, False, True]
    assert not wanted.wants_log(log_event(8, build_id=OTHER))


def test_rights_that_shrink_end_the_flow() -> None:
    """Nothing of a project that was taken away is sent from then on."""
    wanted = Subscription(ANYONE, Subscribe(build_ids=[BUILD]))
    assert wanted.wants_log(log_event(1))

    wanted.seen_by(Principal("ann", "viewer", frozenset()))

    assert not wanted.wants_log(log_event(2))
