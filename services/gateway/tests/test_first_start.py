"""What the environment seeds is created once: no restart undoes what people decided since."""

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from build_gateway.accounts.passwords import Passwords
from build_gateway.reset_admin import reset_admin
from build_gateway.settings import Settings
from build_gateway.store import GatewayStore, open_store
from build_gateway.store.rows import User
from build_testkit.gateway import KEY, PASSWORD, Gateway
from build_testkit.signing import SECRET
from pydantic import ValidationError

pytestmark = pytest.mark.slow

StartGateway = Callable[..., Awaitable[Gateway]]
OTHER_PASSWORD = "four geese on a bicycle"
OTHER_KEY = "key-of-four-geese-on-a-bicycle"


async def status_of(gateway: Gateway, key: str) -> int:
    async with gateway.http as client:
        return (await client.get("/api/builds", headers={"Authorization": f"Bearer {key}"})).status_code


def store_of(gateway: Gateway) -> GatewayStore:
    store: GatewayStore = gateway.app.state.dependencies.store
    return store


async def test_a_first_start_creates_admin_and_key(
    start_gateway: StartGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Starting again with the same values changes nothing, and nothing is logged of it."""
    await start_gateway()
    with caplog.at_level(logging.WARNING, "gateway"):
        again = await start_gateway()

    assert [("default", "environment")] == [(key.name, key.created_by) for key in await store_of(again).list_keys()]
    assert ["admin"] == [user.name for user in await store_of(again).list_users()]
    assert await again.login()
    assert [record for record in caplog.records if record.name != "access"] == []  # requests are logged elsewhere


async def test_a_revoked_first_key_stays_revoked(start_gateway: StartGateway, caplog: pytest.LogCaptureFixture) -> None:
    """The environment still has its value; the log names what is in force and what to do."""
    first = await start_gateway()
    (key,) = await store_of(first).list_keys()
    assert (await first.as_admin("DELETE", f"/api/keys/{key.id}")).status_code == 204

    again = await start_gateway()

    assert await status_of(again, KEY) == 401
    (kept,) = await store_of(again).list_keys()
    assert kept.revoked_at is not None
    assert f"the value of key {key.id} (default), which was revoked and stays so" in caplog.text
    assert KEY not in caplog.text


async def test_a_first_key_that_expired_or_was_narrowed_stays_so(
    start_gateway: StartGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever changed of it, it is as it was left."""
    first = await start_gateway()
    (key,) = await store_of(first).list_keys()
    narrowed = key.model_copy(update={"scopes": ("agent",), "projects": ("torch-mlir",), "expires_at": 1})
    await store_of(first).change_key(narrowed.id, lambda _: narrowed)

    again = await start_gateway()

    assert [narrowed] == await store_of(again).list_keys()
    assert "which has expired and stays so" in caplog.text


async def test_another_value_is_another_key(start_gateway: StartGateway) -> None:
    """A key is seeded once per value; the one before is valid until it is revoked."""
    await start_gateway()
    again = await start_gateway(api_key=OTHER_KEY)

    assert [200, 200] == [await status_of(again, key) for key in (KEY, OTHER_KEY)]
    assert 2 == len(await store_of(again).list_keys())


async def test_a_password_changed_since_stays(start_gateway: StartGateway, caplog: pytest.LogCaptureFixture) -> None:
    """The environment's old one no longer works, and sessions go on; the log explains how to log in."""
    first = await start_gateway()
    token = await first.login()
    own = {"oldPassword": PASSWORD, "password": OTHER_PASSWORD}
    async with first.http as client:
        answer = await client.put("/api/users/me/password", headers={"Authorization": f"Bearer {token}"}, json=own)
    assert answer.status_code == 204
    token = await first.login(password=OTHER_PASSWORD)

    again = await start_gateway()

    with pytest.raises(httpx.HTTPStatusError):
        await again.login()
    async with again.http as client:
        me = await client.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert me.status_code == 200
    assert "BUILD_DASHBOARD_ADMIN_PASSWORD is not the password of user admin" in caplog.text
    assert "reset-admin" in caplog.text


@pytest.mark.parametrize("change", [{"disabled": True}, {"role": "viewer"}, {"projects": ["torch-mlir"]}], ids=str)
async def test_an_admin_who_lost_rights_does_not_get_them_back(
    start_gateway: StartGateway, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Disabled, demoted or limited by another admin: a restart does not undo it."""
    first = await start_gateway()
    ann = {"name": "ann", "role": "admin", "password": OTHER_PASSWORD}
    assert (await first.as_admin("POST", "/api/users", ann)).status_code == 201
    token = await first.login("ann", OTHER_PASSWORD)
    async with first.http as client:
        answer = await client.patch("/api/users/admin", headers={"Authorization": f"Bearer {token}"}, json=change)
    assert answer.status_code == 200
    before = await store_of(first).find_user("admin")

    again = await start_gateway()

    assert before == await store_of(again).find_user("admin")
    assert "a restart changes nothing of it" in caplog.text


async def test_gateways_that_start_at_once_create_one_of_each(start_gateway: StartGateway) -> None:
    """One of two passwords is in force, one key is added; neither gateway fails."""
    gateways = [await start_gateway(admin_password=None, api_key=None) for _ in range(2)]
    wired = [gateway.app.state.dependencies for gateway in gateways]

    await asyncio.gather(
        *(parts.directory.ensure_admin(word) for parts, word in zip(wired, (PASSWORD, OTHER_PASSWORD), strict=True)),
        *(parts.keys.ensure_key(KEY, "default") for parts in wired),
    )

    grants = [await wired[0].directory.login("admin", word) for word in (PASSWORD, OTHER_PASSWORD)]
    assert 1 == len([grant for grant in grants if grant is not None])
    assert 1 == len(await store_of(gateways[0]).list_users())
    assert 1 == len(await store_of(gateways[0]).list_keys())


async def test_a_store_without_anybody_says_how_to_get_in(
    start_gateway: StartGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Set to nothing, as docker-compose does, is unset: nobody is created with an empty password."""
    gateway = await start_gateway(admin_password="", api_key="")

    assert [] == await store_of(gateway).list_users()
    assert [] == await store_of(gateway).list_keys()
    assert "nobody can log in yet: set BUILD_DASHBOARD_ADMIN_PASSWORD" in caplog.text


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("admin_password", "pw", "BUILD_DASHBOARD_ADMIN_PASSWORD has 2 of the 8 characters"),
        ("admin_password", "changeme", "BUILD_DASHBOARD_ADMIN_PASSWORD is a placeholder"),
        ("api_key", "your_api_key", "BUILD_DASHBOARD_API_KEY is a placeholder"),
        ("api_key", "too short", "BUILD_DASHBOARD_API_KEY has 9 of the 16 characters"),
        ("api_key", "four geese " * 50, "BUILD_DASHBOARD_API_KEY has more than 512 characters"),
        ("jwt_secret_key", "", "JWT_SECRET_KEY is not set"),
    ],
)
def test_a_gateway_seeds_nothing_weak(field: str, value: str, why: str) -> None:
    """It is refused before anything starts."""
    with pytest.raises(ValidationError, match=why):
        Settings(**cast("Any", {"jwt_secret_key": SECRET, field: value}))


async def test_a_key_nobody_can_send_is_not_added(gateway: Gateway) -> None:
    """Shorter or longer than any key may be."""
    for value in ("too short", "x" * 513):
        with pytest.raises(ValueError, match="16 to 512"):
            await gateway.app.state.dependencies.keys.ensure_key(value, "x")


async def test_reset_admin_is_the_way_back_in(
    gateway: Gateway, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """While the gateway runs: a new password, every right, earlier sessions over, and the audit trail has it."""
    token = await gateway.login()
    assert (await gateway.as_admin("GET", "/api/auth/me")).status_code == 200  # the gateway has looked at the account
    store = store_of(gateway)
    await store.add_user(User(name="ann", role="admin", password_hash="h", created_at=1))
    lost = {"disabled": True, "role": "viewer", "projects": ("torch-mlir",)}
    await store.change_user("admin", lambda user: user.model_copy(update=lost))

    await asyncio.to_thread(reset_admin, f"sqlite:///{tmp_path}/gateway.sqlite", from_stdin=False)

    password = capsys.readouterr().out.strip()
    fresh = await gateway.login(password=password)
    async with gateway.http as client:
        me = "/api/auth/me"
        answer = (await client.get(me, headers={"Authorization": f"Bearer {fresh}"})).json()
        assert (await client.get(me, headers={"Authorization": f"Bearer {token}"})).status_code == 401
    assert {"name": "admin", "role": "admin"} == {name: value for name, value in answer.items() if value is not None}
    assert ("reset admin", "admin") in [(entry.action, entry.subject) for entry in await store.list_audit()]


def test_reset_admin_of_a_gateway_process(tmp_path: Path) -> None:
    """By its store's address alone, whatever else is set or weak; a password of one's own comes from standard input."""
    url = f"sqlite:///{tmp_path}/gateway.sqlite"
    environment = {**os.environ, "GATEWAY_STORE_URL": url, "BUILD_DASHBOARD_ADMIN_PASSWORD": "pw"}
    environment.pop("JWT_SECRET_KEY", None)

    def run(given: str, *options: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "build_gateway", "reset-admin", *options]
        return subprocess.run(
            command, env=environment, cwd=tmp_path, input=given, capture_output=True, text=True, check=False, timeout=60
        )

    missing = run("")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "there is no store at" in missing.stderr
    assert [] == list(tmp_path.iterdir())

    (tmp_path / "gateway.sqlite").touch()
    weak = run("pw\n", "--password-stdin")
    assert (weak.returncode, weak.stderr) == (
        1,
        "reset-admin: the password has 2 of the 8 characters it needs: choose another\n",
    )
    done = run(f"{OTHER_PASSWORD}\n", "--password-stdin")
    assert (done.returncode, done.stdout) == (0, "")
    assert OTHER_PASSWORD not in done.stderr
    assert run("").stdout.strip()


async def test_reset_admin_works_on_every_driver(store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where there was no admin yet, and again."""
    store = open_store(store_url)
    await store.open()
    try:
        for version in (1, 2):
            await asyncio.to_thread(reset_admin, store_url, from_stdin=False)
            admin = await store.find_user("admin")
            assert admin is not None
            assert (True, version) == (admin.is_full_admin, admin.version)
            assert await Passwords().check(capsys.readouterr().out.strip(), admin.password_hash)
    finally:
        await store.close()
