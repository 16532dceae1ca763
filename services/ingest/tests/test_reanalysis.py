"""Reanalysis: after a change of rules, logs are read again; only another first failure is news."""

from collections.abc import Callable

import pytest
from build_analysis.rule_set import RuleSet, default_rules, parse_rules
from build_ingest.analysis import log_reader, reanalysis, rules_version
from build_ingest.analysis.reanalysis import Reanalysis
from build_ingest.archive.texts import Texts
from build_ingest.findings.failures import Found
from build_ingest.records import fold

DAY = 86_400
STARTED = 1_700_000_000
LOG = [
    "[1/9] Building CXX object a.o",
    "FAILED: b.o",
    "c++ -c lib/B.cpp -o b.o",
    "lib/B.cpp:3:7: error: use of undeclared identifier 'lower'",
    "1 error generated.",
    "loom-fatal: the loom is out of thread",
    "ninja: build stopped: subcommand failed.",
]
NEW_RULES = """
tool: loom
rules:
  - id: loom-fatal
    category: crash
    fault: infra
    rank: 1
    certain: true
    alone: true
    has: ["loom-fatal:"]
    match: "loom-fatal: (?P<message>.*)"
"""


@pytest.fixture(autouse=True)
def no_rest(monkeypatch) -> None:
    """Nothing else runs here that it should make room for."""
    monkeypatch.setattr(reanalysis, "REST_SECONDS_MIN", 0)
    monkeypatch.setattr(reanalysis, "REST_SHARE", 0)


@pytest.fixture
def change_rules(monkeypatch) -> Callable[[], None]:
    """One more rule, whose failure comes before all others."""

    def change() -> None:
        more = RuleSet([*default_rules().rules, *parse_rules(NEW_RULES).rules])
        analyzer = log_reader.LogAnalyzer  # type: ignore[attr-defined]  # what it uses
        monkeypatch.setattr(log_reader, "LogAnalyzer", lambda: analyzer(more))
        monkeypatch.setattr(reanalysis, "fingerprint", lambda: "new")

    return change


def again(bench, *, days: int = 14, at_day: float = 1) -> Reanalysis:
    return Reanalysis(
        bench.store,
        Texts(bench.store, None),
        bench.consumer,
        bench.metrics,
        bench.analyst.green_logs,
        shards=lambda: range(8),
        judge=bench.lifecycle.notice,
        days=days,
        clock=lambda: int((STARTED + at_day * DAY) * 1000),
    )


async def ended(bench, reporter, lines=LOG, status: str = "failed") -> None:
    records = [reporter.start(), reporter.log(lines), reporter.complete(status, exit_code=status != "succeeded")]
    await bench.consumer.handle([reporter.delivery(record) for record in records])
    await bench.lifecycle.settle_due()


async def test_the_same_rules_read_nothing_again(bench, bus, reporter) -> None:
    """A build remembers by which rules it was read."""
    await ended(bench, reporter)
    before = await bench.store.find(reporter.id)

    await again(bench).read_stale()

    assert before.rules == rules_version.fingerprint()
    assert await bench.store.find(reporter.id) == before


async def test_another_first_failure_is_another_verdict(make_bench, bus, reporter, change_rules) -> None:
    """Failures are replaced, the row shows them, and the other services receive revision 2, once."""
    bench = make_bench()
    await ended(bench, reporter)
    assert (await bench.store.find(reporter.id)).build.first_failure.first_line == 4
    change_rules()
    restarted = make_bench()

    for _ in range(2):
        await again(restarted).read_stale()
        await restarted.lifecycle.settle_due()

    state = await restarted.store.find(reporter.id)
    first = (await restarted.store.find_failures(reporter.id)).items[0]
    assert (first.first_line, first.category) == (6, "crash")
    assert state.build.first_failure == bus.published[-1].data.first_failure == first
    assert (state.rules, state.verdict_revision, state.is_analysed) == ("new", 2, True)
    assert [verdict.data.revision for verdict in bus.published] == [1, 2]


async def test_the_same_answer_is_no_news(bench, bus, reporter, change_rules) -> None:
    """Read by new rules that say the same, a build is only marked as read by them."""
    await ended(bench, reporter, LOG[:5] + LOG[6:])
    change_rules()

    await again(bench).read_stale()
    await bench.lifecycle.settle_due()

    state = await bench.store.find(reporter.id)
    assert (state.rules, state.verdict_revision, len(bus.published)) == ("new", 1, 1)
    assert bench.metrics.reanalysed._value.get() == 1


async def test_what_shares_the_cause_is_no_news(bench, bus, reporter, change_rules) -> None:
    """A build of the time before causes were counted: its failures are kept anew, and nobody is notified again."""
    await ended(bench, reporter, LOG[:5] + LOG[6:])
    was = (await bench.store.find(reporter.id)).build
    old = was.first_failure.model_copy(update={"root_line": None, "root_count": None})
    await bench.store.keep_failures(reporter.id, was.log_bytes, Found(items=[old], count=1))
    await bench.consumer.change(reporter.id, lambda now: fold.mark_failures(now, old, 1, is_analysed=True, rules="old"))
    assert (await bench.store.find_failures(reporter.id)).first.root_count is None
    change_rules()

    await again(bench).read_stale()
    await bench.lifecycle.settle_due()

    state = await bench.store.find(reporter.id)
    assert (state.rules, state.verdict_revision, len(bus.published)) == ("new", 1, 1)
    assert state.build.first_failure.root_count == 1


async def test_only_red_builds_of_the_last_days_are_read(bench, make_reporter, change_rules) -> None:
    """Not green ones, not old ones, and none where it is turned off."""
    red, green = make_reporter(), make_reporter()
    await ended(bench, red)
    await ended(bench, green, status="succeeded")
    change_rules()

    await again(bench, days=0).read_stale()
    await again(bench, at_day=15).read_stale()
    assert (await bench.store.find(red.id)).rules != "new"
    await again(bench).read_stale()

    assert (await bench.store.find(red.id)).rules == "new"
    assert (await bench.store.find(green.id)).rules != "new"


async def test_a_rule_that_breaks_costs_what_was_found_nothing(bench, bus, reporter, change_rules, monkeypatch) -> None:
    """What earlier rules found stays; the build is not tried again and again."""
    await ended(bench, reporter)
    change_rules()
    before = await bench.store.find_failures(reporter.id)

    def broken(*_: object) -> None:
        raise RecursionError("a rule")

    monkeypatch.setattr(log_reader.LogReader, "read", broken)
    for _ in range(2):
        await again(bench).read_stale()

    assert await bench.store.find_failures(reporter.id) == before
    assert (await bench.store.find(reporter.id)).rules == "new"
    assert (bench.metrics.analysis_errors._value.get(), len(bus.published)) == (1, 1)


def test_the_fingerprint_is_of_rules_and_not_of_their_examples(monkeypatch) -> None:
    """A new example changes no answer, so nothing is read again for it."""

    def fingerprint_of(rule_set: RuleSet) -> str:
        monkeypatch.setattr(rules_version, "default_rules", lambda: rule_set)
        return rules_version.fingerprint.__wrapped__()

    plain = fingerprint_of(default_rules())
    bare = fingerprint_of(
        RuleSet(rule.model_copy(update={"examples": (), "counter_examples": ()}) for rule in default_rules().rules)
    )
    more = fingerprint_of(RuleSet([*default_rules().rules, *parse_rules(NEW_RULES).rules]))

    assert plain == bare != more
