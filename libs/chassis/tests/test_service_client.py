"""Service clients: a request reaches another service with a fresh token, and its answer streams back, by either way."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from typing import cast
from urllib.parse import quote

import httpx
import pytest
from build_chassis.auth import Caller, Principal, principal_reader
from build_chassis.paths import BadPath
from build_chassis.service_client import (
    HttpServiceClient,
    MountedServiceClient,
    ServiceClient,
    ServiceRefused,
    ServiceUnavailable,
)
from build_testkit.served import chunked, send_raw, served
from build_testkit.signing import SECRET
from fastapi import FastAPI, HTTPException, Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

ALICE = Principal("alice", "developer", frozenset({"iree"}))


def history_app() -> FastAPI:
    app = FastAPI()
    app.state.read_principal = principal_reader("history", SECRET)
    app.state.released = asyncio.Event()
    app.state.cancelled = asyncio.Event()

    @app.api_route("/api/echo", methods=["GET", "POST"])
    async def echo(request: Request, caller: Caller) -> dict[str, object]:
        return {
            "name": caller.name,
            "projects": sorted(caller.projects or ()),
            "query": request.url.query,
            "body": (await request.body()).decode(),
            "cookie": request.headers.get("cookie"),
            "accept": request.headers.get("accept"),
        }

    @app.get("/api/names/{name}")
    async def named(name: str, request: Request) -> dict[str, str]:
        return {"name": name, "query": request.url.query}

    @app.get("/api/headers")
    async def headers(request: Request) -> dict[str, list[str]]:
        return {name: request.headers.getlist(name) for name in request.headers}

    @app.get("/api/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            try:
                yield b"first"
                await app.state.released.wait()
                yield b"last"
            except asyncio.CancelledError:
                app.state.cancelled.set()
                raise

        return StreamingResponse(chunks(), status_code=206, headers={"content-range": "bytes 0-8/9"})

    @app.get("/api/missing")
    async def missing() -> None:
        raise HTTPException(404, "no such build")

    @app.get("/api/broken")
    async def broken() -> None:
        raise RuntimeError("a bug")

    return app


def gateway_app(service_client: ServiceClient) -> FastAPI:
    app = FastAPI()

    @app.api_route("/api/{path:path}", methods=["GET", "POST"])
    async def forward(path: str, request: Request) -> Response:
        return await service_client.forward(request, ["api", *path.split("/")], ALICE)

    return app


class Way:
    """A gateway in front of a history service."""

    def __init__(
        self, service_client: HttpServiceClient | MountedServiceClient, history: FastAPI, client: httpx.AsyncClient
    ) -> None:
        self.service_client = service_client
        self.history = history
        self.client = client


@pytest.fixture(params=["mounted", "http"])
async def way(request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    history = history_app()
    async with served(history) as url:
        service_client = (
            MountedServiceClient("history", history, SECRET)
            if request.param == "mounted"
            else HttpServiceClient("history", url, SECRET)
        )
        async with (
            served(gateway_app(service_client)) as front,
            httpx.AsyncClient(base_url=front, verify=False) as client,
        ):
            yield Way(service_client, history, client)
        await service_client.close()


async def test_a_request_arrives_whole_with_the_principal_and_without_credentials(way: Way) -> None:
    """Method, query, body and headers pass; the person's own token and cookie stay behind."""
    answer = await way.client.post(
        "/api/echo?a=1&b=%2F",
        content=b"body",
        headers={"Authorization": "Bearer mine", "Cookie": "refresh=mine", "Accept": "x/y"},
    )

    assert answer.json() == {
        "name": "alice",
        "projects": ["iree"],
        "query": "a=1&b=%2F",
        "body": "body",
        "cookie": None,
        "accept": "x/y",
    }


async def test_an_answer_streams(way: Way) -> None:
    """The first chunk arrives while the service still waits; status and headers are the service's."""
    async with asyncio.timeout(5), way.client.stream("GET", "/api/stream") as answer:
        chunks = answer.aiter_raw()
        assert await anext(chunks) == b"first"
        way.history.state.released.set()
        assert [chunk async for chunk in chunks] == [b"last"]

    assert answer.status_code == 206
    assert answer.headers["content-range"] == "bytes 0-8/9"


async def test_a_reader_who_leaves_stops_the_service(way: Way) -> None:
    """Nobody computes an answer for a closed page."""
    async with asyncio.timeout(5):
        async with way.client.stream("GET", "/api/stream") as answer:
            await anext(answer.aiter_raw())
        await way.history.state.cancelled.wait()


async def test_a_mounted_service_that_is_ahead_of_a_reader_who_leaves_ends() -> None:
    """Nothing of it waits on for somebody to take what is there."""

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"more", "more_body": True})

    client = MountedServiceClient("history", endless, SECRET)
    asked = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []})
    answer = await client.forward(asked, ["api", "stream"], ALICE)
    assert isinstance(answer, StreamingResponse)
    pieces = cast("AsyncGenerator[bytes, None]", answer.body_iterator)
    assert await anext(pieces) == b"more"
    (running,) = client._running
    await pieces.aclose()
    async with asyncio.timeout(20):
        await asyncio.wait([running])
    assert running.cancelled()


async def test_errors_of_the_service_pass(way: Way) -> None:
    """Its status and body reach the person, also when it broke."""
    missing = await way.client.get("/api/missing")
    broken = await way.client.get("/api/broken")

    assert (missing.status_code, missing.json()) == (404, {"detail": "no such build"})
    assert broken.status_code == 500


async def test_small_questions_are_answered_parsed(way: Way) -> None:
    """get_json gives the body of a 200, and an error with the status otherwise."""
    answer = await way.service_client.get_json("/api/echo?x=1", ALICE)
    with pytest.raises(ServiceRefused) as refused:
        await way.service_client.get_json("/api/missing", ALICE)

    assert (answer["name"], answer["query"]) == ("alice", "x=1")
    assert refused.value.status == 404


async def test_a_service_asks_another_with_a_body_and_headers(way: Way) -> None:
    """Any method; the answer comes whole, with its headers, whatever its status."""
    echoed = await way.service_client.call("POST", "/api/echo?x=1", ALICE, body=b"text", headers={"Accept": "x/y"})
    missing = await way.service_client.call("GET", "/api/missing", ALICE)
    way.history.state.released.set()
    streamed = await way.service_client.call("GET", "/api/stream", ALICE)

    echo = json.loads(echoed.body)
    assert (echoed.status, echo["name"], echo["query"], echo["body"], echo["accept"]) == (
        200,
        "alice",
        "x=1",
        "text",
        "x/y",
    )
    assert missing.status == 404
    assert (streamed.status, streamed.headers["content-range"], streamed.body) == (206, "bytes 0-8/9", b"firstlast")


async def test_a_service_that_is_down_is_named() -> None:
    """The person gets a 503 problem; a question raises."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    service_client = HttpServiceClient("history", f"http://127.0.0.1:{port}", SECRET)
    async with served(gateway_app(service_client)) as front, httpx.AsyncClient(base_url=front) as client:
        answer = await client.get("/api/echo")
    with pytest.raises(ServiceUnavailable, match="history"):
        await service_client.get_json("/api/echo", ALICE)
    with pytest.raises(ServiceUnavailable, match="history"):
        await service_client.call("POST", "/api/echo", ALICE, body=b"x")
    await service_client.close()

    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert "service history does not answer" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["a?b=1", "a#b", "100%", "a%41b", "ü", "a b", "a:b;c"])
async def test_a_name_arrives_as_it_was_sent(way: Way, name: str) -> None:
    """Encoded once, whatever is in it: a `?` in a name begins no query, and `%41` stays three characters."""
    answer = await way.client.get(f"/api/names/{quote(name, safe='')}?x=1")

    assert answer.json() == {"name": name, "query": "x=1"}


@pytest.mark.parametrize("name", ["..", ".", "", "%2e%2e", "a/b", "..\\", "\0", "\uff0e\uff0e"])
async def test_no_name_leads_elsewhere(way: Way, name: str) -> None:
    """A service client sends no request for a name that could be a way to another path, whoever handed it over."""
    request = Request({"type": "http", "method": "GET", "headers": [], "query_string": b"", "path": "/"})

    with pytest.raises(BadPath):
        await way.service_client.forward(request, ["api", "names", name], ALICE)


async def test_headers_of_the_connection_and_of_proxies_stay_behind(way: Way) -> None:
    """What the client's `Connection` names, and who it says it asks for, ends at the front door; the rest passes."""
    lines = [
        "Connection: close, X-Secret, Accept",
        "X-Secret: 1",
        "Accept: x/y",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: close",
        "TE: trailers",
        "Proxy-Authorization: Basic x",
        "Forwarded: for=1.2.3.4",
        "X-Forwarded-For: 1.2.3.4",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Proto: https",
        "X-Forwarded-User: admin",
        "X-Real-IP: 1.2.3.4",
        "Cookie: refresh=mine",
        "Authorization: Bearer mine",
        "AUTHORIZATION: Bearer theirs",
        "X-Twilio-Email-Event-Webhook-Timestamp: 7",
        "Range: bytes=0-1",
    ]
    status, text = await send_raw(str(way.client.base_url), "/api/headers", headers=lines)

    assert status == 200
    arrived = json.loads(text)
    assert arrived.keys() - {"host", "connection", "accept", "accept-encoding", "user-agent"} == {
        "authorization",
        "range",
        "x-twilio-email-event-webhook-timestamp",
    }
    assert arrived.get("accept") != ["x/y"]
    (token,) = arrived["authorization"]
    assert token.startswith("Bearer ey")


async def test_a_length_beside_chunks_does_not_go_on(way: Way) -> None:
    """Both at once say where a body ends in two ways: only the one that was followed is passed on."""
    headers = ["Content-Length: 2", "Transfer-Encoding: chunked"]
    status, text = await send_raw(
        str(way.client.base_url), "/api/echo", method="POST", headers=headers, body=chunked([b"four"])
    )

    assert status == 400 or json.loads(text)["body"] == "four"
