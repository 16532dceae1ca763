"""The server's time of a build's start: what its clocks tell, and what they cannot."""

import pytest
from build_ingest.records.start_time import Receipt, receipt_of, start_time_of
from build_protocol.clocks import AgentClock, ClockAnchor
from build_protocol.messages import BuildStartData
from hypothesis import given
from hypothesis import strategies as st

RECEIVED = 1_700_000_000_000
HOUR = 3_600_000


def clock(boot: str | None = "boot", uptime_ms: int | None = 0, wall_at: int = RECEIVED) -> AgentClock:
    return AgentClock(wall_at=wall_at, boot_id=boot, uptime_ms=uptime_ms)


def anchor(server_at: int, boot: str = "boot", uptime_ms: int = 0) -> ClockAnchor:
    return ClockAnchor(server_at=server_at, boot_id=boot, uptime_ms=uptime_ms)


def bounds(start: BuildStartData, receipt: Receipt) -> tuple[int | None, int | None]:
    found = start_time_of(start, receipt)
    return found.server_started_earliest_at, found.server_started_at


def test_in_one_boot_the_age_is_subtracted_from_the_receipt() -> None:
    """A build that waited two hours in its spool began two hours before its receipt, whatever the wall clock says."""
    start = BuildStartData(clock=clock(uptime_ms=HOUR, wall_at=5))
    receipt = Receipt(RECEIVED, clock(uptime_ms=3 * HOUR, wall_at=RECEIVED + 40 * HOUR))

    assert (RECEIVED - 2 * HOUR,) * 2 == bounds(start, receipt)
    assert 40 * HOUR == start_time_of(start, receipt).clock_skew_ms


def test_after_a_reboot_an_anchor_of_that_boot_is_exact() -> None:
    """The spool met the server in the boot of the build: the build's place is known though the clock began anew."""
    start = BuildStartData(clock=clock("old", HOUR))
    receipt = Receipt(RECEIVED, clock("new", 10), anchor(RECEIVED - 9 * HOUR, "old", 2 * HOUR))

    assert (RECEIVED - 10 * HOUR,) * 2 == bounds(start, receipt)


def test_after_a_reboot_the_start_lies_between_anchor_and_receipt() -> None:
    """A spool that met the server only in an earlier boot knows no more than that."""
    start = BuildStartData(clock=clock("old", HOUR), anchor=anchor(RECEIVED - 9 * HOUR, "older"))

    assert (RECEIVED - 9 * HOUR, RECEIVED) == bounds(start, Receipt(RECEIVED, clock("new", 10)))


@pytest.mark.parametrize(
    ("began", "sent"),
    [
        (None, clock()),
        (clock(None, None), clock(None, None)),
        (clock(), None),
        (clock(uptime_ms=None), clock()),
        (clock("old"), clock("new")),
    ],
)
def test_without_comparable_clocks_nothing_bounds_the_start(began: AgentClock | None, sent: AgentClock | None) -> None:
    """An agent that names no clock, or another boot's, began at the latest when it was received."""
    assert (None, RECEIVED) == bounds(BuildStartData(clock=began), Receipt(RECEIVED, sent))


def test_without_a_stamp_nothing_is_known() -> None:
    """A record that no gateway stamped has no place by the server's clock."""
    assert start_time_of(BuildStartData(clock=clock()), None).server_started_at is None


uptimes = st.integers(0, 2**53 - 1)
boots = st.sampled_from(["a", "b"])
clocks = st.none() | st.builds(clock, boots, st.none() | uptimes, uptimes)
anchors = st.none() | st.builds(anchor, uptimes, boots, uptimes)


@given(clocks, anchors, clocks, anchors, uptimes)
def test_a_build_never_begins_after_its_receipt(began, known, sent, reported, received_at) -> None:
    """Whatever the clocks of an agent say, 0 <= earliest <= latest <= receipt."""
    start = BuildStartData(clock=began, anchor=known)

    earliest, latest = bounds(start, Receipt(received_at, sent, reported))

    assert 0 <= (0 if earliest is None else earliest) <= latest <= received_at


@pytest.mark.parametrize("stamp", ["", "-1", "now", "1e3", "٣", "9" * 30, str(2**63)])
def test_a_stamp_that_is_no_time_is_none(stamp: str) -> None:
    """A header that does not hold a time is passed over."""
    assert receipt_of({"received_at": stamp}) is None


def test_an_unreadable_clock_leaves_the_stamp() -> None:
    """The receipt stands, whatever stands beside it."""
    assert Receipt(5) == receipt_of({"received_at": "5", "clock": "{", "anchor": '{"serverAt":-1}'})
