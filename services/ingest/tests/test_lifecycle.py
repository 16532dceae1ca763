"""The lifecycle: silence, verdicts, verification."""

import asyncio

import pytest
from build_chassis.bus import PublishFailed
from build_chassis.supervisor import supervise
from build_protocol.messages import LogTotals


async def _feed(bench, reporter, *records) -> None:
    await bench.consumer.handle([reporter.delivery(record) for record in records])


async def test_the_end_of_a_build_is_judged_once(bench, bus, reporter) -> None:
    """BUILD_COMPLETE leads to one verdict with the facts of the start; looking again publishes nothing."""
    await _feed(bench, reporter, reporter.start(pins=[{"name": "llvm", "commit": "0123456"}]), reporter.log(["a"]))
    await _feed(bench, reporter, reporter.complete("failed", exit_code=1))

    await bench.lifecycle.settle_due()
    await bench.lifecycle.settle_due()

    (verdict,) = bus.published
    assert (verdict.data.status, verdict.data.revision, verdict.data.exit_code) == ("failed", 1, 1)
    assert (verdict.data.pins[0].name, verdict.data.log_lines, verdict.data.agent) == ("llvm", 1, "builder-1")


async def test_a_verdict_survives_a_restart_and_an_absent_broker(make_bench, bus, reporter) -> None:
    """A decided verdict waits in the store until the broker confirmed it."""
    bench = make_bench()
    await _feed(bench, reporter, reporter.start(), reporter.complete())
    bus.is_away = True
    with pytest.raises(PublishFailed):
        await bench.lifecycle.settle_due()
    bus.is_away = False

    restarted = make_bench()
    await restarted.consumer.adopt(range(8))
    await restarted.lifecycle.settle_due()

    assert [verdict.data.status for verdict in bus.published] == ["succeeded"]


async def test_silence_becomes_a_badge_then_lost_then_is_overridden(bench, bus, reporter) -> None:
    """45 s of silence: disconnected; 5 min: lost, provisionally; the late end is the next revision."""
    await _feed(bench, reporter, reporter.start())
    await bench.judge_at(1044)
    assert (await bench.store.find(reporter.id)).build.connected
    await bench.judge_at(1046)
    badge = (await bench.store.find(reporter.id)).build
    assert (badge.connected, badge.status) == (False, "running")
    await bench.judge_at(1301)
    await bench.lifecycle.settle_due()
    lost = (await bench.store.find(reporter.id)).build
    assert (lost.status, lost.provisional) == ("lost", True)

    await _feed(bench, reporter, reporter.log(["late"]), reporter.complete("succeeded"))
    await bench.lifecycle.settle_due()

    ended = (await bench.store.find(reporter.id)).build
    assert (ended.status, ended.provisional, ended.connected) == ("succeeded", False, True)
    verdicts = [(verdict.data.status, verdict.data.provisional, verdict.data.revision) for verdict in bus.published]
    assert verdicts == [("lost", True, 1), ("succeeded", False, 2)]


async def test_heartbeats_renew_the_lease(bench, reporter) -> None:
    """A silent but living build is not judged; a heartbeat after the badge takes it off."""
    await _feed(bench, reporter, reporter.start())
    for _ in range(40):
        await bench.judge_at(bench.now + 10)
        await bench.consumer.handle([reporter.heartbeat()])
    assert (await bench.store.find(reporter.id)).build.status == "running"

    await bench.judge_at(bench.now + 50)
    assert not (await bench.store.find(reporter.id)).build.connected
    await bench.consumer.handle([reporter.heartbeat()])
    assert (await bench.store.find(reporter.id)).build.connected


async def test_a_heartbeat_of_a_lost_build_shows_it_running(bench, reporter) -> None:
    """An agent that comes back after five minutes takes `lost` back."""
    await _feed(bench, reporter, reporter.start())
    await bench.judge_at(1400)
    assert (await bench.store.find(reporter.id)).build.status == "lost"

    await bench.consumer.handle([reporter.heartbeat()])

    build = (await bench.store.find(reporter.id)).build
    assert (build.status, build.connected, build.ended_at) == ("running", True, None)


async def test_after_an_outage_of_ours_nobody_is_judged_for_a_lease(make_bench, bus, reporter) -> None:
    """A restart, a suspended server or an absent broker costs no build its status."""
    bench = make_bench()
    await _feed(bench, reporter, reporter.start())
    await bench.judge_at(1010)
    bench.now += 3600  # suspended
    await bench.lifecycle.judge_silence()
    bus.is_away = True
    await bench.judge_at(bench.now + 400)
    bus.is_away = False
    await bench.judge_at(bench.now + 40)
    restarted = make_bench()
    restarted.now = bench.now + 3600
    await restarted.consumer.adopt(range(8))
    await restarted.judge_at(restarted.now + 40)

    build = (await bench.store.find(reporter.id)).build
    assert (build.connected, build.status) == (True, "running")


async def test_a_whole_log_is_verified_and_its_agent_notified(bench, bus, reporter) -> None:
    """Lines, bytes and sha256 agree: the build is verified, and its agent may forget it."""
    await _feed(bench, reporter, reporter.start(), reporter.log(["a", "ü", ""]), reporter.log(["more"], continues=True))
    await _feed(bench, reporter, reporter.complete())

    await bench.lifecycle.settle_due()

    assert (await bench.store.find(reporter.id)).build.verified
    assert bus.events("STORED")[-1].verified is True
    assert bus.events("BUILD")[-1].build.verified


async def test_a_build_without_output_is_verified(bench, bus, reporter) -> None:
    """No line at all is a whole log too."""
    await _feed(bench, reporter, reporter.start(), reporter.complete())

    await bench.lifecycle.settle_due()

    assert bus.events("STORED")[-1].verified is True


async def test_totals_that_differ_are_flagged(bench, bus, reporter) -> None:
    """A log that is not what the agent counted is reported to differ, and counted in the metric."""
    await _feed(bench, reporter, reporter.start(), reporter.log(["a"]))
    await _feed(bench, reporter, reporter.complete(totals=LogTotals(lines=1, bytes=1, sha256="0" * 64)))

    await bench.lifecycle.settle_due()

    assert not (await bench.store.find(reporter.id)).build.verified
    assert bus.events("STORED")[-1].verified is False
    assert bench.metrics.unverified._value.get() == 1


async def test_heads_of_open_builds_only_are_repeated(bench, bus, make_reporter) -> None:
    """Running builds are repeated until they are settled."""
    running, ended = make_reporter(), make_reporter()
    await _feed(bench, running, running.start())
    await _feed(bench, ended, ended.start(), ended.complete())
    await bench.lifecycle.settle_due()
    bus.announced.clear()

    await bench.consumer.repeat_heads()

    assert [head.build_id for head in bus.events("STORED")] == [running.id]


async def test_a_stop_is_obeyed_whatever_happens_at_its_moment(bench, reporter) -> None:
    """A build that falls due in the very moment of the stop does not keep the lifecycle alive."""
    await _feed(bench, reporter, reporter.start(), reporter.complete())
    due = bench.consumer.open_builds[reporter.id]
    await bench.lifecycle.settle_due()

    for steps in range(6):
        running = asyncio.create_task(supervise(bench.lifecycle.duties()))
        for _ in range(10):
            await asyncio.sleep(0)
        bench.lifecycle.notice(due)
        for _ in range(steps):
            await asyncio.sleep(0)
        running.cancel()
        ended, _ = await asyncio.wait([running], timeout=5)
        assert ended, f"still runs: noticed {steps} steps of the loop before the stop"
