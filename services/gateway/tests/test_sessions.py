"""What ends a person's session ends its tokens and sockets, on every gateway, within five seconds."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from build_chassis.bus.embedded import EmbeddedBus
from build_testkit.gateway import Gateway, closed_with, receive, say
from httpx import AsyncClient

StartGateway = Callable[..., Awaitable[Gateway]]
GEESE = "four geese on a bicycle"


class Session:
    """One person's log-in, with a socket at another gateway."""

    def __init__(self, name: str, here: AsyncClient, there: Gateway, admin: Gateway) -> None:
        self.name = name
        self.here = here
        self.there = there
        self.admin = admin
        self.token = ""
        self.config = Path()

    async def begin(self, stack: AsyncExitStack) -> None:
        """Log in, and open the socket."""
        answer = await self.here.post("/api/auth/login", json={"username": self.name, "password": GEESE})
        self.token = answer.json()["accessToken"]
        self.socket = await stack.enter_async_context(self.there.viewer())
        await say(self.socket, type="AUTH", token=self.token)
        await receive(self.socket, "READY")
        assert await self.status() == 200

    async def status(self) -> int:
        """What the access token is answered at the other gateway."""
        async with self.there.http as client:
            answer = await client.get("/api/auth/me", headers={"Authorization": f"Bearer {self.token}"})
        return answer.status_code

    async def ask(self, method: str, path: str, body: Any = None) -> None:
        """An admin's request."""
        (await self.admin.as_admin(method, path, body)).raise_for_status()

    async def change(self, method: str = "PATCH", **body: Any) -> None:
        """An admin's change of the person."""
        (await self.admin.as_admin(method, f"/api/users/{self.name}", body or None)).raise_for_status()

    async def change_own_password(self) -> None:
        """By the person."""
        answer = await self.here.put(
            "/api/users/me/password",
            json={"oldPassword": GEESE, "password": "nine other geese"},
            headers={"Authorization": f"Bearer {self.token}"},
        )
        assert answer.status_code == 204

    async def log_out(self) -> None:
        """As the page does, by the cookie."""
        assert (await self.here.post("/api/auth/logout")).status_code == 204

    async def log_out_by_token(self) -> None:
        """As a client without cookies does."""
        async with self.admin.http as client:
            await client.post("/api/auth/logout", headers={"Authorization": f"Bearer {self.token}"})

    async def ended(self) -> None:
        """Return once socket, access token and cookie are refused."""
        assert await closed_with(self.socket) == 4401
        assert await self.status() == 401
        assert (await self.here.post("/api/auth/refresh")).status_code == 401


ENDS: dict[str, Callable[[Session], Awaitable[None]]] = {
    "log-out": Session.log_out,
    "log-out-by-token": Session.log_out_by_token,
    "deleted": lambda session: session.change("DELETE"),
    "disabled": lambda session: session.change(disabled=True),
    "role": lambda session: session.change(role="developer"),
    "project-removed": lambda session: session.change(projects=["iree"]),
    "password-set": lambda session: session.change(password="nine other geese"),
    "own-password": Session.change_own_password,
}


async def start_sessions(names: list[str], here: Gateway, there: Gateway, stack: AsyncExitStack) -> list[Session]:
    sessions = []
    for name in names:
        body = {"name": name, "password": GEESE, "projects": ["iree", "torch-mlir"]}
        await here.as_admin("POST", "/api/users", body)
        sessions.append(Session(name, await stack.enter_async_context(here.http), there, here))
    await asyncio.gather(*(session.begin(stack) for session in sessions))
    return sessions


async def two_gateways(
    start_gateway: StartGateway, directory: Path, stack: AsyncExitStack, *, is_announced: bool
) -> tuple[Gateway, Gateway]:
    """Two of one store; on one bus, or where what one announces does not reach the other."""
    options = {}
    if not is_announced:
        options["bus"] = EmbeddedBus(directory / "elsewhere.sqlite")
        await options["bus"].open()
        stack.push_async_callback(options["bus"].close)
    return await start_gateway(), await start_gateway(**options)


announced_or_not = pytest.mark.parametrize(
    "is_announced", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["announced", "announcement lost"]
)


@announced_or_not
async def test_what_ends_a_session_ends_it_everywhere(
    start_gateway: StartGateway, tmp_path: Path, is_announced: bool
) -> None:
    """Access token, refresh cookie and open socket, also at a gateway that the announcement does not reach."""
    async with AsyncExitStack() as stack:
        here, there = await two_gateways(start_gateway, tmp_path, stack, is_announced=is_announced)
        sessions = await start_sessions([*ENDS, "bystander"], here, there, stack)

        await asyncio.gather(*(ENDS[session.name](session) for session in sessions[:-1]))
        async with asyncio.timeout(5):
            await asyncio.gather(*(session.ended() for session in sessions[:-1]))

        assert await sessions[-1].status() == 200


def in_config(session: Session) -> Awaitable[None]:
    async def write() -> None:
        text = "projects: {iree: {groups: {of-config: developer}}}"
        await asyncio.to_thread(session.config.write_text, text)

    return write()


RIGHTS: dict[str, Callable[[Session], Awaitable[object]]] = {
    "group-changed": lambda session: session.ask("PUT", "/api/groups/of-group-changed", {"projects": ["iree"]}),
    "group-deleted": lambda session: session.ask("DELETE", "/api/groups/of-group-deleted"),
    "joined": lambda session: session.ask("PUT", "/api/groups/joined-by/members/joined"),
    "left": lambda session: session.ask("DELETE", "/api/groups/of-left/members/left"),
    "role-in-project": lambda session: session.ask(
        "PUT", "/api/projects/iree/members/role-in-project", {"role": "maintainer"}
    ),
    "out-of-project": lambda session: session.ask("DELETE", "/api/projects/iree/members/out-of-project"),
    "config": in_config,
}


@announced_or_not
async def test_other_rights_end_tokens_and_sockets_and_not_the_log_in(
    start_gateway: StartGateway, tmp_path: Path, is_announced: bool
) -> None:
    """By a group, by the project's maintainers, by config.yaml: everywhere within 5 s; the cookie gives new ones."""
    async with AsyncExitStack() as stack:
        here, there = await two_gateways(start_gateway, tmp_path, stack, is_announced=is_announced)
        names = [*RIGHTS, "bystander"]
        for name in names:
            (await here.as_admin("POST", "/api/users", {"name": name, "password": GEESE, "projects": ["iree"]}))
            for group, role in ((f"of-{name}", "developer"), (f"{name}-by", "maintainer")):
                wanted = {"role": role, "projects": ["torch-mlir"]}
                (await here.as_admin("PUT", f"/api/groups/{group}", wanted)).raise_for_status()
            (await here.as_admin("PUT", f"/api/groups/of-{name}/members/{name}")).raise_for_status()
        sessions = [Session(name, await stack.enter_async_context(here.http), there, here) for name in names]
        for session in sessions:
            session.config = tmp_path / "config.yaml"
            await session.begin(stack)

        await asyncio.gather(*(RIGHTS[session.name](session) for session in sessions[:-1]))
        async with asyncio.timeout(5):
            for session in sessions[:-1]:
                assert await closed_with(session.socket) == 4401, session.name
                assert await session.status() == 401, session.name

        assert await sessions[-1].status() == 200
        for session in sessions[:-1]:
            answer = await session.here.post("/api/auth/refresh")
            session.token = answer.json()["accessToken"]
            assert await session.status() == 200, session.name


async def test_a_log_out_leaves_the_other_log_ins_alone(gateway: Gateway) -> None:
    """Another browser of the same person stays signed in, its socket open."""
    async with AsyncExitStack() as stack:
        (one,) = await start_sessions(["ann"], gateway, gateway, stack)
        other = Session("ann", await stack.enter_async_context(gateway.http), gateway, gateway)
        await other.begin(stack)

        await one.log_out()
        await one.ended()

        assert await other.status() == 200
        await say(other.socket, type="PING")
        await receive(other.socket, "PONG")
        assert (await other.here.post("/api/auth/refresh")).status_code == 200
