"""The lifecycle: silence, verdicts, verification."""

import asyncio

import pytest
from build_chassis.bus import PublishFailed
from build_chassis.supervisor import supervise
from build_protocol.messages import LogTotals


async def _feed(bench, speaker, *records) -> None:
    await bench.intake.handle([speaker.delivery(record) for record in records])


async def test_the_end_of_a_build_is_judged_once(bench, ear, speaker) -> None:
    """BUILD_COMPLETE leads to one verdict with the facts of the start; looking again publishes nothing."""
    await _feed(bench, speaker, speaker.start(pins=[{"name": "llvm", "commit": "0123456"}]), speaker.log(["a"]))
    await _feed(bench, speaker, speaker.complete("failed", exit_code=1))

    await bench.lifecycle.settle_due()
    await bench.lifecycle.settle_due()

    (verdict,) = ear.published
    assert (verdict.data.status, verdict.data.revision, verdict.data.exit_code) == ("failed", 1, 1)
    assert (verdict.data.pins[0].name, verdict.data.log_lines, verdict.data.agent) == ("llvm", 1, "builder-1")


async def test_a_verdict_survives_a_restart_and_an_absent_broker(make_bench, ear, speaker) -> None:
    """A decided verdict waits in the store until the broker confirmed it."""
    bench = make_bench()
    await _feed(bench, speaker, speaker.start(), speaker.complete())
    ear.is_away = True
    with pytest.raises(PublishFailed):
        await bench.lifecycle.settle_due()
    ear.is_away = False

    restarted = make_bench()
    await restarted.intake.adopt(range(8))
    await restarted.lifecycle.settle_due()

    assert [verdict.data.status for verdict in ear.published] == ["succeeded"]


async def test_silence_becomes_a_badge_then_lost_then_is_overridden(bench, ear, speaker) -> None:
    """45 s of silence: disconnected; 5 min: lost, provisionally; the late end is the next revision."""
    await _feed(bench, speaker, speaker.start())
    await bench.judge_at(1044)
    assert (await bench.store.find(speaker.id)).build.connected
    await bench.judge_at(1046)
    badge = (await bench.store.find(speaker.id)).build
    assert (badge.connected, badge.status) == (False, "running")
    await bench.judge_at(1301)
    await bench.lifecycle.settle_due()
    lost = (await bench.store.find(speaker.id)).build
    assert (lost.status, lost.provisional) == ("lost", True)

    await _feed(bench, speaker, speaker.log(["late"]), speaker.complete("succeeded"))
    await bench.lifecycle.settle_due()

    ended = (await bench.store.find(speaker.id)).build
    assert (ended.status, ended.provisional, ended.connected) == ("succeeded", False, True)
    verdicts = [(said.data.status, said.data.provisional, said.data.revision) for said in ear.published]
    assert verdicts == [("lost", True, 1), ("succeeded", False, 2)]


async def test_heartbeats_renew_the_lease(bench, speaker) -> None:
    """A silent but living build is not judged; a heartbeat after the badge takes it off."""
    await _feed(bench, speaker, speaker.start())
    for _ in range(40):
        await bench.judge_at(bench.now + 10)
        await bench.intake.handle([speaker.heartbeat()])
    assert (await bench.store.find(speaker.id)).build.status == "running"

    await bench.judge_at(bench.now + 50)
    assert not (await bench.store.find(speaker.id)).build.connected
    await bench.intake.handle([speaker.heartbeat()])
    assert (await bench.store.find(speaker.id)).build.connected


async def test_a_heartbeat_of_a_lost_build_shows_it_running(bench, speaker) -> None:
    """An agent that comes back after five minutes takes `lost` back."""
    await _feed(bench, speaker, speaker.start())
    await bench.judge_at(1400)
    assert (await bench.store.find(speaker.id)).build.status == "lost"

    await bench.intake.handle([speaker.heartbeat()])

    build = (await bench.store.find(speaker.id)).build
    assert (build.status, build.connected, build.ended_at) == ("running", True, None)


async def test_after_an_outage_of_ours_nobody_is_judged_for_a_lease(make_bench, ear, speaker) -> None:
    """A restart, a suspended server or an absent broker costs no build its status."""
    bench = make_bench()
    await _feed(bench, speaker, speaker.start())
    await bench.judge_at(1010)
    bench.now += 3600  # suspended
    await bench.lifecycle.judge_silence()
    ear.is_away = True
    await bench.judge_at(bench.now + 400)
    ear.is_away = False
    await bench.judge_at(bench.now + 40)
    restarted = make_bench()
    restarted.now = bench.now + 3600
    await restarted.intake.adopt(range(8))
    await restarted.judge_at(restarted.now + 40)

    build = (await bench.store.find(speaker.id)).build
    assert (build.connected, build.status) == (True, "running")


async def test_a_whole_log_is_verified_and_its_agent_told(bench, ear, speaker) -> None:
    """Lines, bytes and sha256 agree: the build is verified, and its agent may forget it."""
    await _feed(bench, speaker, speaker.start(), speaker.log(["a", "ü", ""]), speaker.log(["more"], continues=True))
    await _feed(bench, speaker, speaker.complete())

    await bench.lifecycle.settle_due()

    assert (await bench.store.find(speaker.id)).build.verified
    assert ear.heard("STORED")[-1].verified is True
    assert ear.heard("BUILD")[-1].build.verified


async def test_a_build_without_output_is_verified(bench, ear, speaker) -> None:
    """No line at all is a whole log too."""
    await _feed(bench, speaker, speaker.start(), speaker.complete())

    await bench.lifecycle.settle_due()

    assert ear.heard("STORED")[-1].verified is True


async def test_totals_that_differ_are_flagged(bench, ear, speaker) -> None:
    """A log that is not what the agent counted is said to differ, and counted."""
    await _feed(bench, speaker, speaker.start(), speaker.log(["a"]))
    await _feed(bench, speaker, speaker.complete(totals=LogTotals(lines=1, bytes=1, sha256="0" * 64)))

    await bench.lifecycle.settle_due()

    assert not (await bench.store.find(speaker.id)).build.verified
    assert ear.heard("STORED")[-1].verified is False
    assert bench.metrics.unverified._value.get() == 1


async def test_heads_of_open_builds_only_are_repeated(bench, ear, make_speaker) -> None:
    """Running builds are repeated until they are settled."""
    running, ended = make_speaker(), make_speaker()
    await _feed(bench, running, running.start())
    await _feed(bench, ended, ended.start(), ended.complete())
    await bench.lifecycle.settle_due()
    ear.announced.clear()

    await bench.intake.repeat_heads()

    assert [head.build_id for head in ear.heard("STORED")] == [running.id]


async def test_a_stop_is_heeded_whatever_happens_at_its_moment(bench, speaker) -> None:
    """A build that falls due in the very moment of the stop does not keep the lifecycle alive."""
    await _feed(bench, speaker, speaker.start(), speaker.complete())
    due = bench.intake.open_builds[speaker.id]
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
