"""The access log: one line a request, and nothing in it that should not be read."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import httpx
import pytest
from build_chassis.access_log import AccessLog, note_caller
from build_chassis.logging import JsonLines
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def _answer(request: Request) -> PlainTextResponse:
    note_caller(request, "ann")
    if "fail" in request.url.path:
        raise RuntimeError("a fault of ours")
    return PlainTextResponse("hello", status_code=418)


@pytest.fixture
def lines() -> Iterator[StringIO]:
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    log = logging.getLogger("access")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield stream
    log.removeHandler(handler)


async def ask(path: str, headers: dict[str, str] | None = None, *, takes_ids: bool = False) -> httpx.Response:
    app = Starlette(routes=[Route("/{path:path}", _answer)])
    served: Any = AccessLog(app, service="loom", takes_ids=takes_ids)
    transport = httpx.ASGITransport(served, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        return await client.get(path, headers=headers)


async def test_each_request_is_one_line(lines) -> None:
    """Who asked for what, with what result, under an id that the answer has too."""
    answer = await ask("/api/builds?token=s3cret")
    (line,) = map(json.loads, lines.getvalue().splitlines())

    assert ("GET /api/builds", "loom", 418, "ann", 5) == tuple(
        line[name] for name in ("message", "service", "status", "caller", "sent_bytes")
    )
    assert answer.headers["x-request-id"] == line["request_id"]


async def test_no_query_and_no_ticket_is_written_down(lines) -> None:
    """Either lets whoever reads it do what the request did."""
    await ask("/api/artifacts/objects/abc.def?key=s3cret")

    assert not [text for text in ("s3cret", "abc.def") if text in lines.getvalue()]
    assert "/api/artifacts/objects/..." in lines.getvalue()


async def test_what_a_client_sends_stays_in_its_line(lines) -> None:
    """Line feeds and colours in a path or a header make no second line."""
    await ask("/a%0a%1b[31mb", {"user-agent": "x" * 5000})
    (line,) = map(json.loads, lines.getvalue().splitlines())

    assert "\n" in line["message"]
    assert len(line["agent"]) == 300


@pytest.mark.parametrize(("takes_ids", "is_taken"), [(True, True), (False, False)])
async def test_ids_of_the_gateway_are_kept_and_those_of_strangers_are_not(lines, takes_ids, is_taken) -> None:
    """Behind the gateway a request has one id everywhere; from outside nobody chooses it."""
    await ask("/x", {"x-request-id": "0123456789abcdef"}, takes_ids=takes_ids)

    assert is_taken == ("0123456789abcdef" in lines.getvalue())


async def test_a_fault_is_logged_as_one(lines) -> None:
    """What raised was answered 500, by whoever stands around."""
    await ask("/fail")

    assert json.loads(lines.getvalue())["status"] == 500
