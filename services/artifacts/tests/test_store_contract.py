"""The store's contract, on every driver."""

import asyncio

from build_artifacts.artifact import Artifact
from build_artifacts.kept_builds import judged

NOON_AT = 1_700_000_000_000


async def test_an_artifact_is_stored_once_and_found_whole(store, made, fresh_note):
    """Adding it again returns the stored one; non-ASCII names and parts come back as they were."""
    artifact = made(b"x" * 11_000_000, part=5 * 1024 * 1024, name="größer 💥")

    assert await store.add(artifact, fresh_note()) == artifact
    begun = artifact.become("uploading", NOON_AT + 1, upload_id="u")
    assert await store.change(begun)

    assert await store.add(artifact, fresh_note()) == begun
    assert await store.find(artifact.id) == begun
    assert await store.find("0" * 32) is None
    assert await store.of_build(artifact.build_id) == [begun]


async def test_a_change_over_another_version_changes_nothing_and_is_reported(store, made, fresh_note):
    """Of two that read the same version one wins."""
    artifact = await store.add(made(), fresh_note())
    contenders = [artifact.become("verified", NOON_AT), artifact.become("refused", NOON_AT, problem="x")]

    won = await asyncio.gather(*(store.change(contender) for contender in contenders))

    assert sorted(won) == [False, True]
    assert await store.find(artifact.id) == contenders[won.index(True)]


async def test_racing_adds_store_one(store, made, fresh_note):
    """All of them are handed the same artifact."""
    found = await asyncio.gather(*(store.add(made(now_ms=NOON_AT + n), fresh_note()) for n in range(8)))

    assert len({artifact.created_at for artifact in found}) == 1
    assert len(await store.of_build(found[0].build_id)) == 1


async def test_the_untouched_are_listed_oldest_first(store, made, fresh_note):
    """By state and time of the last change."""
    for n, name in enumerate(("b", "a", "c")):
        await store.add(made(name=name, now_ms=NOON_AT - n), fresh_note())
    done = made(name="done", now_ms=0)
    await store.add(done, fresh_note())
    await store.change(done.become("verified", 1))

    found = await store.untouched(["pending", "uploading"], NOON_AT, 5)

    assert [artifact.name for artifact in found] == ["c", "a"]
    assert [artifact.name for artifact in await store.untouched(["verified"], 2, 5)] == ["done"]


async def test_a_projects_bytes_are_counted(store, made, fresh_note):
    """Those that are there or promised; not the refused ones, nor what a service holds, nor another project's."""
    assert 0 == await store.project_bytes("p")
    for n, name in enumerate(("a", "b", "c")):
        await store.add(made(b"x" * (n + 1), name=name), fresh_note())
    gone = made(b"x" * 3, name="c")
    await store.change(gone.become("refused", NOON_AT, problem="x"))

    assert (3, 0) == (await store.project_bytes(gone.project), await store.project_bytes("other"))


async def test_an_agents_unfinished_are_counted(store, made, fresh_note):
    """Those that wait for bytes, for a report or for their build; neither the others' nor what a service holds."""
    for n, name in enumerate(("a", "b", "c")):
        await store.add(made(name=name, n=n), fresh_note(n))
    done = made(name="a", n=0)
    await store.change(done.become("verified", 1))
    await store.change(made(name="b", n=1).become("reported", 1))
    held = Artifact.of(made(name="held"), 1, agent=None)
    await store.add(held, fresh_note(1))

    assert await store.unfinished("ci-1") == 2
    assert await store.unfinished("ci-2") == 0


async def test_only_expired_artifacts_are_forgotten(store, made, fresh_note):
    """One that came back to life in between stays."""
    gone, kept = made(name="gone"), made(name="kept")
    for artifact in (gone, kept):
        await store.add(artifact, fresh_note())
    await store.change(gone.become("expired", NOON_AT))

    await store.forget([gone.id, kept.id])

    assert [artifact.name for artifact in await store.of_build(kept.build_id)] == ["kept"]


async def test_notes_keep_the_latest_revision_whatever_the_order(store, verdicts, made, fresh_note):
    """A verdict replaces the running build's note, a later revision an earlier one, and never the other way round."""
    await store.add(made(n=1), fresh_note(1))
    late, early = judged(verdicts(1, "failed", revision=2)), judged(verdicts(1, revision=1))
    for note in (late, early, fresh_note(1), late):
        await store.note(note)

    assert await store.lanes() == [late.lane]
    assert [kept_build.note for kept_build in await store.kept_builds(late.lane)] == [late]


async def test_kept_builds_are_newest_first_and_marked_full(store, verdicts, made, fresh_note):
    """Only verified artifacts make a build full; a note is deleted once no artifact of its build is left."""
    notes = [judged(verdicts(n, ended_at=NOON_AT + n)) for n in (1, 2, 3)]
    for note in notes:
        await store.note(note)
    verified = made(n=2)
    await store.add(verified, fresh_note(2))
    await store.change(verified.become("verified", NOON_AT))
    await store.add(made(n=3), fresh_note(3))

    lane = notes[0].lane
    assert [(3, False), (2, True), (1, False)] == [
        (notes.index(kept_build.note) + 1, kept_build.is_full) for kept_build in await store.kept_builds(lane)
    ]
    await store.forget_notes([note.build_id for note in notes])
    assert [notes[2], notes[1]] == [kept_build.note for kept_build in await store.kept_builds(lane)]
