"""The analyst: failures appear while a build runs, are ranked at its end, and never cost storing anything."""

import asyncio
from collections.abc import Iterable

import pytest
from build_analysis.analyzer import LogAnalyzer
from build_chassis.errors import StoreUnavailable
from build_chassis.supervisor import supervise
from build_ingest.analysis import analyst as rooms
from build_ingest.analysis import build_cursor
from build_ingest.analysis.analyst import Analyst
from build_ingest.analysis.early_alert import EarlyAlert
from build_ingest.analysis.log_reader import LogReader
from build_ingest.findings.failures import on_wire
from build_ingest.logs.pages import stream_text


def edge(number: int) -> list[str]:
    """What ninja prints of an edge that fails."""
    return [
        f"FAILED: lib/CMakeFiles/ops.dir/Op{number}.cpp.o",
        f"/usr/bin/c++ -Iinclude -c lib/Op{number}.cpp -o lib/CMakeFiles/ops.dir/Op{number}.cpp.o",
        f"lib/Op{number}.cpp:{number + 10}:7: error: 'lower{number}' was not declared in this scope",
        f"   {number + 10} |       lower{number}(op);",
        "      |       ^~~~~~",
    ]


def green(first: int, count: int) -> list[str]:
    return [f"[{n}/900] Building CXX object lib/CMakeFiles/ops.dir/Pass{n}.cpp.o" for n in range(first, first + count)]


def broken_log() -> list[str]:
    """A run of `ninja -k 0` with three failing edges, one of them with a line longer than a record."""
    long = "lib/Op2.cpp:12:7: note: candidate " + "T" * 30_000
    edges = [[*green(1 + 100 * n, 100), *edge(n)] for n in range(1, 4)]
    return [*edges[0], *edges[1], long, *edges[2], *green(500, 5), "ninja: build stopped: subcommand failed."]


def offline(lines: list[str]) -> list[dict]:
    """The analyser's own answer for the whole log at once."""
    analyzer = LogAnalyzer()
    analyzer.feed(1, lines)
    return [said(on_wire(failure)) for failure in analyzer.finish(1).failures]


def said(failure) -> dict:
    return failure.model_dump(exclude_none=True)


def records(speaker, lines: Iterable[str], piece: int = 20_000) -> list:
    """The log as an agent says it: some lines a record, and lines that are too long in pieces."""
    told, waiting = [], []
    for line in lines:
        waiting.append(line[:piece])
        if len(waiting) == 7 or len(line) > piece:
            told.append(speaker.log(waiting))
            waiting = []
        told += [speaker.log([line[at : at + piece]], continues=True) for at in range(piece, len(line), piece)]
    return [*told, speaker.log(waiting)] if waiting else told


async def feed(bench, speaker, *said_records) -> None:
    await bench.intake.handle([speaker.delivery(record) for record in said_records])


async def test_a_failing_edge_shows_while_the_build_runs(bench, ear, speaker) -> None:
    """The row names the first failure and their number as soon as they are certain; they are kept by then."""
    await feed(bench, speaker, speaker.start(), *records(speaker, green(1, 30)))
    await bench.analyst.read_due()
    assert (await bench.store.find(speaker.id)).build.failure_count == 0

    await feed(bench, speaker, *records(speaker, [*edge(1), *green(31, 3)]))
    await bench.analyst.read_due()

    row = ear.heard("BUILD")[-1].build
    assert (row.status, row.failure_count, row.first_failure.first_line) == ("running", 1, 33)
    assert (row.first_failure.category, row.first_failure.fault) == ("compile_error", "code")
    assert (row.first_failure.file, row.first_failure.line) == ("lib/Op1.cpp", 11)
    assert (await bench.store.find(speaker.id)).build == row
    assert (await bench.store.find_failures(speaker.id)).items == [row.first_failure]


async def test_a_failed_step_is_told_before_the_build_ends_and_once(bench, ear, speaker) -> None:
    """`-k 0` may go on for hours: whoever listens hears of the first failed step as a verdict would tell it."""
    lines = broken_log()
    await feed(bench, speaker, speaker.start(origin="ci"), *records(speaker, lines[:110]))
    await bench.analyst.read_due()
    await feed(bench, speaker, *records(speaker, lines[110:]))
    await bench.analyst.read_due()

    (failing,) = ear.published
    row = (await bench.store.find(speaker.id)).build
    assert ("BUILD_FAILING", "failed", 0, True) == (
        failing.type,
        failing.data.status,
        failing.data.revision,
        failing.data.provisional,
    )
    assert failing.data.first_failure == row.first_failure


@pytest.mark.parametrize("origin", ["local", "premerge"])
async def test_only_a_branch_s_own_builds_raise_an_alarm(bench, ear, speaker, origin) -> None:
    """A person's build is theirs: nobody is told of it early, or at all."""
    await feed(bench, speaker, speaker.start(origin=origin), *records(speaker, broken_log()))
    await bench.analyst.read_due()

    assert [] == ear.published


async def test_an_error_outside_a_step_raises_no_alarm(bench, ear, speaker) -> None:
    """Compilers are also tried out, and scripts go on after an error: only a failed step of the graph is certain."""
    lines = ["lib/Op.cpp:3:1: error: unknown type name 'foo'", "1 error generated.", *green(1, 40)]
    await feed(bench, speaker, speaker.start(origin="ci"), *records(speaker, lines))
    await bench.analyst.read_due()

    assert [] == ear.published


async def test_the_verdict_carries_the_ranked_failures(bench, ear, speaker) -> None:
    """All failures, first real one first, with signature and fault: as the analyser finds them in the whole log."""
    lines = broken_log()
    await feed(bench, speaker, speaker.start(), *records(speaker, lines))
    await feed(bench, speaker, speaker.complete("failed", exit_code=1))

    await bench.lifecycle.settle_due()

    (verdict,) = ear.verdicts
    assert [said(failure) for failure in verdict.data.failures] == offline(lines)
    assert len(verdict.data.failures) == 3
    assert all(failure.signature and failure.fault for failure in verdict.data.failures)
    state = await bench.store.find(speaker.id)
    assert state.is_analysed
    assert state.build.first_failure == verdict.data.first_failure == verdict.data.failures[0]
    assert ear.heard("BUILD")[-1].build.failure_count == 3


async def test_a_verdict_carries_no_more_than_fifty(bench, ear, speaker) -> None:
    """A build in which everything fails has a verdict of bounded size, and the number of all failures."""
    lines = [line for n in range(230) for line in [*edge(n), *green(n, 1)]]
    await feed(bench, speaker, speaker.start(), *records(speaker, lines), speaker.complete("failed", exit_code=1))

    await bench.lifecycle.settle_due()

    kept = await bench.store.find_failures(speaker.id)
    assert ear.verdicts[0].data.failures == kept.items[:50]
    assert (len(kept.items), kept.count) == (200, 230)
    assert (await bench.store.find(speaker.id)).build.failure_count == 230


async def test_a_green_build_has_no_failures(bench, ear, speaker) -> None:
    """What failed on the way and did not matter is taken back when the build succeeds."""
    await feed(bench, speaker, speaker.start(), *records(speaker, [*edge(1), *green(1, 3)]))
    await bench.analyst.read_due()
    assert (await bench.store.find(speaker.id)).build.failure_count == 1
    await feed(bench, speaker, speaker.complete())

    await bench.lifecycle.settle_due()

    state = await bench.store.find(speaker.id)
    assert (state.build.first_failure, state.build.failure_count, state.is_analysed) == (None, 0, True)
    assert (ear.verdicts[0].data.first_failure, ear.verdicts[0].data.failures) == (None, [])
    assert (await bench.store.find_failures(speaker.id)).items == []


@pytest.mark.parametrize("step", [1, 4, 23])
async def test_a_restart_changes_no_answer(make_bench, ear, speaker, step: int) -> None:
    """Whoever goes on after a crash or a takeover, anywhere in the log, finds what one reader would have found."""
    lines = broken_log()
    bench = make_bench()
    await feed(bench, speaker, speaker.start())
    said_records = records(speaker, lines)
    for number, at in enumerate(range(0, len(said_records), step)):
        await feed(bench, speaker, *said_records[at : at + step])
        if number % 2:
            await bench.analyst.read_due()
        if number % 3:
            bench = make_bench()
            bench.analyst.adopt(await bench.intake.adopt(range(8)))
    await feed(bench, speaker, speaker.complete("failed", exit_code=1))

    await bench.lifecycle.settle_due()

    assert [said(failure) for failure in ear.verdicts[0].data.failures] == offline(lines)


async def test_a_taken_over_build_shows_its_failures_live(make_bench, speaker) -> None:
    """After a takeover what is stored is read without waiting for the next line."""
    before = make_bench()
    await feed(before, speaker, speaker.start(), *records(speaker, [*edge(1), *green(1, 3)]))
    bench = make_bench()

    bench.analyst.adopt(await bench.intake.adopt(range(8)))
    await bench.analyst.read_due()

    assert (await bench.store.find(speaker.id)).build.failure_count == 1


async def test_a_restarted_reader_says_nothing_twice(make_bench, ear, speaker) -> None:
    """What the row shows already is not announced again by whoever reads the log anew."""
    before = make_bench()
    await feed(before, speaker, speaker.start(), *records(speaker, [*edge(1), *green(1, 3)]))
    await before.analyst.read_due()
    bench = make_bench()
    bench.analyst.adopt(await bench.intake.adopt(range(8)))
    ear.announced.clear()

    await bench.analyst.read_due()

    assert ear.announced == []


async def test_what_does_not_fit_in_memory_is_read_from_the_store(
    bench, ear, speaker, make_speaker, monkeypatch
) -> None:
    """A build that is faster than its reader, or one too many at once, gets the same answer."""
    monkeypatch.setattr(build_cursor, "PENDING_CHUNKS", 2)
    monkeypatch.setattr(rooms, "READINGS", 1)
    lines = broken_log()
    late = make_speaker()
    for one in (speaker, late):
        await feed(bench, one, one.start())
        for record in records(one, lines):
            await feed(bench, one, record)
    await bench.analyst.read_due()
    for one in (speaker, late):
        await feed(bench, one, one.complete("failed", exit_code=1))

    await bench.lifecycle.settle_due()

    assert len(ear.verdicts) == 2
    for verdict in ear.verdicts:
        assert [said(failure) for failure in verdict.data.failures] == offline(lines)


class Broken(LogReader):
    """A rule that goes wrong on one word."""

    def read(self, text: bytes) -> None:
        if b"cursed" in text:
            raise RecursionError("a rule")
        super().read(text)


async def test_a_bug_of_the_analysis_harms_nothing_else(bench, ear, speaker, make_speaker) -> None:
    """The log is stored and verified, the verdict published; the build does not say analysed, and it is counted."""
    bench.analyst = Analyst(bench.store, bench.intake, bench.metrics, EarlyAlert(bench.store, ear), Broken)
    bench.lifecycle._analyst = bench.analyst
    await feed(bench, speaker, speaker.start(), *records(speaker, [*edge(1), *green(1, 3)]))
    await bench.analyst.read_due()
    await feed(bench, speaker, *records(speaker, ["cursed", "x"]))
    await bench.analyst.read_due()
    other = make_speaker()
    await feed(bench, other, other.start(), *records(other, [*edge(2), *green(1, 3)]))
    await bench.analyst.read_due()
    await feed(bench, speaker, speaker.complete("failed", exit_code=1))

    await bench.lifecycle.settle_due()

    state = await bench.store.find(speaker.id)
    assert (state.is_analysed, state.build.verified, state.build.failure_count) == (False, True, 1)
    assert ear.verdicts[0].data.status == "failed"
    assert bench.metrics.analysis_errors._value.get() == 1
    assert (await bench.store.find(other.id)).build.failure_count == 1


async def test_a_store_that_is_away_is_asked_again(bench, ear, speaker, monkeypatch) -> None:
    """Failures that could not be kept are kept once the store answers."""
    await feed(bench, speaker, speaker.start(), *records(speaker, [*edge(1), *green(1, 3)]))

    async def away(*_: object) -> None:
        raise StoreUnavailable("ingest", "away")

    with monkeypatch.context() as patched:
        patched.setattr(bench.store, "keep_failures", away)
        with pytest.raises(StoreUnavailable):
            await bench.analyst.read_due()
    await bench.analyst.read_due()

    assert (await bench.store.find(speaker.id)).build.failure_count == 1


async def test_a_lost_build_that_comes_back_is_analysed_whole(bench, ear, speaker) -> None:
    """The provisional verdict has what was found so far; the late end's has everything."""
    lines = broken_log()
    start = speaker.start()
    said_records = records(speaker, lines)
    await feed(bench, speaker, start, *said_records[:20])
    await bench.judge_at(1400)
    await bench.lifecycle.settle_due()
    await feed(bench, speaker, *said_records[20:], speaker.complete("failed", exit_code=1))

    await bench.lifecycle.settle_due()

    assert [verdict.data.status for verdict in ear.verdicts] == ["lost", "failed"]
    assert [len(verdict.data.failures) for verdict in ear.verdicts] == [1, 3]
    assert [said(failure) for failure in ear.verdicts[1].data.failures] == offline(lines)


async def test_storing_is_told_before_anything_is_analysed(bench, ear, speaker) -> None:
    """STORED and LOG are out before the analyst hears of the step, and reading is nobody's wait."""
    heard: list[list[str]] = []
    notice = bench.analyst.notice
    bench.analyst.notice = lambda step: (heard.append([event.type for event in ear.announced]), notice(step))

    await feed(bench, speaker, speaker.start(), *records(speaker, edge(1)))

    assert {"STORED", "LOG"} <= set(heard[0])
    assert (await bench.store.find(speaker.id)).build.failure_count == 0


async def test_the_analyst_works_by_itself(bench, ear, speaker) -> None:
    """Its task reads what is noticed, without being asked."""
    running = asyncio.create_task(supervise(bench.analyst.duties()))
    try:
        await feed(bench, speaker, speaker.start(), *records(speaker, [*edge(1), *green(1, 3)]))
        async with asyncio.timeout(10):
            while not any(event.build.failure_count for event in ear.heard("BUILD")):  # noqa: ASYNC110  a task's work
                await asyncio.sleep(0.01)
    finally:
        running.cancel()


async def test_a_download_goes_past_records_without_text(bench, speaker) -> None:
    """Many records without text between two lines end no text."""
    await feed(bench, speaker, speaker.start(), speaker.log(["first"]))
    for percent in range(20):
        await feed(bench, speaker, speaker.update(progress=percent))
    await feed(bench, speaker, speaker.log(["last"]))
    state = await bench.store.find(speaker.id)

    text = b"".join([piece async for piece in stream_text(bench.store, state, 0, 11)])

    assert text == b"first\nlast\n"
