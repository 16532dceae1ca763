"""The second factor: codes are good once and about now, recovery codes once, and guessing them ends soon."""

import asyncio
from typing import Any

import httpx
import pyotp
import pytest
from build_dashboard.cli.commands import app as commands
from build_gateway.accounts.second_factor import FREE_CODES, STEP_SECONDS, SecondFactorMissing, SecondFactors
from build_gateway.accounts.throttle import LONGEST_SECONDS
from build_gateway.reset_admin import reset_admin
from build_gateway.store import GatewayStore, open_store
from build_gateway.store.rows import User
from build_testkit.gateway import PASSWORD, Gateway
from build_testkit.signing import SECRET
from typer.testing import CliRunner

AT = 1_800_000_000.0


async def ask(gateway: Gateway, method: str, path: str, token: str, body: Any = None) -> httpx.Response:
    async with gateway.http as client:
        return await client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})


async def login(gateway: Gateway, **fields: Any) -> httpx.Response:
    async with gateway.http as client:
        return await client.post("/api/auth/login", json={"username": "admin", "password": PASSWORD, **fields})


async def turned_on(gateway: Gateway, session: str) -> tuple[str, str, list[str]]:
    """The secret of the admin's authenticator, the code that turned it on, and recovery codes."""
    offered = await ask(gateway, "POST", "/api/users/me/second-factor", session, {"password": PASSWORD})
    secret = offered.json()["secret"]
    code = pyotp.TOTP(secret).now()
    confirmed = await ask(gateway, "POST", "/api/users/me/second-factor/confirm", session, {"code": code})
    assert (200, "no-store") == (confirmed.status_code, confirmed.headers["cache-control"])
    return secret, code, confirmed.json()["codes"]


async def test_a_log_in_needs_both(gateway: Gateway) -> None:
    """A missing code is named once the password is right, and only then; the code that turned it on is spent."""
    session = await gateway.login()
    _, code, codes = await turned_on(gateway, session)
    state = await ask(gateway, "GET", "/api/users/me/second-factor", session)
    assert {"isOn": True, "recoveryCodesLeft": 10} == state.json()

    missing, wrong = await login(gateway), await login(gateway, password="not the password")
    assert (401, "Totp") == (missing.status_code, missing.headers["www-authenticate"])
    assert (401, None) == (wrong.status_code, wrong.headers.get("www-authenticate"))
    assert 401 == (await login(gateway, code=code)).status_code
    assert 200 == (await login(gateway, code=codes[0].upper())).status_code
    assert 401 == (await login(gateway, code=codes[0])).status_code
    assert 401 == (await login(gateway, code=codes[1], password="not the password")).status_code
    assert 200 == (await login(gateway, code=codes[1])).status_code
    environment = {"BUILD_DASHBOARD_URL": gateway.url, "BUILD_DASHBOARD_ADMIN_PASSWORD": PASSWORD}
    printed = await asyncio.to_thread(CliRunner().invoke, commands, ["users", "list"], env=environment)
    assert (1, True) == (printed.exit_code, "build-dashboard login" in printed.output)


async def test_it_is_set_up_by_whoever_knows_the_password_and_shows_a_code(gateway: Gateway) -> None:
    """An offer changes no log-in; one that is on is replaced by nobody; its secret stands in no store."""
    session = await gateway.login()
    path = "/api/users/me/second-factor"
    assert 403 == (await ask(gateway, "POST", path, session, {"password": "guessed it"})).status_code
    offered = (await ask(gateway, "POST", path, session, {"password": PASSWORD})).json()
    assert offered["address"].startswith(f"otpauth://totp/Build%20Dashboard:admin?secret={offered['secret']}")
    assert 200 == (await login(gateway)).status_code
    assert 403 == (await ask(gateway, "POST", f"{path}/confirm", session, {"code": "abcdef"})).status_code
    secret, code, codes = await turned_on(gateway, session)
    assert 409 == (await ask(gateway, "POST", path, session, {"password": PASSWORD})).status_code
    assert 403 == (await ask(gateway, "POST", f"{path}/confirm", session, {"code": code})).status_code
    stored = (await gateway.app.state.dependencies.store.find_user("admin")).model_dump_json()
    assert not [each for each in (secret, *codes) if each in stored or each.replace("-", "") in stored]


async def test_it_ends_by_its_person_or_by_an_admin(gateway: Gateway) -> None:
    """By password and code, or by an admin where both are lost; by no token, and by nobody else."""
    session = await gateway.login()
    *_, codes = await turned_on(gateway, session)
    token = (await ask(gateway, "POST", "/api/tokens", session, {"name": "x", "level": "admin"})).json()["value"]
    path = "/api/users/me/second-factor/end"
    body = {"password": PASSWORD, "code": codes[0]}
    assert 403 == (await ask(gateway, "POST", path, token, body)).status_code
    assert 403 == (await ask(gateway, "POST", path, session, {**body, "password": "guessed it"})).status_code
    assert 403 == (await ask(gateway, "POST", path, session, {**body, "code": "aaaa-bbbb-cccc-dddd"})).status_code
    assert 204 == (await ask(gateway, "POST", path, session, body)).status_code
    assert 200 == (await login(gateway)).status_code

    await turned_on(gateway, session)
    await ask(
        gateway, "POST", "/api/users", session, {"name": "ann", "role": "developer", "password": "nine other geese"}
    )
    other = await gateway.login("ann", "nine other geese")
    assert 403 == (await ask(gateway, "DELETE", "/api/users/admin/second-factor", other)).status_code
    assert 204 == (await ask(gateway, "DELETE", "/api/users/admin/second-factor", session)).status_code
    assert 404 == (await ask(gateway, "DELETE", "/api/users/nobody/second-factor", session)).status_code
    assert 200 == (await login(gateway)).status_code


async def test_the_way_back_in_ends_it(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    """`reset-admin` on the server lets `admin` in without the authenticator that is lost."""
    await turned_on(gateway, await gateway.login())
    url = gateway.app.state.dependencies.settings.store_url
    await asyncio.to_thread(reset_admin, url, from_stdin=False)
    assert 200 == (await login(gateway, password=capsys.readouterr().out.strip())).status_code


@pytest.fixture
async def store(tmp_path: Any) -> Any:
    opened = open_store(f"sqlite:///{tmp_path}/one.sqlite")
    await opened.open()
    yield opened
    await opened.close()


async def factor_of_ann(store: GatewayStore, secret: str = SECRET) -> tuple[SecondFactors, pyotp.TOTP, list[float]]:
    now = [AT]
    factors = SecondFactors(store, secret, lambda: now[0])
    await store.add_user(User(name="ann", role="admin", password_hash="h", created_at=1))
    totp = pyotp.TOTP((await factors.offer("ann")).secret)
    assert await factors.turn_on("ann", totp.at(AT - 2 * STEP_SECONDS)) is None
    assert await factors.turn_on("ann", totp.at(AT - STEP_SECONDS)) is not None
    return factors, totp, now


async def ann(store: GatewayStore) -> User:
    user = await store.find_user("ann")
    assert user is not None
    return user


async def test_a_code_is_good_once_around_its_time(store: GatewayStore) -> None:
    """One step early or late; never again, nor one of before a code that was shown, however many try at once."""
    factors, totp, now = await factor_of_ann(store)
    assert not await factors.check(await ann(store), totp.at(AT + 2 * STEP_SECONDS))
    assert not await factors.check(await ann(store), totp.at(AT - STEP_SECONDS))
    at_once = [factors.check(await ann(store), totp.at(AT + STEP_SECONDS)) for _ in range(5)]
    assert [False] * 4 + [True] == sorted(await asyncio.gather(*at_once))
    assert not await factors.check(await ann(store), totp.at(AT))
    now[0] += 2 * STEP_SECONDS
    assert await factors.check(await ann(store), f" {totp.at(now[0])[:3]} {totp.at(now[0])[3:]} ")
    with pytest.raises(SecondFactorMissing):
        await factors.check(await ann(store), None)


async def test_guessing_codes_ends_soon(store: GatewayStore) -> None:
    """After ten wrong ones each next one waits longer, wherever it comes from; a right one after the wait is taken."""
    factors, totp, now = await factor_of_ann(store)
    for _ in range(FREE_CODES):
        assert not await factors.check(await ann(store), "not-a-code-at-all")
    with pytest.raises(Exception, match="too many"):
        await factors.check(await ann(store), totp.at(now[0]))
    now[0] += LONGEST_SECONDS
    assert await factors.check(await ann(store), totp.at(now[0]))


async def test_replacing_the_signing_key_ends_no_second_factor(store: GatewayStore) -> None:
    """While the old key is still the second one; once it is gone, recovery codes remain."""
    _, totp, now = await factor_of_ann(store)
    rotated = SecondFactors(store, f"another-signing-key-{'9f3a' * 8}\n{SECRET}", lambda: now[0])
    assert await rotated.check(await ann(store), totp.at(now[0]))
    now[0] += STEP_SECONDS
    gone = SecondFactors(store, f"another-signing-key-{'9f3a' * 8}", lambda: now[0])
    assert not await gone.check(await ann(store), totp.at(now[0]))
