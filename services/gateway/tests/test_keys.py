"""Keys over their life: two alive while one is rotated, expiry, last use; and the commands for them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from build_dashboard.cli.commands import app as commands
from build_gateway import gateway as gateway_duties
from build_gateway.store.rows import Key
from build_testkit.gateway import PASSWORD, Gateway, closed_with, hello
from typer.testing import CliRunner


async def command(gateway: Gateway, *arguments: str) -> tuple[int, str]:
    environment = {"BUILD_DASHBOARD_URL": gateway.url, "BUILD_DASHBOARD_ADMIN_PASSWORD": PASSWORD}
    result = await asyncio.to_thread(CliRunner().invoke, commands, list(arguments), env=environment)
    return result.exit_code, result.output.strip()


async def create(gateway: Gateway, **fields: Any) -> dict[str, Any]:
    answer = await gateway.as_admin("POST", "/api/keys", {"name": "ci", **fields})
    answer.raise_for_status()
    made: dict[str, Any] = answer.json()
    return made


async def listed(gateway: Gateway, key_id: str) -> dict[str, Any]:
    items = (await gateway.as_admin("GET", "/api/keys")).json()["items"]
    return next(item for item in items if item["id"] == key_id)


async def test_a_rotated_key_and_its_successor_are_one_agent_for_a_while(gateway: Gateway) -> None:
    """Both connect; the successor has the old one's name, projects and length of life, the old one an end."""
    in_a_week = round(time.time() * 1000) + 7 * 86_400_000
    old = await create(gateway, projects=["torch-mlir"], expiresAt=in_a_week)

    answer = await gateway.as_admin("POST", f"/api/keys/{old['id']}/rotate", {"overlapSeconds": 3600})

    new = answer.json()
    assert (201, "ci", ["torch-mlir"]) == (answer.status_code, new["name"], new["projects"])
    assert new["expiresAt"] - new["createdAt"] == old["expiresAt"] - old["createdAt"]
    assert (await listed(gateway, old["id"]))["expiresAt"] <= new["createdAt"] + 3_600_000
    for value in (old["value"], new["value"]):
        async with gateway.agent(value) as socket:
            assert (await hello(socket))["agent"] == "ci"


async def test_an_overlap_never_lengthens_a_key(gateway: Gateway) -> None:
    """What expires sooner than the overlap ends stays so."""
    soon = round(time.time() * 1000) + 60_000
    old = await create(gateway, expiresAt=soon)
    await gateway.as_admin("POST", f"/api/keys/{old['id']}/rotate", {"overlapSeconds": 3600})

    assert (await listed(gateway, old["id"]))["expiresAt"] == soon


async def test_a_name_has_two_keys_at_most(gateway: Gateway) -> None:
    """A third one is refused and names both, also of several at once; one that was revoked leaves its place."""
    made = await asyncio.gather(
        *(gateway.as_admin("POST", "/api/keys", {"name": "ci"}) for _ in range(4)),
    )
    assert [201, 201, 409, 409] == sorted(answer.status_code for answer in made)
    first, second = (answer.json()["id"] for answer in made if answer.status_code == 201)
    rotated = await gateway.as_admin("POST", f"/api/keys/{first}/rotate", {})
    assert rotated.status_code == 409
    assert {first, second} <= set(rotated.json()["detail"].split())

    await gateway.as_admin("DELETE", f"/api/keys/{first}")

    assert (await gateway.as_admin("POST", f"/api/keys/{second}/rotate", {})).status_code == 201
    assert (await gateway.as_admin("POST", f"/api/keys/{first}/rotate", {})).status_code == 409
    assert (await gateway.as_admin("POST", "/api/keys/nothing/rotate", {})).status_code == 404


async def test_a_revocation_stands_against_what_is_changed_at_the_same_time(gateway: Gateway) -> None:
    """Whoever confirms or rotates a key from a list read before its revocation changes nothing about that."""
    made = await create(gateway)
    keys = gateway.app.state.dependencies.keys
    read_before: Key = await keys.find_by_id(made["id"])
    await keys.revoke(read_before)

    await keys.confirm(read_before)
    await keys.rotate(read_before, created_by="admin", overlap_seconds=5)

    assert (await listed(gateway, made["id"]))["revokedAt"] is not None


async def test_a_connected_key_counts_as_used_and_ends_when_it_expires(
    start_gateway: Callable[..., Awaitable[Gateway]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last use goes on while a socket is open, whatever its age; a key that expires meanwhile closes it."""
    monkeypatch.setattr(gateway_duties, "KEYS_SECONDS", 0.05)
    gateway = await start_gateway()
    made = await create(gateway)
    parts = gateway.app.state.dependencies
    async with gateway.agent(made["value"]) as socket:
        await hello(socket)
        await parts.store.touch_key(made["id"], 1)  # as if it had connected in 1970
        async with asyncio.timeout(8):
            while (await listed(gateway, made["id"]))["lastUsedAt"] == 1:  # noqa: ASYNC110  nothing to await
                await asyncio.sleep(0.05)

        await parts.store.change_key(made["id"], lambda key: key.model_copy(update={"expires_at": 1}))

        assert await closed_with(socket) == 4401


async def test_the_commands_show_and_rotate_keys(gateway: Gateway) -> None:
    """`keys add --expires`, `keys rotate` and `keys list` with last use and expiry."""
    code, value = await command(gateway, "keys", "add", "ci", "--project", "torch-mlir", "--expires", "90d")
    assert (0, "bmk") == (code, value.split("_")[0])
    async with gateway.agent(value) as socket:
        await hello(socket)
    code, successor = await command(gateway, "keys", "rotate", value.split("_")[1], "--overlap", "1h")
    assert (0, True) == (code, successor != value)

    code, printed = await command(gateway, "keys", "list")

    lines = {line.split()[0]: line for line in printed.splitlines()}
    assert "never used" in lines[successor.split("_")[1]]
    assert "used 20" in lines[value.split("_")[1]]
    assert "expires 2" in lines[successor.split("_")[1]]
    assert lines[value.split("_")[1]].endswith("torch-mlir")
    code, printed = await command(gateway, "keys", "add", "ci", "--expires", "soon")
    assert (2, True) == (code, "is no duration" in printed)


@pytest.mark.parametrize("body", [{"overlapSeconds": -1}, {"overlapSeconds": 10**9}, {"overlapSeconds": "5"}, {"a": 1}])
async def test_a_rotation_without_sense_is_refused(gateway: Gateway, body: dict[str, Any]) -> None:
    """422, and nothing is created."""
    made = await create(gateway)
    assert (await gateway.as_admin("POST", f"/api/keys/{made['id']}/rotate", body)).status_code == 422
    assert 2 == len((await gateway.as_admin("GET", "/api/keys")).json()["items"])
