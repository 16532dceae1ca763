"""Fair shares: an agent that sends faster than ingest stores waits for its own backlog, and nobody else does."""

import pytest
from build_gateway.agents import session
from build_gateway.agents.backlog import STILL_SECONDS, Backlog
from build_testkit.gateway import BUILD, OTHER_BUILD, Gateway, hello, receive, record, say


def test_what_is_stored_is_no_backlog() -> None:
    """Cumulative, by build; what the session forgets counts no more; each byte counts once."""
    backlog = Backlog(max_bytes=10)
    for seq in (1, 2, 3):
        backlog.sent("a", seq, 5, now=0.0)
    backlog.sent("b", 7, 4, now=0.0)
    assert backlog.is_large(1.0)
    backlog.stored("a", 2, 1.0)
    assert not backlog.is_large(1.0)
    backlog.sent("a", 4, 2, now=1.0)
    assert backlog.is_large(1.0)
    backlog.forget("b")
    assert not backlog.is_large(1.0)
    backlog.stored("a", 9, 1.0)
    backlog.sent("c", 1, 10, now=2.0)
    assert not backlog.is_large(2.0)


def test_nobody_waits_for_an_ingest_that_stores_nothing() -> None:
    """Then the broker takes what comes, as in any outage; a report without progress is none."""
    backlog = Backlog(max_bytes=10)
    backlog.sent("a", 5, 50, now=100.0)
    backlog.stored("a", 4, 100.0 + STILL_SECONDS)
    assert backlog.is_large(100.0 + STILL_SECONDS - 1)
    assert not backlog.is_large(100.0 + STILL_SECONDS)


async def test_a_flood_waits_and_a_quiet_agent_does_not(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flooding session's window shuts though the broker has everything, and opens once ingest has stored it."""
    monkeypatch.setattr(session, "Backlog", lambda: Backlog(max_bytes=2000))
    async with gateway.agent() as loud, gateway.agent() as quiet:
        await hello(loud, "loud")
        await hello(quiet, "quiet")
        await say(loud, type="RECORDS", records=[record(1, "BUILD_START")])
        await receive(loud, "ACK", confirmed=1)
        await say(loud, type="RECORDS", records=[record(2, data={"firstLine": 1, "lines": ["x" * 3000]})])
        await receive(loud, "ACK", confirmed=2, windowBytes=0)

        await say(quiet, type="RECORDS", records=[record(1, "BUILD_START", OTHER_BUILD)])
        assert (await receive(quiet, "ACK", confirmed=1))["windowBytes"] > 0
        await gateway.announce_stored(1)
        await receive(loud, "ACK", stored=1, windowBytes=0)
        await gateway.announce_stored(2, BUILD)
        assert (await receive(loud, "ACK", stored=2))["windowBytes"] > 0
