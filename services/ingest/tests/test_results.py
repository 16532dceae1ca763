"""Test results: what a build's reports and its log say of its tests, each once."""

import time

import pytest
from build_analysis.test_results import Outcome, TestResult
from build_ingest.findings.test_results import BLOCK_RESULTS, LogBlocks, Result, counts_of, merged, pack, page_of
from build_ingest.store import results_cache
from build_ingest.store.results_cache import ResultsCache

LIT = ["[1/2] Running the lit tests", "PASS: MLIR :: Dialect/a.mlir (1 of 3)", "FAIL: MLIR :: b.mlir (2 of 3)"]
GTEST = ["[ RUN      ] Shape.Rank", "[       OK ] Shape.Rank (12 ms)", "done in 3 sec"]


async def feed(bench, reporter, *records) -> None:
    await bench.consumer.handle([reporter.delivery(record) for record in records])


async def results(bench, reporter) -> list[Result]:
    return merged(await bench.store.read_results(reporter.id))


async def results_of(bench, reporter) -> list[tuple[str, str]]:
    return [(result.name, result.outcome) for result in await results(bench, reporter)]


async def test_a_log_tells_results_while_the_build_runs(bench, reporter) -> None:
    """What lit and gtest print is stored a moment later; a line that may go on is waited for."""
    await feed(bench, reporter, reporter.start(), reporter.log([*LIT, *GTEST[:2]]))
    await bench.analyst.read_due()
    await bench.analyst.show_results()
    assert await results_of(bench, reporter) == [("MLIR :: Dialect/a.mlir", "passed"), ("MLIR :: b.mlir", "failed")]

    await feed(bench, reporter, reporter.log(GTEST[2:]))
    await bench.analyst.read_due()
    await bench.analyst.show_results()

    assert (await results(bench, reporter))[2] == Result("Shape.Rank", "passed", "gtest", 0.012, 5)


async def test_a_report_beats_the_log_on_the_same_test(bench, reporter) -> None:
    """A test that lit printed and JUnit repeats is there once: outcome and seconds of the report, line of the log."""
    reported = [
        {"name": "MLIR.Dialect.a.mlir", "outcome": "flaky", "tool": "junit", "seconds": 0.5},
        {"name": "MLIR.MLIR.b.mlir", "outcome": "failed", "tool": "junit", "seconds": 2},
        {"name": "tests.test_x.test_y[1-2]", "outcome": "passed", "tool": "junit"},
    ]
    pytest_line = "tests/test_x.py::test_y[1-2] PASSED [ 50%]"
    only_in_log = "PASS: MLIR :: only/in_log.mlir (3 of 3)"
    await feed(bench, reporter, reporter.start(), reporter.log([*LIT, pytest_line, only_in_log]))
    await feed(bench, reporter, reporter.update(tests=reported), reporter.complete("failed", exit_code=1))

    await bench.lifecycle.settle_due()

    found = await results(bench, reporter)
    assert [(result.name, result.outcome, result.line) for result in found] == [
        ("MLIR.Dialect.a.mlir", "flaky", 2),
        ("MLIR.MLIR.b.mlir", "failed", 3),
        ("tests.test_x.test_y[1-2]", "passed", 4),
        ("MLIR :: only/in_log.mlir", "passed", 5),
    ]


@pytest.mark.parametrize("status", ["succeeded", "failed"])
async def test_the_verdict_counts_tests_where_the_agent_did_not(bench, bus, reporter, status: str) -> None:
    """Counts come from the results; a number the agent sent stands."""
    tests = [{"name": f"t{n}", "outcome": outcome} for n, outcome in enumerate(["passed", "crashed", "skipped"])]
    await feed(bench, reporter, reporter.start(), reporter.log(LIT), reporter.update(tests=tests))
    await feed(bench, reporter, reporter.complete(status, metrics={"testsSkipped": 7, "wallMs": 5}))

    await bench.lifecycle.settle_due()

    for build in (bus.published[0].data, (await bench.store.find(reporter.id)).build):
        metrics = build.metrics
        assert (metrics.tests_passed, metrics.tests_failed, metrics.tests_skipped, metrics.wall_ms) == (2, 2, 7, 5)


async def test_a_build_without_tests_counts_none(bench, bus, reporter) -> None:
    """No result is not nought tests passed."""
    await feed(bench, reporter, reporter.start(), reporter.log(["3 of 4 parts sec"]), reporter.complete())

    await bench.lifecycle.settle_due()

    assert bus.published[0].data.metrics is None


async def test_a_restart_repeats_no_result(make_bench, reporter) -> None:
    """Whoever reads the build again, from its first record, stores the same blocks."""
    lines = [f"PASS: MLIR :: t{n}.mlir ({n} of 2500)" for n in range(1, 2501)]
    bench = make_bench()
    await feed(bench, reporter, reporter.start(), reporter.log(lines[:1200]))
    await feed(bench, reporter, reporter.update(tests=[{"name": "reported", "outcome": "passed"}]))
    await bench.analyst.read_due()
    await bench.analyst.show_results()

    restarted = make_bench()
    restarted.analyst.adopt(await restarted.consumer.adopt(range(8)))
    await feed(restarted, reporter, reporter.log(lines[1200:]), reporter.complete())
    await restarted.lifecycle.settle_due()

    assert await results_of(restarted, reporter) == [
        ("reported", "passed"),
        *((f"MLIR :: t{n}.mlir", "passed") for n in range(1, 2501)),
    ]


async def test_pages_of_a_build_merge_it_once(bench, reporter, monkeypatch) -> None:
    """While it runs each page is of what there is now; once analysed its results are kept, up to a number."""
    recent = ResultsCache(bench.store)
    await feed(bench, reporter, reporter.start(), reporter.update(tests=[{"name": "a", "outcome": "passed"}]))
    await bench.analyst.read_due()
    running = await recent.of(await bench.store.find(reporter.id))
    await feed(bench, reporter, reporter.update(tests=[{"name": "b", "outcome": "passed"}]), reporter.complete())
    await bench.lifecycle.settle_due()
    ended = await bench.store.find(reporter.id)

    first, second = await recent.of(ended), await recent.of(ended)
    monkeypatch.setattr(results_cache, "RESULTS_KEPT", 1)
    full = ResultsCache(bench.store)

    assert (len(running), len(first)) == (1, 2)
    assert first is second
    assert await full.of(ended) is not await full.of(ended)


def test_blocks_fill_one_after_the_other() -> None:
    """A block that is full is stored for good; the last one is stored again when it grew."""
    blocks = LogBlocks("b")
    blocks.add([TestResult(str(n), "passed", "lit") for n in range(BLOCK_RESULTS + 1)])
    first = blocks.unkept()
    blocks.keep()
    blocks.add([TestResult("more", "passed", "lit")])

    assert [(block.number, block.count) for block in first] == [(1, BLOCK_RESULTS), (2, 1)]
    assert [(block.number, block.count) for block in blocks.unkept()] == [(2, 2)]


def test_a_page_shows_what_is_asked_for_and_counts_everything() -> None:
    """Filters and order choose the items; the counts and the seconds are the whole build's."""
    found = [Result(f"Suite.T{n}", "failed" if n % 2 else "passed", "gtest", n / 10) for n in range(10)]

    page = page_of(found, outcomes=["failed"], sort="slowest", first=0, count=2)
    rest = page_of(found, outcomes=["failed"], sort="slowest", first=int(page.next_cursor or 0), count=5)

    assert [item.seconds for item in page.items + rest.items] == [0.9, 0.7, 0.5, 0.3, 0.1]
    assert (page.counts, page.total_seconds, rest.next_cursor) == ({"passed": 5, "failed": 5}, 4.5, None)
    assert [item.name for item in page_of(found, q="suite.t3").items] == ["Suite.T3"]


def test_outcomes_are_counted_as_test_drivers_do() -> None:
    """An expected failure is well; an unexpected success, a crash and a time-out are not."""
    outcomes: list[Outcome] = [
        "passed",
        "xfailed",
        "flaky",
        "failed",
        "xpassed",
        "timed_out",
        "crashed",
        "unresolved",
        "skipped",
    ]

    counts = counts_of([Result(outcome, outcome, "lit") for outcome in outcomes])

    assert (counts.tests_passed, counts.tests_failed, counts.tests_skipped) == (3, 5, 1)


@pytest.mark.slow
def test_a_hundred_thousand_results_are_small_and_answered_soon() -> None:
    """Found in reports and in the log both: a few bytes each, and a page in well under the time of a click."""
    log = [Result(f"MLIR :: Dialect/Op{n % 97}/t{n}.mlir", "passed", "lit", None, n) for n in range(100_000)]
    reported = [Result(f"MLIR.Dialect/Op{n % 97}.t{n}.mlir", "passed", "junit", n % 50 / 100) for n in range(100_000)]
    blocks = [pack("b", "log", n, log[n * 1000 : n * 1000 + 1000]) for n in range(100)]
    blocks += [pack("b", "record", n, reported[n * 300 : n * 300 + 300]) for n in range(334)]

    begin = time.process_time()
    page = page_of(merged(blocks), sort="slowest", q="op7")
    seconds = time.process_time() - begin

    assert page.counts == {"passed": 100_000}
    assert sum(len(block.packed) for block in blocks) < 16 * 200_000
    assert seconds < 3, "a page of 100,000 results takes too long"
