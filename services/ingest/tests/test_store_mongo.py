"""MongoDB alone: what a writer leaves that dies between two writes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from build_ingest.records.chunk import merge
from build_ingest.records.plan import plan_build
from build_ingest.store import BuildQuery
from build_ingest.store.mongo import MongoBuildStore
from build_protocol.ids import read_build_name, short_id

pytestmark = pytest.mark.mongodb


@pytest.fixture
async def mongo(mongodb_url) -> AsyncIterator[MongoBuildStore]:
    opened = MongoBuildStore(mongodb_url)
    await opened.open()
    yield opened
    await opened.close()


def _steps(reporter) -> list:
    batches = [
        [reporter.start(), reporter.log(["a", "b"]), reporter.update(progress=10, phase="build")],
        [reporter.log(["c"], continues=True), reporter.log(["d"], stream="err")],
        [reporter.update(progress=90), reporter.complete("failed", exit_code=2), reporter.log(["late"])],
    ]
    steps: list[Any] = []
    state: Any = None
    for batch in batches:
        steps.append(plan_build(state, {}, [reporter.record_delivery(record) for record in batch]).step)
        state = steps[-1].after
    return steps


@pytest.mark.parametrize("died_at", [0, 1, 2])
async def test_records_of_a_writer_that_died_are_folded_in(mongo, reporter, died_at: int) -> None:
    """Chunks were inserted, the document was not moved: loading the build finds the state they fold to."""
    steps = _steps(reporter)
    for step in steps[:died_at]:
        await mongo.advance([step])
    healthy = mongo._put_build

    async def die(*_: object) -> None:
        raise KeyboardInterrupt

    mongo._put_build = die
    with pytest.raises(KeyboardInterrupt):
        await mongo.advance([steps[died_at]])
    mongo._put_build = healthy

    shown = await mongo.find(reporter.id)
    loaded = await mongo.load(reporter.id)

    assert shown == (steps[died_at - 1].after if died_at else None)
    assert loaded == steps[died_at].after == await mongo.find(reporter.id)
    assert await mongo.find_start(reporter.id) == steps[0].start


async def test_a_merge_that_died_halfway_hides_nothing(mongo, reporter) -> None:
    """The merged chunk is there, the ones it was made of too: every record is read once, and the next merge tidies."""
    steps = _steps(reporter)
    for step in steps:
        await mongo.advance([step])
    before = await mongo.read_chunks(reporter.id, "seq", 1, 10)
    healthy = mongo._chunks

    class Dying:
        def __getattr__(self, name: str) -> object:
            if name == "delete_many":
                raise KeyboardInterrupt
            return getattr(healthy, name)

    mongo._chunks = Dying()
    with pytest.raises(KeyboardInterrupt):
        await mongo.compact(merge(before))
    mongo._chunks = healthy

    for by, at in (("seq", 4), ("line", 1), ("byte", 0), ("line", 3)):
        chunks = await mongo.read_chunks(reporter.id, by, at, 10)
        assert [chunk.last_seq for chunk in chunks][-1] == before[-1].last_seq
        seqs = [seq for chunk in chunks for seq in range(chunk.first_seq, chunk.last_seq + 1)]
        assert len(seqs) == len(set(seqs))
    await mongo.compact(merge(before))
    assert len(await mongo.read_chunks(reporter.id, "seq", 1, 10)) == 1


async def test_builds_of_earlier_releases_are_found_by_the_end_of_their_id(mongo, make_reporter) -> None:
    """Opening the store adds what their documents lack; also of those that an earlier release stored beside us."""
    reporters = [make_reporter() for _ in range(3)]
    for one in reporters:
        await mongo.advance([plan_build(None, {}, [one.record_delivery(one.start())]).step])
    await mongo._builds.update_many({"_id": {"$in": [one.id for one in reporters[:2]]}}, {"$unset": {"tail": 1}})

    await mongo.open()

    for one in reporters:
        found = await mongo.list_builds(BuildQuery(name=read_build_name(short_id(one.id))))
        assert [build.id for build in found] == [one.id]
