"""Log bombs: past its quota a log keeps counting lines, loses their text, and says so; nothing waits or is parked."""

from pathlib import Path
from typing import Any

import pytest
from build_chassis.errors import PoisonMessage
from build_chassis.projects import Projects
from build_ingest.intake.log_quotas import LogQuotas
from build_ingest.lifecycle.verification import agrees
from build_ingest.records.chunk import text_of
from build_ingest.records.cut import Quota
from build_ingest.records.plan import plan_build
from build_ingest.store.refold import refold

LINE = "x" * 99
QUOTA = Quota(1000, "a log of project mlir keeps 1000 bytes (log_max_bytes)")


def flood(reporter, batches: int, state=None) -> list[Any]:
    """The steps of batches of ten lines each, after BUILD_START; and the state before the first."""
    steps = []
    for number in range(batches):
        records = [reporter.start()] if state is None and not number else []
        records += [reporter.log([LINE] * 10)]
        plan = plan_build(state, {}, [reporter.record_delivery(record) for record in records], QUOTA)
        assert plan.step is not None
        assert plan.poison == []
        steps.append(plan.step)
        state = plan.step.after
    return steps


def test_a_log_past_its_quota_keeps_lines_and_loses_text(reporter) -> None:
    """The step that reaches it is whole; after it each line is empty, and one gap counts them."""
    steps = flood(reporter, 5)

    after = steps[-1].after
    assert after.build.log_lines == 50
    assert after.build.log_bytes == 2 * 10 * 100 - 1 + 30
    (gap,) = after.build.gaps
    assert (gap.after_line, gap.lines, gap.bytes) == (20, 30, 30 * 99)
    assert gap.reason == QUOTA.reason
    assert text_of(steps[1].chunks[0]).decode() == "\n".join([LINE] * 10)
    assert text_of(steps[2].chunks[0]).decode() == "\n" * 9


def test_what_is_shown_live_is_what_is_stored(reporter) -> None:
    """Viewers are not pushed text that a page does not have."""
    state = flood(reporter, 2)[-1].after
    plan = plan_build(state, {}, [reporter.record_delivery(reporter.log([LINE]))], QUOTA)
    assert [[""]] == [delivery.log.data.lines for delivery in plan.accepted if delivery.log]


def test_a_log_within_its_quota_is_whole(reporter) -> None:
    """To the byte; and other records than log text are never cut."""
    records = [reporter.start(), reporter.log(["x" * 1000]), reporter.update(error="e"), reporter.complete()]
    plan = plan_build(None, {}, [reporter.record_delivery(record) for record in records], QUOTA)
    assert plan.step is not None
    assert plan.step.after.cut is None
    assert plan.step.after.build.gaps == []


def test_a_cut_survives_refolding_and_goes_on(reporter) -> None:
    """A writer that died between chunks and row: the next one goes on cutting where it began."""
    steps = flood(reporter, 4)
    folded, _ = refold(steps[1].after, steps[2].chunks, reporter.agent, steps[1].after.start_time)
    assert folded.cut == steps[1].after.cut
    plan = plan_build(folded, {}, [reporter.record_delivery(reporter.log([LINE]).model_copy(update={"seq": 5}))], QUOTA)
    assert plan.step is not None
    assert text_of(plan.step.chunks[0]) == b""
    assert plan.step.after.build.gaps[0].lines == 11


@pytest.fixture
def project(tmp_path: Path) -> Any:
    def write(**fields: int) -> Projects:
        path = tmp_path / "config.yaml"
        path.write_text("projects:\n  mlir:\n" + "".join(f"    {name}: {value}\n" for name, value in fields.items()))
        return Projects(path)

    return write


async def test_a_flooding_build_is_verified_and_its_repeats_are_no_poison(
    make_bench, store, make_reporter, project
) -> None:
    """On every driver: its agent's spool empties, a redelivered record is quarantined only where its text is kept."""
    quotas, reporter = LogQuotas(store, project(log_max_bytes=1000)), make_reporter(project="mlir")
    bench = make_bench(quotas)
    logs = []
    await bench.consumer.handle([reporter.delivery(reporter.start())])
    for _ in range(4):
        logs.append(reporter.log([LINE] * 10))
        await bench.consumer.handle([reporter.delivery(logs[-1])])
    totals = reporter.totals()
    await bench.consumer.handle([reporter.delivery(reporter.complete(totals=totals))])

    await bench.consumer.handle([reporter.delivery(record) for record in logs])
    other = logs[0].model_copy(update={"data": logs[0].data.model_copy(update={"lines": ["y"] * 10})})
    with pytest.raises(PoisonMessage, match="other bytes"):
        await bench.consumer.handle([reporter.delivery(other)])

    state = await store.load(reporter.id)
    assert state.build.gaps[0].lines == 20
    assert await agrees(store, reporter.id, state.applied, totals, is_cut=True)
    assert not await agrees(store, reporter.id, state.applied, totals)
    assert not await agrees(store, reporter.id, state.applied, totals.model_copy(update={"lines": 41}), is_cut=True)


async def test_a_project_that_has_all_its_logs_is_cut_and_others_are_not(
    make_bench, store, make_reporter, project
) -> None:
    """As of the last look; what is deleted makes room again; other projects keep theirs."""
    quotas = LogQuotas(store, project(logs_max_bytes=900))
    bench = make_bench(quotas)
    full, other = make_reporter(project="mlir"), make_reporter(project="llvm")
    for reporter in (full, other):
        await bench.consumer.handle([reporter.delivery(reporter.start()), reporter.delivery(reporter.log([LINE] * 10))])
    await quotas.look()

    assert await store.log_bytes() == {"mlir": 999, "llvm": 999}
    for reporter in (full, other):
        for _ in range(2):
            await bench.consumer.handle([reporter.delivery(reporter.log([LINE] * 10))])
    assert [1, 0] == [len((await store.load(reporter.id)).build.gaps) for reporter in (full, other)]
    assert "logs_max_bytes" in quotas.of("mlir").reason
    await store.forget([full.id])
    await quotas.look()
    assert "log_max_bytes" in quotas.of("mlir").reason
