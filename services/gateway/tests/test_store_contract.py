"""The store's contract, the same on every driver."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from build_gateway.store import GatewayStore, open_store
from build_gateway.store.contract import LastAdmin
from build_gateway.store.rows import AgentRow, AuditEntry, CommandRow, CommandState, Group, Key, RefreshToken, User
from build_testkit.stores import store_fixture

QUEUED: tuple[CommandState, ...] = ("queued",)
SENT: tuple[CommandState, ...] = ("sent",)
RACES = 10


store = store_fixture(open_store)


def user(name: str = "ann", **changes: Any) -> User:
    return User(**{"name": name, "role": "viewer", "password_hash": "h", "created_at": 1, **changes})


def changed(**changes: Any) -> Callable[[User], User]:
    return lambda now: now.model_copy(update=changes)


def key(key_id: str = "k1", **changes: Any) -> Key:
    fields = {"id": key_id, "name": "ci", "sha256": f"hash of {key_id}", "created_by": "ann", "created_at": 1}
    return Key(**{**fields, **changes})


def refresh(sha256: str, family: str, expires_at: int) -> RefreshToken:
    return RefreshToken(
        sha256=sha256, family=family, user="ann", user_version=1, session_ends_at=90, expires_at=expires_at
    )


def agent(name: str = "ci", instance: str = "i1", **changes: Any) -> AgentRow:
    fields = {"name": name, "instance": instance, "version": "1", "key_id": "k1", "gateway": "g", "session": "s"}
    return AgentRow(**{**fields, "connected": True, "connected_at": 1, "last_seen_at": 1, **changes})


def command(command_id: str = "c1", **changes: Any) -> CommandRow:
    fields = {"id": command_id, "kind": "cancel", "agent": "ci", "build_id": "b1", "requested_by": "ann"}
    return CommandRow(**{**fields, "created_at": 1, "expires_at": 9, "updated_at": 1, **changes})


async def test_a_user_is_added_once(store: GatewayStore) -> None:
    """Of several who take one name at a time exactly one gets it; names differ by case."""
    added = await asyncio.gather(*(store.add_user(user(created_at=n)) for n in range(5)), store.add_user(user("Ann")))

    assert sorted(added) == [False] * 4 + [True] * 2
    assert [each.name for each in await store.list_users()] == ["Ann", "ann"]
    assert await store.find_user("nobody") is None


async def test_a_user_is_changed_as_stored_now(store: GatewayStore) -> None:
    """Of many changes at once none is lost; changing an unknown user changes nothing."""
    await store.add_user(user())
    more = [store.change_user("ann", lambda now: now.model_copy(update={"version": now.version + 1})) for _ in range(9)]
    ban = store.change_user("ann", lambda now: now.model_copy(update={"disabled": True}))
    await asyncio.gather(*more, ban)

    assert await store.find_user("ann") == user(version=10, disabled=True)
    assert await store.change_user("nobody", lambda now: now) is None
    assert await store.find_user("nobody") is None


STEPS_DOWN: dict[str, dict[str, Any]] = {
    "disabled": {"disabled": True},
    "another role": {"role": "developer"},
    "some projects only": {"projects": ("torch-mlir",)},
}


@pytest.mark.parametrize("how", STEPS_DOWN.values(), ids=STEPS_DOWN)
async def test_the_last_full_admin_keeps_every_right(store: GatewayStore, how: dict[str, Any]) -> None:
    """A user who is disabled, no admin or limited to projects does not count; other changes of the last admin pass."""
    await store.add_user(user("ann", role="admin"))
    for name, changes in STEPS_DOWN.items():
        await store.add_user(user(name, **{"role": "admin", **changes}))

    with pytest.raises(LastAdmin, match=r"ann is the last enabled admin .* make another one first"):
        await store.change_user("ann", changed(**how))

    assert await store.find_user("ann") == user("ann", role="admin")
    assert await store.change_user("ann", changed(password_hash="new")) is not None
    await store.add_user(user("bob", role="admin"))
    assert await store.change_user("ann", changed(**how)) is not None
    with pytest.raises(LastAdmin):
        await store.change_user("bob", changed(**how))
    assert await store.change_user("disabled", changed(disabled=False)) is not None
    assert await store.change_user("bob", changed(**how)) is not None


async def test_admins_who_disable_each_other_at_once_leave_one(store: GatewayStore, store_url: str) -> None:
    """Through one gateway and through two, again and again: all but one are disabled, and one stays."""
    other = open_store(store_url)
    await other.open()
    names = ["ann", "bob", "cleo"]
    try:
        for name in names:
            await store.add_user(user(name, role="admin"))
        for _ in range(RACES):
            outcomes = await asyncio.gather(
                *(store.change_user(name, changed(disabled=True)) for name in names),
                *(other.change_user(name, changed(disabled=True)) for name in reversed(names)),
                return_exceptions=True,
            )

            enabled = [each for each in await store.list_users() if not each.disabled]
            assert len(enabled) == 1
            refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
            assert [LastAdmin, LastAdmin] == [type(outcome) for outcome in refused]
            for name in names:
                await store.change_user(name, changed(disabled=False))
    finally:
        await other.close()


async def test_a_group_is_put_listed_and_dropped(store: GatewayStore) -> None:
    """By its name, whatever was there; dropping what is gone is known as that."""
    leads = Group(name="leads", role="developer", projects=(), roles={"iree": "maintainer"}, created_at=1)
    for group in (leads, leads.model_copy(update={"name": "all", "projects": None})):
        await store.put_group(group)
        await store.put_group(group)
    changed = leads.model_copy(update={"roles": {}})
    await store.put_group(changed)

    assert ["all", "leads"] == [group.name for group in await store.list_groups()]
    assert changed in await store.list_groups()
    assert await store.drop_group("all")
    assert not await store.drop_group("all")
    assert [changed] == await store.list_groups()


async def test_a_key_is_found_by_its_hash(store: GatewayStore) -> None:
    """The newest key is listed first; an unknown hash finds nothing."""
    await store.add_key(key("k1"))
    await store.add_key(key("k2", created_at=2))

    assert await store.find_key("hash of k1") == key("k1")
    assert await store.find_key("hash of k3") is None
    assert [each.id for each in await store.list_keys()] == ["k2", "k1"]


async def test_a_key_is_added_once(store: GatewayStore, store_url: str) -> None:
    """Of gateways that start at once with one value exactly one adds it; what became of it meanwhile stays."""
    other = open_store(store_url)
    await other.open()
    try:
        rivals = [each.add_key(key(f"k{n}", sha256="one value")) for n in range(5) for each in (store, other)]
        added = await asyncio.gather(*rivals)
    finally:
        await other.close()

    assert sorted(added) == [False] * 9 + [True]
    (only,) = await store.list_keys()
    await store.change_key(only.id, lambda now: now.model_copy(update={"revoked_at": 5}))
    assert not await store.add_key(key("k9", sha256="one value"))
    assert not await store.add_key(only)
    assert await store.list_keys() == [only.model_copy(update={"revoked_at": 5})]


async def test_noting_a_use_never_undoes_a_revocation(store: GatewayStore) -> None:
    """A key revoked while it was in use stays revoked, and one revoked twice keeps its use."""
    await store.add_key(key())
    await store.change_key("k1", lambda now: now.model_copy(update={"revoked_at": 5}))
    await store.touch_key("k1", 7)
    await store.change_key("k1", lambda now: now.model_copy(update={"on_hold": False}))

    assert await store.find_key("hash of k1") == key(revoked_at=5, last_used_at=7)


async def test_a_refresh_token_is_spent_by_exactly_one(store: GatewayStore) -> None:
    """Of several who use one token at a time exactly one is first."""
    token = refresh("t1", "f", 9)
    await store.add_refresh(token)

    spent = await asyncio.gather(*(store.spend_refresh("t1", 5) for _ in range(5)))

    assert sorted(each[1] for each in spent if each is not None) == [False] * 4 + [True]
    assert {each[0] for each in spent if each is not None} == {token.model_copy(update={"spent_at": 5})}
    assert await store.spend_refresh("t1", 8) == (token.model_copy(update={"spent_at": 5}), False)
    assert await store.spend_refresh("unknown", 5) is None


async def test_refresh_tokens_end_by_family_and_by_age(store: GatewayStore) -> None:
    """What ended is unknown from then on; the others stay."""
    for name, family, expires_at in (("t1", "f", 50), ("t2", "f", 50), ("t3", "g", 5), ("t4", "h", 50)):
        token = RefreshToken(
            sha256=name, family=family, user="ann", user_version=1, session_ends_at=90, expires_at=expires_at
        )
        await store.add_refresh(token)
    await store.drop_refresh("f")
    await store.drop_expired_refresh(10)

    known = [await store.spend_refresh(name, 1) is not None for name in ("t1", "t2", "t3", "t4")]
    assert known == [False, False, False, True]


async def test_an_agent_process_has_one_row(store: GatewayStore) -> None:
    """The newest row of a process counts; processes of one name are kept apart; old ones are deleted."""
    await store.save_agent(agent())
    await store.save_agent(agent(last_seen_at=5, builds={"b1": "p"}, spool_bytes=2**40))
    await store.save_agent(agent(instance="i2", last_seen_at=3))
    await store.save_agent(agent("x" * 400, "y" * 400, last_seen_at=2))
    await store.drop_agents_before(3)

    assert await store.list_agents() == [
        agent(last_seen_at=5, builds={"b1": "p"}, spool_bytes=2**40),
        agent(instance="i2", last_seen_at=3),
    ]


async def test_commands_are_found_by_agent_and_build(store: GatewayStore) -> None:
    """Newest first for people; for an agent what nobody acked, oldest first."""
    await store.add_command(command("c1"))
    await store.add_command(command("c2", created_at=2, build_id=None, args={"ref": "main"}))
    await store.add_command(command("c3", created_at=3, agent="other"))
    await store.add_command(command("c4", created_at=4, state="done"))

    assert [each.id for each in await store.list_commands()] == ["c4", "c3", "c2", "c1"]
    assert [each.id for each in await store.list_commands(agent="ci", build_id="b1")] == ["c4", "c1"]
    assert [each.id for each in await store.list_waiting("ci")] == ["c1", "c2"]
    assert await store.find_command("c2") == command("c2", created_at=2, build_id=None, args={"ref": "main"})
    assert await store.find_command("c9") is None


async def test_a_command_that_is_there_stays_as_it_is(store: GatewayStore) -> None:
    """Of two orders under one id, also at once, one is stored; a second never takes back how far the first came."""
    await asyncio.gather(*(store.add_command(command(requested_by=who)) for who in ("ann", "bob")))
    first = await store.find_command("c1")
    assert await store.list_commands() == [first]
    assert first is not None
    await store.move_command(first.model_copy(update={"state": "done"}), QUEUED)
    await store.add_command(command())
    assert (await store.list_commands())[0].state == "done"


async def test_what_has_not_ended_is_listed_and_old_commands_are_dropped(store: GatewayStore) -> None:
    """Oldest first, of all agents."""
    states: tuple[CommandState, ...] = ("accepted", "done", "sent", "rejected", "queued", "expired")
    for number, state in enumerate(states):
        await store.add_command(command(f"c{number}", agent=f"a{number}", state=state, created_at=number))
    assert [row.id for row in await store.list_unfinished()] == ["c0", "c2", "c4"]
    await store.drop_commands_before(2)
    assert sorted(row.id for row in await store.list_commands()) == ["c2", "c3", "c4", "c5"]


async def test_a_command_moves_only_from_an_expected_state(store: GatewayStore) -> None:
    """Of two gateways that send one command exactly one does; a finished command does not come back."""
    await store.add_command(command())
    moves = [store.move_command(command(state="sent", session=str(n)), QUEUED) for n in range(2)]

    assert sorted(await asyncio.gather(*moves)) == [False, True]
    assert await store.move_command(command(state="done"), SENT)
    assert not await store.move_command(command(state="accepted"), ("queued", "sent"))
    assert await store.find_command("c1") == command(state="done")


async def test_moving_to_the_same_state_again_counts_as_moved(store: GatewayStore) -> None:
    """A command sent again at a reconnect moves from sent to sent, also where nothing else changed."""
    await store.add_command(command(state="sent"))

    assert await store.move_command(command(state="sent"), SENT)


async def test_the_audit_trail_is_newest_first(store: GatewayStore) -> None:
    """Entries of one instant keep their order, too."""
    for subject in ("one", "two", "three"):
        await store.append_audit(AuditEntry(at=1, who="ann", action="login", subject=subject))

    assert [entry.subject for entry in await store.list_audit()] == ["three", "two", "one"]


async def test_opening_again_keeps_what_is_there(store: GatewayStore) -> None:
    """A restart finds its rows; the store answers a ping."""
    await store.add_user(user())
    await store.open()
    await store.ping()

    assert await store.find_user("ann") == user()
