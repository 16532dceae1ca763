"""Somebody can always manage people: the last enabled admin with access to all projects stays one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from build_testkit.gateway import PASSWORD, Gateway

StartGateway = Callable[..., Awaitable[Gateway]]
GEESE = "four geese on a bicycle"
LAST = "admin is the last enabled admin with access to all projects: make another one first, then try again"
OWN = "nobody disables the own account: ask another admin"
STEPS_DOWN: tuple[dict[str, Any], ...] = (
    {"disabled": True},
    {"role": "developer"},
    {"projects": ["torch-mlir"]},
    {"projects": []},
)


async def ask(gateway: Gateway, token: str, method: str, path: str, body: Any = None) -> httpx.Response:
    async with gateway.http as client:
        return await client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})


async def log_in_as_new_admin(gateway: Gateway, name: str, **fields: Any) -> str:
    body = {"name": name, "role": "admin", "password": GEESE, **fields}
    assert (await gateway.as_admin("POST", "/api/users", body)).status_code == 201
    return await gateway.login(name, GEESE)


@pytest.mark.parametrize("change", STEPS_DOWN, ids=str)
async def test_the_only_admin_keeps_every_right(gateway: Gateway, change: dict[str, Any]) -> None:
    """409 with what to do, and nothing changes; an admin of some projects changes nobody at all."""
    limited = await log_in_as_new_admin(gateway, "lim", projects=["torch-mlir"])
    dee = await log_in_as_new_admin(gateway, "dee")
    assert (await gateway.as_admin("PATCH", "/api/users/dee", {"disabled": True})).status_code == 200
    assert (await ask(gateway, dee, "GET", "/api/users")).status_code == 401
    before = (await gateway.as_admin("GET", "/api/users")).json()

    own = await gateway.as_admin("PATCH", "/api/users/admin", change)
    by_another = await ask(gateway, limited, "PATCH", "/api/users/admin", change)
    deleted = await ask(gateway, limited, "DELETE", "/api/users/admin")

    assert (409, OWN if change.get("disabled") else LAST) == (own.status_code, own.json()["detail"])
    assert [by_another.status_code, deleted.status_code] == [403, 403]
    assert before == (await gateway.as_admin("GET", "/api/users")).json()
    assert await gateway.login(password=PASSWORD)


async def test_an_admin_of_some_projects_reaches_no_others(gateway: Gateway) -> None:
    """It neither manages people, keys and agents nor sees the trail or what is parked: any of them would be all."""
    limited = await log_in_as_new_admin(gateway, "lim", projects=["torch-mlir"])
    key = {"name": "k", "scopes": ["agent"], "projects": ["torch-mlir"]}
    for method, path, body in (
        ("GET", "/api/users", None),
        ("POST", "/api/users", {"name": "eve", "role": "admin", "password": GEESE}),
        ("PATCH", "/api/users/lim", {"projects": None}),
        ("PATCH", "/api/users/admin", {"password": GEESE}),
        ("DELETE", "/api/users/admin", None),
        ("GET", "/api/keys", None),
        ("POST", "/api/keys", key),
        ("POST", "/api/keys", {**key, "projects": None}),
        ("POST", "/api/commands", {"kind": "drain", "agent": "a"}),
        ("GET", "/api/audit", None),
        ("GET", "/api/audit/export", None),
        ("GET", "/api/parking", None),
    ):
        assert (await ask(gateway, limited, method, path, body)).status_code == 403, (method, path)
    assert await gateway.login(password=PASSWORD)


async def test_an_admin_gives_up_rights_while_there_is_another(gateway: Gateway) -> None:
    """The other one can give them back; disabling the own account is for the other one to do."""
    ann = await log_in_as_new_admin(gateway, "ann")

    for path, method, body in (("ann", "DELETE", None), ("ann", "PATCH", {"disabled": True, "role": "admin"})):
        answer = await ask(gateway, ann, method, f"/api/users/{path}", body)
        assert (409, OWN) == (answer.status_code, answer.json()["detail"])
    assert (await ask(gateway, ann, "PATCH", "/api/users/ann", {"role": "viewer"})).status_code == 200
    assert (await gateway.as_admin("PATCH", "/api/users/ann", {"role": "admin"})).status_code == 200
    assert (await gateway.as_admin("PATCH", "/api/users/ann", {"disabled": True})).status_code == 200
    assert (await gateway.as_admin("PATCH", "/api/users/ann", {"disabled": False})).status_code == 200


async def test_the_last_admin_changes_what_takes_no_rights(gateway: Gateway) -> None:
    """A password, and what is so already."""
    change = {"password": GEESE, "role": "admin", "projects": None, "disabled": False}
    assert (await gateway.as_admin("PATCH", "/api/users/admin", change)).status_code == 200
    assert await gateway.login(password=GEESE)


async def test_two_admins_who_disable_each_other_at_once_leave_one(start_gateway: StartGateway) -> None:
    """Each through a gateway of their own: one is disabled, the other one stays and can undo it."""
    gateways = [await start_gateway(), await start_gateway()]
    tokens = {"ann": await log_in_as_new_admin(gateways[0], "ann")}
    tokens["bob"] = await log_in_as_new_admin(gateways[0], "bob")
    assert (await ask(gateways[0], tokens["ann"], "DELETE", "/api/users/admin")).status_code == 204

    answers = await asyncio.gather(
        ask(gateways[0], tokens["ann"], "PATCH", "/api/users/bob", {"disabled": True}),
        ask(gateways[1], tokens["bob"], "PATCH", "/api/users/ann", {"disabled": True}),
    )

    # Who was disabled first may be refused as nobody, else as the one who would take the last admin.
    assert 1 == [answer.status_code for answer in answers].count(200)
    assert {answer.status_code for answer in answers} <= {200, 401, 409}
    stays = "ann" if answers[0].status_code == 200 else "bob"
    token = await gateways[0].login(stays, GEESE)
    users = (await ask(gateways[0], token, "GET", "/api/users")).json()["items"]
    assert [stays] == [user["name"] for user in users if not user["disabled"]]


async def test_a_weak_password_is_refused(gateway: Gateway) -> None:
    """On every route that sets one, with what is wrong and without the password."""
    token = await gateway.login()
    for password in ("pw", "password", "changeme", "your_password", "12345678"):
        answers = [
            await gateway.as_admin("POST", "/api/users", {"name": "ann", "password": password}),
            await gateway.as_admin("PATCH", "/api/users/admin", {"password": password}),
            await ask(gateway, token, "PUT", "/api/users/me/password", {"oldPassword": PASSWORD, "password": password}),
        ]
        for answer in answers:
            assert answer.status_code == 422
            assert "password" in answer.json()["detail"]
            assert "12345678" not in answer.text
    assert await gateway.login(password=PASSWORD)
