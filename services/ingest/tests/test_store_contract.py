"""The store's contract, the same on every driver."""

import asyncio
from dataclasses import replace

import pytest
from build_analysis.test_results import TestResult
from build_ingest.findings.failures import Found
from build_ingest.findings.feedback import Feedback
from build_ingest.findings.test_results import pack
from build_ingest.records import fold
from build_ingest.records.archive_label import Archive
from build_ingest.records.chunk import merge, text_of
from build_ingest.records.plan import plan_build
from build_ingest.store import BuildQuery, Conflict
from build_ingest.store.contract import Claim, in_order, place_of
from build_protocol.ids import read_build_name
from build_protocol.messages import BuildCompleteData, FailureData


def _step(speaker, *records, state=None):
    return plan_build(state, {}, [speaker.arrival(record) for record in records]).step


def _results(count: int) -> list[TestResult]:
    return [TestResult(f"MLIR :: a{n}.mlir", "passed", "lit", None, n) for n in range(count)]


async def test_a_step_is_read_back_whole(store, speaker) -> None:
    """State, first record and chunks of a committed step come back as they were."""
    step = _step(speaker, speaker.start(), speaker.log(["a", "ü"]), speaker.update(progress=3))

    await store.advance([step])

    assert await store.find(speaker.id) == step.after
    assert await store.load(speaker.id) == step.after
    assert await store.find_start(speaker.id) == step.start
    assert await store.read_chunks(speaker.id, "seq", 1, 10) == step.chunks


async def test_a_step_is_stored_once(store, speaker) -> None:
    """The same step again, or another one from the same state, is refused and changes nothing."""
    start, log = speaker.start(), speaker.log(["a"])
    first = _step(speaker, start)
    second = _step(speaker, log, state=first.after)
    await store.advance([first])
    await store.advance([second])

    for stale in (first, second, _step(speaker, start, log)):
        with pytest.raises(Conflict):
            await store.advance([stale])

    assert await store.find(speaker.id) == second.after
    assert await store.read_chunks(speaker.id, "seq", 1, 10) == [*first.chunks, *second.chunks]


async def test_of_two_writers_one_wins(store, speaker) -> None:
    """Two writers that decide from the same state at once: exactly one step is stored, the log has no line twice."""
    first = _step(speaker, speaker.start())
    await store.advance([first])
    two, three = speaker.log(["2"]), speaker.log(["3"])
    rivals = [_step(speaker, two, state=first.after), _step(speaker, two, three, state=first.after)]

    results = await asyncio.gather(*(store.advance([rival]) for rival in rivals), return_exceptions=True)

    assert sorted(map(type, results), key=str) == sorted([type(None), Conflict], key=str)
    loaded = await store.load(speaker.id)
    chunks = await store.read_chunks(speaker.id, "seq", 1, 10)
    assert loaded == rivals[results.index(None)].after
    assert chunks[-1].last_seq == loaded.applied


async def test_a_step_for_several_builds_is_stored(store, make_speaker) -> None:
    """One call carries the steps of many builds."""
    speakers = [make_speaker() for _ in range(20)]

    await store.advance([_step(one, one.start(), one.log(["x"] * 5)) for one in speakers])

    assert {(await store.find(one.id)).build.log_lines for one in speakers} == {5}


async def test_a_row_changes_only_from_the_revision_it_was_read_at(store, speaker) -> None:
    """A change decided from an old row is refused."""
    step = _step(speaker, speaker.start())
    await store.advance([step])
    silent = fold.mark_connected(step.after, connected=False)

    assert await store.replace(step.after, silent)
    assert not await store.replace(step.after, fold.lose(step.after, now_ms=1))

    assert await store.find(speaker.id) == silent


async def test_ranges_begin_where_they_are_asked(store, speaker) -> None:
    """By record, line or byte: the first chunk is the one that holds it, whatever was merged."""
    steps = [_step(speaker, speaker.start())]
    for number in range(30):
        record = speaker.log([f"line {number}", "more"], continues=number % 7 == 3)
        steps.append(_step(speaker, record, state=steps[-1].after))
    for step in steps:
        await store.advance([step])
    chunks = [chunk for step in steps for chunk in step.chunks]
    await store.compact(merge(chunks[5:12]))

    for chunk in chunks[1:]:
        by_seq = await store.read_chunks(speaker.id, "seq", chunk.first_seq, 2)
        by_line = await store.read_chunks(speaker.id, "line", chunk.last_line, 2)
        by_byte = await store.read_chunks(speaker.id, "byte", chunk.end_byte, 2)
        assert by_seq[0].first_seq <= chunk.first_seq <= by_seq[0].last_seq
        assert by_line[0].first_line <= chunk.last_line <= by_line[0].last_line
        assert by_byte[0].first_byte <= chunk.end_byte <= by_byte[0].end_byte
    assert await store.read_chunks(speaker.id, "line", 10_000, 2) == []


async def test_merging_keeps_every_record_and_may_be_repeated(store, speaker) -> None:
    """After a merge, once or twice, the log reads as before, in fewer chunks."""
    steps = [_step(speaker, speaker.start())]
    for number in range(9):
        steps.append(_step(speaker, speaker.log([f"line {number}"]), state=steps[-1].after))
    for step in steps:
        await store.advance([step])
    chunks = await store.read_tail(speaker.id, 6)
    merged = merge(chunks)

    await store.compact(merged)
    await store.compact(merged)

    stored = await store.read_chunks(speaker.id, "seq", 1, 100)
    assert len(stored) == 5
    assert b"\n".join(text_of(chunk) for chunk in stored if chunk.has_text).decode() == "\n".join(speaker.lines)


async def test_events_are_found_without_their_log(store, speaker) -> None:
    """Only chunks that hold records other than log are read for events."""
    steps = [_step(speaker, speaker.start())]
    for record in (speaker.log(["a"]), speaker.update(progress=1), speaker.log(["b"]), speaker.complete()):
        steps.append(_step(speaker, record, state=steps[-1].after))
    for step in steps:
        await store.advance([step])

    assert [chunk.first_seq for chunk in await store.read_events(speaker.id, 0, 10)] == [1, 3, 5]
    assert [chunk.first_seq for chunk in await store.read_events(speaker.id, 3, 10)] == [5]


async def test_lists_are_filtered_and_paged_newest_first(store, make_speaker) -> None:
    """Every filter narrows the list; pages continue without a hole or a repeat, also among equal start times."""
    for number in range(12):
        one = make_speaker(
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


async def test_a_build_is_found_by_the_beginning_or_the_end_of_its_id(store, make_speaker) -> None:
    """However many there are: all that answer to a name, newest first, of the projects asked for; nobody else."""
    builds = {
        "018bcfe5-6800-7000-8000-00000000aaaa": "iree",
        "018bcfe5-6800-7000-8000-00000001aaaa": "torch-mlir",
        "018bcfe5-6800-7000-8000-00010001aaaa": "iree",
        "018bcfe5-6800-7fff-8000-000000000000": "iree",
        "018bd001-aaaa-7000-8000-00000001bbbb": "iree",
    }
    for number, (build_id, project) in enumerate(builds.items()):
        one = make_speaker(project, started_at=1_700_000_000_000 + number)
        one.id = build_id
        await store.advance([_step(one, one.start())])
    a, b, c, d, e = builds

    async def named(text: str, **more: object) -> list[str]:
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


async def test_a_name_that_is_the_beginning_of_one_and_the_end_of_another_finds_both(store, make_speaker) -> None:
    """A build that answers to a name twice is found once."""
    first, last, both = make_speaker(), make_speaker(), make_speaker()
    first.id = "018bcfe5-6800-7000-8000-000000000001"
    last.id = "018bd000-6800-7000-8000-0000018bcfe5"
    both.id = "018bcfe5-6800-7000-8000-0000018bcfe5"
    for one in (first, last, both):
        await store.advance([_step(one, one.start())])

    found = await store.list_builds(BuildQuery(name=read_build_name("018bcfe5")))

    assert sorted(build.id for build in found) == sorted([first.id, last.id, both.id])


async def test_open_builds_are_those_somebody_must_look_after(store, make_speaker) -> None:
    """Running builds, and ended ones with a verdict to publish or a log to verify, of the asked shards."""
    running, ended = make_speaker(), make_speaker()
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


async def test_old_builds_are_forgotten_whole(store, make_speaker) -> None:
    """Builds before a place are listed, a few at a time, and go with their log; younger ones and open ones stay."""

    async def build(at: int, *, ends: bool = True) -> tuple[str, str]:
        one = make_speaker(started_at=at)
        said = [one.start(), one.log(["x"])]
        if ends:
            said.append(one.complete().model_copy(update={"data": BuildCompleteData(status="failed")}))
        step = _step(one, *said)
        await store.advance([step])
        if ends:
            await store.replace(step.after, fold.mark_verdict_sent(step.after))
        return one.id, place_of(step.after.build)

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


def test_a_hole_between_chunks_is_told(speaker) -> None:
    """Chunks that do not join are never read as if they did."""
    step = _step(speaker, speaker.start(), speaker.log(["a"]))
    late = replace(step.chunks[0], first_seq=9, last_seq=9)

    with pytest.raises(RuntimeError, match="record 3"):
        in_order([step.chunks[0], late])


async def test_what_was_found_in_more_of_a_log_stays(store, speaker) -> None:
    """Failures are replaced by what was found in as much of the log or more, never by what was found in less."""
    few, more, other = (Found(items=[FailureData(category="crash", message="x", first_line=n)]) for n in (1, 2, 3))
    assert await store.find_failures(speaker.id) == Found()

    await store.keep_failures(speaker.id, 10, few)
    await store.keep_failures(speaker.id, 20, more)
    await store.keep_failures(speaker.id, 10, few)
    assert await store.find_failures(speaker.id) == more

    await store.keep_failures(speaker.id, 20, other)
    assert await store.find_failures(speaker.id) == other


async def test_a_block_of_results_is_kept_once_and_only_grows(store, speaker) -> None:
    """A block stored again replaces itself; one read again from the start, and still short, takes nothing away."""
    short, long = (pack(speaker.id, "log", 1, _results(count)) for count in (3, 8))
    told = pack(speaker.id, "record", 7, _results(2))
    assert await store.read_results(speaker.id) == []

    for _ in range(2):
        await store.keep_results([short])
    await store.keep_results([long, told])
    await store.keep_results([short, told])

    assert await store.read_results(speaker.id) == [long, told]


async def test_repetitions_of_a_build_are_found(store, make_speaker) -> None:
    """A list may ask for the builds that repeat one."""
    first, again = make_speaker(), make_speaker()
    await store.advance([_step(first, first.start()), _step(again, again.start(retry_of=first.id))])

    assert [build.id for build in await store.list_builds(BuildQuery(retry_of=first.id))] == [again.id]


async def test_findings_go_with_their_build(store, speaker) -> None:
    """What is forgotten leaves no failures and no test results behind."""
    step = _step(speaker, speaker.start())
    ended = step.after.model_copy(update={"build": step.after.build.model_copy(update={"status": "failed"})})
    await store.advance([replace(step, after=ended)])
    await store.keep_failures(
        speaker.id, 1, Found(items=[FailureData(category="crash", message="x", first_line=1)], count=1)
    )
    await store.keep_results([pack(speaker.id, "log", 1, _results(1))])

    assert [state.build.id for state in await store.list_forgettable(f"{9_999_999_999_999:016d}", 10)] == [speaker.id]
    await store.forget([speaker.id])

    assert await store.find_failures(speaker.id) == Found()
    assert await store.read_results(speaker.id) == []


async def test_archives_are_listed_by_what_is_to_be_done(store, make_speaker) -> None:
    """By step and shard, oldest build first, between two places."""
    speakers = [make_speaker(started_at=1_700_000_000_000 + n) for n in range(4)]
    for number, one in enumerate(speakers):
        step = _step(one, one.start())
        await store.advance([step])
        if number:
            await store.replace(step.after, fold.mark_archive(step.after, Archive(step="due")))
    places = [place_of((await store.find(one.id)).build) for one in speakers]

    async def due(*args, **bounds) -> list[str]:
        return [state.build.id for state in await store.list_archives("due", range(8), *args, **bounds)]

    assert await due("", 10) == [one.id for one in speakers[1:]]
    assert await due(places[1], 1) == [speakers[2].id]
    assert await due("", 10, before=places[2]) == [speakers[1].id]
    assert await store.list_archives("due", (), "", 10) == []


async def test_text_is_dropped_a_few_chunks_at_a_time(store, speaker) -> None:
    """Positions, index and events stay; a chunk without text is not cold; another build's text stays."""
    first = _step(speaker, speaker.start(), speaker.log(["a"]))
    second = _step(speaker, speaker.update(progress=1), state=first.after)
    third = _step(speaker, speaker.log(["b"]), state=second.after)
    for step in (first, second, third):
        await store.advance([step])

    dropped = [await store.drop_text(speaker.id, 2) for _ in range(3)]
    chunks = await store.read_chunks(speaker.id, "seq", 1, 10)

    assert dropped == [2, 1, 0]
    assert [chunk.is_cold for chunk in chunks] == [True, False, True]
    assert [(chunk.first_byte, chunk.end_byte) for chunk in chunks if chunk.is_cold] == [(0, 1), (2, 3)]
    assert [replace(chunk, text=b"") for chunk in (*first.chunks, *second.chunks, *third.chunks)] == chunks


async def test_feedback_is_listed_newest_first_and_replaced_by_its_id(store) -> None:
    """By project, by build, before a place; what is said again stands once, at its new time."""

    def said(number: int, at: int, **more: str) -> Feedback:
        facts = {"id": f"{number:032x}", "build_id": f"{number % 2:08x}-0000-7000-8000-000000000000", "project": "p"}
        return Feedback(**{**facts, "line": 3, "by": "ann", "at": at, "text": "x", **more})

    for feedback in (said(1, 10), said(2, 20), said(3, 30, project="q"), said(1, 40, note="again")):
        await store.keep_feedback(feedback)

    async def listed(projects=None, build_id=None, before=None, limit=10) -> list[tuple[int, int]]:
        found = await store.list_feedback(projects, build_id, before, limit)
        return [(int(feedback.id, 16), feedback.at) for feedback in found]

    assert await listed() == [(1, 40), (3, 30), (2, 20)]
    assert await listed(projects=["p"], limit=1) == [(1, 40)]
    assert await listed(build_id=said(3, 1).build_id) == [(1, 40), (3, 30)]
    assert await listed(before=said(3, 30).place) == [(2, 20)]
    assert await listed(projects=[]) == []


async def test_logs_read_by_other_rules_are_found_once_nobody_looks_after_them(store, make_speaker) -> None:
    """Ended without success, in the time asked for, newest first; no open builds, and none read by the same rules."""

    async def build(at: int, status: str, rules: str, *, is_settled: bool = True) -> str:
        one = make_speaker(started_at=at)
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
