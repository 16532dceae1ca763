"""Groups and members of projects over REST and the command line: who decides who may do what."""

import asyncio
from typing import Any

import httpx
import pytest
from build_dashboard.cli.commands import app
from build_testkit.gateway import PASSWORD, Gateway
from typer.testing import CliRunner

GEESE = "four geese on a bicycle"


class People:
    """Who asks, each with their own token."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def add(self, name: str, **rights: Any) -> None:
        body = {"name": name, "password": GEESE, "projects": [], **rights}
        (await self.gateway.as_admin("POST", "/api/users", body)).raise_for_status()

    async def ask(self, name: str, method: str, path: str, body: Any = None) -> httpx.Response:
        token = await self.gateway.login(name, GEESE)
        async with self.gateway.http as client:
            return await client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})

    async def me(self, name: str) -> dict[str, Any]:
        me: dict[str, Any] = (await self.ask(name, "GET", "/api/auth/me")).json()
        return me


@pytest.fixture
def people(gateway: Gateway) -> People:
    return People(gateway)


async def test_a_group_gives_its_members_what_it_may(people: People) -> None:
    """Beside what they may anyway, as long as they are in it and it is there."""
    admin = people.gateway.as_admin
    await people.add("ann", roles={"iree": "viewer"})
    assert (await admin("PUT", "/api/groups/team/members/ann")).status_code == 404
    rights = {"role": "developer", "projects": ["torch-mlir"], "roles": {"iree": "maintainer"}}
    made = await admin("PUT", "/api/groups/team", rights)
    assert (made.status_code, made.json()["members"]) == (200, [])
    assert (await admin("PUT", "/api/groups/team/members/nobody")).status_code == 404
    assert (await admin("PUT", "/api/groups/team/members/ann")).status_code == 204

    assert {
        "name": "ann",
        "role": "developer",
        "projects": ["iree", "torch-mlir"],
        "roles": {"iree": "maintainer"},
    } == (await people.me("ann"))
    (group,) = (await admin("GET", "/api/groups")).json()["items"]
    assert (group["members"], group["projects"]) == (["ann"], ["torch-mlir"])

    assert (await admin("DELETE", "/api/groups/team/members/ann")).status_code == 204
    assert (await people.me("ann"))["projects"] == ["iree"]
    await admin("PUT", "/api/groups/team/members/ann")
    assert (await admin("DELETE", "/api/groups/team")).status_code == 204
    assert (await admin("DELETE", "/api/groups/team")).status_code == 404
    assert (await people.me("ann"))["projects"] == ["iree"]
    await admin("PUT", "/api/groups/team", rights)
    assert (await people.me("ann"))["projects"] == ["iree"], "a new group of that name has nobody in it"


async def test_an_admin_by_a_group_is_one(people: People) -> None:
    """Beside the admin that always stays."""
    await people.add("ann")
    await people.gateway.as_admin("PUT", "/api/groups/admins", {"role": "admin"})
    assert (await people.ask("ann", "GET", "/api/users")).status_code == 403
    await people.gateway.as_admin("PUT", "/api/groups/admins/members/ann")

    assert (await people.ask("ann", "GET", "/api/users")).status_code == 200


async def test_maintainers_decide_who_may_do_what_in_their_project(people: People) -> None:
    """They give and take roles there, up to their own; not what is by a group or for all projects, and nowhere else."""
    await people.add("mia", roles={"iree": "maintainer", "llvm": "developer"})
    await people.add("bob", role="developer", projects=["iree", "llvm"])
    await people.add("eve", role="viewer", projects=None)
    await people.add("zoe")

    async def give(name: str, role: str, project: str = "iree") -> int:
        path = f"/api/projects/{project}/members/{name}"
        return (await people.ask("mia", "PUT", path, {"role": role})).status_code

    assert (await give("zoe", "developer"), await give("bob", "viewer")) == (204, 204)
    assert (await give("zoe", "admin"), await give("nobody", "viewer")) == (422, 404)
    assert (await give("zoe", "viewer", "llvm"), await give("zoe", "viewer", "mine")) == (403, 404)
    listed = (await people.ask("mia", "GET", "/api/projects/iree/members")).json()["items"]
    assert [
        ("admin", "admin", False),
        ("bob", "viewer", True),
        ("eve", "viewer", False),
        ("mia", "maintainer", True),
    ] == [(each["name"], each["role"], each["isOwn"]) for each in listed[:4]]
    assert (await people.me("bob")).items() >= {"projects": ["iree", "llvm"], "roles": {"llvm": "developer"}}.items()

    for name, status in (("bob", 204), ("zoe", 204), ("eve", 409), ("admin", 409), ("nobody", 404)):
        assert (await people.ask("mia", "DELETE", f"/api/projects/iree/members/{name}")).status_code == status, name
    assert (await people.me("bob"))["projects"] == ["llvm"]
    assert (await people.ask("bob", "GET", "/api/projects/iree/members")).status_code == 404
    assert (await people.ask("bob", "GET", "/api/projects/llvm/members")).status_code == 403


async def test_nobody_is_logged_out_by_a_maintainer(people: People) -> None:
    """A role in one project ends what was given with other rights, not the log-in: no way to keep others out."""
    await people.add("mia", roles={"iree": "maintainer"})
    token = await people.gateway.login()
    async with people.gateway.http as client:
        await people.ask("mia", "PUT", "/api/projects/iree/members/admin", {"role": "viewer"})
        headers = {"Authorization": f"Bearer {token}"}
        assert (await client.get("/api/users", headers=headers)).status_code == 200


async def test_the_command_line_manages_groups_and_roles(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it puts is listed, and in force; what it takes is gone."""
    monkeypatch.setenv("BUILD_DASHBOARD_URL", people.gateway.url)
    monkeypatch.setenv("BUILD_DASHBOARD_ADMIN_PASSWORD", PASSWORD)
    await people.add("ann")

    async def run(*words: str) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, app, words)
        assert result.exit_code == 0, result.output
        return result.output

    await run("groups", "put", "team", "--role", "developer", "--project", "iree", "--grant", "llvm=maintainer")
    await run("groups", "join", "team", "ann")
    listed = await run("groups", "list")
    await run("users", "grant", "ann", "torch-mlir", "viewer")
    joined = await people.me("ann")
    for words in (
        ("groups", "leave", "team", "ann"),
        ("users", "take", "ann", "torch-mlir"),
        ("groups", "remove", "team"),
    ):
        await run(*words)

    assert listed.split() == ["team", "developer", "iree", "llvm=maintainer:", "ann"]
    assert joined["projects"] == ["iree", "llvm", "torch-mlir"]
    assert (await people.me("ann"))["projects"] == []
    assert not await run("groups", "list")
