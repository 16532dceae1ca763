"""The analyst: failures appear while a build runs, are ranked at its end, and never cost storing anything."""

import asyncio
from collections.abc import Iterable

import pytest
from build_analysis.analyzer import LogAnalyzer
from build_chassis.errors import StoreUnavailable
from build_chassis.supervisor import supervise
from build_ingest.analysis import build_cursor
from build_ingest.analysis.analyst import Analyst
from build_ingest.analysis.early_alert import EarlyAlert
from build_ingest.analysis.log_reader import LogReader
from build_ingest.findings.failures import ranked
from build_ingest.logs.pages import stream_text
from build_ingest.records import fold


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
    return [fields(failure) for failure in ranked(analyzer.finish(1).failures).items]


def fields(failure) -> dict:
    return failure.model_dump(exclude_none=True)


def records(reporter, lines: Iterable[str], piece: int = 20_000) -> list:
    """The log as an agent reports it: some lines a record, and lines that are too long in pieces."""
    reported, waiting = [], []
    for line in lines:
        waiting.append(line[:piece])
        if len(waiting) == 7 or len(line) > piece:
            reported.append(reporter.log(waiting))
            waiting = []
        reported += [reporter.log([line[at : at + piece]], continues=True) for at in range(piece, len(line), piece)]
    return [*reported, reporter.log(waiting)] if waiting else reported


async def feed(bench, reporter, *recorded) -> None:
    await bench.consumer.handle([reporter.delivery(record) for record in recorded])


async def test_a_failing_edge_shows_while_the_build_runs(bench, bus, reporter) -> None:
    """The row names the first failure and their number as soon as they are certain; they are kept by then."""
    await feed(bench, reporter, reporter.start(), *records(reporter, green(1, 30)))
    await bench.analyst.read_due()
    assert (await bench.store.find(reporter.id)).build.failure_count == 0

    await feed(bench, reporter, *records(reporter, [*edge(1), *green(31, 3)]))
    await bench.analyst.read_due()

    row = bus.events("BUILD")[-1].build
    assert (row.status, row.failure_count, row.first_failure.first_line) == ("running", 1, 33)
    assert (row.first_failure.category, row.first_failure.fault) == ("compile_error", "code")
    assert (row.first_failure.file, row.first_failure.line) == ("lib/Op1.cpp", 11)
    assert (await bench.store.find(reporter.id)).build == row
    assert (await bench.store.find_failures(reporter.id)).items == [row.first_failure]


async def test_a_build_is_failing_from_its_first_failed_step_to_its_end(bench, bus, reporter) -> None:
    """The row says so whoever made the build, keeps it through more lines and a lost agent, and ends with the build."""
    await feed(bench, reporter, reporter.start(origin="local"), *records(reporter, green(1, 30)))
    await bench.analyst.read_due()
    assert not (await bench.store.find(reporter.id)).build.failing

    await feed(bench, reporter, *records(reporter, [*edge(1), *green(31, 3)]))
    await bench.analyst.read_due()
    assert bus.events("BUILD")[-1].build.failing
    await feed(bench, reporter, *records(reporter, green(34, 3)))
    state = await bench.store.find(reporter.id)
    lost = fold.lose(state, 9)
    assert (state.build.failing, lost.build.failing) == (True, False)
    assert fold.mark_connected(lost, True).build.failing

    await feed(bench, reporter, reporter.complete("failed", exit_code=1))
    assert not (await bench.store.find(reporter.id)).build.failing
    assert [] == bus.published


async def test_a_doubtful_error_makes_no_build_failing(bench, reporter) -> None:
    """A failed test may be tried again, and scripts go on after an error: only a failed step decides."""
    lines = ["FAIL: MLIR :: Transforms/fold.mlir (7 of 90)", "lib/Op.cpp:3:1: error: unknown type name 'foo'"]
    await feed(bench, reporter, reporter.start(origin="ci"), *records(reporter, [*lines, *green(1, 40)]))
    await bench.analyst.read_due()

    assert not (await bench.store.find(reporter.id)).build.failing


async def test_a_failed_step_is_published_before_the_build_ends_and_once(bench, bus, reporter) -> None:
    """`-k 0` may go on for hours: a subscriber is notified of the first failed step, in a verdict's terms."""
    lines = broken_log()
    await feed(bench, reporter, reporter.start(origin="ci"), *records(reporter, lines[:110]))
    await bench.analyst.read_due()
    await feed(bench, reporter, *records(reporter, lines[110:]))
    await bench.analyst.read_due()

    (failing,) = bus.published
    row = (await bench.store.find(reporter.id)).build
    assert ("BUILD_FAILING", "failed", 0, True) == (
        failing.type,
        failing.data.status,
        failing.data.revision,
        failing.data.provisional,
    )
    assert failing.data.first_failure == row.first_failure


@pytest.mark.parametrize("origin", ["local", "premerge"])
async def test_only_a_branch_s_own_builds_raise_an_early_alert(bench, bus, reporter, origin) -> None:
    """A person's build is theirs: nobody is notified of it early, or at all."""
    await feed(bench, reporter, reporter.start(origin=origin), *records(reporter, broken_log()))
    await bench.analyst.read_due()

    assert [] == bus.published


async def test_an_error_outside_a_step_raises_no_early_alert(bench, bus, reporter) -> None:
    """Compilers are also tried out, and scripts go on after an error: only a failed step of the graph is certain."""
    lines = ["lib/Op.cpp:3:1: error: unknown type name 'foo'", "1 error generated.", *green(1, 40)]
    await feed(bench, reporter, reporter.start(origin="ci"), *records(reporter, lines))
    await bench.analyst.read_due()

    assert [] == bus.published


async def test_the_verdict_carries_the_ranked_failures(bench, bus, reporter) -> None:
    """All failures, first real one first, with signature and fault: as the analyser finds them in the whole log."""
    lines = broken_log()
    await feed(bench, reporter, reporter.start(), *records(reporter, lines))
    await feed(bench, reporter, reporter.complete("failed", exit_code=1))

    await bench.lifecycle.settle_due()

    (verdict,) = bus.verdicts
    assert [fields(failure) for failure in verdict.data.failures] == offline(lines)
    assert len(verdict.data.failures) == 3
    assert all(failure.signature and failure.fault for failure in verdict.data.failures)
    state = await bench.store.find(reporter.id)
    assert state.is_analysed
    assert state.build.first_failure == verdict.data.first_failure == verdict.data.failures[0]
    assert bus.events("BUILD")[-1].build.failure_count == 3


async def test_failures_with_one_cause_know_it_and_their_number(bench, bus, reporter) -> None:
    """A header that three files miss is one thing to fix: row, verdict and list say of which failure, and how many."""
    lines = [
        line
        for n, header in enumerate(["ops.h.inc", "other.h", "ops.h.inc", "ops.h.inc"])
        for line in [
            f"FAILED: f{n}.cpp.o",
            f"c++ -c f{n}.cpp -o f{n}.cpp.o",
            f"f{n}.cpp:{n + 3}:10: fatal error: {header}: No such file or directory",
        ]
    ]
    await feed(bench, reporter, reporter.start(), *records(reporter, lines[:7]))
    await bench.analyst.read_due()
    assert (await bench.store.find(reporter.id)).build.first_failure.root_count == 1
    await feed(bench, reporter, *records(reporter, lines[7:]), reporter.complete("failed", exit_code=1))

    await bench.lifecycle.settle_due()

    shares = [(failure.first_line, failure.root_line, failure.root_count) for failure in bus.verdicts[0].data.failures]
    assert shares == [(3, 3, 3), (6, 6, 1), (9, 3, 3), (12, 3, 3)]
    assert (await bench.store.find_failures(reporter.id)).items == bus.verdicts[0].data.failures
    assert bus.events("BUILD")[-1].build.first_failure.root_count == 3


async def test_a_weighed_line_says_why_it_was_taken(bench, bus, reporter) -> None:
    """Where no rule knows the tool, the reasons travel with its line; what a rule found needs none."""
    lines = ["spinning 40 threads", "spindle 7: could not find thread `blue`", "make: *** [loom.mk:3: spin] Error 3"]
    await feed(bench, reporter, reporter.start(), *records(reporter, lines))
    await feed(bench, reporter, reporter.complete("failed", exit_code=2))

    await bench.lifecycle.settle_due()

    first = bus.verdicts[0].data.first_failure
    assert first.first_line == 2
    assert "word find" in first.why


async def test_a_verdict_carries_no_more_than_fifty(bench, bus, reporter) -> None:
    """A build in which everything fails has a verdict of bounded size, and the number of all failures."""
    lines = [line for n in range(230) for line in [*edge(n), *green(n, 1)]]
    await feed(bench, reporter, reporter.start(), *records(reporter, lines), reporter.complete("failed", exit_code=1))

    await bench.lifecycle.settle_due()

    kept = await bench.store.find_failures(reporter.id)
    assert bus.verdicts[0].data.failures == kept.items[:50]
    assert (len(kept.items), kept.count) == (200, 230)
    assert (await bench.store.find(reporter.id)).build.failure_count == 230


async def test_a_green_build_has_no_failures(bench, bus, reporter) -> None:
    """What failed on the way and did not matter is taken back when the build succeeds."""
    await feed(bench, reporter, reporter.start(), *records(reporter, [*edge(1), *green(1, 3)]))
    await bench.analyst.read_due()
    assert (await bench.store.find(reporter.id)).build.failure_count == 1
    await feed(bench, reporter, reporter.complete())

    await bench.lifecycle.settle_due()

    state = await bench.store.find(reporter.id)
    assert (state.build.first_failure, state.build.failure_count, state.is_analysed) == (None, 0, True)
    assert (bus.verdicts[0].data.first_failure, bus.verdicts[0].data.failures) == (None, [])
    assert (await bench.store.find_failures(reporter.id)).items == []


@pytest.mark.parametrize("step", [1, 4, 23])
async def test_a_restart_changes_no_answer(make_bench, bus, reporter, step: int) -> None:
    """Whoever goes on after a crash or a takeover, anywhere in the log, finds what one reader would have found."""
    lines = broken_log()
    bench = make_bench()
    await feed(bench, reporter, reporter.start())
    recorded = records(reporter, lines)
    for number, at in enumerate(range(0, len(recorded), step)):
        await feed(bench, reporter, *recorded[at : at + step])
        if number % 2:
            await bench.analyst.read_due()
        if number % 3:
            bench = make_bench()
            bench.analyst.adopt(await bench.consumer.adopt(range(8)))
    await feed(bench, reporter, reporter.complete("failed", exit_code=1))

    await bench.lifecycle.settle_due()

    assert [fields(failure) for failure in bus.verdicts[0].data.failures] == offline(lines)


async def test_a_taken_over_build_shows_its_failures_live(make_bench, reporter) -> None:
    """After a takeover what is stored is read without waiting for the next line."""
    before = make_bench()
    await feed(before, reporter, reporter.start(), *records(reporter, [*edge(1), *green(1, 3)]))
    bench = make_bench()

    bench.analyst.adopt(await bench.consumer.adopt(range(8)))
    await bench.analyst.read_due()

    assert (await bench.store.find(reporter.id)).build.failure_count == 1


async def test_a_restarted_reader_announces_nothing_twice(make_bench, bus, reporter) -> None:
    """What the row shows already is not announced again by whoever reads the log anew."""
    before = make_bench()
    await feed(before, reporter, reporter.start(), *records(reporter, [*edge(1), *green(1, 3)]))
    await before.analyst.read_due()
    bench = make_bench()
    bench.analyst.adopt(await bench.consumer.adopt(range(8)))
    bus.announced.clear()

    await bench.analyst.read_due()

    assert bus.announced == []


async def test_what_does_not_fit_in_memory_is_read_from_the_store(
    bench, bus, reporter, make_reporter, monkeypatch
) -> None:
    """A build that is faster than its reader, or one too many at once, gets the same answer."""
    monkeypatch.setattr(build_cursor, "PENDING_CHUNKS", 2)
    monkeypatch.setattr("build_ingest.analysis.analyst.CURSORS_MAX", 1)
    lines = broken_log()
    late = make_reporter()
    for one in (reporter, late):
        await feed(bench, one, one.start())
        for record in records(one, lines):
            await feed(bench, one, record)
    await bench.analyst.read_due()
    for one in (reporter, late):
        await feed(bench, one, one.complete("failed", exit_code=1))

    await bench.lifecycle.settle_due()

    assert len(bus.verdicts) == 2
    for verdict in bus.verdicts:
        assert [fields(failure) for failure in verdict.data.failures] == offline(lines)


class Broken(LogReader):
    """A rule that goes wrong on one word."""

    def read(self, text: bytes) -> None:
        if b"cursed" in text:
            raise RecursionError("a rule")
        super().read(text)


async def test_a_bug_of_the_analysis_affects_nothing_else(bench, bus, reporter, make_reporter) -> None:
    """The log is stored and verified, the verdict published; the build does not say analysed, and it is counted."""
    bench.analyst = Analyst(bench.store, bench.consumer, bench.metrics, EarlyAlert(bench.store, bus), Broken)
    bench.lifecycle._analyst = bench.analyst
    await feed(bench, reporter, reporter.start(), *records(reporter, [*edge(1), *green(1, 3)]))
    await bench.analyst.read_due()
    await feed(bench, reporter, *records(reporter, ["cursed", "x"]))
    await bench.analyst.read_due()
    other = make_reporter()
    await feed(bench, other, other.start(), *records(other, [*edge(2), *green(1, 3)]))
    await bench.analyst.read_due()
    await feed(bench, reporter, reporter.complete("failed", exit_code=1))

    await bench.lifecycle.settle_due()

    state = await bench.store.find(reporter.id)
    assert (state.is_analysed, state.build.verified, state.build.failure_count) == (False, True, 1)
    assert bus.verdicts[0].data.status == "failed"
    assert bench.metrics.analysis_errors._value.get() == 1
    assert (await bench.store.find(other.id)).build.failure_count == 1


async def test_a_store_that_is_away_is_asked_again(bench, bus, reporter, monkeypatch) -> None:
    """Failures that could not be kept are kept once the store answers."""
    await feed(bench, reporter, reporter.start(), *records(reporter, [*edge(1), *green(1, 3)]))

    async def away(*_: object) -> None:
        raise StoreUnavailable("ingest", "away")

    with monkeypatch.context() as patched:
        patched.setattr(bench.store, "keep_failures", away)
        with pytest.raises(StoreUnavailable):
            await bench.analyst.read_due()
    await bench.analyst.read_due()

    assert (await bench.store.find(reporter.id)).build.failure_count == 1


async def test_a_lost_build_that_comes_back_is_analysed_whole(bench, bus, reporter) -> None:
    """The provisional verdict has what was found so far; the late end's has everything."""
    lines = broken_log()
    start = reporter.start()
    recorded = records(reporter, lines)
    await feed(bench, reporter, start, *recorded[:20])
    await bench.judge_at(1400)
    await bench.lifecycle.settle_due()
    await feed(bench, reporter, *recorded[20:], reporter.complete("failed", exit_code=1))

    await bench.lifecycle.settle_due()

    assert [verdict.data.status for verdict in bus.verdicts] == ["lost", "failed"]
    assert [len(verdict.data.failures) for verdict in bus.verdicts] == [1, 3]
    assert [fields(failure) for failure in bus.verdicts[1].data.failures] == offline(lines)


async def test_storing_is_announced_before_anything_is_analysed(bench, bus, reporter) -> None:
    """STORED and LOG are out before the analyst is notified of the step, and nobody waits for reading."""
    announced_before: list[list[str]] = []
    notice = bench.analyst.notice

    def noticed(step):
        announced_before.append([event.type for event in bus.announced])
        notice(step)

    bench.analyst.notice = noticed

    await feed(bench, reporter, reporter.start(), *records(reporter, edge(1)))

    assert {"STORED", "LOG"} <= set(announced_before[0])
    assert (await bench.store.find(reporter.id)).build.failure_count == 0


async def test_the_analyst_works_by_itself(bench, bus, reporter) -> None:
    """Its task reads what is noticed, without being asked."""
    running = asyncio.create_task(supervise(bench.analyst.duties()))
    try:
        await feed(bench, reporter, reporter.start(), *records(reporter, [*edge(1), *green(1, 3)]))
        async with asyncio.timeout(10):
            while not any(event.build.failure_count for event in bus.events("BUILD")):  # noqa: ASYNC110  a task's work
                await asyncio.sleep(0.01)
    finally:
        running.cancel()


async def test_a_download_goes_past_records_without_text(bench, reporter) -> None:
    """Many records without text between two lines end no text."""
    await feed(bench, reporter, reporter.start(), reporter.log(["first"]))
    for percent in range(20):
        await feed(bench, reporter, reporter.update(progress=percent))
    await feed(bench, reporter, reporter.log(["last"]))
    state = await bench.store.find(reporter.id)

    text = b"".join([piece async for piece in stream_text(bench.store, state, 0, 11)])

    assert text == b"first\nlast\n"


async def test_what_green_builds_printed_is_no_cause(bench, bus, make_reporter) -> None:
    """The last green log of the configuration is evidence, after a restart, too; where no rule speaks, news is."""
    scary = ["gen: error: no table at /w/a.tab, making one", "rows: 1021", *green(1, 20)]
    first = make_reporter(started_at=1000)
    await feed(bench, first, first.start(), *records(first, scary), first.complete("succeeded", exit_code=0))
    await bench.lifecycle.settle_due()
    await bench.analyst.green_logs.learn_due()

    failing = [
        "gen: error: no table at /v/a.tab, making one",
        "rows: 7",
        "so it ends",
        "make: *** [Makefile:3: a.inc] Error 3",
    ]
    second = make_reporter(started_at=2000)
    await feed(bench, second, second.start(), *records(second, failing), second.complete("failed", exit_code=2))
    await bench.lifecycle.settle_due()

    found = (await bench.store.find_failures(second.id)).items
    assert [("so it ends", 3)] == [(failure.message, failure.first_line) for failure in found]


async def test_a_green_log_without_news_is_not_kept_again(bench, make_reporter) -> None:
    """One row a configuration, as long as its green builds print the same; another configuration learns its own."""
    for at, config in ((1000, "gcc"), (2000, "gcc"), (3000, "clang")):
        one = make_reporter(started_at=at)
        await feed(bench, one, one.start(config=config), *records(one, green(1, 200)), one.complete("succeeded"))
        await bench.lifecycle.settle_due()
        await bench.analyst.green_logs.learn_due()

    kept = {config: await bench.store.list_green_logs("torch-mlir", config, "9", 10) for config in ("gcc", "clang")}
    assert {"gcc": 1, "clang": 1} == {config: len(logs) for config, logs in kept.items()}
