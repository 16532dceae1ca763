"""The fold: what a build's row says after its records."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from build_ingest.records import fold
from build_ingest.records.plan import plan_build
from build_ingest.records.verdict import verdict_of
from build_protocol.clocks import AgentClock
from build_protocol.start_time import Receipt


def _fold(reporter, *records, state=None):
    step = plan_build(state, {}, [reporter.record_delivery(record) for record in records]).step
    assert step is not None
    return step.after


def test_any_split_into_batches_folds_to_the_same_row(reporter) -> None:
    """The state depends on the records, not on how they were batched; only the revision counts batches."""
    records = [
        reporter.start(),
        reporter.update(phase="configure", progress=1),
        reporter.log(["-- configuring"]),
        reporter.update(phase="build", progress=10, metrics={"stepsDone": 1, "stepsTotal": 10}),
        reporter.log(["[1/10] cc", "[2/10] cc"]),
        reporter.update(progress=100, metrics={"stepsDone": 10}),
        reporter.complete(metrics={"wallMs": 1234}),
    ]
    whole = _fold(reporter, *records)

    for cuts in itertools.product([False, True], repeat=len(records) - 1):
        state: Any = None
        batch: list[Any] = []
        for record, cut in zip(records, [*cuts, True], strict=True):
            batch.append(record)
            if cut:
                state = _fold(reporter, *batch, state=state)
                batch = []
        same = state.build.model_copy(update={"revision": whole.revision})
        assert whole.build == same
        assert [span.phase for span in whole.phases] == [span.phase for span in state.phases]
    assert (whole.build.metrics.steps_done, whole.build.metrics.steps_total, whole.build.duration_ms) == (10, 10, 1234)


def _received(reporter, leap_ms: int = 0, **end):
    """A build that began a second before its receipt and ended 20 ms later, its machine's wall clock wrong by years."""
    start = reporter.start(clock={"wallAt": reporter.at, "bootId": "b", "uptimeMs": 0})
    complete = reporter.complete(**end)
    complete = complete.model_copy(update={"timestamp": complete.timestamp + leap_ms})
    stamp = Receipt(RECEIVED_AT, AgentClock(wall_at=reporter.at, boot_id="b", uptime_ms=1000))
    placed = [
        replace(reporter.record_delivery(start), receipt=stamp),
        replace(reporter.record_delivery(complete), receipt=Receipt(RECEIVED_AT + 5000)),
    ]
    step = plan_build(None, {}, placed).step
    assert step is not None
    return step.after


RECEIVED_AT = 1_780_000_000_000


def test_the_end_by_the_servers_clock_is_the_start_and_the_duration(reporter) -> None:
    """A verdict carries the server's time of start and end, whatever the machine's wall clock says."""
    state = _received(reporter, metrics={"wallMs": 1234})

    data = verdict_of(state, reporter.start()).data

    assert (data.began_at, data.over_at) == (RECEIVED_AT - 1000, RECEIVED_AT + 234)
    assert data.ended_at == state.build.ended_at < RECEIVED_AT - 10_000
    assert state.start_time.start_source == "monotonic"


def test_no_build_ends_after_its_end_was_received(reporter) -> None:
    """A wall clock that leaps by 400 days in mid-build makes it neither end in the future nor last for 400 days."""
    state = _received(reporter, leap_ms=400 * 86_400_000)

    assert state.build.server_ended_at == RECEIVED_AT + 5000
    assert state.build.duration_ms == 6000


def test_a_wall_clock_set_back_in_mid_build_ends_it_where_it_began(reporter) -> None:
    """A duration is never below zero, and an end never before its start."""
    state = _received(reporter, leap_ms=-1_000_000_000_000)

    assert (state.build.server_ended_at, state.build.duration_ms) == (RECEIVED_AT - 1000, 0)


def test_a_lost_build_lasted_by_the_servers_clock(reporter) -> None:
    """How long a build was lost after is no difference of two machines' clocks."""
    state = _received(reporter)
    running = state.model_copy(
        update={"complete": False, "build": state.build.model_copy(update={"status": "running"})}
    )

    lost = fold.lose(running, RECEIVED_AT + 300_000).build

    assert (lost.duration_ms, lost.server_ended_at) == (301_000, RECEIVED_AT + 300_000)
    assert lost.ended_at == (lost.started_at or 0) + 301_000


@pytest.mark.parametrize("is_one_batch", [True, False])
def test_what_is_left_passes_while_other_records_come(reporter, is_one_batch) -> None:
    """It is as of the newest record, and unknown once it has run out; a new expectation replaces it."""
    start, expected, other, last = (
        reporter.start(),
        reporter.update(remainingMs=9000),
        reporter.update(),
        reporter.update(),
    )
    other = other.model_copy(update={"timestamp": expected.timestamp + 4000})
    last = last.model_copy(update={"timestamp": expected.timestamp + 9500})
    batches = [(start, expected, other), (last,)] if is_one_batch else [(start,), (expected,), (other,), (last,)]

    left: list[int | None] = []
    state: Any = None
    for batch in batches:
        state = _fold(reporter, *batch, state=state)
        left.append(state.build.remaining_ms)

    assert left[-2:] == [5000, None]


def test_end_and_duration_of_a_build_agree(reporter) -> None:
    """It ended when its command did, however much later its last record was written, and so did its last phase."""
    whole = _fold(reporter, reporter.start(), reporter.update(phase="build"), reporter.complete(metrics={"wallMs": 9}))

    assert (whole.build.duration_ms, whole.build.ended_at) == (9, whole.build.started_at + 9)
    assert whole.phases[-1].ended_at == max(whole.build.ended_at, whole.phases[-1].started_at)


def test_a_late_finish_overrides_lost(reporter) -> None:
    """Lost is provisional: the real end is a verdict of the next revision."""
    running = _fold(reporter, reporter.start())

    lost = fold.lose(running, now_ms=running.build.started_at + 300_000)
    ended = _fold(reporter, reporter.complete("failed", exit_code=2), state=lost)

    assert (lost.build.status, lost.build.provisional, lost.verdict_revision) == ("lost", True, 1)
    assert (ended.build.status, ended.build.provisional, ended.verdict_revision) == ("failed", False, 2)
    assert ended.build.exit_code == 2


def test_a_lost_build_that_reports_again_runs_again(reporter) -> None:
    """Any later record of a lost build shows it running, without an end."""
    lost = fold.lose(_fold(reporter, reporter.start()), now_ms=1)

    again = _fold(reporter, reporter.log(["back"]), state=lost)

    assert (again.build.status, again.build.ended_at, again.build.provisional) == ("running", None, False)


def test_a_long_command_does_not_fill_the_row(reporter) -> None:
    """The row carries the beginning of a command only."""
    state = _fold(reporter, reporter.start(command=["cmake", *(["-DX=" + "y" * 500] * 100)]))

    assert sum(map(len, state.build.command)) <= fold.COMMAND_SHOWN_CHARACTERS + 1
    assert state.build.command[-1] == "…"


def test_facts_found_late_are_known_and_overrule_nothing(reporter) -> None:
    """Tools, pins and the commit may come after BUILD_START, which a slow fact must not delay; its own word stands."""
    start = reporter.start(branch="main", commit=None)
    late = reporter.update(branch="other", commit="0123abc", commitSubject="Late", tools={"cmake": "3.31"})

    state = _fold(reporter, start, late)
    facts = fold.facts_of(reporter.record_delivery(start).record, state)

    assert ("main", "0123abc", "Late") == (state.build.branch, state.build.commit, state.build.commit_subject)
    assert {"cmake": "3.31"} == facts.tools
    assert [] == facts.pins


def test_missing_facts_add_up(reporter) -> None:
    """Each source sends its own, some send theirs again; a record without any leaves them."""

    def facts(*names: str) -> list[dict[str, str]]:
        return [{"name": name, "reason": "detached", "remedy": "give --branch"} for name in names]

    start = reporter.start()
    updates: list[dict[str, Any]] = [
        {"missingFacts": facts("branch")},
        {"missingFacts": facts("branch", "commits")},
        {"missingFacts": facts("tests")},
        {"progress": 4},
    ]
    state = _fold(reporter, start, *(reporter.update(**update) for update in updates))

    assert ["branch", "commits", "tests"] == [fact.name for fact in state.missing_facts]


def test_what_is_left_is_known_until_the_end(reporter) -> None:
    """The expected rest goes with the build's end; updates without it leave it, less the time that passed."""
    state = _fold(reporter, reporter.start(), reporter.update(remaining_ms=9000), reporter.update(progress=40))
    assert state.build.remaining_ms == 8980

    assert _fold(reporter, reporter.complete(), state=state).build.remaining_ms is None
    assert fold.lose(state, now_ms=1).build.remaining_ms is None


def test_what_a_foreign_build_reports_of_itself_is_in_its_row(reporter) -> None:
    """Where it came from, that it is long over, its tags and its source's fault reach the row and the verdict."""
    state = _fold(
        reporter,
        start := reporter.start(backfill=True, source_url="https://ci.example/b/7", tags=["mlir", "asan"]),
        reporter.complete("failed", fault="infra"),
    )

    row = state.build
    assert (row.backfill, row.source_url, row.tags, row.fault) == (
        True,
        "https://ci.example/b/7",
        ["mlir", "asan"],
        "infra",
    )
    data = verdict_of(state, start).data
    assert (data.backfill, data.tags, data.fault) == (True, ["mlir", "asan"], "infra")


def test_sections_are_kept_in_order_of_the_log(reporter) -> None:
    """A section that ended replaces the one that began at its line; their number is bounded."""
    begun = {"name": "cmake", "firstLine": 9, "startedAt": 1}
    state = _fold(
        reporter,
        reporter.start(),
        reporter.update(section=begun),
        reporter.update(section={"name": "clean", "firstLine": 1, "result": "succeeded"}),
        reporter.update(section={**begun, "endedAt": 5, "result": "failed", "url": "http://ci.example/steps/2"}),
    )

    assert [(s.name, s.first_line, s.result) for s in state.sections] == [
        ("clean", 1, "succeeded"),
        ("cmake", 9, "failed"),
    ]
    for line in range(10, 400):
        state = _fold(reporter, reporter.update(section={"name": "s", "firstLine": line}), state=state)
    assert len(state.sections) == fold.SECTIONS_KEPT
