"""Agents that post their frames, for no WebSocket passes: the same promises, whichever gateway answers a post."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx
import pytest
from build_testkit.gateway import BUILD, KEY, OTHER_BUILD, Gateway, hello, receive, record, say

StartGateway = Callable[..., Awaitable[Gateway]]
HELD = {"buildId": BUILD, "project": "torch-mlir", "firstUnacked": 1, "lastSpooled": 0}


async def send(
    gateway: Gateway,
    *frames: Mapping[str, Any] | str,
    wait: float = 0,
    builds: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
    instance: str = "i1",
) -> httpx.Response:
    """Post a HELLO and these frames."""
    greeting = {"type": "HELLO", "agentVersion": "1.0", "instance": instance, "builds": list(builds)}
    lines = [frame if isinstance(frame, str) else json.dumps(frame) for frame in (greeting, *frames)]
    async with gateway.http as client:
        return await client.post(
            "/ws",
            params={"wait": wait},
            content="\n".join(lines),
            headers=headers or {"Authorization": f"Bearer {KEY}"},
            timeout=30,
        )


async def post(gateway: Gateway, *frames: Mapping[str, Any] | str, **options: Any) -> list[dict[str, Any]]:
    """The frames that a post is answered with."""
    answer = await send(gateway, *frames, **options)
    assert 200 == answer.status_code, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def records(*numbers: int, **changes: Any) -> dict[str, Any]:
    """A RECORDS frame."""
    kinds = {1: "BUILD_START"}
    return {"type": "RECORDS", "records": [record(n, kinds.get(n, "BUILD_LOG"), **changes) for n in numbers]}


def only(frames: Sequence[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    """The one frame of a type."""
    (found,) = (frame for frame in frames if frame["type"] == kind)
    return found


async def test_posted_records_are_published_and_confirmed(gateway: Gateway) -> None:
    """One request carries HELLO and records, its answer WELCOME and the acknowledgement."""
    frames = await post(gateway, records(1, 2, 3), wait=5)

    assert ["WELCOME", "ACK"] == [frame["type"] for frame in frames]
    assert (3, 0) == (frames[1]["confirmed"], frames[1]["stored"])
    assert [1, 2, 3] == [json.loads(delivery.body)["seq"] for delivery in await gateway.published(3)]


async def test_an_answer_says_what_is_stored_as_soon_as_it_is(gateway: Gateway) -> None:
    """A post that waits for news is answered with `stored`, not at its time's end."""
    began = time.monotonic()
    waiting = asyncio.create_task(post(gateway, wait=20, builds=[{**HELD, "lastSpooled": 3}]))
    await until(lambda: len(gateway.app.state.dependencies.roster) > 0)
    await gateway.announce_stored(2)
    await gateway.announce_stored(3, verified=True)

    ack = only(await waiting, "ACK")
    assert (3, True) == (ack["stored"], ack["verified"])
    assert time.monotonic() - began < 10


async def test_any_gateway_answers_the_next_post(start_gateway: StartGateway) -> None:
    """Consecutive records by turns at two gateways, which share nothing but bus and store: each is published once."""
    gateways = [await start_gateway(), await start_gateway()]
    for number in range(1, 7):
        held = [] if number == 1 else [{**HELD, "firstUnacked": number, "lastSpooled": number}]
        frames = await post(gateways[number % 2], records(number), wait=5, builds=held)
        assert number == only(frames, "ACK")["confirmed"]

    assert [1, 2, 3, 4, 5, 6] == [json.loads(each.body)["seq"] for each in await gateways[0].published(6)]


async def test_a_command_reaches_an_agent_that_waits(gateway: Gateway) -> None:
    """A cancel ends the waiting of a post at once; its acknowledgement comes with the next one."""
    gateway.ingest.builds[BUILD] = {"stored": 1, "agent": "default", "project": "torch-mlir"}
    await post(gateway, records(1), wait=5)
    began = time.monotonic()
    waiting = asyncio.create_task(post(gateway, wait=20, builds=[{**HELD, "firstUnacked": 2, "lastSpooled": 1}]))
    await until(lambda: len(gateway.app.state.dependencies.roster) > 0)
    ordered = await gateway.as_admin("POST", "/api/commands", {"kind": "cancel", "buildId": BUILD})
    assert 202 == ordered.status_code, ordered.text

    command = only(await waiting, "COMMAND")
    assert ("cancel", BUILD) == (command["kind"], command["buildId"])
    assert time.monotonic() - began < 10
    done = {"type": "COMMAND_ACK", "commandId": command["commandId"], "state": "done", "buildId": BUILD}
    await post(gateway, done)
    stored = await gateway.as_admin("GET", f"/api/commands/{command['commandId']}")
    assert "done" == stored.json()["state"]


async def test_posts_of_one_process_stand_beside_each_other(gateway: Gateway) -> None:
    """A post that waits for commands is not ended by one that brings records, nor woken by what those do."""
    waiting = asyncio.create_task(post(gateway, wait=2, builds=[HELD]))
    await until(lambda: len(gateway.app.state.dependencies.roster) > 0)
    await post(gateway, records(1), wait=5)
    await gateway.announce_stored(1)

    assert not waiting.done()
    assert "CLOSE" not in [frame["type"] for frame in await waiting]


async def test_a_socket_supersedes_the_posts_of_its_process(gateway: Gateway) -> None:
    """A post that waits is answered when a WebSocket of the agent stands; posts end no socket, which may be opening."""
    waiting = asyncio.create_task(post(gateway, wait=20))
    await until(lambda: len(gateway.app.state.dependencies.roster) > 0)
    async with gateway.agent() as socket:
        await hello(socket)
        assert 4409 == only(await waiting, "CLOSE")["code"]
        await post(gateway)
        await say(socket, **records(1))
        await receive(socket, "ACK", confirmed=1)


async def test_an_agent_that_posts_stays_on_the_agents_page(gateway: Gateway) -> None:
    """Between its posts it counts as connected, with what its last heartbeat reported, and how it is connected."""
    await post(gateway, {"type": "HEARTBEAT", "spoolBytes": 17})
    await post(gateway)
    await gateway.app.state.dependencies.roster.write_changes()
    (agent,) = (await gateway.as_admin("GET", "/api/agents")).json()["items"]

    assert (True, "post", 17) == (agent["connected"], agent["transport"], agent["spoolBytes"])


async def test_bad_frames_are_refused_like_on_a_socket(gateway: Gateway) -> None:
    """Each is answered by name, and the others of the same post are taken."""
    bad = records(2, project="other")
    frames = await post(gateway, "{", records(1), bad, {"type": "HELLO"}, {"type": "NEW"}, wait=5)

    refused = [(frame["code"], frame.get("seq")) for frame in frames if frame["type"] == "REFUSED"]
    assert [("malformed", None), ("malformed", 2), ("malformed", None)] == refused
    assert 2 == only(frames, "ACK")["confirmed"]


@pytest.mark.parametrize(
    ("frame", "words"),
    [("x" * 300_000, "bytes"), ("\udcff", "UTF-8")],
    ids=["too large", "not UTF-8"],
)
async def test_a_line_that_is_no_frame_ends_the_post(gateway: Gateway, frame: str, words: str) -> None:
    """What was before it is taken; the answer's last line says why it ends."""
    greeting = json.dumps({"type": "HELLO", "agentVersion": "1.0", "instance": "i1"})
    body = "\n".join((greeting, json.dumps(records(1)), frame)).encode(errors="surrogateescape")
    async with gateway.http as client:
        answer = await client.post("/ws", content=body, headers={"Authorization": f"Bearer {KEY}"})
    *_, last = [json.loads(line) for line in answer.text.splitlines()]

    assert ("CLOSE", 4400) == (last["type"], last["code"])
    assert words in last["reason"]
    assert 1 == len(await gateway.published(1))


async def test_a_post_needs_what_an_upgrade_needs(gateway: Gateway) -> None:
    """Wrong key 401, none 401, a browser 403, a secret in the URL 400; nothing of the body is taken."""
    right = {"Authorization": f"Bearer {KEY}"}
    wrong = [{"Authorization": "Bearer bmk_wrong"}, {"X-Nothing": ""}, {**right, "Origin": gateway.url}]
    assert [401, 401, 403] == [(await send(gateway, records(1), headers=each)).status_code for each in wrong]
    async with gateway.http as client:
        assert 400 == (await client.post("/ws?token=x", content="{}", headers=right)).status_code
        assert 400 == (await client.post("/ws?wait=long", content="{}", headers=right)).status_code


async def test_posts_count_as_connections_of_their_key(start_gateway: StartGateway) -> None:
    """A key has no more posts open at once than sockets."""
    gateway = await start_gateway(connections_per_key=1)
    waiting = asyncio.create_task(post(gateway, wait=1))
    await until(lambda: len(gateway.app.state.dependencies.roster) > 0)
    assert 429 == (await send(gateway)).status_code
    await waiting
    assert 200 == (await send(gateway)).status_code


async def test_frames_a_second_are_counted_over_posts(start_gateway: StartGateway) -> None:
    """Many small posts send no more frames a second than one socket."""
    gateway = await start_gateway(frames_per_second=2)
    beats = [{"type": "HEARTBEAT"}] * 3
    first, second = await post(gateway, *beats), await post(gateway, *beats)

    assert "CLOSE" not in [frame["type"] for frame in first]
    assert 4429 == only(second, "CLOSE")["code"]


async def test_another_agents_build_is_refused(gateway: Gateway) -> None:
    """Whose a build is does not depend on the transport."""
    gateway.ingest.builds[OTHER_BUILD] = {"stored": 1, "agent": "somebody", "project": "torch-mlir"}
    frames = await post(gateway, records(2, build_id=OTHER_BUILD), wait=5)

    assert "build_not_yours" == only(frames, "REFUSED")["code"]


async def until(condition: Callable[[], Any]) -> None:
    """Wait for it, at most ten seconds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  the roster has no event for a test
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("wait", ["soon", "nan", "inf", "-inf"])
async def test_a_wait_that_is_no_number_of_seconds_is_refused(gateway: Gateway, wait: str) -> None:
    """It would be a time that never comes, for this post and for every timer beside it."""
    answer = await send(gateway, wait=wait)  # type: ignore[arg-type]  # whatever a client writes

    assert (400, "malformed") == (answer.status_code, answer.json()["code"])
