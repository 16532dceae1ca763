"""Pages of a log, and its verification, agree with the state they are read at, whatever is merged meanwhile."""

from typing import Any, cast

import pytest
from build_ingest.lifecycle.verification import agrees
from build_ingest.logs.pages import read_page
from build_ingest.records.chunk import merge


class MergingStore:
    """A store in which chunks are merged as soon as somebody has read some."""

    def __init__(self, store, build_id: str) -> None:
        self._store = store
        self._build_id = build_id
        self._is_merged = False

    async def read_chunks(self, build_id: str, by: str, at: int, limit: int):
        found = await self._store.read_chunks(build_id, by, at, limit)
        if not self._is_merged:
            self._is_merged = True
            chunks = await self._store.read_chunks(build_id, "seq", 1, 100)
            await self._store.compact(merge(chunks[1:6]))
        return found


async def report_line_by_line(bench, reporter) -> None:
    for record in (reporter.start(), *(reporter.log([f"line {number}"]) for number in range(8))):
        await bench.consumer.handle([reporter.delivery(record)])


async def test_a_merge_does_not_make_a_log_look_damaged(bench, store, reporter, monkeypatch) -> None:
    """Verifying begins again when chunks move under it: a build flagged wrongly would stay so for ever."""
    monkeypatch.setattr("build_ingest.lifecycle.verification.CHUNKS_PER_READ", 3)
    await report_line_by_line(bench, reporter)

    merging = cast("Any", MergingStore(store, reporter.id))
    assert await agrees(merging, reporter.id, 9, reporter.totals())


async def test_a_chunk_that_is_gone_is_damage(bench, store, reporter) -> None:
    """What does not come back is reported missing."""
    await report_line_by_line(bench, reporter)

    assert not await agrees(store, reporter.id, 10, reporter.totals())


@pytest.mark.parametrize("first", [1, 3])
async def test_a_merge_leaves_no_page_short(bench, store, reporter, monkeypatch, first: int) -> None:
    """What was merged between two reads is neither left out nor repeated."""
    monkeypatch.setattr("build_ingest.logs.pages.CHUNKS_PER_READ", 2)
    await report_line_by_line(bench, reporter)
    state = await store.find(reporter.id)

    page = await read_page(MergingStore(store, reporter.id), state, first, 100)

    assert reporter.lines[first - 1 :] == page.lines


async def test_a_page_holds_no_more_of_a_line_than_its_state(bench, store, reporter) -> None:
    """What came of the last line after the snapshot is not in it: the live feed brings it, once."""
    await bench.consumer.handle([reporter.delivery(record) for record in (reporter.start(), reporter.log(["a", "be"]))])
    before = await store.find(reporter.id)
    await bench.consumer.handle([reporter.delivery(reporter.log(["gin", "next"], continues=True))])
    after = await store.find(reporter.id)

    assert ["a", "be"] == (await read_page(store, before, 1, 10)).lines
    assert ["be"] == (await read_page(store, before, 2, 10)).lines
    assert ["a", "begin", "next"] == (await read_page(store, after, 1, 10)).lines
