"""Builds and agents of others: what a gateway reveals of them, and what it publishes in their name."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from build_gateway.agents.owners import BuildOwners
from build_gateway.ingest_view import IngestView
from build_testkit.gateway import BUILD, OTHER_BUILD, Gateway, closed_with, hello, receive, record, say
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

OWN_BUILD = "01890000-0000-7000-8000-000000000003"
GEESE = "four geese on a bicycle"


async def make_key(gateway: Gateway, name: str, **more: Any) -> str:
    made = await gateway.as_admin("POST", "/api/keys", {"name": name, **more})
    return str(made.json()["value"])


async def frames_until(socket: ClientConnection, kind: str) -> list[dict[str, Any]]:
    """All frames up to the first of this type."""
    frames: list[dict[str, Any]] = []
    while not frames or frames[-1]["type"] != kind:
        frames.append(json.loads(await socket.recv()))
    return frames


def held(build_id: str) -> dict[str, Any]:
    """What HELLO says of a build in the spool."""
    return {"buildId": build_id, "project": "torch-mlir", "firstUnacked": 1, "lastSpooled": 9}


async def listed(gateway: Gateway, token: str | None = None) -> list[dict[str, Any]]:
    """The agents, as the admin or the bearer of this token sees them."""
    await gateway.app.state.dependencies.roster.write_changes()
    token = token or await gateway.login()
    async with gateway.http as client:
        answer = await client.get("/api/agents", headers={"Authorization": f"Bearer {token}"})
    return list(answer.json()["items"])


@pytest.mark.parametrize("is_known", [True, False], ids=["ingest knows the owner", "ingest says it later"])
async def test_naming_anothers_build_reveals_and_publishes_nothing(gateway: Gateway, is_known: bool) -> None:
    """HELLO with a foreign build: no `stored`, no ACK, no heartbeat of it, and the agent is not shown with it."""
    owner = {"stored": 9, "agent": "default", "project": "torch-mlir"}
    gateway.ingest.builds = {BUILD: owner} if is_known else {}
    thief_key = await make_key(gateway, "thief")
    async with gateway.agent(thief_key) as thief:
        assert (await hello(thief, builds=[held(BUILD)]))["stored"] == {}
        await say(thief, type="RECORDS", records=[record(1, "BUILD_START", build_id=OWN_BUILD)])
        await receive(thief, "ACK", buildId=OWN_BUILD, confirmed=1)
        await say(thief, type="HEARTBEAT", builds=[BUILD, OWN_BUILD])
        await gateway.announce_stored(9)
        await gateway.announce_stored(10, verified=True)
        await gateway.announce_stored(1, OWN_BUILD, agent="thief")
        frames = await frames_until(thief, "ACK")
        builds = [agent["builds"] for agent in await listed(gateway)]

    assert [(frame["type"], frame["buildId"]) for frame in frames if frame["type"] != "REFUSED"] == [("ACK", OWN_BUILD)]
    published = await gateway.published(2)
    assert {OWN_BUILD} == {delivery.headers["build_id"] for delivery in published}
    assert builds == [[OWN_BUILD]]


async def test_a_build_is_its_owners_whoever_named_it_first(gateway: Gateway) -> None:
    """While ingest is away an intruder comes first: the owner is put off, not refused; then it is served."""
    gateway.ingest.is_away = True
    intruder_key = await make_key(gateway, "intruder")
    async with gateway.agent(intruder_key) as intruder:
        await hello(intruder)
        await say(intruder, type="RECORDS", records=[record(1, "BUILD_START"), record(2)])
        await receive(intruder, "ACK", confirmed=2)
        async with gateway.agent() as early:
            await hello(early, builds=[held(BUILD)])
            await say(early, type="RECORDS", records=[record(1, "BUILD_START")])
            assert await closed_with(early) == 1013

        gateway.ingest.is_away = False
        gateway.ingest.builds[BUILD] = {"stored": 1, "agent": "default", "project": "torch-mlir"}
        async with gateway.agent() as owner:
            assert (await hello(owner, builds=[held(BUILD)]))["stored"] == {BUILD: 1}
            await say(owner, type="RECORDS", records=[record(2)])
            await receive(owner, "ACK", confirmed=2)
        await gateway.announce_stored(2)
        assert (await receive(intruder, "REFUSED"))["code"] == "build_not_yours"
        await say(intruder, type="RECORDS", records=[record(3)])
        await say(intruder, type="HEARTBEAT", builds=[BUILD])
        await say(intruder, type="RECORDS", records=[record(1, "BUILD_START", build_id=OTHER_BUILD)])
        await receive(intruder, "ACK", buildId=OTHER_BUILD)

    agents = [(delivery.headers["build_id"], delivery.headers["agent"]) for delivery in await gateway.published(4)]
    assert sorted(agents) == [(BUILD, "default"), (BUILD, "intruder"), (BUILD, "intruder"), (OTHER_BUILD, "intruder")]


async def test_a_postponed_session_publishes_nothing(gateway: Gateway) -> None:
    """Also of its other builds in the same frame: it sends all of it again."""
    gateway.ingest.is_away = True
    key = await make_key(gateway, "second")
    async with gateway.agent() as first, gateway.agent(key) as second:
        await hello(first)
        await say(first, type="RECORDS", records=[record(1, "BUILD_START")])
        await receive(first, "ACK", confirmed=1)
        await hello(second)
        records = [record(1, "BUILD_START", build_id=OTHER_BUILD), record(2)]
        await say(second, type="RECORDS", records=records)
        with pytest.raises(ConnectionClosed):
            await receive(second, "ACK")

    assert [delivery.headers["agent"] for delivery in await gateway.published(1)] == ["default"]


def names(agents: Iterable[dict[str, Any]]) -> dict[str, tuple[list[str], list[str]]]:
    return {agent["name"]: (agent["builds"], agent["serves"]) for agent in agents}


async def test_an_agent_is_shown_to_those_who_may_see_one_of_its_projects(gateway: Gateway) -> None:
    """With its builds and projects of theirs only; to everybody else there is no such agent, name and host included."""
    tokens = {}
    for name, projects in (("all", None), ("torch", ["torch-mlir"]), ("iree", ["iree"]), ("none", [])):
        await gateway.as_admin("POST", "/api/users", {"name": name, "password": GEESE, "projects": projects})
        tokens[name] = await gateway.login(name, GEESE)
    key = await make_key(gateway, "wide")
    async with gateway.agent() as torch, gateway.agent(key) as wide:
        await hello(torch, host="torch-host", serves=["torch-mlir"])
        await hello(wide, host="wide-host", serves=["iree", "secret"])
        records = [record(1, "BUILD_START"), record(1, "BUILD_START", build_id=OTHER_BUILD, project="iree")]
        await say(wide, type="RECORDS", records=records)
        await say(wide, type="HEARTBEAT", builds=[BUILD, OTHER_BUILD])
        await gateway.published(4)
        seen = {name: await listed(gateway, token) for name, token in tokens.items()}
        await say(wide, type="HEARTBEAT", builds=[])
        await say(wide, type="LAST_GREEN_QUERY", buildId=BUILD, project="iree")
        await receive(wide, "LAST_GREEN")
        idle = names(await listed(gateway, tokens["torch"]))

    assert names(seen["all"]) == {
        "default": ([], ["torch-mlir"]),
        "wide": ([BUILD, OTHER_BUILD], ["iree", "secret"]),
    }
    assert names(seen["torch"]) == {"default": ([], ["torch-mlir"]), "wide": ([BUILD], [])}
    assert names(seen["iree"]) == {"wide": ([OTHER_BUILD], ["iree"])}
    assert "torch-host" not in json.dumps(seen["iree"])
    assert seen["none"] == []
    assert idle == {"default": ([], ["torch-mlir"]), "wide": ([], [])}


def test_an_untrusted_builds_room_outlives_its_connections() -> None:
    """What it may send is counted over all connections, and what is sent again is counted once."""
    owners = BuildOwners(IngestView(None))
    owners.limit("b", 10)
    first = owners.room("b")
    assert first is not None
    assert first.take(1, 6)

    owners.limit("b", 10)
    again = owners.room("b")
    assert again is not None
    assert (again.take(1, 6), again.take(2, 4), again.take(3, 1)) == (True, True, False)
    assert owners.room("trusted") is None
