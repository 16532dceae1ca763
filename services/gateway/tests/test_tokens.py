"""Personal tokens: what they may, whose they are, and what ends them, on REST and on sockets."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import typer
from build_dashboard.cli import login_commands
from build_dashboard.cli.commands import app as commands
from build_gateway.restored import hold_back
from build_protocol.credentials import TOKEN_PREFIX, new_id, new_value
from build_testkit.gateway import BUILD, KEY, Gateway, closed_with, hello, log_in, receive, say
from typer.testing import CliRunner

GEESE = "nine other geese"
BOUNDS: list[dict[str, Any]] = [
    {"expiresInSeconds": 59},
    {"expiresInSeconds": 367 * 86_400},
    {"expiresInSeconds": None},
    {"level": "root"},
    {"name": ""},
    {"name": "a\nb"},
    {"projects": ["../x"]},
    {"user": "admin"},
]


async def ask(gateway: Gateway, method: str, path: str, token: str, body: Any = None) -> httpx.Response:
    async with gateway.http as client:
        return await client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})


async def create(gateway: Gateway, session: str, **fields: Any) -> dict[str, Any]:
    answer = await ask(gateway, "POST", "/api/tokens", session, {"name": "laptop", **fields})
    answer.raise_for_status()
    made: dict[str, Any] = answer.json()
    return made


async def person(gateway: Gateway, name: str = "ann", **fields: Any) -> str:
    await gateway.as_admin("POST", "/api/users", {"name": name, "role": "developer", "password": GEESE, **fields})
    return await gateway.login(name, GEESE)


async def test_a_token_is_its_person_as_far_as_its_level_goes(gateway: Gateway) -> None:
    """`read` reads, `write` changes, `admin` administrates; none makes another token or changes the password."""
    session = await gateway.login()
    levels = {level: (await create(gateway, session, level=level))["value"] for level in ("read", "write", "admin")}
    order = {"kind": "drain", "agent": "nobody"}

    answered = {
        level: [
            (await ask(gateway, "GET", "/api/auth/me", token)).status_code,
            (await ask(gateway, "GET", f"/api/builds/{BUILD}/logs", token)).status_code,
            (await ask(gateway, "POST", f"/api/builds/{BUILD}/remarks", token, {})).status_code,
            (await ask(gateway, "GET", "/api/users", token)).status_code,
            (await ask(gateway, "GET", "/api/tokens?user=*", token)).status_code,
            (await ask(gateway, "POST", "/api/commands", token, order)).status_code != 403,
            (await ask(gateway, "POST", "/api/tokens", token, {"name": "more"})).status_code,
            (await ask(gateway, "PUT", "/api/users/me/password", token, {})).status_code,
        ]
        for level, token in levels.items()
    }

    assert answered == {
        "read": [200, 200, 403, 403, 403, False, 403, 403],
        "write": [200, 200, 200, 403, 403, False, 403, 403],
        "admin": [200, 200, 200, 200, 200, True, 403, 403],
    }
    roles = [(await ask(gateway, "GET", "/api/auth/me", token)).json()["role"] for token in levels.values()]
    assert roles == ["viewer", "developer", "admin"]


async def test_a_token_may_no_more_than_its_person(gateway: Gateway) -> None:
    """Neither in level nor in projects; what the person loses later it loses, too."""
    session = await person(gateway, projects=["a", "b"])
    token = (await create(gateway, session, level="admin", projects=["b", "c"]))["value"]
    me = (await ask(gateway, "GET", "/api/auth/me", token)).json()
    assert ("ann", "developer", ["b"]) == (me["name"], me["role"], me["projects"])

    await gateway.as_admin("PATCH", "/api/users/ann", {"role": "viewer", "projects": ["a"]})

    me = (await ask(gateway, "GET", "/api/auth/me", token)).json()
    assert ("viewer", []) == (me["role"], me["projects"])


async def test_tokens_are_seen_and_revoked_by_their_person_and_by_admins(gateway: Gateway) -> None:
    """Nobody else learns that they exist; no key of agents is among them, and they are no keys."""
    session = await person(gateway)
    other = await person(gateway, "bob")
    made = await create(gateway, session)
    assert 404 == (await ask(gateway, "DELETE", f"/api/tokens/{made['id']}", other)).status_code
    assert 403 == (await ask(gateway, "GET", "/api/tokens?user=ann", other)).status_code
    assert [] == (await ask(gateway, "GET", "/api/tokens", other)).json()["items"]
    assert 404 == (await gateway.as_admin("DELETE", f"/api/keys/{made['id']}")).status_code
    assert ["default"] == [key["name"] for key in (await gateway.as_admin("GET", "/api/keys")).json()["items"]]
    default = (await gateway.as_admin("GET", "/api/keys")).json()["items"][0]["id"]
    assert 404 == (await gateway.as_admin("DELETE", f"/api/tokens/{default}")).status_code

    assert 200 == (await ask(gateway, "GET", "/api/auth/me", made["value"])).status_code
    (seen,) = (await gateway.as_admin("GET", "/api/tokens?user=ann")).json()["items"]
    assert ("laptop", "ann", True) == (seen["name"], seen["user"], seen["lastUsedAt"] >= seen["createdAt"])
    assert 204 == (await gateway.as_admin("DELETE", f"/api/tokens/{made['id']}")).status_code
    assert 401 == (await ask(gateway, "GET", "/api/auth/me", made["value"])).status_code


async def test_whoever_has_a_token_may_give_it_up(gateway: Gateway) -> None:
    """Of any level, without being anybody; a key of agents, an access token or a guess is not ended so."""
    session = await person(gateway)
    made = await create(gateway, session)
    async with gateway.http as client:
        for value in (KEY, session, "bmp_guess", made["value"]):
            assert 204 == (await client.post("/api/tokens/give-up", json={"value": value})).status_code
    assert 401 == (await ask(gateway, "GET", "/api/auth/me", made["value"])).status_code
    assert 200 == (await ask(gateway, "GET", "/api/auth/me", session)).status_code
    async with gateway.agent() as socket:
        await hello(socket)
    noted = [entry["action"] for entry in (await gateway.as_admin("GET", "/api/audit")).json()["items"]]
    assert noted.count("give up token") == 1


def command(environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(commands, list(arguments), env=environment)
    return result.exit_code, result.output.strip()


async def test_a_machine_is_logged_in_and_out(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`login` waits for its person's yes, the other commands then are that person, also without the address."""
    monkeypatch.setattr(login_commands, "LOOK_SECONDS", 0.01)
    session = await person(gateway)
    unset = dict.fromkeys(("BUILD_DASHBOARD_URL", "WS_ENDPOINT", "BUILD_DASHBOARD_ADMIN_PASSWORD"), "")
    environment = {**unset, "HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}
    shown: list[str] = []
    monkeypatch.setattr(typer, "echo", lambda text, err=False: shown.append(text))
    waiting = asyncio.create_task(asyncio.to_thread(command, environment, "login", gateway.url))
    async with asyncio.timeout(10):
        while not shown:  # noqa: ASYNC110  another thread prints it
            await asyncio.sleep(0.01)
    code, link = shown[0].split("code there is ")[1].split(":")[0], shown[0].split("\n\n")[1].strip()
    asked = dict(parse_qsl(link.partition("#")[2]))
    assert link.startswith(f"{gateway.url}/account/grant#")
    assert code == f"{asked['sha256'][:4]}-{asked['sha256'][4:8]}".upper()
    days = int(asked.pop("days"))
    granted = {**asked, "expiresInSeconds": days * 86_400}
    assert 201 == (await ask(gateway, "POST", "/api/tokens/grant", session, granted)).status_code
    assert (await waiting)[0] == 0
    monkeypatch.undo()

    path = tmp_path / ".config" / "build-dashboard" / "tokens.json"
    assert (0o600, 0o700) == (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777)
    status, printed = await asyncio.to_thread(command, environment, "tokens", "list")
    assert (0, True) == (status, printed.startswith(f"{asked['id']} ")), printed
    assert "write" in printed
    status, printed = await asyncio.to_thread(command, environment, "tokens", "add", "more")
    assert (1, True) == (status, "this needs a log-in" in printed)
    path.chmod(0o644)
    status, printed = await asyncio.to_thread(
        command, {**environment, "BUILD_DASHBOARD_URL": gateway.url}, "tokens", "list"
    )
    assert (1, True) == (status, "can be read by others" in printed)
    path.chmod(0o600)

    value = json.loads(path.read_text())["tokens"][gateway.url]
    status, printed = await asyncio.to_thread(command, environment, "logout")
    assert (0, f"logged out at {gateway.url}") == (status, printed)
    assert value not in path.read_text()
    assert 401 == (await ask(gateway, "GET", "/api/auth/me", value)).status_code
    status, printed = await asyncio.to_thread(
        command, {**environment, "BUILD_DASHBOARD_URL": gateway.url}, "tokens", "list"
    )
    assert (1, True) == (status, f"build-dashboard login {gateway.url}" in printed)
    status, printed = await asyncio.to_thread(
        command, {**environment, "BUILD_DASHBOARD_URL": gateway.url, "BUILD_DASHBOARD_TOKEN": value}, "tokens", "list"
    )
    assert (1, True) == (status, "expired or was revoked" in printed)


@pytest.mark.parametrize("end", ["revoke", "disable", "password", "own password", "expiry", "restore"])
async def test_what_ends_a_token_ends_its_sockets(gateway: Gateway, end: str) -> None:
    """Within 5 s, on REST and on a viewer's socket: its own end, its person's, another password, a restored backup."""
    session = await person(gateway)
    made = await create(gateway, session)
    parts = gateway.app.state.dependencies
    async with gateway.viewer() as socket, asyncio.timeout(8):
        ready = await log_in(gateway, socket, made["value"], projects=["a"], events=[])
        assert ready["user"] == "ann"
        if end == "revoke":
            await ask(gateway, "DELETE", f"/api/tokens/{made['id']}", session)
        elif end == "disable":
            await gateway.as_admin("PATCH", "/api/users/ann", {"disabled": True})
        elif end == "password":
            await gateway.as_admin("PATCH", "/api/users/ann", {"password": "ten entirely new geese"})
        elif end == "own password":
            body = {"oldPassword": GEESE, "password": "ten entirely new geese"}
            assert (await ask(gateway, "PUT", "/api/users/me/password", session, body)).status_code == 204
        elif end == "expiry":
            await parts.store.change_key(made["id"], lambda key: key.model_copy(update={"expires_at": 1}))
            await parts.directory.end_session("ann", made["id"])
        else:
            await hold_back(parts.store, confirmed=True)
            parts.directory.forget("ann")

        assert await closed_with(socket) == 4401
    assert 401 == (await ask(gateway, "GET", "/api/auth/me", made["value"])).status_code


async def test_a_change_of_role_leaves_the_token_and_closes_its_socket(gateway: Gateway) -> None:
    """The program shows it again, and gets the rights of now."""
    session = await person(gateway)
    made = await create(gateway, session)
    async with gateway.viewer() as socket:
        await log_in(gateway, socket, made["value"], projects=["a"], events=[])
        await gateway.as_admin("PATCH", "/api/users/ann", {"role": "viewer"})
        assert await closed_with(socket) == 4401
    async with gateway.viewer() as socket:
        await say(socket, type="AUTH", token=made["value"])
        await receive(socket, "READY", user="ann")


async def test_a_program_makes_its_own_token_and_its_person_grants_it(gateway: Gateway) -> None:
    """The value is never sent before it is good; nobody grants without a log-in, and nothing twice."""
    session, other = await person(gateway), await person(gateway, "bob")
    token_id = new_id()
    value = new_value(TOKEN_PREFIX, token_id)
    wanted = {"id": token_id, "sha256": hashlib.sha256(value.encode()).hexdigest(), "name": "laptop", "level": "write"}

    async def awaited() -> dict[str, Any]:
        async with gateway.http as client:
            state: dict[str, Any] = (await client.post("/api/tokens/awaited", json={"value": value})).json()
            return state

    assert {"isGranted": False} == {name: value for name, value in (await awaited()).items() if value is not None}
    assert 401 == (await ask(gateway, "POST", "/api/tokens/grant", value, wanted)).status_code
    assert 201 == (await ask(gateway, "POST", "/api/tokens/grant", session, wanted)).status_code
    assert {"isGranted": True, "user": "ann"} == await awaited()
    assert "ann" == (await ask(gateway, "GET", "/api/auth/me", value)).json()["name"]
    for who in (session, other):
        assert 409 == (await ask(gateway, "POST", "/api/tokens/grant", who, wanted)).status_code
    taken = {**wanted, "sha256": "0" * 64}
    assert 409 == (await ask(gateway, "POST", "/api/tokens/grant", other, taken)).status_code
    assert 403 == (await ask(gateway, "POST", "/api/tokens/grant", value, {**wanted, "id": new_id()})).status_code
    noted = {entry["action"] for entry in (await gateway.as_admin("GET", "/api/audit")).json()["items"]}
    assert "grant token" in noted


@pytest.mark.parametrize("fields", BOUNDS, ids=str)
async def test_a_token_without_bounds_is_refused(gateway: Gateway, fields: dict[str, Any]) -> None:
    """422: every token ends within a year, has a name of one line, and is its maker's."""
    answer = await ask(gateway, "POST", "/api/tokens", await gateway.login(), {"name": "x", **fields})
    assert answer.status_code == 422


async def test_a_personal_token_is_no_agent_and_no_key(gateway: Gateway) -> None:
    """On `/ws` as an agent it is 401, and a damaged one is nobody."""
    token = (await create(gateway, await gateway.login(), level="admin"))["value"]
    with pytest.raises(Exception, match="401"):
        async with gateway.agent(token):
            pass
    assert 401 == (await ask(gateway, "GET", "/api/builds", token[:-1])).status_code
    assert 401 == (await ask(gateway, "GET", "/api/builds", "bmp_x_y_z")).status_code
