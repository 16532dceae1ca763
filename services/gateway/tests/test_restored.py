"""A restored gateway: sessions, orders, keys and people of before come back only by an admin's word."""

import pytest
from build_gateway.keys import KeyOnHold, Keys
from build_gateway.restored import hold_back
from build_gateway.store import open_store
from build_gateway.store.contract import GatewayStore
from build_gateway.store.rows import CommandRow, RefreshToken, User
from build_testkit.gateway import KEY, PASSWORD, Gateway
from build_testkit.stores import store_fixture

DEE = User(name="dee", role="developer", password_hash="x", created_at=1)


async def nothing(_: object) -> None:
    pass


store = store_fixture(open_store)


async def test_what_may_have_been_revoked_since_the_backup_waits(store: GatewayStore) -> None:
    """People and keys are named and on hold, twice over as well; what was over stays over; sessions and orders end."""
    keys = Keys(store, nothing, lambda: 1.0)
    revoked, _ = await keys.create("leaked", created_by="admin")
    await keys.revoke(revoked)
    key, value = await keys.create("ci", created_by="admin")
    for user in (DEE, DEE.model_copy(update={"name": "left", "disabled": True})):
        await store.add_user(user)
    session = RefreshToken(sha256="s", family="f", user="dee", user_version=1, session_ends_at=2**50, expires_at=2**50)
    await store.add_refresh(session)
    order = CommandRow(
        id="c", kind="trigger", agent="ci", requested_by="dee", created_at=1, expires_at=2**50, updated_at=1
    )
    await store.add_command(order)

    for _ in range(2):
        assert (["dee"], [f"{key.id} (ci)"]) == await hold_back(store, confirmed=False)

    with pytest.raises(KeyOnHold, match=key.id):
        await keys.find(value)
    dee, left = await store.list_users()
    assert (False, False, DEE.version + 2) == (dee.may_log_in, left.may_log_in, dee.version)
    assert await store.spend_refresh("s", 1) is None
    assert "expired" == (await store.list_commands())[0].state
    await keys.confirm(next(each for each in await store.list_keys() if each.id == key.id))
    assert key.id == (await keys.find(value) or revoked).id


async def test_a_person_s_word_that_nothing_was_revoked_holds_nothing(store: GatewayStore) -> None:
    """Sessions end all the same."""
    await store.add_user(DEE)
    assert ([], []) == await hold_back(store, confirmed=True)
    (dee,) = await store.list_users()
    assert dee.may_log_in
    assert dee.version == DEE.version + 1


async def test_an_admin_confirms_by_name(gateway: Gateway) -> None:
    """On hold a key gets 503 with what to do, and a person no token; the lists say so; once confirmed both get in."""
    store: GatewayStore = gateway.app.state.dependencies.store
    await gateway.as_admin("POST", "/api/users", {"name": "dee", "role": "viewer", "password": PASSWORD})
    await hold_back(store, confirmed=False)
    await store.change_user("admin", lambda user: user.model_copy(update={"on_hold": False}))
    (key,) = (await gateway.as_admin("GET", "/api/keys")).json()["items"]
    people = (await gateway.as_admin("GET", "/api/users")).json()["items"]
    assert (True, [False, True]) == (key["onHold"], [user["onHold"] for user in people])
    async with gateway.http as client:
        as_key = {"Authorization": f"Bearer {KEY}"}
        refused = await client.get("/api/builds", headers=as_key)
        assert (503, True) == (refused.status_code, "keys confirm" in refused.json()["remedy"])
        login = {"username": "dee", "password": PASSWORD}
        assert 401 == (await client.post("/api/auth/login", json=login)).status_code
        for path in (f"/api/keys/{key['id']}", "/api/users/dee"):
            confirmed = await gateway.as_admin("POST", f"{path}/confirm", {})
            assert (200, False) == (confirmed.status_code, confirmed.json()["onHold"])
        assert 503 != (await client.get("/api/builds", headers=as_key)).status_code
        assert 200 == (await client.post("/api/auth/login", json=login)).status_code
