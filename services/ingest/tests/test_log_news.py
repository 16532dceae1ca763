"""What a log has that green ones had not, and the search over many logs: exact, bounded, and on every store."""

from typing import Any

import pytest
from build_analysis.green_lines import GreenLines
from build_chassis.errors import StoreUnavailable
from build_ingest.findings.green_log import GreenLog
from build_ingest.logs import news, search_many
from build_ingest.logs.news import LogNewsReader, NewLines
from build_ingest.logs.search_many import LogsQuery, LogsSearch
from build_ingest.store.contract import BuildQuery, place_of
from build_protocol.ids import new_build_id
from build_protocol.views import BuildHits, LogsSearched

GREEN = ["[1/9] Building CXX object lib/A.cpp.o", "lib/A.cpp:3:1: warning: unused variable 'x'", "built in 31.4 s"]
RED = [
    "[7/9] Building CXX object lib/A.cpp.o",
    "/b/2/lib/A.cpp:88:1: warning: unused variable 'x'",
    "",
    "lib/B.cpp:4:7: error: no member named 'lower' in 'Op'",
    "built in 12.0 s",
    "retry 1 of Op at 0x7f3a",
    "retry 2 of Op at 0x7f9b",
]


async def build(bench, reporter, lines: list[str], status: str = "succeeded", **start: Any) -> None:
    records = [reporter.start(**start), reporter.log(lines), reporter.complete(status)]
    await bench.consumer.handle([reporter.delivery(record) for record in records])


def compared(lines: list[str], green: list[str], count: int = 10, pieces: int = 1) -> NewLines:
    known = GreenLines()
    known.learn(green)
    found = NewLines(known, count)
    text = "\n".join(lines).encode()
    for at in range(0, len(text), max(1, len(text) // pieces)):
        found.read(text[at : at + max(1, len(text) // pieces)])
    found.finish()
    return found


@pytest.mark.parametrize("pieces", [1, 3, 1000])
def test_only_what_no_green_build_printed_is_new(pieces: int) -> None:
    """Other times, directories and numbers are no news; a new line that repeats is one, with a count; empty is none."""
    found = compared(RED, GREEN, pieces=pieces)

    assert [(item.line, item.text, item.count) for item in found.items()] == [(4, RED[3], 1), (6, RED[5], 2)]
    assert (found.total, found.lines) == (2, len(RED))


def test_lines_of_any_bytes_are_compared() -> None:
    """Bytes that are no text, and characters cut by the border of a piece, neither break it nor look new."""
    known = GreenLines()
    known.learn(["naïve ünïcode ☃"])
    found = NewLines(known, 10)
    for byte in b"na\xc3\xafve \xc3\xbcn\xc3\xafcode \xe2\x98\x83\nbroken \xff\xfe byte":
        found.read(bytes([byte]))
    found.finish()

    assert [(item.line, item.text) for item in found.items()] == [(2, "broken \ufffd\ufffd byte")]


def test_kinds_of_lines_are_bounded(monkeypatch) -> None:
    """A log of which each line is of a kind of its own costs no more memory than so many kinds."""
    monkeypatch.setattr(news, "KINDS", 26)
    found = compared([f"word {chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(300)], GREEN, count=3)

    assert (found.total, found.is_full, len(found.items())) == (26, True, 3)


async def test_a_log_is_compared_with_the_last_green_one_of_its_lane(bench, store, make_reporter) -> None:
    """The newest green build before it counts, of its branch and configuration; later and other ones do not."""
    at = 1_700_000_000_000
    older, last, other, red, later = (make_reporter(started_at=at + 60_000 * n) for n in range(5))
    await build(bench, older, ["built in 9 s"])
    await build(bench, last, GREEN)
    await build(bench, other, RED, branch="release")
    await build(bench, red, RED, "failed")
    await build(bench, later, RED)

    found = await LogNewsReader(store, store).read(await store.find(red.id), [], 10)

    assert [item.line for item in found.items] == [4, 6]
    assert (found.compared_to, found.total_items, found.is_whole) == ([last.id], 2, True)
    assert (found.lines, found.total) == (7, 7)


async def test_kept_green_logs_are_evidence_too(bench, store, make_reporter) -> None:
    """What an earlier green log printed is no news, though the last one did not; a log without any has no news."""
    red = make_reporter()
    await build(bench, red, RED, "failed")
    state = await store.find(red.id)
    lines = GreenLines()
    lines.learn([*GREEN, "retry 9 of Op at 0x1"])
    kept = GreenLog(new_build_id(1), red.project, "default", place_of(state.build), lines.packed())
    reader = LogNewsReader(store, store)

    found = await reader.read(state, [kept], 10)
    alone = await reader.read(state, [], 10)

    assert ([item.line for item in found.items], found.compared_to) == ([4], [kept.build_id])
    assert (alone.items, alone.compared_to, alone.total_items) == ([], [], 0)


def query(q: str, limit: int = 10, hits: int = 2, is_regex: bool = True, **builds: Any) -> LogsQuery:
    return LogsQuery(
        q=q,
        is_regex=is_regex,
        match_case=False,
        hits=hits,
        builds=BuildQuery(commit_prefix="0123", limit=limit, **builds),
    )


async def searched(found: LogsSearch, wanted: LogsQuery) -> tuple[list[BuildHits], LogsSearched]:
    *builds, end = [part async for part in found.search(wanted)]
    assert isinstance(end, LogsSearched)
    return [part for part in builds if isinstance(part, BuildHits)], end


async def three(bench, make_reporter) -> list:
    reporters = [make_reporter(started_at=1_700_000_000_000 + 60_000 * n) for n in range(3)]
    for number, reporter in enumerate(reporters):
        await build(
            bench, reporter, [f"error: number {number}", "fine", *["Error: again"] * number], config=f"c{number}"
        )
    return reporters


async def test_each_build_of_a_commit_is_searched_newest_first(bench, store, make_reporter) -> None:
    """Hits come with their build, at most so many of each, and counts of all; builds without any are there, too."""
    reporters = await three(bench, make_reporter)

    builds, end = await searched(LogsSearch(store, store), query(r"^error: (number [12]|again)"))

    assert [part.build.id for part in builds] == [reporter.id for reporter in reversed(reporters)]
    assert [[hit.line for hit in part.hits] for part in builds] == [[1, 3], [1, 3], []]
    assert [(part.total_hits, part.total_is_exact) for part in builds] == [(3, True), (2, True), (0, True)]
    assert (end.end, end.builds, end.next_cursor) == ("done", 3, None)
    assert end.log_bytes == sum(reporter.totals().bytes for reporter in reporters)


async def test_a_search_goes_on_where_it_stopped(bench, store, make_reporter) -> None:
    """Pages over all builds, however small, show each one once, and the last page says that it is."""
    reporters = await three(bench, make_reporter)
    search, cursor, seen, ends = LogsSearch(store, store), None, [], []

    while True:
        builds, end = await searched(search, query("error", limit=1, before=cursor))
        seen += [part.build.id for part in builds]
        ends.append(end.end)
        cursor = end.next_cursor
        if cursor is None:
            break

    assert seen == [reporter.id for reporter in reversed(reporters)]
    assert ends == ["builds", "builds", "done"]


async def test_bytes_and_time_bound_a_search(bench, store, make_reporter, monkeypatch) -> None:
    """It stops before a log that is too much, unless it is the first one, and when its time is over."""
    await three(bench, make_reporter)
    monkeypatch.setattr(search_many, "SEARCHED_BYTES", 1)
    builds, end = await searched(LogsSearch(store, store), query("error"))
    assert (len(builds), end.end, end.next_cursor is None) == (1, "bytes", False)

    monkeypatch.undo()
    clock = iter([0.0, 1.0, 1.0, 60.0, 60.0, 60.0])
    builds, end = await searched(LogsSearch(store, store, lambda: next(clock)), query("error"))
    assert (len(builds), end.end, builds[0].total_is_exact) == (1, "time", True)


async def test_a_log_that_takes_too_long_is_left_in_its_midst(bench, store, make_reporter) -> None:
    """Its count is a lower bound then, and says so."""
    await three(bench, make_reporter)
    clock = iter([0.0, 1.0, 60.0, 60.0, 60.0])

    builds, end = await searched(LogsSearch(store, store, lambda: next(clock)), query("error"))

    assert ([(part.total_hits, part.total_is_exact) for part in builds], end.end) == ([(0, False)], "time")


async def test_a_store_that_goes_away_ends_the_search_in_words(bench, store, make_reporter) -> None:
    """What was found before stays, and the next page begins after it."""
    reporters = await three(bench, make_reporter)

    class Failing:
        async def read_chunks(self, build_id: str, *at: Any) -> list:
            if build_id == reporters[0].id:
                raise StoreUnavailable("ingest", "away")
            return await store.read_chunks(build_id, *at)

    builds, end = await searched(LogsSearch(store, Failing()), query("error"))

    assert ([part.build.id for part in builds], end.end) == ([reporters[2].id, reporters[1].id], "unavailable")
    assert end.next_cursor == place_of(builds[-1].build)
