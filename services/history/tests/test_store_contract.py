"""The store's contract, on every driver."""

import json

from build_history.builds.fact import with_verdict
from build_history.builds.index_keys import EVERY, Touched, colour_tag, coloured_tag, tags_of
from build_history.store import FactWrite, Row
from build_history.store.contract import PointQuery, RowQuery

MARK = Touched("lane", ("p", "main", "default"))


def fact_of(builds, n, *how, **fields):
    return with_verdict(None, builds.verdict(n, *how, **fields))


def row(key, rank=1, **fields):
    facts = {
        "kind": "k",
        "project": "p",
        "scope": "s",
        "label": "l",
        "body": json.dumps({"rank": rank, "text": "größer 💥"}),
        **fields,
    }
    return Row(key=key, rank=rank, **facts)


async def test_a_fact_is_found_again_whole(store, builds):
    """Fact, version and stale marks come back as they were put, other alphabets included."""
    fact = fact_of(builds, 1, "failed", "sig", error="größer 💥", commits=[builds.commit(1, author="Ünal")])

    assert {fact.id} == await store.put_facts([FactWrite(fact, frozenset({MARK}))])

    stored = await store.facts([fact.id, builds.id(2)])
    assert [fact.id] == list(stored)
    assert (fact, 1, {MARK}) == (stored[fact.id].fact, stored[fact.id].version, stored[fact.id].stale)


async def test_a_write_over_another_version_changes_nothing_and_is_reported(store, builds):
    """Two writers that read the same version: the first wins, the second learns it; neighbours are written."""
    first, second, other = fact_of(builds, 1), fact_of(builds, 1, "failed", "s"), fact_of(builds, 2)
    await store.put_facts([FactWrite(first, frozenset())])

    assert {other.id} == await store.put_facts([FactWrite(second, frozenset()), FactWrite(other, frozenset())])
    assert first == (await store.facts([first.id]))[first.id].fact
    assert {second.id} == await store.put_facts([FactWrite(second, frozenset(), replaces=1, old=first)])
    assert set() == await store.put_facts([FactWrite(first, frozenset(), replaces=1, old=second)])


async def test_a_changed_fact_is_filed_anew(store, builds):
    """A revision that turns a build green takes it off the red partition, and moves it when its start moved."""
    red = fact_of(builds, 1, "failed", "s")
    green = fact_of(builds, 1, started_at=builds.noon_at)
    await store.put_facts([FactWrite(red, frozenset())])
    await store.put_facts([FactWrite(green, frozenset(), replaces=1, old=red)])

    assert await store.points(PointQuery(colour_tag(red.lane, "red"), limit=5)) == []
    assert [green.point] == await store.points(PointQuery(colour_tag(red.lane, "green"), limit=5))
    assert [green.point] == await store.points(PointQuery(EVERY, limit=5, before_at=red.started_at))


async def test_points_come_by_start_within_bounds(store, builds):
    """Newest or oldest first, from and before a time, at most so many."""
    await store.put_facts([FactWrite(fact_of(builds, n), frozenset()) for n in (3, 1, 4, 2)])
    tag = coloured_tag("p", "main")

    async def found(**how):
        return [(p.started_at - builds.noon_at) // builds.hour_ms for p in await store.points(PointQuery(tag, **how))]

    assert await found(limit=9) == [4, 3, 2, 1]
    assert await found(limit=2, newest_first=False) == [1, 2]
    hour = builds.noon_at + 2 * builds.hour_ms
    assert await found(limit=9, since_at=hour) == [4, 3, 2]
    assert await found(limit=9, before_at=hour) == [1]
    assert await store.points(PointQuery("f" * 32, limit=9)) == []
    newest = await store.points_by_tag([tag, "f" * 32], limit=3)
    assert newest == {tag: await store.points(PointQuery(tag, limit=3)), "f" * 32: []}


async def test_a_page_asked_for_again_holds_the_newest_of_now(store, builds):
    """What came in between is on it, and what was dropped is not, however far it then reaches back."""
    facts = [fact_of(builds, n) for n in range(1, 6)]
    tag = coloured_tag("p", "main")
    await store.put_facts([FactWrite(fact, frozenset()) for fact in facts[:4]])

    first = await store.points(PointQuery(tag, limit=2))
    await store.put_facts([FactWrite(facts[4], frozenset())])
    second = await store.points(PointQuery(tag, limit=2))
    await store.drop_facts(facts[3:])

    pages = [first, second, await store.points(PointQuery(tag, limit=2))]
    assert [[facts[n - 1].point for n in page] for page in ([4, 3], [5, 4], [3, 2])] == pages

    await store.put_rows([row(f"{n:032x}", n) for n in range(1, 5)])
    first = await store.rows(RowQuery("k", limit=2))
    await store.put_rows([row(f"{5:032x}", 5)])
    second = await store.rows(RowQuery("k", limit=2))
    await store.drop_rows(second)

    pages = [first, second, await store.rows(RowQuery("k", limit=2))]
    assert [[4, 3], [5, 4], [3, 2]] == [[found.rank for found in page] for page in pages]


async def test_marks_are_settled_only_for_the_version_they_were_read_at(store, builds):
    """A fact that changed meanwhile keeps its marks: its rows are still due."""
    facts = [fact_of(builds, n) for n in (1, 2)]
    await store.put_facts([FactWrite(fact, frozenset({MARK})) for fact in facts])

    await store.settle({facts[0].id: 1, facts[1].id: 7})

    stored = await store.facts([fact.id for fact in facts])
    assert [frozenset(), {MARK}] == [stored[fact.id].stale for fact in facts]


async def test_dropped_facts_are_gone_from_every_tag(store, builds):
    """Dropping forgets the fact and its tags; dropping again is harmless."""
    fact = fact_of(builds, 1, "failed", "s", commits=[builds.commit(1)])
    await store.put_facts([FactWrite(fact, frozenset())])

    for _ in range(2):
        await store.drop_facts([fact])

    assert await store.facts([fact.id]) == {}
    assert [point for tag in tags_of(fact) for point in await store.points(PointQuery(tag, limit=1))] == []


async def test_rows_are_written_over_the_version_read_only(store):
    """Insert, replace and drop all lose against a newer version."""
    assert {"a" * 32} == await store.put_rows([row("a" * 32, 1)])
    assert {"b" * 32} == await store.put_rows([row("a" * 32, 2), row("b" * 32, 2)])
    read = (await store.rows_by_key(["a" * 32]))["a" * 32]
    assert {read.key} == await store.put_rows([row("a" * 32, 3, version=read.version)])
    await store.drop_rows([read])

    kept = (await store.rows_by_key(["a" * 32]))["a" * 32]
    assert (kept.rank, json.loads(kept.body)) == (3, {"rank": 3, "text": "größer 💥"})
    await store.drop_rows([kept])
    assert await store.rows_by_key(["a" * 32]) == {}


async def test_rows_are_listed_by_rank_and_key_from_a_cursor_on(store):
    """Every row once over all pages, also where ranks are equal; filters and prefixes hold."""
    keys = [f"{n:032x}" for n in range(7)]
    rows = [row(key, rank=n // 2, label=f"{n % 2}x", project="pq"[n % 2]) for n, key in enumerate(keys)]
    await store.put_rows([*rows, row("f" * 32, kind="other")])

    seen, after = [], None
    while page := await store.rows(RowQuery("k", limit=3, after=after)):
        seen += [r.key for r in page]
        after = (page[-1].rank, page[-1].key)

    assert keys[::-1] == seen
    assert keys == [r.key for r in await store.rows(RowQuery("k", limit=9, newest_first=False))]
    assert [keys[5], keys[3], keys[1]] == [r.key for r in await store.rows(RowQuery("k", limit=9, project="q"))]
    assert [keys[5]] == [r.key for r in await store.rows(RowQuery("k", limit=9, label_prefix="1", since_rank=2))]
    assert len(await store.rows(RowQuery("k", limit=9, labels=["0x", "1x", "2x"]))) == 7
    assert await store.rows(RowQuery("k", limit=9, label_prefix="%")) == []
    assert len(await store.rows(RowQuery("k", limit=9, scopes=["s"], labels=["0x"]))) == 4
    assert keys[3:] == [r.key for r in await store.rows(RowQuery("k", limit=9, newest_first=False, after=(1, keys[2])))]
    assert keys[3:5] == [
        r.key for r in await store.rows(RowQuery("k", limit=2, newest_first=False, after=(1, keys[2])))
    ]
    assert [keys[3], keys[2]] == [
        r.key for r in await store.rows(RowQuery("k", limit=9, after=(2, keys[4]), since_rank=1))
    ]
    assert await store.rows(RowQuery("k", limit=9, after=(1, "f" * 32), since_rank=2)) == []


async def test_opening_twice_keeps_what_is_there(store, builds):
    """A restart finds its schema and its facts."""
    await store.put_facts([FactWrite(fact_of(builds, 1), frozenset())])

    await store.open()

    await store.ping()
    assert [builds.id(1)] == list(await store.facts([builds.id(1)]))
