"""What agents do wrong, each with its documented answer; nothing else is disturbed."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from build_gateway.agents import admission
from build_protocol.limits import FRAME_BYTES, HELLO_SECONDS
from build_testkit.gateway import BUILD, KEY, OTHER_BUILD, Gateway, closed_with, hello, receive, record, say
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


async def make_key(gateway: Gateway, **fields: Any) -> str:
    answer = await gateway.as_admin("POST", "/api/keys", fields)
    answer.raise_for_status()
    return str(answer.json()["value"])


async def refused_upgrade(connection: connect) -> tuple[int, bytes]:
    with pytest.raises(InvalidStatus) as refused:
        async with connection:
            pass
    return refused.value.response.status_code, bytes(refused.value.response.body or b"")


async def test_a_wrong_key_is_refused_before_accept(gateway: Gateway) -> None:
    """Wrong, malformed, revoked, expired and reading keys get one answer: HTTP 401."""
    revoked = (await gateway.as_admin("POST", "/api/keys", {"name": "old"})).json()
    await gateway.as_admin("DELETE", f"/api/keys/{revoked['id']}")
    expired = await make_key(gateway, name="late", expiresAt=int(time.time() * 1000) - 1)
    reading = await make_key(gateway, name="reader", scopes=["read"])
    keys = [KEY + "x", "short", "bmk_1_2_3", "x" * 600, revoked["value"], expired, reading, await gateway.login()]

    answers = {await refused_upgrade(gateway.agent(key)) for key in keys}

    assert {401} == {status for status, _ in answers}
    assert len(answers) == 1


async def test_a_key_in_the_url_is_refused_even_when_right(gateway: Gateway) -> None:
    """400, because URLs end up in logs; a browser's Origin on an agent's upgrade is 403."""
    bearer = {"Authorization": f"Bearer {KEY}"}
    for query in (f"?token={KEY}", f"?api_key={KEY}", "?key="):
        status, _ = await refused_upgrade(connect(gateway.ws + query, additional_headers=bearer))
        assert status == 400
    assert (await refused_upgrade(gateway.agent(origin=gateway.url)))[0] == 403


async def test_a_key_has_a_bounded_number_of_connections(start_gateway: Callable[..., Awaitable[Gateway]]) -> None:
    """429 before accept beyond the bound; a place is free again when one leaves; the whole gateway is bounded too."""
    gateway = await start_gateway(connections_per_key=2, connections=3)
    other = await make_key(gateway, name="other")
    async with gateway.agent(), gateway.agent():
        assert (await refused_upgrade(gateway.agent()))[0] == 429
        async with gateway.agent(other):
            assert (await refused_upgrade(gateway.agent(other)))[0] == 503
    async with asyncio.timeout(5):
        while gateway.app.state.dependencies.roster.connections:  # noqa: ASYNC110  nothing to await
            await asyncio.sleep(0.01)
    async with gateway.agent() as socket:
        await hello(socket)


async def test_the_first_frame_is_hello(gateway: Gateway) -> None:
    """4400 for anything else."""
    firsts: list[str | bytes] = ["", "{", '{"type": "HEARTBEAT"}', '{"type": "HELLO"}', b"\x00", '{"type": "NEW"}']
    for first in firsts:
        async with gateway.agent() as socket:
            await socket.send(first)
            assert await closed_with(socket) == 4400


async def test_who_never_says_hello_is_closed(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """4408 once the time for HELLO is over."""
    monkeypatch.setattr("build_protocol.limits.HELLO_SECONDS", HELLO_SECONDS / 50)
    async with gateway.agent() as socket:
        assert await closed_with(socket) == 4408


async def test_an_agent_of_other_versions_only_is_closed(gateway: Gateway) -> None:
    """4426 when none of the offered subprotocols is supported; a supported one is chosen when offered."""
    async with gateway.agent(subprotocols=["build-dashboard.agent.v0"]) as socket:
        assert await closed_with(socket) == 4426
    async with gateway.agent(subprotocols=["build-dashboard.agent.v9", "build-dashboard.agent.v2"]) as socket:
        assert socket.subprotocol == "build-dashboard.agent.v2"


BAD_FRAMES: list[tuple[str | bytes, str]] = [
    ("{", "malformed"),
    ("[" * 100_000, "malformed"),
    ('{"type": "RECORDS", "records": 7}', "malformed"),
    (b"\x00\x01\x02", "binary"),
    (json.dumps({"type": "RECORDS", "records": [record(1, type="BUILD_TELEPORT")]}), "unknown_type"),
    (json.dumps({"type": "RECORDS", "records": [{**record(1), "project": "A B"}]}), "malformed"),
    ('{"type": "RECORDS", "records": [{"type": "BUILD_LOG", "data": {"lines": ["\\ud800"]}}]}', "malformed"),
    (json.dumps({"type": "HELLO", "agentVersion": "1", "instance": "again"}), "malformed"),
]


async def test_bad_input_is_refused_and_the_session_goes_on(gateway: Gateway) -> None:
    """REFUSED with a code and a sentence; this session and another one publish on."""
    async with gateway.agent() as socket, gateway.agent() as other:
        await hello(socket, "i1")
        await hello(other, "i2")
        for seq, (message, code) in enumerate(BAD_FRAMES, start=1):
            await socket.send(message)
            refused = await receive(socket, "REFUSED")
            assert refused["code"] == code
            assert len(refused["detail"]) > 10
            await say(socket, type="RECORDS", records=[record(seq, "BUILD_UPDATE")])
            await receive(socket, "ACK", confirmed=seq)
            await say(other, type="RECORDS", records=[record(seq, "BUILD_UPDATE", OTHER_BUILD)])
            await receive(other, "ACK", confirmed=seq)


async def test_an_oversized_frame_closes_its_connection_only(gateway: Gateway) -> None:
    """1009; a frame of exactly the limit passes; compression is not negotiated."""
    async with (
        gateway.agent() as other,
        connect(gateway.ws, additional_headers={"Authorization": f"Bearer {KEY}"}, compression="deflate") as socket,
    ):
        assert not socket.protocol.extensions
        await hello(other, "i2")
        await hello(socket, "i1")
        frame = json.dumps({"type": "NEWER", "padding": ""})
        await socket.send(frame[:-2] + "x" * (FRAME_BYTES - len(frame)) + frame[-2:])
        await say(socket, type="RECORDS", records=[record(1, "BUILD_START")])
        await receive(socket, "ACK", confirmed=1)
        await socket.send("x" * (FRAME_BYTES + 1))
        assert await closed_with(socket) == 1009
        await say(other, type="RECORDS", records=[record(1, "BUILD_START", OTHER_BUILD)])
        await receive(other, "ACK", confirmed=1)


async def test_text_that_is_not_utf8_closes_its_connection_only(gateway: Gateway) -> None:
    """1007, by the WebSocket protocol itself."""
    async with gateway.agent() as other, gateway.agent() as socket:
        await hello(other, "i2")
        await hello(socket, "i1")
        await socket.send(b'{"type": "\xff"}', text=True)
        assert await closed_with(socket) == 1007
        await say(other, type="RECORDS", records=[record(1, "BUILD_START", OTHER_BUILD)])
        await receive(other, "ACK", confirmed=1)


async def test_a_gap_is_refused_and_asked_for(gateway: Gateway) -> None:
    """Record 4 after record 1 is not published: REFUSED names it, ACK says `resendFrom` 2; then all arrive once."""
    async with gateway.agent() as socket:
        await hello(socket)
        await say(socket, type="RECORDS", records=[record(1, "BUILD_START"), record(4), record(5)])
        assert (await receive(socket, "REFUSED", code="sequence_gap"))["seq"] == 4
        await receive(socket, "ACK", resendFrom=2)
        await say(socket, type="RECORDS", records=[record(2), record(3), record(4)])
        await receive(socket, "ACK", confirmed=4)

    assert [json.loads(delivery.body)["seq"] for delivery in await gateway.published(4)] == [1, 2, 3, 4]


async def test_a_foreign_project_is_refused_once(gateway: Gateway) -> None:
    """A build of a project outside the key's scope is refused as a whole, and nothing of it is published."""
    key = await make_key(gateway, name="torch", projects=["torch-mlir"])
    async with gateway.agent(key) as socket:
        await hello(socket)
        foreign = [record(seq, build_id=OTHER_BUILD, project="llvm-mlir") for seq in (1, 2, 3)]
        await say(socket, type="RECORDS", records=[*foreign, record(1, "BUILD_START")])
        refused = await receive(socket, "REFUSED")
        assert (refused["code"], refused["buildId"]) == ("project_not_allowed", OTHER_BUILD)
        assert "seq" not in refused
        await receive(socket, "ACK", buildId=BUILD, confirmed=1)
        await say(socket, type="RECORDS", records=[record(2, project="llvm-mlir")])
        assert (await receive(socket, "REFUSED", code="malformed"))["seq"] == 2

    (delivery,) = await gateway.published(1)
    assert json.loads(delivery.body)["project"] == "torch-mlir"


async def test_anothers_build_is_refused(gateway: Gateway) -> None:
    """A build belongs to the agent that started it: one build known to this gateway, the other to ingest."""
    gateway.ingest.builds[OTHER_BUILD] = {"stored": 9, "agent": "somebody", "project": "torch-mlir"}
    key = await make_key(gateway, name="thief")
    async with gateway.agent() as owner, gateway.agent(key) as thief:
        await hello(owner, "i1")
        await say(owner, type="RECORDS", records=[record(1, "BUILD_START")])
        await receive(owner, "ACK", confirmed=1)
        await hello(thief, "i1")
        await say(thief, type="RECORDS", records=[record(2), record(10, build_id=OTHER_BUILD)])
        refused = [await receive(thief, "REFUSED") for _ in range(2)]
        assert {("build_not_yours", BUILD), ("build_not_yours", OTHER_BUILD)} == {
            (frame["code"], frame["buildId"]) for frame in refused
        }
        await say(thief, type="HEARTBEAT", builds=[BUILD])
        await say(owner, type="RECORDS", records=[record(2)])
        await receive(owner, "ACK", confirmed=2)

    assert [delivery.headers["agent"] for delivery in await gateway.published(2)] == ["default", "default"]


async def test_nothing_but_artifacts_follows_the_end(gateway: Gateway) -> None:
    """A log record after BUILD_COMPLETE is refused as `closed`."""
    async with gateway.agent() as socket:
        await hello(socket)
        await say(socket, type="RECORDS", records=[record(1, "BUILD_START"), record(2, "BUILD_COMPLETE"), record(3)])
        assert (await receive(socket, "REFUSED", code="closed"))["seq"] == 3


async def test_too_many_frames_end_the_session(start_gateway: Callable[..., Awaitable[Gateway]]) -> None:
    """4429 beyond the rate; memory stays flat because nothing is queued for it."""
    gateway = await start_gateway(frames_per_second=50)
    async with gateway.agent() as socket:
        await hello(socket)
        with suppress(ConnectionClosed):
            for _ in range(5000):
                await socket.send('{"type": "HEARTBEAT"}')
        assert await closed_with(socket) == 4429


async def test_an_untrusted_build_is_of_origin_premerge_and_bounded(gateway: Gateway, monkeypatch) -> None:
    """It colours nothing, and beyond its size only what was sent before is taken; another build is not affected."""
    monkeypatch.setattr(admission, "UNTRUSTED_BUILD_BYTES", 2000)
    claims = {"status": "running", "untrusted": True}
    line = {"firstLine": 1, "lines": ["x" * 900]}
    async with gateway.agent() as socket:
        await hello(socket)
        await say(socket, type="RECORDS", records=[record(1, "BUILD_START", data={**claims, "origin": "ci"})])
        await receive(socket, "REFUSED", code="malformed", seq=1)
        await say(socket, type="RECORDS", records=[record(1, "BUILD_START", data={**claims, "origin": "premerge"})])
        await say(socket, type="RECORDS", records=[record(seq, data=line) for seq in (2, 3)])
        await receive(socket, "REFUSED", code="too_large", seq=3)
        await receive(socket, "ACK", buildId=BUILD, confirmed=3)
        trusted = [record(1, "BUILD_START", OTHER_BUILD)]
        trusted += [record(seq, build_id=OTHER_BUILD, data=line) for seq in (2, 3, 4)]
        await say(socket, type="RECORDS", records=trusted)
        await receive(socket, "ACK", buildId=OTHER_BUILD, confirmed=4)
