"""The server's time of a build's start: what its clocks tell, and what they cannot."""

import pytest
from build_protocol.clocks import AgentClock, ClockAnchor, StartTime
from build_protocol.ids import new_build_id
from build_protocol.messages import BuildStart, BuildStartData
from build_protocol.start_time import Receipt, receipt_of, start_time_of
from hypothesis import given
from hypothesis import strategies as st

RECEIVED = 1_700_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR


def clock(boot: str | None = "boot", uptime_ms: int | None = 0, wall_at: int = RECEIVED) -> AgentClock:
    return AgentClock(wall_at=wall_at, boot_id=boot, uptime_ms=uptime_ms)


def anchor(server_at: int, boot: str = "boot", uptime_ms: int = 0) -> ClockAnchor:
    return ClockAnchor(server_at=server_at, boot_id=boot, uptime_ms=uptime_ms)


def found(data: BuildStartData, receipt: Receipt | None, timestamp: int = 1) -> StartTime:
    start = BuildStart(build_id=new_build_id(1), project="p", seq=1, timestamp=timestamp, data=data)
    return start_time_of(start, receipt)


def bounds(data: BuildStartData, receipt: Receipt, timestamp: int = 1) -> tuple[int | None, int | None]:
    known = found(data, receipt, timestamp)
    return known.server_started_earliest_at, known.server_started_at


def test_in_one_boot_the_age_is_subtracted_from_the_receipt() -> None:
    """A build that waited two hours in its spool began two hours before its receipt, whatever the wall clock says."""
    start = BuildStartData(clock=clock(uptime_ms=HOUR, wall_at=5))
    receipt = Receipt(RECEIVED, clock(uptime_ms=3 * HOUR, wall_at=RECEIVED + 40 * HOUR))

    assert (RECEIVED - 2 * HOUR,) * 2 == bounds(start, receipt)
    assert (40 * HOUR, "monotonic") == (found(start, receipt).clock_skew_ms, found(start, receipt).start_source)


def test_after_a_reboot_an_anchor_of_that_boot_is_exact() -> None:
    """The spool met the server in the boot of the build: the build's place is known though the clock began anew."""
    start = BuildStartData(clock=clock("old", HOUR))
    receipt = Receipt(RECEIVED, clock("new", 10), anchor(RECEIVED - 9 * HOUR, "old", 2 * HOUR))

    assert (RECEIVED - 10 * HOUR,) * 2 == bounds(start, receipt)


def test_after_a_reboot_the_start_lies_between_anchor_and_receipt() -> None:
    """A spool that met the server only in an earlier boot knows no more than that."""
    start = BuildStartData(clock=clock("old", HOUR), anchor=anchor(RECEIVED - 9 * HOUR, "older"))

    assert (RECEIVED - 9 * HOUR, RECEIVED) == bounds(start, Receipt(RECEIVED, clock("new", 10)))


@pytest.mark.parametrize("began", [None, clock(None, None), clock("old")])
@pytest.mark.parametrize("sent", [None, clock(None, None)])
def test_a_record_without_a_boot_clock_is_placed_by_its_receipt(
    began: AgentClock | None, sent: AgentClock | None
) -> None:
    """An agent that cannot tell its age began when it was received, unless its wall clock tells otherwise."""
    assert (RECEIVED, RECEIVED) == bounds(BuildStartData(clock=began), Receipt(RECEIVED, sent), timestamp=RECEIVED)


def test_an_age_by_the_wall_clock_alone_is_believed_while_it_is_small() -> None:
    """A wall clock may have leapt since: a start of hours ago by it lies anywhere between then and the receipt."""
    for age_ms, latest in ((2000, RECEIVED - 2000), (3 * HOUR, RECEIVED), (-3 * HOUR, RECEIVED)):
        began = clock(None, None, wall_at=9 * DAY - age_ms)
        receipt = Receipt(RECEIVED, clock(None, None, wall_at=9 * DAY))

        assert (RECEIVED - max(0, age_ms), latest) == bounds(BuildStartData(clock=began), receipt)
        assert found(BuildStartData(clock=began), receipt).start_source == "clock"


def test_of_another_boot_without_an_anchor_only_the_key_bounds_the_start() -> None:
    """A spool carried elsewhere holds no build from before its key was made; without that, nothing bounds it."""
    start = BuildStartData(clock=clock("old"))

    assert (None, RECEIVED) == bounds(start, Receipt(RECEIVED, clock("new")))
    assert (RECEIVED - DAY, RECEIVED) == bounds(start, Receipt(RECEIVED, clock("new"), key_created_at=RECEIVED - DAY))


def test_no_build_is_older_than_its_key() -> None:
    """A boot-time clock that claims years of age is believed back to the key's creation."""
    start = BuildStartData(clock=clock(uptime_ms=0))
    receipt = Receipt(RECEIVED, clock(uptime_ms=900 * DAY), key_created_at=RECEIVED - DAY)

    assert (RECEIVED - DAY,) * 2 == bounds(start, receipt)


@pytest.mark.parametrize("data", [BuildStartData(backfill=True), BuildStartData(source_url="https://ci.example/7")])
def test_what_was_taken_from_another_ci_began_by_its_clock(data: BuildStartData) -> None:
    """A backfilled or mirrored build began when its source says, before the key was made too, but not in the future."""
    data = data.model_copy(update={"clock": clock()})
    for timestamp, began_at in ((RECEIVED - 900 * DAY, RECEIVED - 900 * DAY), (RECEIVED + DAY, RECEIVED)):
        receipt = Receipt(RECEIVED, clock(), key_created_at=RECEIVED - HOUR)

        assert (began_at,) * 2 == bounds(data, receipt, timestamp)
        assert found(data, receipt, timestamp).start_source == "source"


def test_without_a_stamp_nothing_is_known() -> None:
    """A record that no gateway stamped has no place by the server's clock."""
    assert found(BuildStartData(clock=clock()), None).server_started_at is None


uptimes = st.integers(0, 2**53 - 1)
boots = st.sampled_from(["a", "b"])
clocks = st.none() | st.builds(clock, boots, st.none() | uptimes, uptimes)
anchors = st.none() | st.builds(anchor, uptimes, boots, uptimes)


starts = st.builds(BuildStartData, clock=clocks, anchor=anchors, backfill=st.booleans())
receipts = st.builds(Receipt, uptimes, clocks, anchors, st.none() | uptimes)


@given(starts, receipts, st.integers(1, 2**53 - 1))
def test_a_build_never_begins_after_its_receipt(start, receipt, timestamp) -> None:
    """Whatever the clocks of an agent say, 0 <= earliest <= latest <= receipt."""
    earliest, latest = bounds(start, receipt, timestamp)

    assert latest is not None
    assert 0 <= (0 if earliest is None else earliest) <= latest <= receipt.received_at


@pytest.mark.parametrize("stamp", ["", "-1", "now", "1e3", "٣", "9" * 30, str(2**63)])
def test_a_stamp_that_is_no_time_is_none(stamp: str) -> None:
    """A header that does not hold a time is passed over."""
    assert receipt_of({"received_at": stamp}) is None


def test_an_unreadable_clock_leaves_the_stamp() -> None:
    """The receipt stands, whatever stands beside it."""
    assert Receipt(5) == receipt_of({"received_at": "5", "clock": "{", "anchor": '{"serverAt":-1}'})
