"""Who is on an incident, and what people wrote about it: it follows the incident, and no build changes it."""

from typing import Any

import pytest
from build_history.builds.ownership import LINKS_MAX, Ownership, TooMuch
from build_history.builds.proposal import github_home, propose_revert
from build_history.refresh import row_kinds
from build_history.refresh.ownership import change_ownership, read_ownerships
from build_history.store.sql import SqlHistoryStore
from build_protocol.incidents import Evidence, Face, IncidentState, Transition

AT = 1_700_000_000_000


def incident(builds, incident_id="i", **fields):
    evidence = Evidence(build_id=builds.id(1), config="release", started_at=AT)
    facts = {
        "id": incident_id,
        "project": "p",
        "branch": "main",
        "revision": 1,
        "opened_at": AT,
        "first_started_at": AT,
        "faces": [Face(signature="s", evidence=evidence)],
        "members": [],
        "suspects": [builds.commit(1, subject="Fire it hotter")],
    }
    return IncidentState(**{**facts, **fields})


def reopened(builds, at):
    return Transition(key="reopened", kind="reopened", at=at, news=True, build_id=builds.id(2), config="release")


async def test_whoever_is_on_it_is_shown_and_relieved_by_the_next(store, builds) -> None:
    """The first becomes its assignee, too; asked twice nothing changes; the next takes over, and the order is kept."""
    state = incident(builds)
    await change_ownership(store, state, lambda owned: owned.acknowledged("ann", AT + 1))
    again = await change_ownership(store, state, lambda owned: owned.acknowledged("ann", AT + 2))
    assert (again.acknowledged_by, again.acknowledged_at, again.assignee) == ("ann", AT + 1, "ann")

    await change_ownership(store, state, lambda owned: owned.acknowledged("bob", AT + 3))
    shown = (await read_ownerships(store, [state]))["i"]

    assert (shown.acknowledged_by, shown.assignee) == ("bob", "ann")
    assert [(event.kind, event.by) for event in shown.events] == [("acknowledged", "ann"), ("acknowledged", "bob")]
    assert await read_ownerships(store, [incident(builds, "other")]) == {}


async def test_what_a_merged_incident_had_goes_on_in_the_other(sqlite_store, builds) -> None:
    """Notes, links and whoever is on it are read with the one that absorbed it, once, also after a change."""
    merged, whole = incident(builds, "a"), incident(builds, "b", absorbed=["a"])
    await change_ownership(
        sqlite_store, merged, lambda owned: owned.acknowledged("ann", AT + 1).noted("ours", "ann", AT + 2)
    )
    await change_ownership(
        sqlite_store, whole, lambda owned: owned.linked("issue", "https://example.com/1", "bob", AT + 3)
    )

    for _ in range(2):
        shown = (await read_ownerships(sqlite_store, [whole]))["b"]
        assert (shown.acknowledged_by, [note.text for note in shown.notes]) == ("ann", ["ours"])
        assert [event.kind for event in shown.events] == ["acknowledged", "noted", "linked"]
        await change_ownership(
            sqlite_store, whole, lambda owned: owned.unlinked("https://example.com/none", "bob", AT + 4)
        )

    await change_ownership(sqlite_store, whole, lambda owned: owned.released("bob", AT + 5))
    shown = (await read_ownerships(sqlite_store, [whole]))["b"]
    assert (shown.acknowledged_by, shown.assignee) == (None, None)


async def test_a_break_that_comes_back_is_nobodys_until_somebody_is_on_it(sqlite_store, builds) -> None:
    """Whoever was on it before it was fixed is not on it now; what they wrote stays."""
    state = incident(builds)
    await change_ownership(
        sqlite_store, state, lambda owned: owned.acknowledged("ann", AT + 1).noted("a note", "ann", AT + 1)
    )
    back = incident(builds, transitions=[reopened(builds, AT + 100)])

    shown = (await read_ownerships(sqlite_store, [back]))["i"]
    assert (shown.acknowledged_by, [note.text for note in shown.notes]) == (None, ["a note"])
    again = await change_ownership(sqlite_store, back, lambda owned: owned.acknowledged("ann", AT + 200))
    assert again.acknowledged_at == AT + 200


async def test_two_at_once_both_count(sqlite_store, builds) -> None:
    """A note that is written while another is on its way is kept beside it."""
    state = incident(builds)
    raced = False

    async def race() -> None:
        nonlocal raced
        raced = True
        await change_ownership(sqlite_store, state, lambda owned: owned.noted("second", "bob", AT + 2))

    class Racing(SqlHistoryStore):
        async def put_rows(self, rows):
            if not raced:
                await race()
            return await sqlite_store.put_rows(rows)

        async def rows_by_key(self, keys):
            return await sqlite_store.rows_by_key(keys)

    await change_ownership(Racing("sqlite://"), state, lambda owned: owned.noted("first", "ann", AT + 3))
    assert [note.text for note in (await read_ownerships(sqlite_store, [state]))["i"].notes] == ["second", "first"]


def test_the_same_again_changes_nothing_and_too_much_is_refused() -> None:
    """A note, a link, an assignee: each once; beyond the bound the refusal names it."""
    owned = Ownership().noted("n", "ann", 1).linked("issue", "https://x/1", "ann", 2).assigned("bob", "ann", 3)

    assert owned.noted("n", "ann", 4) is owned
    assert owned.linked("other", "https://x/1", "bob", 4) is owned
    assert owned.assigned("bob", "eve", 4) is owned
    assert Ownership().released("ann", 1).events == []
    for n in range(LINKS_MAX - 1):
        owned = owned.linked("other", f"https://y/{n}", "ann", 5)
    with pytest.raises(TooMuch, match="takes 50 links"):
        owned.linked("other", "https://z", "ann", 6)


def test_a_revert_is_proposed_only_of_a_sole_suspect(builds) -> None:
    """Of two suspects, of none and of a closed incident nothing is proposed; elsewhere than at GitHub without links."""
    sole = propose_revert(incident(builds), "git@github.com:llvm/llvm-project.git")
    assert sole is not None
    assert sole.commands[2] == f"git revert --no-edit {builds.sha(1)}"
    branch = f"revert-{builds.sha(1)[:12]}"
    assert sole.propose_url == f"https://github.com/llvm/llvm-project/compare/main...{branch}?expand=1"
    assert sole.commit_url == f"https://github.com/llvm/llvm-project/commit/{builds.sha(1)}"
    elsewhere = propose_revert(incident(builds), "https://git.example.com/a/b")
    assert elsewhere is not None
    assert (elsewhere.commit_url, elsewhere.propose_url) == (None, None)
    others: list[dict[str, Any]] = [
        {"suspects": None},
        {"suspects": []},
        {"suspects": [builds.commit(1), builds.commit(2)]},
        {"state": "closed"},
        {"branch": None},
    ]
    for fields in others:
        assert propose_revert(incident(builds, **fields), None) is None


@pytest.mark.parametrize(
    "url", [None, "", "https://github.com.example.com/a/b", "https://github.com/a", "https://github.com/a/b/c"]
)
def test_what_is_no_repository_of_github_has_no_links(url) -> None:
    """A name that only looks like GitHub's makes no link there."""
    assert github_home(url) is None


async def test_ownership_is_forgotten_with_its_incident(sqlite_store, builds) -> None:
    """Retention drops both in one round, and keeps those of incidents that it keeps."""
    from build_history.metrics import Metrics
    from build_history.retention import Retention
    from prometheus_client import CollectorRegistry

    old, new = incident(builds, "old", state="closed"), incident(builds, "new")
    await sqlite_store.put_rows([row_kinds.INCIDENT.row(state, 0) for state in (old, new)])
    for state in (old, new):
        await change_ownership(sqlite_store, state, lambda owned: owned.noted("n", "ann", AT))

    await Retention(sqlite_store, Metrics(CollectorRegistry()), keep_days=1).forget_old(AT + 10 * 86_400_000)

    keys = {row_kinds.OWNERSHIP.key(state.id): state.id for state in (old, new)}
    assert [keys[key] for key in await sqlite_store.rows_by_key(keys)] == ["new"]
