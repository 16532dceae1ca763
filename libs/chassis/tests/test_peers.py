"""Peers: a request reaches another service with a fresh token, and its answer streams back, mounted or over HTTP."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from chassis.auth import Caller, Principal, principal_reader
from chassis.peers import HttpPeer, MountedPeer, Peer, PeerRefused, PeerUnavailable
from chassis.testing.signing import SECRET
from fastapi import FastAPI, HTTPException, Request, Response
from starlette.responses import StreamingResponse

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


def gateway_app(peer: Peer) -> FastAPI:
    app = FastAPI()

    @app.api_route("/api/{path:path}", methods=["GET", "POST"])
    async def forward(request: Request) -> Response:
        return await peer.forward(request, ALICE)

    return app


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """The app behind a real server on a free port."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:  # noqa: ASYNC110  the server offers nothing to wait on
        await asyncio.sleep(0.005)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await serving


class Way:
    """A gateway in front of a history service."""

    def __init__(self, peer: HttpPeer | MountedPeer, history: FastAPI, client: httpx.AsyncClient) -> None:
        self.peer = peer
        self.history = history
        self.client = client


@pytest.fixture(params=["mounted", "http"])
async def way(request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    history = history_app()
    async with served(history) as url:
        peer = (
            MountedPeer("history", history, SECRET) if request.param == "mounted" else HttpPeer("history", url, SECRET)
        )
        async with served(gateway_app(peer)) as front, httpx.AsyncClient(base_url=front) as client:
            yield Way(peer, history, client)
        await peer.close()


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


async def test_errors_of_the_service_pass(way: Way) -> None:
    """Its status and body reach the person, also when it broke."""
    missing = await way.client.get("/api/missing")
    broken = await way.client.get("/api/broken")

    assert (missing.status_code, missing.json()) == (404, {"detail": "no such build"})
    assert broken.status_code == 500


async def test_small_questions_are_answered_parsed(way: Way) -> None:
    """get_json gives the body of a 200, and an error with the status otherwise."""
    answer = await way.peer.get_json("/api/echo?x=1", ALICE)
    with pytest.raises(PeerRefused) as refused:
        await way.peer.get_json("/api/missing", ALICE)

    assert (answer["name"], answer["query"]) == ("alice", "x=1")
    assert refused.value.status == 404


async def test_a_service_asks_another_with_a_body_and_headers(way: Way) -> None:
    """Any method; the answer comes whole, with its headers, whatever its status."""
    echoed = await way.peer.call("POST", "/api/echo?x=1", ALICE, body=b"said", headers={"Accept": "x/y"})
    missing = await way.peer.call("GET", "/api/missing", ALICE)
    way.history.state.released.set()
    streamed = await way.peer.call("GET", "/api/stream", ALICE)

    said = json.loads(echoed.body)
    assert (echoed.status, said["name"], said["query"], said["body"], said["accept"]) == (
        200,
        "alice",
        "x=1",
        "said",
        "x/y",
    )
    assert missing.status == 404
    assert (streamed.status, streamed.headers["content-range"], streamed.body) == (206, "bytes 0-8/9", b"firstlast")


async def test_a_service_that_is_down_is_named() -> None:
    """The person gets a 503 problem; a question raises."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    peer = HttpPeer("history", f"http://127.0.0.1:{port}", SECRET)
    async with served(gateway_app(peer)) as front, httpx.AsyncClient(base_url=front) as client:
        answer = await client.get("/api/echo")
    with pytest.raises(PeerUnavailable, match="history"):
        await peer.get_json("/api/echo", ALICE)
    with pytest.raises(PeerUnavailable, match="history"):
        await peer.call("POST", "/api/echo", ALICE, body=b"x")
    await peer.close()

    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert "service history does not answer" in answer.json()["detail"]
