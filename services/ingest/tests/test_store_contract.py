"""The store's contract, the same on every driver."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from build_analysis.test_results import TestResult
from build_ingest.findings.failures import Found
from build_ingest.findings.feedback import Feedback
from build_ingest.findings.green_log import GreenLog
from build_ingest.findings.test_results import pack
from build_ingest.records import fold
from build_ingest.records.archive_label import Archive
from build_ingest.records.chunk import merge, text_of
from build_ingest.records.plan import plan_build
from build_ingest.store import BuildQuery, Conflict
from build_ingest.store.contract import Claim, in_order, place_of
from build_protocol.clock import DAY_MS
from build_protocol.clocks import AgentClock
from build_protocol.ids import read_build_name
from build_protocol.messages import BuildCompleteData, FailureData
from build_protocol.start_time import Receipt


def _step(reporter, *records, state=None):
    return plan_build(state, {}, [reporter.record_delivery(record) for record in records]).step


def _results(count: int) -> list[TestResult]:
    return [TestResult(f"MLIR :: a{n}.mlir", "passed", "lit", None, n) for n in range(count)]


async def test_a_step_is_read_back_whole(store, reporter) -> None:
    """State, first record and chunks of a committed step come back as they were."""
    step = _step(reporter, reporter.start(), reporter.log(["a", "ü"]), reporter.update(progress=3))

    await store.advance([step])

    assert await store.find(reporter.id) == step.after
    assert await store.load(reporter.id) == step.after
    assert await store.find_start(reporter.id) == step.start
    assert await store.read_chunks(reporter.id, "seq", 1, 10) == step.chunks


async def test_a_step_is_stored_once(store, reporter) -> None:
    """The same step again, or another one from the same state, is refused and changes nothing."""
    start, log = reporter.start(), reporter.log(["a"])
    first = _step(reporter, start)
    second = _step(reporter, log, state=first.after)
    await store.advance([first])
    await store.advance([second])

    for stale in (first, second, _step(reporter, start, log)):
        with pytest.raises(Conflict):
            await store.advance([stale])

    assert await store.find(reporter.id) == second.after
    assert await store.read_chunks(reporter.id, "seq", 1, 10) == [*first.chunks, *second.chunks]


async def test_of_two_writers_one_wins(store, reporter) -> None:
    """Two writers that decide from the same state at once: exactly one step is stored, the log has no line twice."""
    first = _step(reporter, reporter.start())
    await store.advance([first])
    two, three = reporter.log(["2"]), reporter.log(["3"])
    rivals = [_step(reporter, two, state=first.after), _step(reporter, two, three, state=first.after)]

    results = await asyncio.gather(*(store.advance([rival]) for rival in rivals), return_exceptions=True)

    assert sorted(map(type, results), key=str) == sorted([type(None), Conflict], key=str)
    loaded = await store.load(reporter.id)
    chunks = await store.read_chunks(reporter.id, "seq", 1, 10)
    assert loaded == rivals[results.index(None)].after
    assert chunks[-1].last_seq == loaded.applied


async def test_a_step_for_several_builds_is_stored(store, make_reporter) -> None:
    """One call carries the steps of many builds."""
    reporters = [make_reporter() for _ in range(20)]

    await store.advance([_step(one, one.start(), one.log(["x"] * 5)) for one in reporters])

    assert {(await store.find(one.id)).build.log_lines for one in reporters} == {5}


async def test_a_row_changes_only_from_the_revision_it_was_read_at(store, reporter) -> None:
    """A change decided from an old row is refused."""
    step = _step(reporter, reporter.start())
    await store.advance([step])
    silent = fold.mark_connected(step.after, connected=False)

    assert await store.replace(step.after, silent)
    assert not await store.replace(step.after, fold.lose(step.after, now_ms=1))

    assert await store.find(reporter.id) == silent


async def test_ranges_begin_where_they_are_asked(store, reporter) -> None:
    """By record, line or byte: the first chunk is the one that holds it, whatever was merged."""
    steps = [_step(reporter, reporter.start())]
    for number in range(30):
        record = reporter.log([f"line {number}", "more"], continues=number % 7 == 3)
        steps.append(_step(reporter, record, state=steps[-1].after))
    for step in steps:
        await store.advance([step])
    chunks = [chunk for step in steps for chunk in step.chunks]
    await store.compact(merge(chunks[5:12]))

    for chunk in chunks[1:]:
        by_seq = await store.read_chunks(reporter.id, "seq", chunk.first_seq, 2)
        by_line = await store.read_chunks(reporter.id, "line", chunk.last_line, 2)
        by_byte = await store.read_chunks(reporter.id, "byte", chunk.end_byte, 2)
        assert by_seq[0].first_seq <= chunk.first_seq <= by_seq[0].last_seq
        assert by_line[0].first_line <= chunk.last_line <= by_line[0].last_line
        assert by_byte[0].first_byte <= chunk.end_byte <= by_byte[0].end_byte
    assert await store.read_chunks(reporter.id, "line", 10_000, 2) == []


async def test_merging_keeps_every_record_and_may_be_repeated(store, reporter) -> None:
    """After a merge, once or twice, the log reads as before, in fewer chunks."""
    steps = [_step(reporter, reporter.start())]
    for number in range(9):
        steps.append(_step(reporter, reporter.log([f"line {number}"]), state=steps[-1].after))
    for step in steps:
        await store.advance([step])
    chunks = await store.read_tail(reporter.id, 6)
    merged = merge(chunks)

    await store.compact(merged)
    await store.compact(merged)

    stored = await store.read_chunks(reporter.id, "seq", 1, 100)
    assert len(stored) == 5
    assert b"\n".join(text_of(chunk) for chunk in stored if chunk.has_text).decode() == "\n".join(reporter.lines)


async def test_events_are_found_without_their_log(store, reporter) -> None:
    """Only chunks that hold records other than log are read for events."""
    steps = [_step(reporter, reporter.start())]
    for record in (reporter.log(["a"]), reporter.update(progress=1), reporter.log(["b"]), reporter.complete()):
        steps.append(_step(reporter, record, state=steps[-1].after))
    for step in steps:
        await store.advance([step])

    assert [chunk.first_seq for chunk in await store.read_events(reporter.id, 0, 10)] == [1, 3, 5]
    assert [chunk.first_seq for chunk in await store.read_events(reporter.id, 3, 10)] == [5]


async def test_lists_are_filtered_and_paged_newest_first(store, make_reporter) -> None:
    """Every filter narrows the list; pages continue without a hole or a repeat, also among equal start times."""
    for number in range(12):
        one = make_reporter(
            project=["iree", "torch-mlir"][number % 2],
            agent=f"agent-{number % 3}",
            started_at=1_700_000_000_000 + number // 4,
        )
        start = one.start(
            commit=f"abc{number:04x}", branch="main" if number < 6 else None, commit_subject=f"[mlir] Fix 100%_{number}"
        )
        await store.advance([_step(one, start, *([one.complete("failed")] if number == 5 else []))])

    seen, before = [], None
    while page := await store.list_builds(BuildQuery(limit=5, before=before)):
        seen += page
        before = place_of(page[-1])

    async def count(**query) -> int:
        return len(await store.list_builds(BuildQuery(**query)))

    assert len({build.id for build in seen}) == len(seen) == 12
    assert seen == sorted(seen, key=lambda build: (build.started_at, build.id), reverse=True)
    assert await count(projects=["iree"]) == 6
    assert await count(projects=[]) == 0
    assert await count(branch="main") == 6
    assert await count(statuses=["failed"]) == 1
    assert await count(commit_prefix="abc000") == 12
    assert await count(commit_prefix="abc0003") == 1
    assert await count(agent="agent-1") == 4
    assert await count(text="FIX 100%_3") == 1
    assert await count(text="fix 100__") == 0


async def test_a_build_is_found_by_the_beginning_or_the_end_of_its_id(store, make_reporter) -> None:
    """However many there are: all that answer to a name, newest first, of the projects asked for; nobody else."""
    builds = {
        "018bcfe5-6800-7000-8000-00000000aaaa": "iree",
        "018bcfe5-6800-7000-8000-00000001aaaa": "torch-mlir",
        "018bcfe5-6800-7000-8000-00010001aaaa": "iree",
        "018bcfe5-6800-7fff-8000-000000000000": "iree",
        "018bd001-aaaa-7000-8000-00000001bbbb": "iree",
    }
    for number, (build_id, project) in enumerate(builds.items()):
        one = make_reporter(project, started_at=1_700_000_000_000 + number)
        one.id = build_id
        await store.advance([_step(one, one.start())])
    a, b, c, d, e = builds

    async def named(text: str, **more: Any) -> list[str]:
        found = await store.list_builds(BuildQuery(name=read_build_name(text), **more))
        return [build.id for build in found]

    for build_id in builds:
        assert await named(build_id) == [build_id]
    assert await named("0000aaaa") == [a]
    assert await named("01aaaa") == [c, b]
    assert await named("0001aaaa", projects=["iree"]) == [c]
    assert await named("0001aaaa", projects=["llvm"]) == await named("0001aaaa", projects=[]) == []
    assert await named("8000-00010001aaaa") == [c]
    assert await named("018bcfe5") == [d, c, b, a]
    assert await named("018bcfe5", limit=1) == [d]
    assert await named("018bcfe5-6800-7f") == [d]
    assert await named("018bcfe568007f") == [d]
    assert await named("018bd001-aaaa") == [e]
    # A middle, the neighbours of a beginning, and an end that only the index's digits share.
    for nobody in ("01aaaa-7000", "018bcfe4", "018bcfe6", "1101aaaa", "018bcfe5-6800-7000-8000-00000000aaab"):
        assert await named(nobody) == []


async def test_a_name_that_is_the_beginning_of_one_and_the_end_of_another_finds_both(store, make_reporter) -> None:
    """A build that answers to a name twice is found once."""
    first, last, both = make_reporter(), make_reporter(), make_reporter()
    first.id = "018bcfe5-6800-7000-8000-000000000001"
    last.id = "018bd000-6800-7000-8000-0000018bcfe5"
    both.id = "018bcfe5-6800-7000-8000-0000018bcfe5"
    for one in (first, last, both):
        await store.advance([_step(one, one.start())])

    found = await store.list_builds(BuildQuery(name=read_build_name("018bcfe5")))

    assert sorted(build.id for build in found) == sorted([first.id, last.id, both.id])


async def test_open_builds_are_those_somebody_must_look_after(store, make_reporter) -> None:
    """Running builds, and ended ones with a verdict to publish or a log to verify, of the asked shards."""
    running, ended = make_reporter(), make_reporter()
    done = _step(ended, ended.start(), ended.complete())
    await store.advance([_step(running, running.start()), done])

    assert {state.build.id for state in await store.list_open(range(8))} == {running.id, ended.id}
    assert await store.list_open_revisions(range(8)) == {running.id: 1, ended.id: done.after.revision}
    await store.replace(done.after, settled := fold.mark_verified(done.after, agrees=True))
    await store.replace(settled, fold.mark_verdict_sent(settled))

    assert [state.build.id for state in await store.list_open(range(8))] == [running.id]
    assert await store.list_open_revisions(range(8)) == {running.id: 1}
    assert await store.list_open(()) == []
    assert await store.list_open_revisions(()) == {}


async def test_old_builds_are_forgotten_whole(store, make_reporter) -> None:
    """Builds before a place are listed, a few at a time, and go with their log; younger ones and open ones stay."""

    async def build(at: int, *, ends: bool = True) -> tuple[str, str]:
        one = make_reporter(started_at=at)
        records = [one.start(), one.log(["x"])]
        if ends:
            records.append(one.complete().model_copy(update={"data": BuildCompleteData(status="failed")}))
        step = _step(one, *records)
        await store.advance([step])
        if ends:
            await store.replace(step.after, fold.mark_verdict_sent(step.after))
        return one.id, step.after.build.started_at

    old = [await build(1000 * number) for number in range(1, 4)]
    running, _ = await build(1500, ends=False)
    young, limit = await build(10_000)

    counts = []
    while forgettable := await store.list_forgettable(limit, 2):
        counts.append(len(forgettable))
        await store.forget([state.build.id for state in forgettable])

    assert counts == [2, 1]
    assert [await store.find(build_id) for build_id, _ in old] == [None] * 3
    assert await store.read_chunks(old[0][0], "seq", 1, 10) == []
    assert {build.id for build in await store.list_builds(BuildQuery())} == {running, young}
    assert len(await store.read_chunks(young, "seq", 1, 10)) == 1


async def test_a_claim_is_taken_by_one(store) -> None:
    """Of many who want a claim as they saw it, one gets it."""
    free = Claim("shard:1", None, 0)

    taken = await asyncio.gather(*(store.claim(free, Claim("shard:1", f"replica-{n}", 1)) for n in range(8)))

    assert sorted(taken) == [False] * 7 + [True]
    owner = f"replica-{taken.index(True)}"
    assert await store.list_claims() == [Claim("shard:1", owner, 1)]
    assert await store.claim(Claim("shard:1", owner, 1), Claim("shard:1", None, 2))
    assert await store.claim(Claim("shard:1", None, 2), Claim("shard:1", "next", 3))


def test_a_hole_between_chunks_is_reported(reporter) -> None:
    """Chunks that do not join are never read as if they did."""
    step = _step(reporter, reporter.start(), reporter.log(["a"]))
    late = replace(step.chunks[0], first_seq=9, last_seq=9)

    with pytest.raises(RuntimeError, match="record 3"):
        in_order([step.chunks[0], late])


async def test_what_was_found_in_more_of_a_log_stays(store, reporter) -> None:
    """Failures are replaced by what was found in as much of the log or more, never by what was found in less."""
    few, more, other = (Found(items=[FailureData(category="crash", message="x", first_line=n)]) for n in (1, 2, 3))
    assert await store.find_failures(reporter.id) == Found()

    await store.keep_failures(reporter.id, 10, few)
    await store.keep_failures(reporter.id, 20, more)
    await store.keep_failures(reporter.id, 10, few)
    assert await store.find_failures(reporter.id) == more

    await store.keep_failures(reporter.id, 20, other)
    assert await store.find_failures(reporter.id) == other


async def test_a_block_of_results_is_kept_once_and_only_grows(store, reporter) -> None:
    """A block stored again replaces itself; one read again from the start, and still short, takes nothing away."""
    short, long = (pack(reporter.id, "log", 1, _results(count)) for count in (3, 8))
    reported = pack(reporter.id, "record", 7, _results(2))
    assert await store.read_results(reporter.id) == []

    for _ in range(2):
        await store.keep_results([short])
    await store.keep_results([long, reported])
    await store.keep_results([short, reported])

    assert await store.read_results(reporter.id) == [long, reported]


async def test_repetitions_of_a_build_are_found(store, make_reporter) -> None:
    """A list may ask for the builds that repeat one."""
    first, again = make_reporter(), make_reporter()
    await store.advance([_step(first, first.start()), _step(again, again.start(retry_of=first.id))])

    assert [build.id for build in await store.list_builds(BuildQuery(retry_of=first.id))] == [again.id]


YEAR_2000, MAY_2026 = 946_684_800_000, 1_780_000_000_000


async def test_a_build_stands_and_stays_by_the_servers_time(store, make_reporter) -> None:
    """Clocks at 1970, at 2000 or days ahead move no build in lists, and none is forgotten before its time."""
    began: list[str] = []
    for number, wall_at in enumerate((5, YEAR_2000, MAY_2026 + 3 * DAY_MS, MAY_2026)):
        received_at = MAY_2026 + number * 1000
        one = make_reporter(started_at=wall_at)
        receipt = Receipt(received_at, AgentClock(wall_at=wall_at, boot_id="b", uptime_ms=5_000))
        start = one.start(clock={"wallAt": wall_at, "bootId": "b", "uptimeMs": 4_000})
        deliveries = [replace(one.record_delivery(start), receipt=receipt), one.record_delivery(one.complete())]
        step = plan_build(None, {}, deliveries).step
        assert step is not None
        await store.advance([step])
        assert await store.replace(step.after, fold.mark_verified(fold.mark_verdict_sent(step.after), agrees=True))
        began.append(one.id)

    assert [build.id for build in await store.list_builds(BuildQuery())] == began[::-1]
    assert [build.server_started_at for build in await store.list_builds(BuildQuery())][-1] == MAY_2026 - 1000
    assert (await store.list_forgettable(MAY_2026, 10), await store.count(MAY_2026), await store.count()) == ([], 0, 4)
    due = await store.list_forgettable(MAY_2026 + 2000, 10)
    assert {state.build.id for state in due} == set(began[:2])
    assert await store.count(MAY_2026 + 2000) == 2


async def test_findings_go_with_their_build(store, reporter) -> None:
    """What is forgotten leaves no failures and no test results behind."""
    step = _step(reporter, reporter.start())
    ended = step.after.model_copy(update={"build": step.after.build.model_copy(update={"status": "failed"})})
    await store.advance([replace(step, after=ended)])
    await store.keep_failures(
        reporter.id, 1, Found(items=[FailureData(category="crash", message="x", first_line=1)], count=1)
    )
    await store.keep_results([pack(reporter.id, "log", 1, _results(1))])

    assert [state.build.id for state in await store.list_forgettable(9_999_999_999_999, 10)] == [reporter.id]
    await store.forget([reporter.id])

    assert await store.find_failures(reporter.id) == Found()
    assert await store.read_results(reporter.id) == []


async def test_archives_are_listed_by_what_is_to_be_done(store, make_reporter) -> None:
    """By step and shard, oldest build first, between two places."""
    reporters = [make_reporter(started_at=1_700_000_000_000 + n) for n in range(4)]
    for number, one in enumerate(reporters):
        step = _step(one, one.start())
        await store.advance([step])
        if number:
            await store.replace(step.after, fold.mark_archive(step.after, Archive(step="due")))
    places = [place_of((await store.find(one.id)).build) for one in reporters]

    async def due(*args, **bounds) -> list[str]:
        return [state.build.id for state in await store.list_archives("due", range(8), *args, **bounds)]

    assert await due("", 10) == [one.id for one in reporters[1:]]
    assert await due(places[1], 1) == [reporters[2].id]
    assert await due("", 10, before=places[2]) == [reporters[1].id]
    assert await store.list_archives("due", (), "", 10) == []


async def test_text_is_dropped_a_few_chunks_at_a_time(store, reporter) -> None:
    """Positions, index and events stay; a chunk without text is not cold; another build's text stays."""
    first = _step(reporter, reporter.start(), reporter.log(["a"]))
    second = _step(reporter, reporter.update(progress=1), state=first.after)
    third = _step(reporter, reporter.log(["b"]), state=second.after)
    for step in (first, second, third):
        await store.advance([step])

    dropped = [await store.drop_text(reporter.id, 2) for _ in range(3)]
    chunks = await store.read_chunks(reporter.id, "seq", 1, 10)

    assert dropped == [2, 1, 0]
    assert [chunk.is_cold for chunk in chunks] == [True, False, True]
    assert [(chunk.first_byte, chunk.end_byte) for chunk in chunks if chunk.is_cold] == [(0, 1), (2, 3)]
    assert [replace(chunk, text=b"") for chunk in (*first.chunks, *second.chunks, *third.chunks)] == chunks


async def test_feedback_is_listed_newest_first_and_replaced_by_its_id(store) -> None:
    """By project, by build, before a place; what is sent again stands once, at its new time."""

    def remark(number: int, at: int, **more: str) -> Feedback:
        facts: dict[str, Any] = {
            "id": f"{number:032x}",
            "build_id": f"{number % 2:08x}-0000-7000-8000-000000000000",
            "project": "p",
        }
        return Feedback(**{**facts, "line": 3, "by": "ann", "at": at, "text": "x", **more})

    for feedback in (remark(1, 10), remark(2, 20), remark(3, 30, project="q"), remark(1, 40, note="again")):
        await store.keep_feedback(feedback)

    async def listed(projects=None, build_id=None, before=None, limit=10) -> list[tuple[int, int]]:
        found = await store.list_feedback(projects, build_id, before, limit)
        return [(int(feedback.id, 16), feedback.at) for feedback in found]

    assert await listed() == [(1, 40), (3, 30), (2, 20)]
    assert await listed(projects=["p"], limit=1) == [(1, 40)]
    assert await listed(build_id=remark(3, 1).build_id) == [(1, 40), (3, 30)]
    assert await listed(before=remark(3, 30).place) == [(2, 20)]
    assert await listed(projects=[]) == []


async def test_green_logs_are_listed_by_configuration_newest_first(store) -> None:
    """Before a place, as many as asked for; kept again they are replaced, and they go with their builds."""

    def kept(number: int, config: str = "gcc", project: str = "p", lines: bytes = b"x") -> GreenLog:
        return GreenLog(f"{number:08x}-0000-7000-8000-000000000000", project, config, f"{number:016d}.x", lines)

    for one in (kept(1), kept(3), kept(2), kept(4, "clang"), kept(5, project="q"), kept(3, lines=b"y")):
        await store.keep_green_log(one)

    assert await store.list_green_logs("p", "gcc", "9", 2) == [kept(3, lines=b"y"), kept(2)]
    assert await store.list_green_logs("p", "gcc", kept(2).place, 2) == [kept(1)]
    await store.forget([kept(3).build_id])
    assert await store.list_green_logs("p", "gcc", "9", 2) == [kept(2), kept(1)]


async def test_logs_read_by_other_rules_are_found_once_nobody_looks_after_them(store, make_reporter) -> None:
    """Ended without success, in the time asked for, newest first; no open builds, and none read by the same rules."""

    async def build(at: int, status: str, rules: str, *, is_settled: bool = True) -> str:
        one = make_reporter(started_at=at)
        step = _step(one, one.start(), one.complete(status))
        state = step.after
        if is_settled:
            state = fold.mark_verdict_sent(fold.mark_verified(state, agrees=True))
        state = fold.mark_failures(state, None, 0, is_analysed=True, rules=rules)
        await store.advance([replace(step, after=state)])
        return one.id

    old = await build(1_000, "failed", "old")
    first, second = await build(5_000, "failed", ""), await build(6_000, "timed_out", "old")
    for status, rules, is_settled in (("failed", "new", True), ("succeeded", "old", True), ("failed", "old", False)):
        await build(7_000, status, rules, is_settled=is_settled)

    async def stale(since: int, before: str | None = None) -> list[str]:
        return [state.build.id for state in await store.list_stale("new", range(8), f"{since:016d}", before, 10)]

    assert await stale(2_000) == [second, first]
    assert await stale(0, before=place_of((await store.find(first)).build)) == [old]
    assert await store.list_stale("new", (), "0", None, 10) == []
