"""Agents over a real socket: a record from HELLO to `stored`."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from build_protocol.ids import shard_of
from build_testkit.gateway import BUILD, KEY, OTHER_BUILD, Gateway, closed_with, hello, receive, record, say


async def test_records_are_published_confirmed_and_acknowledged_when_stored(gateway: Gateway) -> None:
    """A record reaches its shard with the key's name as trusted agent; `stored` follows ingest's report."""
    async with gateway.agent() as socket:
        welcome = await hello(socket)
        await say(socket, type="RECORDS", records=[record(1, "BUILD_START"), record(2), record(3)])
        await receive(socket, "ACK", buildId=BUILD, confirmed=3, stored=0)
        await gateway.announce_stored(3)
        await receive(socket, "ACK", buildId=BUILD, confirmed=3, stored=3)

    assert welcome["agent"] == "default"
    assert welcome["stored"] == {}
    deliveries = await gateway.published(3)
    assert [json.loads(delivery.body)["seq"] for delivery in deliveries] == [1, 2, 3]
    assert f"{shard_of(BUILD)}.BUILD_START.torch-mlir" == deliveries[0].routing_key
    key_id = deliveries[0].headers["key_id"]
    headers = dict(deliveries[0].headers)
    assert abs(int(headers.pop("received_at")) - time.time() * 1000) < 60_000
    assert abs(int(headers.pop("key_created_at")) - time.time() * 1000) < 60_000
    assert {"agent": "default", "build_id": BUILD, "seq": "1", "key_id": key_id} == headers


async def test_the_receipt_is_stamped_beside_the_bytes(gateway: Gateway) -> None:
    """Each record carries when it came, BUILD_START also its agent's clocks and its key's age; bodies stay."""
    clock = {"wallAt": 7, "bootId": "boot-1", "uptimeMs": 5000}
    anchor = {"serverAt": 9, "bootId": "boot-0", "uptimeMs": 1}
    start = record(1, "BUILD_START", data={"status": "running", "clock": {"wallAt": 1}})

    async with gateway.agent() as socket:
        await hello(socket, clock=clock)
        before = int(time.time() * 1000)
        await say(socket, type="RECORDS", records=[start, record(2)], clock=clock, anchor=anchor)
        await receive(socket, "ACK", confirmed=2)

    first, second = await gateway.published(2)
    assert before <= int(first.headers["received_at"]) <= time.time() * 1000
    assert first.headers["received_at"] == second.headers["received_at"]
    assert [clock, anchor] == [json.loads(first.headers[name]) for name in ("clock", "anchor")]
    assert start == json.loads(first.body)
    assert int(first.headers["key_created_at"]) <= before
    assert not {"clock", "anchor", "key_created_at"} & second.headers.keys()


async def test_an_agents_skew_is_shown(gateway: Gateway) -> None:
    """An agent's clock skew is listed; an agent that sent no clock has none."""
    async with gateway.agent() as ahead, gateway.agent() as silent:
        await hello(ahead, "i1", clock={"wallAt": int(time.time() * 1000) + 3_600_000})
        await hello(silent, "i2")
        await gateway.app.state.dependencies.roster.write_changes()
        agents = (await gateway.as_admin("GET", "/api/agents")).json()["items"]

    skews = {agent["instance"]: agent.get("clockSkewMs") for agent in agents}
    assert abs(skews["i1"] - 3_600_000) < 60_000
    assert skews["i2"] is None


async def test_welcome_names_what_is_stored_and_last_green(gateway: Gateway) -> None:
    """An agent that reconnects learns which records it may delete, and the last green commits."""
    gateway.ingest.builds[BUILD] = {"stored": 41, "agent": "default", "project": "torch-mlir"}
    gateway.history.greens["asan"] = "abcdef1"
    held = {"buildId": BUILD, "project": "torch-mlir", "config": "asan", "firstUnacked": 7, "lastSpooled": 50}

    async with gateway.agent() as socket:
        welcome = await hello(socket, builds=[held])

    assert welcome["stored"] == {BUILD: 41}
    assert welcome["lastGreen"] == [{"project": "torch-mlir", "config": "asan", "commit": "abcdef1"}]


async def test_last_green_is_answered_when_the_agent_knows_its_branch(gateway: Gateway) -> None:
    """A build begun after HELLO asks for its config's last green commit; the answer names none where none is known."""
    gateway.history.greens["asan"] = "abcdef1"

    async with gateway.agent() as socket:
        await hello(socket)
        await say(socket, type="LAST_GREEN_QUERY", buildId=BUILD, project="torch-mlir", branch="main", config="asan")
        assert "abcdef1" == (await receive(socket, "LAST_GREEN", buildId=BUILD))["commit"]
        await say(socket, type="LAST_GREEN_QUERY", buildId=BUILD, project="torch-mlir", branch="main", config="debug")
        assert "commit" not in await receive(socket, "LAST_GREEN", buildId=BUILD)


async def test_a_mirror_learns_how_much_of_a_build_is_stored(gateway: Gateway) -> None:
    """By STORED_QUERY: its own builds with records, lines and bytes, another's as foreign, unknown ones not at all."""
    own = {"stored": 41, "agent": "default", "project": "torch-mlir", "log_lines": 7, "log_bytes": 90, "complete": True}
    others, elsewhere = OTHER_BUILD, OTHER_BUILD[:-1] + "9"
    gateway.ingest.builds[BUILD] = own
    gateway.ingest.builds[others] = {"stored": 3, "agent": "somebody", "project": "torch-mlir"}
    gateway.ingest.builds[elsewhere] = {"stored": 3, "agent": "default", "project": "iree"}
    asked = [{"buildId": each, "project": "torch-mlir"} for each in (BUILD, others, elsewhere, OTHER_BUILD[:-1] + "8")]

    async with gateway.agent() as socket:
        await hello(socket)
        await say(socket, type="STORED_QUERY", query="q1", builds=asked)
        answer = await receive(socket, "STORED_BUILDS")
        gateway.ingest.is_away = True
        await say(socket, type="STORED_QUERY", query="q2", builds=asked)
        unknown = await receive(socket, "STORED_BUILDS")

    assert "q1" == answer["query"]
    extent = answer["builds"][BUILD]
    assert (41, 7, 90, True) == tuple(extent[name] for name in ("stored", "logLines", "logBytes", "complete"))
    assert {BUILD, others, elsewhere} == set(answer["builds"])
    assert [True, True] == [answer["builds"][each]["isForeign"] for each in (others, elsewhere)]
    assert "builds" not in unknown, "a mirror waits rather than send everything again"


async def test_the_health_of_a_mirrored_ci_is_shown_to_those_of_its_projects(gateway: Gateway) -> None:
    """As HEARTBEAT has it, without the names of projects that the person may not see."""
    eve = {"name": "eve", "password": "four geese on a bicycle", "role": "viewer", "projects": ["iree"]}
    ada = {"name": "ada", "password": "four geese on a bicycle", "role": "viewer", "projects": ["llvm"]}
    for person in (eve, ada):
        await gateway.as_admin("POST", "/api/users", person)
    health = {"name": "lab", "kind": "buildbot", "projects": ["iree", "torch-mlir"], "lagMs": 900, "openBuilds": 3}
    roster = gateway.app.state.dependencies.roster

    async with gateway.agent() as socket:
        await hello(socket)
        await say(socket, type="HEARTBEAT", sources=[health])
        async with asyncio.timeout(5):
            while not next(iter(roster)).row.sources:  # noqa: ASYNC110  nothing to await
                await asyncio.sleep(0.01)
        await roster.write_changes()
        seen = {}
        for name in ("eve", "ada"):
            token = await gateway.login(name, "four geese on a bicycle")
            async with gateway.http as client:
                answer = await client.get("/api/agents", headers={"Authorization": f"Bearer {token}"})
            seen[name] = [source for agent in answer.json()["items"] for source in agent["sources"]]

    assert [] == seen["ada"]
    assert [("lab", ["iree"], 900, 3)] == [
        (each["name"], each["projects"], each["lagMs"], each["openBuilds"]) for each in seen["eve"]
    ]


async def test_an_agent_is_served_without_ingest(gateway: Gateway) -> None:
    """`stored` is left out when ingest does not answer, and records are accepted all the same."""
    gateway.ingest.is_away = True
    held = {"buildId": BUILD, "project": "torch-mlir", "firstUnacked": 1, "lastSpooled": 1}

    async with gateway.agent() as socket:
        welcome = await hello(socket, builds=[held])
        await say(socket, type="RECORDS", records=[record(1, "BUILD_START")])
        await receive(socket, "ACK", confirmed=1)

    assert "stored" not in welcome


async def test_resend_and_verified_are_passed_on(gateway: Gateway) -> None:
    """Ingest's `resendFrom` reaches the agent once, its records are accepted again; `verified` ends the build."""
    async with gateway.agent() as socket:
        await hello(socket)
        await say(socket, type="RECORDS", records=[record(1, "BUILD_START"), record(2), record(3, "BUILD_COMPLETE")])
        await receive(socket, "ACK", confirmed=3)
        await gateway.announce_stored(1, resend_from=2)
        await receive(socket, "ACK", stored=1, resendFrom=2)
        await say(socket, type="RECORDS", records=[record(2), record(3, "BUILD_COMPLETE")])
        await gateway.announce_stored(3, verified=True)
        ack = await receive(socket, "ACK", stored=3, verified=True)

    assert "resendFrom" not in ack
    assert [json.loads(delivery.body)["seq"] for delivery in await gateway.published(5)] == [1, 2, 3, 2, 3]


async def test_a_build_verified_before_is_acknowledged_after_welcome(gateway: Gateway) -> None:
    """An agent that missed the ACK receives it as soon as it is back, without sending anything."""
    gateway.ingest.builds[BUILD] = {"stored": 3, "verified": True, "agent": "default", "project": "torch-mlir"}
    held = {"buildId": BUILD, "project": "torch-mlir", "firstUnacked": 4, "lastSpooled": 3}

    async with gateway.agent() as socket:
        await hello(socket, builds=[held])
        ack = await receive(socket, "ACK", buildId=BUILD)

    assert (ack["stored"], ack["verified"]) == (3, True)


async def test_an_artifact_reported_while_its_build_is_verified_is_acknowledged(gateway: Gateway) -> None:
    """`verified` of earlier records does not stop the session from acknowledging a record still under way."""
    artifact = {"artifactId": "a1", "name": "log.txt", "sizeBytes": 1, "sha256": "0" * 64, "status": "uploaded"}
    async with gateway.agent() as socket:
        await hello(socket)
        late = record(3, "BUILD_COMPLETE") | {"type": "ARTIFACT_UPLOADED", "data": artifact}
        await say(socket, type="RECORDS", records=[record(1, "BUILD_START"), record(2, "BUILD_COMPLETE"), late])
        await receive(socket, "ACK", confirmed=3)
        await gateway.announce_stored(2, verified=True)
        await receive(socket, "ACK", stored=2, verified=True)
        await gateway.announce_stored(3, verified=True)

        await receive(socket, "ACK", stored=3, verified=True)


async def test_heartbeats_are_published_for_builds_of_the_session(gateway: Gateway) -> None:
    """A heartbeat goes to the build's shard, unsequenced; builds nobody sent get none."""
    async with gateway.agent() as socket:
        await hello(socket)
        await say(socket, type="RECORDS", records=[record(1, "BUILD_START")])
        await say(socket, type="HEARTBEAT", builds=[BUILD, OTHER_BUILD], spoolBytes=7)
        _, heartbeat = await gateway.published(2)

    assert f"{shard_of(BUILD)}.BUILD_HEARTBEAT.torch-mlir" == heartbeat.routing_key
    assert heartbeat.headers["agent"] == "default"
    assert "seq" not in json.loads(heartbeat.body)


async def test_the_newest_connection_of_a_process_wins(start_gateway: Callable[[], Awaitable[Gateway]]) -> None:
    """The older socket is closed with 4409, here or at another gateway; another process with the key is left alone."""
    here, there = await start_gateway(), await start_gateway()
    async with here.agent() as first, here.agent() as other:
        await hello(first, "i1")
        await hello(other, "i2")
        async with here.agent() as second:
            await hello(second, "i1")
            assert await closed_with(first) == 4409
            async with there.agent() as third:
                await hello(third, "i1")
                assert await closed_with(second) == 4409
        await say(other, type="RECORDS", records=[record(1, "BUILD_START")])
        await receive(other, "ACK", confirmed=1)


async def test_agents_are_listed_with_what_they_cannot_build(gateway: Gateway) -> None:
    """Why a project cannot be checked out is shown to who may see that project, until the agent reports it no more."""
    facts = {"reason": "the repository is gone", "sinceAt": 5, "failures": 3, "retrySeconds": 480}
    eve = {"name": "eve", "password": "four geese on a bicycle", "role": "viewer", "projects": ["iree"]}
    await gateway.as_admin("POST", "/api/users", eve)
    tokens = {"admin": await gateway.login(), "eve": await gateway.login("eve", "four geese on a bicycle")}
    roster = gateway.app.state.dependencies.roster

    async def shown(person: str) -> list[dict[str, Any]]:
        await roster.write_changes()
        async with gateway.http as client:
            answer = await client.get("/api/agents", headers={"Authorization": f"Bearer {tokens[person]}"})
        (agent,) = answer.json()["items"]
        return list(agent["unbuildable"])

    async def reported(count: int) -> None:
        async with asyncio.timeout(5):
            while len(next(iter(roster)).row.unbuildable) != count:  # noqa: ASYNC110  nothing to await
                await asyncio.sleep(0.01)

    async with gateway.agent() as socket:
        await hello(socket, serves=["torch-mlir", "iree"])
        await say(socket, type="HEARTBEAT", unbuildable=[{"project": "torch-mlir", **facts}])
        await reported(1)
        assert await shown("admin") == [{"project": "torch-mlir", **facts}]
        assert await shown("eve") == []
        await say(socket, type="HEARTBEAT")
        await reported(0)
        assert await shown("admin") == []


async def test_agents_are_listed_with_what_they_run(gateway: Gateway) -> None:
    """People see who is connected, what waits in the spool and what runs; after the end, who was."""
    async with gateway.agent() as socket:
        await hello(socket, host="builder-7", serves=["torch-mlir"])
        await say(socket, type="RECORDS", records=[record(1, "BUILD_START")])
        await say(socket, type="HEARTBEAT", builds=[BUILD], spoolBytes=1234)
        await gateway.published(2)
        await gateway.app.state.dependencies.roster.write_changes()
        (agent,) = (await gateway.as_admin("GET", "/api/agents")).json()["items"]
    assert tuple(agent[name] for name in ("name", "host", "connected", "spoolBytes", "builds")) == (
        "default",
        "builder-7",
        True,
        1234,
        [BUILD],
    )

    async with asyncio.timeout(5):
        while len(gateway.app.state.dependencies.roster):  # noqa: ASYNC110  nothing to await at a session's end
            await asyncio.sleep(0.01)
    await gateway.app.state.dependencies.roster.write_changes()
    (agent,) = (await gateway.as_admin("GET", "/api/agents")).json()["items"]
    assert not agent["connected"]


async def test_a_revoked_key_closes_its_sockets(gateway: Gateway) -> None:
    """Agents of a revoked key are closed with 4401 at once, and refused before accept from then on."""
    made = (await gateway.as_admin("POST", "/api/keys", {"name": "ci", "projects": ["torch-mlir"]})).json()
    async with gateway.agent(made["value"]) as socket:
        assert (await hello(socket))["agent"] == "ci"
        await gateway.as_admin("DELETE", f"/api/keys/{made['id']}")
        assert await closed_with(socket) == 4401
    assert made["value"] != KEY
