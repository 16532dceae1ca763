"""Connections that an API Gateway holds: the sessions of native sockets, whichever gateway a request lands on."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from build_gateway.apigateway.front import ApiGatewayFront
from build_gateway.apigateway.limits import IDLE_SECONDS, LATE_SECONDS, LIFE_SECONDS, MESSAGE_BYTES
from build_gateway.apigateway.ordering import WAIT_SECONDS, Ordering
from build_gateway.apigateway.socket import ApiGatewaySocket
from build_gateway.apigateway.table import MemoryTable, Owner
from build_gateway.socket import SocketGone
from build_protocol.frames import Close
from build_testkit.api_gateway import ApiGateway, api_gateway
from build_testkit.gateway import BUILD, KEY, OTHER_BUILD, Gateway, closed_with, receive, record, say
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

StartGateway = Callable[..., Awaitable[Gateway]]
SHOWN = "shown-by-integrations-and-by-gateways"
OPENED = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(autouse=True)
def own_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Posts are signed, with whatever: nobody here looks at it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


@pytest.fixture
async def api() -> AsyncIterator[ApiGateway]:
    async with api_gateway(SHOWN) as running:
        yield running


@pytest.fixture
async def gateways(api: ApiGateway, start_gateway: StartGateway) -> list[Gateway]:
    """Two behind one API Gateway, which have one table."""
    table, started = MemoryTable(), []
    for number in (1, 2):
        gateway = await start_gateway(
            apigateway_url=api.management_url, apigateway_secret=SHOWN, apigateway_own_url=f"http://{number}.invalid"
        )
        front: ApiGatewayFront = gateway.app.state.dependencies.front
        front.table, front.own = table, Owner(gateway.url, str(number))
        started.append(gateway)
        api.targets.append(gateway.url)
    return started


def records(first: int, last: int, **changes: Any) -> dict[str, Any]:
    kinds = {1: "BUILD_START"}
    return {"records": [record(n, kinds.get(n, "BUILD_LOG"), **changes) for n in range(first, last + 1)]}


async def hello(socket: ClientConnection, **more: Any) -> dict[str, Any]:
    """Send HELLO and receive WELCOME."""
    await say(socket, type="HELLO", agentVersion="1.0", instance="i1", **more)
    return await receive(socket, "WELCOME", 20)


@asynccontextmanager
async def page(api: ApiGateway, gateway: Gateway) -> AsyncIterator[ClientConnection]:
    """A page's connection that follows a build; its login comes first, as AUTH is waited for for seconds only."""
    token = await gateway.login()
    async with connect(api.url, origin=Origin(gateway.url)) as socket:
        await say(socket, type="AUTH", token=token)
        await receive(socket, "READY", 20)
        await say(socket, type="SUBSCRIBE", projects=["torch-mlir"], buildIds=[BUILD])
        await receive(socket, "SUBSCRIBED", 20)
        yield socket


async def ended(socket: Any) -> int | None:
    """The close code, when it comes."""
    async with asyncio.timeout(20):
        return await closed_with(socket)


async def test_an_agent_is_served_as_by_a_socket(api: ApiGateway, gateways: list[Gateway]) -> None:
    """WELCOME says the frame's limit here; records are published, acknowledged when stored, on both gateways."""
    async with connect(api.url, additional_headers=OPENED, subprotocols=None) as socket:
        welcome = await hello(socket)
        for first in (1, 2, 3):
            await say(socket, type="RECORDS", **records(first, first))
        assert 3 == len(await gateways[0].published(3))
        await gateways[0].announce_stored(3)
        await receive(socket, "ACK", 20, stored=3)

    assert 32 * 1024 == welcome["limits"]["frameBytes"]
    assert 3 == api.routed["build_update"]
    assert {gateway.url for gateway in gateways} == set(api.answered)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong-key-0123456789"}])
async def test_connect_refuses_who_may_not(api: ApiGateway, gateways: list[Gateway], headers: dict[str, str]) -> None:
    """No key and no page's origin is 403, a wrong key 401: API Gateway passes the status to the client."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(api.url, additional_headers=headers):
            pass

    assert (401 if headers else 403) == refused.value.response.status_code
    assert not gateways[0].app.state.dependencies.front._held


async def test_nobody_but_the_integrations_is_answered(gateways: list[Gateway]) -> None:
    """Without the secret it is as if nothing were there, also with a right key."""
    shown = (None, "", "something else of the right length..", SHOWN[:-1], SHOWN + " x")
    async with gateways[0].http as client:
        for what in ("connect", "message", "disconnect"):
            for secret in shown:
                headers = {**OPENED, "X-Connection-Id": "c="} | ({} if secret is None else {"X-Front-Secret": secret})
                answer = await client.post(f"/apigateway/{what}", headers=headers)
                assert 404 == answer.status_code, (what, secret)


async def test_it_is_not_there_where_no_api_gateway_is(gateway: Gateway) -> None:
    """A gateway without the setting has no such paths."""
    async with gateway.http as client:
        answer = await client.post("/apigateway/connect", headers={"X-Front-Secret": ""})

    assert answer.status_code in (404, 405)


async def test_a_page_receives_live_events(api: ApiGateway, gateways: list[Gateway]) -> None:
    """AUTH, SUBSCRIBE, a changed row and log lines; a page of another origin does not connect."""
    async with page(api, gateways[0]) as socket:
        await gateways[0].announce_build(7)
        await receive(socket, "BUILD", 20)
        await gateways[0].announce_log(3, "a line")
        line = await receive(socket, "LOG", 20)

    assert ["a line"] == line["lines"]
    assert 1 == api.routed["subscribe"]
    with pytest.raises(InvalidStatus):
        async with connect(api.url, origin=Origin("https://elsewhere.example.org")):
            pass


async def test_what_does_not_pass_is_read_by_rest(api: ApiGateway, gateways: list[Gateway]) -> None:
    """Lines of more than 128 KiB at once: RESYNC names the build, the connection goes on."""
    async with page(api, gateways[0]) as socket:
        await gateways[0].announce_log(1, *["x" * 4000 for _ in range(40)])
        await receive(socket, "RESYNC", 20, buildId=BUILD)
        await gateways[0].announce_log(2, "short")
        await receive(socket, "LOG", 20)

    assert not api.refused_posts[413]


async def test_throttled_posts_come_all_and_in_order(api: ApiGateway, gateways: list[Gateway]) -> None:
    """429 is tried again: every second try is refused, thirty lines come."""
    async with page(api, gateways[0]) as socket:
        api.throttles_every = 2
        for seq in range(1, 31):
            await gateways[0].announce_log(seq, f"line {seq}")
        seen: list[str] = []
        async with asyncio.timeout(40):
            while len(seen) < 30:
                seen += (await receive(socket, "LOG", 40))["lines"]

    assert [f"line {seq}" for seq in range(1, 31)] == seen
    assert api.refused_posts[429]


async def test_who_is_gone_without_a_word_is_forgotten(api: ApiGateway, gateways: list[Gateway]) -> None:
    """`$disconnect` never comes: the next post is answered with 410, and session and row are gone."""
    api.loses_disconnects = True
    held = [gateway.app.state.dependencies.front._held for gateway in gateways]
    async with page(api, gateways[0]):
        assert 1 == len(held[0]) + len(held[1])
    async with asyncio.timeout(20):
        while held[0] or held[1]:
            await gateways[0].announce_build(1)
            await asyncio.sleep(0.05)

    assert api.refused_posts[410]
    assert not gateways[0].app.state.dependencies.front.table._owners


async def test_a_gateway_that_is_gone_ends_its_connections(api: ApiGateway, gateways: list[Gateway]) -> None:
    """A frame of a connection whose gateway runs no more ends the connection: the agent comes again and goes on."""
    async with connect(api.url, additional_headers=OPENED) as socket:
        await hello(socket)
        await say(socket, type="RECORDS", **records(1, 1))
        await gateways[0].published(1)
        (owner,) = [gateway for gateway in gateways if gateway.app.state.dependencies.front._held]
        other = next(gateway for gateway in gateways if gateway is not owner)
        connection_id = next(iter(api.connected))
        table: MemoryTable = owner.app.state.dependencies.front.table
        for gateway in gateways:
            gateway.app.state.dependencies.front._owners.clear()
        await table.put(connection_id, Owner("http://127.0.0.1:1", "an earlier run"))
        api.targets = [other.url]
        await say(socket, type="RECORDS", **records(2, 2))
        assert 1001 == await ended(socket)
    async with connect(api.url, additional_headers=OPENED) as socket:
        held = {"buildId": BUILD, "project": "torch-mlir", "firstUnacked": 2, "lastSpooled": 2}
        await hello(socket, builds=[held])
        await say(socket, type="RECORDS", **records(2, 2))
        (again,) = await gateways[0].published(1)

    assert 2 == json.loads(again.body)["seq"]


async def test_a_superseded_agent_reads_why(api: ApiGateway, gateways: list[Gateway]) -> None:
    """API Gateway closes with codes of its own: the reason is a frame before it."""
    async with (
        connect(api.url, additional_headers=OPENED) as first,
        connect(api.url, additional_headers=OPENED) as second,
    ):
        await hello(first)
        await hello(second)
        closing = await receive(first, "CLOSE", 20)
        await ended(first)

    assert Close.SUPERSEDED == closing["code"]


async def test_a_stop_ends_what_it_holds(api: ApiGateway, gateways: list[Gateway]) -> None:
    """A gateway that is stopped lets its clients go at once, so that they resume elsewhere."""
    async with connect(api.url, additional_headers=OPENED) as socket:
        await hello(socket)
        for gateway in gateways:
            await gateway.app.state.dependencies.front.close()
        assert 1001 == await ended(socket)


async def test_a_frame_that_is_too_long_ends_the_connection(api: ApiGateway, gateways: list[Gateway]) -> None:
    """API Gateway's own rule, 1009: agents are given the limit by WELCOME and never come there."""
    async with connect(api.url, additional_headers=OPENED) as socket:
        await hello(socket)
        await socket.send("x" * 40_000)
        with pytest.raises(ConnectionClosed):
            await receive(socket, "never", 20)
        assert 1009 == socket.close_code


# --- order


def frame(first: int, last: int, build_id: str = BUILD) -> str:
    return json.dumps({"type": "RECORDS", **records(first, last, build_id=build_id)})


def drained(ordering: Ordering) -> list[str]:
    taken = []
    while (text := ordering.take()) is not None:
        taken.append(text)
    return taken


def test_frames_that_passed_each_other_are_put_in_order() -> None:
    """Each build by itself, its first frame too; other frames, and what is no frame, are not held up."""
    ordering = Ordering()
    heartbeat, garbage = '{"type":"HEARTBEAT"}', "no frame"
    came = [
        frame(3, 4),
        frame(7, 7),
        heartbeat,
        frame(1, 1, OTHER_BUILD),
        garbage,
        "[" * 100_000,
        frame(1, 2),
        frame(5, 6),
    ]
    for text in came:
        ordering.put(text, 0)

    assert drained(ordering) == [heartbeat, came[3], garbage, came[5], came[6], came[0], came[7], came[1]]
    assert ordering.lost_in_seconds(0) is None


def test_a_resumed_build_begins_where_welcome_says() -> None:
    """Where ingest knows nothing, at what HELLO says is not acknowledged."""
    ordering = Ordering()
    builds = [{"buildId": build_id, "firstUnacked": 5} for build_id in (BUILD, OTHER_BUILD)]
    ordering.put(json.dumps({"type": "HELLO", "builds": [*builds, {"buildId": 1}, 7]}), 0)
    ordering.welcomed(json.dumps({"type": "WELCOME", "stored": {BUILD: 20}}))
    assert 1 == len(drained(ordering))
    later, first, other = frame(22, 23), frame(21, 21), frame(5, 6, OTHER_BUILD)
    for text in (later, other, first):
        ordering.put(text, 0)

    assert drained(ordering) == [other, first, later]


def test_what_never_comes_is_lost_after_a_while() -> None:
    """A frame ahead is never passed on as it is: three such gaps would have the agent give its build up."""
    ordering = Ordering()
    for number, at in ((1, 10.0), (3, 10.0), (4, 10.5)):
        ordering.put(frame(number, number), at)

    assert [frame(1, 1)] == drained(ordering)
    assert (WAIT_SECONDS, 0) == (ordering.lost_in_seconds(10), ordering.lost_in_seconds(10 + WAIT_SECONDS))
    assert not drained(ordering)


def test_what_is_sent_again_passes() -> None:
    """A rewound agent sends what was there before, in other frames perhaps: it is not held, and holds nothing."""
    ordering = Ordering()
    for text in (frame(1, 3), frame(6, 6), frame(2, 4), frame(5, 7)):
        ordering.put(text, 0)

    assert [frame(1, 3), frame(2, 4), frame(5, 7), frame(6, 6)] == drained(ordering)
    assert ordering.lost_in_seconds(0) is None


async def test_a_lost_frame_ends_the_connection() -> None:
    """Its agent comes again; the wait is on the socket's clock."""
    now, posts = 0.0, Posts()
    socket = ApiGatewaySocket("c=", posts, lambda: now)
    socket.deliver(frame(2, 2))
    now = WAIT_SECONDS
    with pytest.raises(SocketGone):
        await socket.receive()

    assert ["c="] == posts.deleted


# --- the socket, by a clock of the test's


class Posts:
    """What was posted to a connection."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.deleted: list[str] = []

    async def post(self, connection_id: str, text: str) -> None:
        self.sent.append(text)

    async def delete(self, connection_id: str) -> None:
        self.deleted.append(connection_id)

    async def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize(("idle", "is_over"), [(IDLE_SECONDS, False), (IDLE_SECONDS + LATE_SECONDS, True)])
async def test_a_silent_connection_is_one_that_has_ended(idle: float, is_over: bool) -> None:
    """Ten minutes and a little without a frame in either direction: API Gateway has ended it."""
    now = 0.0
    socket = ApiGatewaySocket("c=", Posts(), lambda: now)
    now = 100.0
    await socket.send("{}")
    now += idle
    receiving = asyncio.ensure_future(socket.receive())
    await asyncio.sleep(0)

    assert receiving.done() == is_over
    if is_over:
        assert isinstance(receiving.exception(), SocketGone)
    receiving.cancel()


async def test_no_connection_lives_longer_than_two_hours() -> None:
    """However much goes over it."""
    now = 0.0
    socket = ApiGatewaySocket("c=", Posts(), lambda: now)
    now = LIFE_SECONDS + LATE_SECONDS
    socket.deliver('{"type":"PING"}')

    assert '{"type":"PING"}' == await socket.receive()
    with pytest.raises(SocketGone):
        await socket.receive()


async def test_a_flood_ends_and_is_not_kept() -> None:
    """What is not read waits in bounded space."""
    socket = ApiGatewaySocket("c=", Posts())
    for _ in range(70):
        socket.deliver("x" * MESSAGE_BYTES)

    with pytest.raises(SocketGone):
        await socket.receive()


async def test_closing_twice_says_it_once() -> None:
    """One CLOSE frame, one deletion."""
    posts = Posts()
    socket = ApiGatewaySocket("c=", posts)
    await socket.close(Close.BAD_TOKEN, "revoked")
    await socket.close(Close.BAD_TOKEN, "revoked")

    assert (1, ["c="]) == (len(posts.sent), posts.deleted)
    with pytest.raises(SocketGone):
        socket.push("{}")


async def test_a_message_without_a_connection_says_what_to_map(gateways: list[Gateway]) -> None:
    """An integration that was set up wrong is answered with what is missing."""
    async with httpx.AsyncClient(base_url=gateways[0].url) as client:
        answer = await client.post("/apigateway/message", headers={"X-Front-Secret": SHOWN})

    assert 400 == answer.status_code
    assert "context.connectionId" in answer.text
