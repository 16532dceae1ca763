"""Accounts and keys from outside: restarts bring nothing back, somebody can always let the others in."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from build_testkit.stack import Stack, embedded_stack, separate_stack

pytestmark = pytest.mark.slow

GEESE = "four geese on a bicycle"
SECONDS = 60


@pytest.fixture(scope="module", params=["embedded", pytest.param("separate", marks=pytest.mark.rabbitmq)])
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A system of one's own, whose gateways may be restarted."""
    directory = tmp_path_factory.mktemp(request.param)
    if request.param == "embedded":
        with embedded_stack(directory) as stack:
            yield stack
    else:
        with separate_stack(directory, request.getfixturevalue("rabbitmq").url, gateways=2) as stack:
            yield stack


def gateways(system: Stack) -> list[str]:
    """Their addresses."""
    doors = [process for name, process in system.processes.items() if name.startswith(("gateway", "embedded"))]
    return [f"http://127.0.0.1:{process.port}" for process in doors]


def restart(system: Stack) -> None:
    """All gateways, with the environment of the first start."""
    for name, process in system.processes.items():
        if name.startswith(("gateway", "embedded")):
            process.restart()


def ask(url: str, method: str, path: str, credential: str, body: Any = None) -> tuple[int, Any]:
    """Status and JSON of an answer."""
    headers = {"Authorization": f"Bearer {credential}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def log_in(url: str, name: str, password: str) -> str | None:
    """An access token; None where name or password is wrong."""
    status, answer = ask(url, "POST", "/api/auth/login", "", {"username": name, "password": password})
    return answer["accessToken"] if status == 200 else None


def reset_admin(system: Stack) -> str:
    """The new password, from the command that an operator of this system has."""
    if "embedded" in system.processes:
        command, environment = [sys.executable, "-m", "build_dashboard", "reset-admin"], dict(os.environ)
        command += ["--data", str(system.directory / "data")]
    else:
        command = [sys.executable, "-m", "build_gateway", "reset-admin"]
        environment = dict(system.processes["gateway"].environment)
    done = subprocess.run(
        command, env=environment, cwd=system.directory, capture_output=True, text=True, check=True, timeout=SECONDS
    )
    return done.stdout.strip()


def test_a_restart_takes_back_nothing(system: Stack) -> None:
    """The first key stays revoked and the first password replaced, though the environment still has them."""
    token, (key,) = system.token(), system.get("/api/keys")["items"]
    change = {"oldPassword": system.password, "password": GEESE}
    assert ask(system.url, "DELETE", f"/api/keys/{key['id']}", token)[0] == 204
    assert ask(system.url, "PUT", "/api/users/me/password", token, change)[0] == 204

    restart(system)

    for url in gateways(system):
        assert ask(url, "GET", "/api/builds", system.api_key)[0] == 401
        assert log_in(url, "admin", system.password) is None
        assert log_in(url, "admin", GEESE)
    log = b"".join(process.log.read_bytes() for process in system.processes.values()).decode()
    assert f"the value of key {key['id']} (default), which was revoked and stays so" in log
    assert "BUILD_DASHBOARD_ADMIN_PASSWORD is not the password of user admin" in log
    assert system.api_key not in log


def test_a_client_with_the_first_password_learns_what_to_do(system: Stack) -> None:
    """The client commands read the same variable, which is right until somebody changes the password."""
    environment = system.agent_environment | {"BUILD_DASHBOARD_ADMIN_PASSWORD": "the one of the first start"}
    asked = subprocess.run(
        [sys.executable, "-m", "build_dashboard", "users", "list"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )

    assert asked.returncode == 1
    assert "name or password is wrong for user admin at" in asked.stderr
    assert "reset-admin" in asked.stderr


def test_reset_admin_lets_an_operator_in_again(system: Stack) -> None:
    """While it runs, however the account was left, through every gateway."""
    old = log_in(system.url, "admin", reset_admin(system))
    assert old is not None
    ann = {"name": "ann", "role": "admin", "password": GEESE}
    assert ask(system.url, "POST", "/api/users", old, ann)[0] in {201, 409}
    by_ann = log_in(system.url, "ann", GEESE)
    assert by_ann is not None
    lost = {"disabled": True, "role": "viewer", "projects": ["torch-mlir"]}
    assert ask(system.url, "PATCH", "/api/users/admin", by_ann, lost)[0] == 200

    password = reset_admin(system)

    for url in gateways(system):
        token = log_in(url, "admin", password)
        assert token is not None
        status, me = ask(url, "GET", "/api/auth/me", token)
        assert (status, me["role"], me.get("projects")) == (200, "admin", None)
        assert ask(url, "GET", "/api/users", old)[0] == 401


def test_admins_who_disable_each_other_at_once_leave_one(system: Stack) -> None:
    """Each through another gateway, where there are two; who stays can undo it, and cannot go."""
    doors = [gateways(system)[0], gateways(system)[-1]]
    token = log_in(doors[0], "admin", reset_admin(system))
    assert token is not None
    for name in ("ann", "bob"):
        body = {"name": name, "role": "admin", "password": GEESE}
        assert ask(doors[0], "POST", "/api/users", token, body)[0] in {201, 409}
        assert ask(doors[0], "PATCH", f"/api/users/{name}", token, {"disabled": False})[0] == 200
    tokens = {name: log_in(door, name, GEESE) or "" for name, door in zip(("ann", "bob"), doors, strict=True)}
    assert ask(doors[0], "DELETE", "/api/users/admin", tokens["ann"])[0] == 204

    with ThreadPoolExecutor(2) as threads:
        by_ann = threads.submit(ask, doors[0], "PATCH", "/api/users/bob", tokens["ann"], {"disabled": True})
        by_bob = threads.submit(ask, doors[1], "PATCH", "/api/users/ann", tokens["bob"], {"disabled": True})
        statuses = {"ann": by_ann.result()[0], "bob": by_bob.result()[0]}

    assert [200] == [status for status in statuses.values() if status not in {401, 409}]
    stays = next(name for name, status in statuses.items() if status == 200)
    again = log_in(doors[0], stays, GEESE)
    assert again is not None
    status, problem = ask(doors[0], "PATCH", f"/api/users/{stays}", again, {"role": "viewer"})
    assert (status, problem["detail"]) == (
        409,
        f"{stays} is the last enabled admin with access to all projects: make another one first, then try again",
    )
