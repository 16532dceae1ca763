"""Viewers over a real socket: what is stored reaches those who may see it, and a slow one does not slow the others."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from build_protocol.limits import HELLO_SECONDS
from build_testkit.gateway import BUILD, OTHER_BUILD, Gateway, closed_with, log_in, receive, say
from websockets.exceptions import InvalidStatus

BAD_FRAMES: list[str | bytes] = [
    b"\x00\x01",
    "{",
    "[" * 60_000,
    '{"type": "SUBSCRIBE", "projects": "all"}',
    '{"type": "SUBSCRIBE", "buildIds": ["../x"]}',
    '{"type": "SUBSCRIBE", "buildIds": [' + ",".join(['"' + BUILD + '"'] * 51) + "]}",
    "x" * 70_000,
]


async def test_rows_are_pushed_to_subscribers_and_text_to_followers(gateway: Gateway) -> None:
    """A list receives every row; only a follower of a build receives its lines, after its cursor."""
    async with gateway.viewer() as watcher, gateway.viewer() as follower:
        await log_in(gateway, watcher)
        await log_in(gateway, follower, buildIds=[BUILD], afterSeq={BUILD: 4})
        await gateway.announce_log(4, "old")
        await gateway.announce_log(5, "new")
        await gateway.announce_log(1, "other", build_id=OTHER_BUILD)
        await gateway.announce_build(7, logLines=5)

        # Text and rows are paced apart, so which of the two comes first is no promise.
        received = {frame["type"]: frame for frame in [json.loads(await follower.recv()) for _ in range(2)]}
        assert received["LOG"]["lines"] == ["new"]
        assert received["BUILD"]["build"]["revision"] == 7
        assert json.loads(await watcher.recv())["type"] == "BUILD"


async def test_a_new_subscription_replaces_the_earlier_one(gateway: Gateway) -> None:
    """After following another build the first one's text is not pushed, nor bound at the bus."""
    async with gateway.viewer() as socket:
        await log_in(gateway, socket, buildIds=[BUILD])
        await say(socket, type="SUBSCRIBE", buildIds=[OTHER_BUILD])
        await receive(socket, "SUBSCRIBED")
        await gateway.announce_log(1, "first")
        await gateway.announce_log(1, "second", build_id=OTHER_BUILD)

        assert (await receive(socket, "LOG"))["lines"] == ["second"]
    assert gateway.app.state.dependencies.audience.followed == [OTHER_BUILD]


async def test_nothing_of_a_foreign_project_is_sent(gateway: Gateway) -> None:
    """A person of one project receives nothing of another, by subscription or by build id."""
    await gateway.as_admin(
        "POST", "/api/users", {"name": "ann", "password": "four geese on a bicycle", "projects": ["llvm-mlir"]}
    )
    async with gateway.viewer() as socket:
        await say(socket, type="AUTH", token=await gateway.login("ann", "four geese on a bicycle"))
        await say(socket, type="SUBSCRIBE", buildIds=[BUILD])
        await receive(socket, "SUBSCRIBED")
        await gateway.announce_build(1)
        await gateway.announce_log(1, "secret")
        await gateway.announce_build(2, project="llvm-mlir", id=OTHER_BUILD)

        assert json.loads(await socket.recv())["build"]["id"] == OTHER_BUILD


async def test_a_page_keeps_its_session_by_a_fresh_token(gateway: Gateway) -> None:
    """AUTH again is answered READY with the later end; PING is answered PONG."""
    async with gateway.viewer() as socket:
        first = await log_in(gateway, socket)
        await say(socket, type="AUTH", token=await gateway.login())
        again = await receive(socket, "READY")
        await say(socket, type="PING")
        pong = await receive(socket, "PONG")

    assert again["expiresAt"] >= first["expiresAt"]
    assert pong["serverAt"] > 0


async def test_what_has_no_effect_is_answered_with_a_warning(gateway: Gateway) -> None:
    """The rest of the frame counts; the warning follows the frame's own answer, and names what was meant."""
    async with gateway.viewer() as socket:
        await say(socket, type="AUTH", token=await gateway.login(), user="ann")
        assert (await receive(socket, "READY"))["user"] == "admin"
        assert (await receive(socket, "WARNING"))["fields"] == ["user"]

        await say(socket, type="SUBSCRIBE", buildIDs=[OTHER_BUILD], build_ids=[BUILD])
        assert json.loads(await socket.recv())["type"] == "SUBSCRIBED"
        warning = await receive(socket, "WARNING")
        await gateway.announce_log(1, "followed all the same")
        assert (await receive(socket, "LOG"))["buildId"] == BUILD

        assert (warning["code"], warning["frame"], warning["fields"]) == ("unknown_fields", "SUBSCRIBE", ["buildIDs"])
        assert "did you mean buildIds?" in warning["detail"]

        await say(socket, type="UNSUBSCRIBE")
        assert (await receive(socket, "WARNING"))["code"] == "unknown_frame"


async def test_an_expired_token_ends_the_session(start_gateway: Callable[..., Awaitable[Gateway]]) -> None:
    """4401 within seconds after the token's end."""
    gateway = await start_gateway(access_seconds=1)
    async with gateway.viewer() as socket:
        await log_in(gateway, socket)
        assert await closed_with(socket) == 4401


async def test_a_disabled_person_is_out_at_once(gateway: Gateway) -> None:
    """Disabling a person closes the sockets and ends the access token, not only the next login."""
    await gateway.as_admin("POST", "/api/users", {"name": "ann", "password": "four geese on a bicycle"})
    token = await gateway.login("ann", "four geese on a bicycle")
    async with gateway.viewer() as socket, gateway.http as client:
        await say(socket, type="AUTH", token=token)
        await receive(socket, "READY")
        assert (await client.get("/api/agents", headers={"Authorization": f"Bearer {token}"})).status_code == 200

        await gateway.as_admin("DELETE", "/api/users/ann")

        assert await closed_with(socket) == 4401
        assert (await client.get("/api/agents", headers={"Authorization": f"Bearer {token}"})).status_code == 401


async def test_a_page_from_elsewhere_may_not_connect(gateway: Gateway) -> None:
    """Any origin but the own host's is refused before accept, and so is a client that sends neither key nor origin."""
    for origin in ("https://evil.example", "null", None):
        with pytest.raises(InvalidStatus) as refused:
            async with gateway.viewer(origin=origin):
                pass
        assert refused.value.response.status_code == 403


async def test_an_allowed_origin_may_connect(start_gateway: Callable[..., Awaitable[Gateway]]) -> None:
    """A page served elsewhere connects when its origin is configured."""
    gateway = await start_gateway(allowed_origins="https://pages.example")
    async with gateway.viewer(origin="https://pages.example") as socket:
        await log_in(gateway, socket)


async def test_a_bad_token_is_refused(gateway: Gateway) -> None:
    """4401, or 4400 for a token no token could be."""
    for token in ["", "nonsense", "a.b.c", "x" * 4000, "x" * 5000]:
        async with gateway.viewer() as socket:
            await say(socket, type="AUTH", token=token)
            assert await closed_with(socket) == (4400 if len(token) > 4096 else 4401)


async def test_a_bad_frame_ends_only_its_own_session(gateway: Gateway) -> None:
    """The page learns it by its close code; other sessions still receive."""
    async with gateway.viewer() as good:
        await log_in(gateway, good)
        for revision, message in enumerate(BAD_FRAMES):
            async with gateway.viewer() as bad:
                await log_in(gateway, bad)
                await bad.send(message)
                assert await closed_with(bad) == 4400
            await gateway.announce_build(revision)
            await receive(good, "BUILD")


async def test_unknown_frames_are_ignored(gateway: Gateway) -> None:
    """A newer page may send more than this gateway knows."""
    async with gateway.viewer() as socket:
        await log_in(gateway, socket)
        await say(socket, type="TELEPORT")
        await say(socket, type="PING")
        await receive(socket, "PONG")


async def test_a_viewer_that_never_sends_auth_is_closed(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """4408 once the time for AUTH is over."""
    monkeypatch.setattr("build_protocol.limits.HELLO_SECONDS", HELLO_SECONDS / 50)
    async with gateway.viewer() as socket:
        assert await closed_with(socket) == 4408


async def test_sockets_that_do_not_log_in_are_bounded_per_address(
    start_gateway: Callable[..., Awaitable[Gateway]],
) -> None:
    """429 before accept beyond the bound; a place is free when one logs in or leaves, and those logged in take none."""
    gateway = await start_gateway(unproven_per_address=2)
    async with gateway.viewer() as first, gateway.viewer():
        with pytest.raises(InvalidStatus) as refused:
            await gateway.viewer().__aenter__()
        assert refused.value.response.status_code == 429
        await log_in(gateway, first)
        async with gateway.viewer() as third:
            await log_in(gateway, third)
        async with gateway.viewer():
            pass


async def test_a_page_that_does_not_read_slows_no_other(gateway: Gateway) -> None:
    """Its frames are bounded and dropped with RESYNC; the others get every line at once."""
    async with gateway.viewer(max_queue=1, close_timeout=0.1) as stuck, gateway.viewer() as reader:
        await log_in(gateway, stuck, buildIds=[BUILD])
        await log_in(gateway, reader, buildIds=[BUILD])
        for seq in range(1, 401):
            await gateway.announce_log(seq, "x" * 20_000)
            async with asyncio.timeout(1):
                assert seq == (await receive(reader, "LOG"))["seq"]

        assert (await receive(stuck, "RESYNC"))["buildId"] == BUILD


async def test_a_page_that_reads_nothing_is_closed(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its session ends once a frame could not be sent for too long, its memory is free, and it is closed with 1013."""
    monkeypatch.setattr("build_gateway.socket.SEND_SECONDS", 0.05)
    async with gateway.viewer(max_queue=1, close_timeout=0.1) as stuck:
        await log_in(gateway, stuck, buildIds=[BUILD])
        audience = gateway.app.state.dependencies.audience
        async with asyncio.timeout(20):
            seq = 0
            while len(audience):
                seq += 1
                await gateway.announce_log(seq, "x" * 20_000)
                await asyncio.sleep(0.001)
        assert audience.followed == []
        assert await closed_with(stuck) == 1013
