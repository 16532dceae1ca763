"""The result matrix of tests and its statistics: compact, and the same in whatever order builds are entered."""

import random

import pytest
from build_history.test_history.matrix import BUILDS_MAX, Column, Partition, entries_of, packed, partition_of, unpacked
from build_history.test_history.statistics import LaneStatistics, StatisticsCache, runs_of, selected, statistics_of
from build_protocol.messages import TestResult

NAME = "MLIR :: Dialect/Linalg/tile.mlir"


def build_id(n):
    return f"{n:08x}-0000-7000-8000-{n:012x}"


def column(n, commit=None):
    return Column(n * 1000, build_id(n), commit or f"c{n}")


def entered(*outcomes, commits=()):
    """A partition after one build per outcome of one test; None: it was not run."""
    partition, number = Partition(), partition_of(NAME)
    for n, outcome in enumerate(outcomes):
        results = [] if outcome is None else [TestResult(name=NAME, outcome=outcome, seconds=n + 0.5)]
        partition.enter(column(n, commits[n] if commits else None), entries_of(results).get(number, {}))
    return partition


def statistics(partition):
    return statistics_of("asan", [partition]).at(0)


def test_order_and_repetition_make_no_difference():
    """Builds entered in any order, some of them twice, leave the same table; the oldest leave the window."""
    dice = random.Random(4)
    builds = []
    for n in range(BUILDS_MAX + 30):
        outcomes = {f"t{k}": dice.choice(["passed", "failed", "skipped"]) for k in range(5) if dice.random() < 0.9}
        results = [TestResult(name=name, outcome=outcome, seconds=dice.random()) for name, outcome in outcomes.items()]
        entries = {name: entry for partition in entries_of(results).values() for name, entry in partition.items()}
        builds.append((column(n), entries))
    in_order, shuffled = Partition(), Partition()
    for build in builds:
        in_order.enter(*build)
    mixed = [*builds, *builds[::7]]
    dice.shuffle(mixed)
    for build in mixed:
        shuffled.enter(*build)

    assert len(in_order.columns) == BUILDS_MAX
    assert (in_order.columns, in_order.tests) == (shuffled.columns, shuffled.tests)
    again = unpacked(packed(in_order))
    assert (again.columns, again.tests) == (in_order.columns, in_order.tests)


def test_a_test_that_is_gone_leaves_with_its_last_build():
    """A renamed test is forgotten once no remembered build ran it."""
    partition = entered("passed", *[None] * BUILDS_MAX)

    assert partition.tests == {}


def test_a_revision_replaces_what_was_entered():
    """The same build entered again shows only what it had last."""
    partition = entered("failed")
    partition.enter(column(0), entries_of([TestResult(name=NAME, outcome="passed")])[partition_of(NAME)])

    assert [run.outcome for run in runs_of(partition, NAME)] == ["passed"]


@pytest.mark.parametrize("seconds", [0.0, 0.0004, 0.0123, 1.0, 59.95, 3600.0, 50_000.0])
def test_seconds_come_back_to_three_figures(seconds):
    """What is kept in two digits is right to half a percent, and unknown stays unknown."""
    entries = entries_of([TestResult(name=NAME, outcome="passed", seconds=seconds)])
    partition = Partition()
    partition.enter(column(1), entries[partition_of(NAME)])

    (run,) = runs_of(partition, NAME)
    assert run.seconds == pytest.approx(seconds, rel=0.005, abs=1e-4)
    assert [run.seconds for run in runs_of(entered("passed"), NAME)] == [0.5]


@pytest.mark.parametrize(
    ("outcomes", "commits", "flaky"),
    [
        (("passed", "failed", "passed"), "abc", 1),
        (("passed", "failed", "skipped", None, "passed"), "abcde", 1),
        (("passed", "failed", "failed", "passed"), "abcd", 0),
        (("passed", "failed"), "ab", 0),
        (("passed", "failed", "failed"), "aab", 1),
        (("failed", "failed", "passed"), "abb", 1),
        (("passed", "flaky"), "ab", 1),
        (("passed", "crashed", "passed", "timed_out", "xfailed"), "abcde", 2),
    ],
)
def test_what_proves_nothing_about_its_commit_is_flaky(outcomes, commits, flaky):
    """Both outcomes at one commit, a red alone between greens, or both in one build."""
    assert flaky == statistics(entered(*outcomes, commits=commits)).flaky_runs


def test_statistics_count_what_ran():
    """Skipped builds are no runs; the last failure is named; the median is of the known seconds."""
    counted = statistics(entered("passed", "failed", "skipped", "passed", "xfailed", "xpassed", None))

    assert (counted.runs, counted.passed, counted.failed, counted.skipped, counted.pass_rate) == (5, 3, 2, 1, 0.6)
    assert (counted.last_outcome, counted.last_failure.build_id, counted.p50_seconds) == ("xpassed", build_id(5), 2.5)


def test_two_runs_in_one_build_are_one_result():
    """A test that failed and then passed is flaky; skipped and passed is passed."""
    runs = [("a", "failed"), ("a", "passed"), ("b", "skipped"), ("b", "passed"), ("c", "failed"), ("c", "failed")]
    results = [TestResult(name=name, outcome=outcome) for name, outcome in runs]
    symbols = {name: entry.symbol for partition in entries_of(results).values() for name, entry in partition.items()}

    assert symbols == {"a": "k", "b": "p", "c": "f"}


def test_a_question_finds_orders_and_pages():
    """By part of a name in any case; each order lists only what it is about; pages follow each other."""
    lane = LaneStatistics("gcc", [column(1)])
    for n, (failed, flaky) in enumerate([(0, 0), (9, 1), (5, 5), (0, 0)]):
        for values, value in (
            (lane.names, f"Test{n}"), (lane.passed, 10 - failed), (lane.failed, failed), (lane.skipped, 0),
            (lane.flaky, flaky), (lane.seconds, float(n) if n else None), (lane.last, "p" if n != 2 else "f"),
            (lane.last_failure, 0 if failed else -1),
        ):  # fmt: skip
            values.append(value)  # type: ignore[arg-type]  # each list gets what it holds
    lane = LaneStatistics.from_text(lane.to_text())

    def names(order, q=None, first=0, count=9):
        items, total = selected([lane], q, order, first, count)
        return [item.name for item in items], total

    assert names("name") == (["Test0", "Test1", "Test2", "Test3"], 4)
    assert names("flaky") == (["Test2", "Test1"], 2)
    assert names("failing") == (["Test2", "Test1"], 2)
    assert names("slowest") == (["Test3", "Test2", "Test1"], 3)
    assert names("name", q="tEST3") == (["Test3"], 1)
    assert names("name", first=2, count=1) == (["Test2"], 4)


def test_lanes_are_listed_as_one_and_parsed_once():
    """Two configs stand in one order, page by page; the same row and version is read from the cache."""
    lanes = [
        statistics_of(config, [entered("passed", *(["failed"] * reds))]) for config, reds in (("gcc", 1), ("asan", 2))
    ]
    cache = StatisticsCache(tests_max=1)
    first = cache.read("row", 1, lanes[0].to_text())

    whole, total = selected(lanes, None, "failing", 0, 9)
    pages = [selected(lanes, "LINALG", "failing", at, 1)[0] for at in range(2)]

    assert (["asan", "gcc"], 2) == ([test.config for test in whole], total)
    assert whole == [test for page in pages for test in page]
    assert cache.read("row", 1, "not read again") is first
    cache.read("row", 2, lanes[1].to_text())
    assert cache.read("row", 1, lanes[0].to_text()) is not first
