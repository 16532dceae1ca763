"""The store's contract, on every driver."""

import asyncio

import pytest
from build_notifier.records.branch import Branch, apply_incident
from build_notifier.records.mutes import Mute
from build_notifier.store import NotificationQuery


@pytest.fixture
def branch_of(broken, builds):
    """A branch with an incident that waits to be notified of."""

    def make(*incidents, **fields):
        branch = Branch(project="p", branch="main", touched_at=builds.noon_at)
        for incident in incidents:
            branch = apply_incident(branch, incident.message(), now_ms=builds.noon_at, quiet_ms=30_000)
        return branch.model_copy(update=fields)

    return make


async def test_a_branch_is_found_again_whole(store, builds, broken, branch_of):
    """Incidents and pending transitions come back as they were put, other messages included."""
    branch = branch_of(broken(2, "größer 💥", commits=builds.commits(2)))

    assert await store.put_branch(branch, 0)

    (stored,) = (await store.branches([branch.key, "f" * 32])).values()
    assert (branch, 1) == (stored.branch, stored.version)


async def test_of_two_who_replace_the_same_version_one_loses(store, broken, branch_of):
    """A lost race writes nothing and is reported, also when the branch is new."""
    first, second = branch_of(broken(1)), branch_of(broken(2))

    assert [True, False] == [await store.put_branch(first, 0), await store.put_branch(second, 0)]
    assert [True, False] == [await store.put_branch(second, 1), await store.put_branch(first, 1)]
    (stored,) = (await store.branches([first.key])).values()
    assert second == stored.branch


async def test_due_branches_come_when_they_are_due(store, builds, broken, branch_of):
    """Not before the first pending transition's time, and no more once it is claimed."""
    branch = branch_of(broken())
    await store.put_branch(branch, 0)

    assert await store.due_branches(builds.noon_at + 29_999, 9) == []
    (due,) = await store.due_branches(builds.noon_at + 30_000, 9)
    await store.put_branch(due.branch.without(due.branch.pending), due.version)
    assert await store.due_branches(builds.noon_at + 30_000, 9) == []
    assert [branch.key] == [stored.branch.key for stored in await store.branches_of("p", 9)]


async def test_a_claim_is_made_once(store, claim):
    """Of many who claim the same at once, exactly one learns that it was the first."""
    rounds = await asyncio.gather(*(store.claim([claim(1), claim(2)]) for _ in range(5)))

    assert sorted([claim(1).id, claim(2).id]) == sorted(claimed for new in rounds for claimed in new)
    assert await store.claim([claim(2), claim(3)]) == {claim(3).id}
    assert await store.claim([]) == set()


async def test_a_step_is_taken_by_one_sender(store, claim, builds):
    """Of two that read the same version the second learns that nothing was replaced."""
    await store.claim([claim(1)])
    (due,) = await store.due_notifications(builds.noon_at, 9)

    first = await store.put_notification(due.noting(1, "first", state="sending", due_at=None))

    assert await store.put_notification(due.noting(1, "second", state="failed")) is None
    assert (await store.notifications([due.id]))[due.id] == first
    assert await store.due_notifications(builds.noon_at, 9) == []


async def test_notifications_are_listed_in_pages(store, claim, builds):
    """Every row once over all pages, newest first, also where times are equal; filters hold."""
    rows = [claim(n, created_at=builds.noon_at + n // 2, project="pq"[n % 2]) for n in range(7)]
    await store.claim(rows)

    seen, after = [], None
    while page := await store.list_notifications(NotificationQuery(limit=3, after=after)):
        seen += [row.id for row in page]
        after = (page[-1].created_at, page[-1].id)

    assert [row.id for row in reversed(rows)] == seen
    assert [rows[5].id, rows[3].id, rows[1].id] == [
        row.id for row in await store.list_notifications(NotificationQuery(limit=9, projects={"q"}))
    ]
    assert await store.list_notifications(NotificationQuery(limit=9, projects=set())) == []
    assert await store.list_notifications(NotificationQuery(limit=9, state="failed")) == []
    assert (
        len(await store.list_notifications(NotificationQuery(limit=9, incident="incident-1", build_id=builds.id(2))))
        == 7
    )


async def test_mutes_are_replaced_and_dropped(store):
    """A mute is what it last was; dropping it twice says so."""
    mute = Mute(id="m", project="p", until_at=5, created_by="ann", created_at=1)
    later = mute.model_copy(update={"until_at": 9, "reason": "größer"})
    await store.put_mute(mute)
    await store.put_mute(later)

    assert [later] == await store.mutes()
    assert [True, False] == [await store.drop_mute("m"), await store.drop_mute("m")]
    assert await store.mutes() == []


async def test_the_old_is_forgotten_but_nothing_that_is_due(store, claim, builds, broken, branch_of):
    """Settled notifications, idle branches and ended mutes go, step by step; what still has a step stays."""
    settled = [claim(n, state="accepted", due_at=None) for n in range(3)]
    await store.claim([*settled, claim(9)])
    await store.put_branch(branch_of(broken()), 0)
    await store.put_branch(branch_of(branch="idle"), 0)
    await store.put_mute(Mute(id="m", project="p", until_at=5, created_by="ann", created_at=1))
    before_at = builds.noon_at + 1

    gone = [await store.forget(before_at, 2) for _ in range(3)]

    assert gone == [4, 1, 0]
    assert [claim(9).id] == [row.id for row in await store.list_notifications(NotificationQuery(limit=9))]
    assert ["main"] == [stored.branch.branch for stored in await store.branches_of("p", 9)]


async def test_opening_twice_keeps_what_is_there(store, claim):
    """A restart finds its schema and its rows."""
    await store.claim([claim(1)])

    await store.open()

    await store.ping()
    assert len(await store.list_notifications(NotificationQuery(limit=9))) == 1
