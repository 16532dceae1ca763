"""Bodies: bounded in bytes and in time on every route, read or not, and never gathered beyond their limit."""

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from build_chassis import problems
from build_chassis.bodies import BODY_BYTES, LINGER_SECONDS, BodyLimit, Limit, limit_of
from build_testkit.served import chunked, send_raw, served
from fastapi import FastAPI, Request
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PIECE = b"x" * 4096
OVER = [PIECE] * (BODY_BYTES // len(PIECE)) + [b"x"]
CHUNKED = ["Transfer-Encoding: chunked"]
ROUTES = [("POST", "/json"), ("POST", "/bytes"), ("PUT", "/bytes"), ("DELETE", "/bytes"), ("POST", "/relay")]


class Counted:
    """What an app was given to read, between it and its limit."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.size = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted() -> Message:
            message = await receive()
            self.size += len(message.get("body", b""))
            return message

        await self._app(scope, counted, send)


class Service:
    """A small app behind its limit, on a real server."""

    def __init__(self, url: str, app: FastAPI, counted: Counted) -> None:
        self.url = url
        self.app = app
        self.counted = counted

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        return await send_raw(self.url, path, method=method, **options)


def app_with_routes() -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.state.begun, app.state.released = asyncio.Event(), asyncio.Event()

    @app.post("/json")
    async def read_json(body: dict[str, Any]) -> int:
        return len(body)

    @app.api_route("/bytes", methods=["GET", "POST", "PUT", "DELETE"])
    async def read_bytes(request: Request) -> int:
        return len(await request.body())

    @app.post("/relay")
    async def relay(request: Request) -> int:
        """As the gateway reads it: piece by piece, in the body of a request of its own."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(sink), base_url="http://sink") as client:
            return (await client.post("/", content=request.stream())).status_code

    @app.get("/unread")
    async def unread() -> str:
        return "answered"

    @app.post("/early")
    async def early() -> StreamingResponse:
        """Begins to answer before it has read, and is not done before the test allows it."""

        async def answer() -> AsyncIterator[bytes]:
            yield b"begun"
            app.state.begun.set()
            await app.state.released.wait()
            yield b"ended"

        return StreamingResponse(answer())

    return app


async def sink(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def serving(
    limits: Callable[[str, str], Limit] = limit_of, linger_seconds: float = LINGER_SECONDS
) -> AsyncIterator[Service]:
    app = app_with_routes()
    counted = Counted(app)
    async with served(BodyLimit(counted, limits, linger_seconds)) as url:
        yield Service(url, app, counted)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_body_over_the_limit_is_refused_as_soon_as_it_is(method: str, path: str) -> None:
    """413 in words, by its length before a byte is read, and without a length once it is over; never more is read."""
    async with serving() as service:
        declared = await service.ask(method, path, headers=[f"Content-Length: {BODY_BYTES + 1}"])
        read = service.counted.size
        counted = await service.ask(method, path, headers=CHUNKED, body=chunked(OVER))

    for status, text in (declared, counted):
        assert (status, json.loads(text)["detail"]) == (413, "the body: at most 64 KiB here")
    assert read == 0
    assert service.counted.size <= BODY_BYTES


async def test_a_body_of_the_limit_arrives_whole() -> None:
    """With a length and without one: not a byte is missing."""
    async with serving() as service, httpx.AsyncClient(base_url=service.url) as client:
        whole = await client.post("/bytes", content=b"x" * BODY_BYTES)
        pieces = await service.ask("POST", "/bytes", headers=CHUNKED, body=chunked(OVER[:-1]))

    assert (whole.status_code, whole.text) == (200, str(BODY_BYTES))
    assert pieces == (200, str(BODY_BYTES))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/unread", 200), ("HEAD", "/unread", 405), ("POST", "/nowhere", 404), ("DELETE", "/unread", 405)],
)
async def test_a_body_that_nobody_reads_changes_nothing(method: str, path: str, status: int) -> None:
    """It is thrown away as it comes: the answer is the one without it."""
    async with serving() as service:
        answers = [
            await service.ask(method, path, headers=CHUNKED, body=chunked([PIECE] * 256)),
            await service.ask(method, path, headers=["Content-Length: 3"], body=pieces([b"abc"])),
        ]

    assert [answered for answered, _ in answers] == [status] * 2


@pytest.mark.parametrize(("method", "path"), [("POST", "/bytes"), ("GET", "/unread"), ("POST", "/nowhere")])
async def test_nobody_sends_for_ever(method: str, path: str) -> None:
    """A body without an end is answered at once, and its connection closed soon after, whoever reads the body."""
    sending = chunked(itertools.repeat(PIECE))
    async with serving(linger_seconds=0.2) as service:
        status, _ = await service.ask(method, path, headers=CHUNKED, body=sending, seconds=5, until_closed=True)

    assert status == {"/bytes": 413, "/unread": 200, "/nowhere": 404}[path]


async def test_a_client_that_reads_last_reads_the_refusal() -> None:
    """What it still sends is thrown away meanwhile, so that its own sending does not lose it the answer."""
    async with serving() as service, httpx.AsyncClient(base_url=service.url) as client:
        counted = await client.post("/bytes", content=pieces([PIECE] * 2560))
        declared = await client.post("/bytes", content=PIECE * 2560)

    answers = [(answer.status_code, answer.headers["connection"]) for answer in (counted, declared)]
    assert answers == [(413, "close")] * 2


async def test_a_connection_is_kept_where_the_body_has_an_end() -> None:
    """Read or not: the next request comes over the same connection."""
    async with serving() as service, httpx.AsyncClient(base_url=service.url) as client:
        answers = [
            await client.post("/bytes", content=b"x"),
            await client.post("/nowhere", content=b"x"),
            await client.post("/bytes", content=pieces([b"x"])),
        ]

    assert ["connection" in answer.headers for answer in answers] == [False] * 3


@pytest.mark.parametrize("length", ["-1", "+5", "x", "1e3", "0x10", "", "5, 6", "\u00b2", "9" * 30, "9" * 5000])
async def test_a_length_that_is_none_is_refused(length: str) -> None:
    """400, or 413 for a number beyond all sense; never an error of ours."""
    async with serving() as service:
        status, _ = await service.ask("POST", "/bytes", headers=[f"Content-Length: {length}"], body=pieces([b"hello"]))

    assert status in {400, 413}


@pytest.mark.parametrize("length", [b"-1", b"x", b"\xb2", b""])
async def test_a_length_is_read_where_no_server_has_judged_it(length: bytes) -> None:
    """Mounted in a process, an app sees headers as they were made: 400."""
    scope = {"type": "http", "method": "POST", "path": "/bytes", "headers": [(b"content-length", length)]}
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await BodyLimit(sink, linger_seconds=0)(scope, asyncio.Event().wait, send)  # type: ignore[arg-type]  # nothing is received

    assert sent[0]["status"] == 400


async def test_a_length_beside_chunks_does_not_hide_them() -> None:
    """The chunks are counted, whatever the length says."""
    async with serving() as service:
        status, _ = await service.ask("POST", "/bytes", headers=["Content-Length: 5", *CHUNKED], body=chunked(OVER))

    assert status in {400, 413}


async def test_a_client_that_leaves_is_no_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    """A body shorter than it declared ends the request, and nothing is logged as a bug."""
    with caplog.at_level(logging.WARNING):
        async with serving() as service:
            parts = httpx.URL(service.url)
            for path in ("/json", "/bytes", "/relay"):
                _, writer = await asyncio.open_connection(parts.host, parts.port)
                writer.write(f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\nhalf".encode())
                await writer.drain()
                async with asyncio.timeout(5):
                    while not service.counted.size:  # noqa: ASYNC110  the server has begun to read it
                        await asyncio.sleep(0.005)
                service.counted.size = 0
                writer.close()

    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("path", ["/json", "/bytes", "/relay"])
async def test_a_body_that_does_not_come_is_given_up(path: str) -> None:
    """408 after the limit's seconds, also for one that sends a byte now and then."""
    async with serving(lambda method, path: Limit(BODY_BYTES, 0.1), linger_seconds=0.1) as service:
        silent, slow = await asyncio.gather(
            service.ask("POST", path, headers=["Content-Length: 100"]),
            service.ask("POST", path, headers=CHUNKED, body=drip(0.02)),
        )

    for status, text in (silent, slow):
        assert (status, json.loads(text)["detail"]) == (408, "the body did not arrive within 0.1 s")


async def test_a_body_without_a_size_may_take_its_time_but_not_stop() -> None:
    """Where the route bounds the bytes, each piece has the limit's seconds."""
    async with serving(lambda method, path: Limit(None, 0.3)) as service:
        large = await service.ask("POST", "/bytes", headers=CHUNKED, body=chunked([PIECE] * 100))
        steady = await service.ask("POST", "/bytes", headers=CHUNKED, body=drip(0.02, 30))
        silent, _ = await service.ask("POST", "/bytes", headers=["Content-Length: 100"], body=pieces([b"x"]))

    assert large == (200, str(100 * len(PIECE)))
    assert steady == (200, "30")
    assert silent == 408


@pytest.mark.parametrize("rest", [[*OVER, PIECE], [b"x"]])
async def test_an_answer_that_has_begun_goes_on(rest: list[bytes], caplog: pytest.LogCaptureFixture) -> None:
    """A body that goes too far then, or stops, cannot be refused any more: it is thrown away and cuts nothing off."""
    with caplog.at_level(logging.WARNING):
        async with serving(lambda method, path: Limit(BODY_BYTES, 0.1), linger_seconds=0.1) as service:

            async def after_the_beginning() -> AsyncIterator[bytes]:
                await service.app.state.begun.wait()
                async for chunk in chunked(rest):
                    if chunk != b"0\r\n\r\n":
                        yield chunk
                await asyncio.sleep(0.2)  # longer than a body may take that could still be refused
                service.app.state.released.set()

            status, text = await service.ask("POST", "/early", headers=CHUNKED, body=after_the_beginning())

    assert (status, text.count("begun"), text.count("ended")) == (200, 1, 1)
    assert not caplog.records


@pytest.mark.parametrize("opening", ["[", '{"a":'])
async def test_a_body_nested_beyond_reading_is_invalid(opening: str) -> None:
    """422, as for everything else that is no such document."""
    async with serving() as service, httpx.AsyncClient(base_url=service.url) as client:
        content = (opening * 10_000).encode()
        answer = await client.post("/json", content=content, headers={"content-type": "application/json"})

    assert answer.status_code == 422
    assert "nested" in answer.json()["detail"]


def test_only_bodies_that_must_be_are_larger() -> None:
    """Offers, the mail provider's events and an artifact's bytes; beside them nothing is."""
    assert limit_of("POST", "/api/artifacts").size == 128 * 1024
    assert limit_of("POST", "/api/notifications/webhooks/sendgrid").size == 1024 * 1024
    assert limit_of("PUT", "/api/artifacts/objects/ticket").size is None
    for method, path in [
        ("PUT", "/api/artifacts"),
        ("POST", "/api/artifacts/x"),
        ("POST", "/x/api/artifacts"),
        ("POST", "/api/artifacts\n"),
        ("GET", "/api/artifacts/objects/ticket"),
        ("PUT", "/api/artifacts/objects/ticket/x"),
        ("PUT", "/api/artifacts/objects/"),
        ("POST", "/api/notifications/webhooks/sendgrid/x"),
    ]:
        assert limit_of(method, path).size == BODY_BYTES


async def pieces(whole: list[bytes]) -> AsyncIterator[bytes]:
    for piece in whole:
        yield piece


async def drip(seconds: float, count: int = 1000) -> AsyncIterator[bytes]:
    """Chunks of one byte, and a while between them."""
    for _ in range(count):
        yield b"1\r\nx\r\n"
        await asyncio.sleep(seconds)
    yield b"0\r\n\r\n"


async def test_a_refusal_is_sent_though_its_reader_is_cancelled() -> None:
    """An answer that watches for its client's end gives that up when it is done, and may have read too far by then."""
    sent: list[Message] = []
    is_sending, may_send = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        watch = asyncio.ensure_future(receive())
        await is_sending.wait()
        watch.cancel()
        may_send.set()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x" * (BODY_BYTES + 1), "more_body": False}

    async def send(message: Message) -> None:
        is_sending.set()
        await may_send.wait()
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    async with asyncio.timeout(5):
        await BodyLimit(app)(scope, receive, send)

    assert [message.get("status") for message in sent] == [413, None]
