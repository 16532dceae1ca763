"""People without a login: public projects by config.yaml, live as well, each address so often."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from build_gateway.public_view import HIDDEN_ADDRESS, is_open, without_private
from build_testkit.gateway import BUILD, OTHER_BUILD, Gateway, closed_with, receive, say

StartGateway = Callable[..., Awaitable[Gateway]]
PUBLIC = {"projects": {"torch-mlir": {"public": True}, "iree": {}}}


@pytest.fixture
def open_to_all(tmp_path: Path) -> Path:
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(PUBLIC))
    return config


def test_what_is_private_is_left_out_wherever_it_stands() -> None:
    """Lists and objects stay what they are; addresses are hidden in every text but what a build printed."""
    row = {
        "id": 1,
        "agent": "box-7",
        "command": ["ninja", "--key=x"],
        "environment": {"CC": "clang"},
        "commits": [
            {"author": "Ada <ada@x.example>", "authorEmail": "ada@x.example", "subject": "Thank bob@y.example"}
        ],
        "lines": ["mail ada@x.example"],
        "repository": "git@github.com:llvm/torch-mlir",
    }

    assert without_private(row) == {
        "id": 1,
        "command": [],
        "environment": {},
        "commits": [{"author": f"Ada <{HIDDEN_ADDRESS}>", "subject": f"Thank {HIDDEN_ADDRESS}"}],
        "lines": ["mail ada@x.example"],
        "repository": "git@github.com:llvm/torch-mlir",
    }


@pytest.mark.parametrize(
    "asked",
    [
        ("POST", "builds", ()),
        ("GET", "builds/x/records", ()),
        ("GET", "builds/failures/feedback", ()),
        ("GET", "builds/x/failures/feedback", ()),
        ("GET", "notifications", ()),
        ("GET", "artifacts/x/download", ()),
        ("GET", "builds", ("project", "agent")),
        ("GET", "builds", ("q",)),
        ("GET", "anything-new", ()),
    ],
    ids=str,
)
def test_what_is_not_named_is_closed(asked: tuple[str, str, tuple[str, ...]]) -> None:
    """Visitors have a list of routes; whatever is not on it needs a login."""
    method, path, query = asked

    assert not is_open(method, path.split("/"), query)
    assert is_open("GET", ["builds", "x", "logs"], ("first",))


async def test_nothing_is_public_unless_that_is_set(gateway: Gateway) -> None:
    """Without the setting every request needs a login, and a socket without a token is closed."""
    async with gateway.http as client:
        assert (await client.get("/api/auth/options")).json()["isPublic"] is False
        for path in ("/api/projects", "/api/auth/me", "/api/builds", "/api/projects/torch-mlir/badge.svg"):
            assert (await client.get(path)).status_code == 401, path
    async with gateway.viewer() as socket:
        await say(socket, type="AUTH", token="")
        assert await closed_with(socket) == 4401


async def test_a_wrong_token_is_no_visit(gateway: Gateway, open_to_all: Path) -> None:
    """Who sends one that has ended learns that it has, instead of seeing less."""
    async with gateway.http as client:
        for token in ("x", "a.b.c"):
            for path in ("/api/projects", "/api/builds", "/api/auth/me"):
                answer = await client.get(path, headers={"Authorization": f"Bearer {token}"})
                assert answer.status_code == 401, path


async def test_each_address_asks_so_often(start_gateway: StartGateway, open_to_all: Path) -> None:
    """Beyond that 429 with Retry-After, for visitors only."""
    gateway = await start_gateway(visitor_requests_per_second=2)
    token = await gateway.login()
    async with gateway.http as client:
        answers = [await client.get("/api/projects") for _ in range(12)]
        person = await client.get("/api/projects", headers={"Authorization": f"Bearer {token}"})

    refused = [answer for answer in answers if answer.status_code == 429]
    assert answers[0].status_code == 200
    assert refused
    assert refused[0].headers["Retry-After"] == "1"
    assert person.status_code == 200


async def test_visitors_see_public_builds_live(gateway: Gateway, open_to_all: Path) -> None:
    """Rows without what is private and lines, of public projects only; no longer public, and the socket closes."""

    async def announce(**row: Any) -> None:
        await gateway.announce_build(1, project="iree", id=OTHER_BUILD)
        await gateway.announce_log(1, "secret", project="iree", build_id=OTHER_BUILD)
        await gateway.announce_build(1, agent="box-7", command=["ninja", "--key"], host={"name": "box-7"}, **row)
        await gateway.announce_log(1, "shown")

    async with gateway.viewer() as socket:
        await say(socket, type="AUTH", token="")
        await receive(socket, "READY")
        await say(socket, type="SUBSCRIBE", projects=["*"], events=["*"], buildIds=[BUILD, OTHER_BUILD])
        await receive(socket, "SUBSCRIBED")
        await announce()
        frames = [json.loads(await socket.recv()) for _ in range(2)]
        await say(socket, type="PING")
        await receive(socket, "PONG")

        assert {frame["type"] for frame in frames} == {"BUILD", "LOG"}
        (row,) = [frame["build"] for frame in frames if frame["type"] == "BUILD"]
        assert row["project"] == "torch-mlir"
        assert "box-7" not in json.dumps(row)
        assert row["command"] == []

        await asyncio.to_thread(open_to_all.write_text, json.dumps({"projects": {"torch-mlir": {}}}))
        assert await closed_with(socket) == 4401
