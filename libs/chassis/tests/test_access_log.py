"""The access log: one line a request, and nothing in it that should not be read."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import httpx
import pytest
from build_chassis.access_log import AccessLog, note_caller, request_seconds
from build_chassis.logging import JsonLines
from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry, Histogram
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Route


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


async def ask(
    path: str,
    headers: dict[str, str] | None = None,
    *,
    takes_ids: bool = False,
    method: str = "GET",
    seconds: Histogram | None = None,
) -> httpx.Response:
    routes: list[BaseRoute] = [APIRoute("/things/{name}", _answer), Route("/{path:path}", _answer)]
    app = FastAPI(routes=routes)
    served: Any = AccessLog(
        app, service="loom", takes_ids=takes_ids, seconds=seconds or request_seconds(CollectorRegistry())
    )
    transport = httpx.ASGITransport(served, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        return await client.request(method, path, headers=headers)


async def test_each_request_is_one_line(lines) -> None:
    """Who asked for what, with what result, under an id that the answer has too."""
    answer = await ask("/api/builds?token=s3cret")
    (line,) = map(json.loads, lines.getvalue().splitlines())

    assert ("GET /api/builds", "loom", 418, "ann", 5) == tuple(
        line[name] for name in ("message", "service", "status", "caller", "sent_bytes")
    )
    assert answer.headers["x-request-id"] == line["request_id"]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/api/artifacts/objects/abc.def?key=s3cret", "/api/artifacts/objects/..."),
        ("/api/notifications/act/abc.def/mute?key=s3cret", "/api/notifications/act/.../mute"),
    ],
)
async def test_no_query_and_no_ticket_is_written_down(lines, path: str, shown: str) -> None:
    """Either lets whoever reads it do what the request did: fetch a file, act on an incident by a mail's link."""
    await ask(path)

    assert not [text for text in ("s3cret", "abc.def") if text in lines.getvalue()]
    assert f"{shown} " in lines.getvalue() or f'{shown}"' in lines.getvalue()


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


async def test_requests_are_timed_by_route_and_never_by_what_a_sender_chose() -> None:
    """One series for a declared route whatever is asked for; a method of the sender's making is `other`."""
    registry = CollectorRegistry()
    seconds = request_seconds(registry)
    for path in ("/things/1", "/things/2?x=1", "/things/fail"):
        await ask(path, seconds=seconds)
    await ask("/anything", seconds=seconds, method="BREW")
    samples = [sample for metric in registry.collect() for sample in metric.samples]
    counted = {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for sample in samples
        if sample.name == "http_request_seconds_count"
    }

    assert {
        ("GET", "/things/{name}", "4xx"): 2,
        ("GET", "/things/{name}", "5xx"): 1,
        ("other", "none", "4xx"): 1,
    } == counted
