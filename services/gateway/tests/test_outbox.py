"""The outbox: what waits for one viewer is bounded, and the viewer learns what was dropped."""

import json

from build_gateway.viewers.events import BuildEvent, LogEvent
from build_gateway.viewers.outbox import Outbox

A, B = "build-a", "build-b"


def drained(outbox: Outbox) -> list[str]:
    return [outbox.take() for _ in range(len(outbox))]


def row(build_id: str, revision: int, *events: str) -> BuildEvent:
    return BuildEvent(build_id, "p", revision, frozenset(events), f"{build_id}@{revision}")


def log(build_id: str, seq: int, text: str = "") -> LogEvent:
    return LogEvent(build_id, "p", seq, text or f"{build_id}:{seq}")


def test_order_is_kept() -> None:
    """Frames leave as they came."""
    outbox = Outbox()
    outbox.reply("ready")
    outbox.offer_log(log(A, 1))
    outbox.offer_build(row(A, 1))
    outbox.offer_log(log(A, 2))

    assert drained(outbox) == ["ready", "build-a:1", "build-a@1", "build-a:2"]


def test_a_newer_row_takes_the_place_of_a_waiting_one() -> None:
    """The latest revision wins, and an event type the newer row does not name is not lost."""
    outbox = Outbox()
    outbox.offer_build(row(A, 1, "BUILD_UPDATE"))
    outbox.offer_build(row(A, 3, "BUILD_UPDATE", "BUILD_LOG"))
    outbox.offer_build(row(A, 2, "BUILD_UPDATE"))
    outbox.offer_build(row(B, 1, "BUILD_COMPLETE"))
    outbox.offer_build(row(B, 2, "BUILD_LOG"))

    assert drained(outbox) == ["build-a@3", "build-b@1", "build-b@2"]


def test_overflow_drops_log_text_and_says_resync_for_each_build() -> None:
    """A page that reads too slowly learns which logs to read again; rows stay."""
    outbox = Outbox(items=5)
    outbox.offer_build(row(A, 1))
    for seq in range(1, 4):
        outbox.offer_log(log(A, seq))
    outbox.offer_log(log(B, 1))
    outbox.offer_log(log(B, 2))

    first, *rest = drained(outbox)
    assert first == "build-a@1"
    assert [json.loads(text)["buildId"] for text in rest] == [A, B]
    assert {"RESYNC"} == {json.loads(text)["type"] for text in rest}


def test_size_is_bounded_too() -> None:
    """Few large frames overflow like many small ones."""
    outbox = Outbox(size_characters=1000)
    outbox.offer_log(log(A, 1, "x" * 600))
    outbox.offer_log(log(A, 2, "x" * 600))

    assert len(outbox) == 1
    assert json.loads(outbox.take())["type"] == "RESYNC"


def test_too_many_rows_become_one_resync() -> None:
    """Even rows alone never grow beyond the bound."""
    outbox = Outbox(items=10)
    for number in range(1000):
        outbox.offer_build(row(f"build-{number}", 1))

    assert len(outbox) <= 11
    assert sum('"RESYNC"' in text for text in drained(outbox)) == 1
