"""Typed errors: one coarse set, each answered as problem details that say what to do."""

from typing import get_args

import httpx
import pytest
from build_chassis import problems
from build_chassis.errors import (
    KINDS,
    Conflict,
    Internal,
    Malformed,
    NotFound,
    ServiceError,
    StoreUnavailable,
    Unavailable,
    kind_of,
)
from build_chassis.service_client import ServiceUnavailable
from build_protocol.views import ErrorCode, Problem
from fastapi import FastAPI
from starlette.exceptions import HTTPException


async def answer_to(error: Exception, path: str = "/x", method: str = "GET") -> httpx.Response:
    """What an app answers whose route raises this."""
    app = FastAPI()
    problems.install(app)

    @app.get("/x")
    async def fail() -> None:
        raise error

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path)


def test_there_is_one_kind_for_each_code_and_status() -> None:
    """The codes on the wire are those of the classes, each with a status and a sentence of its own."""
    assert list(get_args(ErrorCode)) == [kind.code for kind in KINDS]
    assert len(KINDS) == len({kind.status for kind in KINDS}) == len({kind.code for kind in KINDS})
    assert len(KINDS) - 1 == len({kind.advice for kind in KINDS})  # two wait for Retry-After
    assert all(kind.advice.endswith(".") for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_is_answered_in_one_shape(kind: type[ServiceError]) -> None:
    """Code, status, what was wrong, what to do, and where; headers of the error are the answer's."""
    answer = await answer_to(kind("the lamp is out", {"X-Lamp": "7"}))

    assert (kind.status, problems.MEDIA_TYPE) == (answer.status_code, answer.headers["content-type"])
    problem = Problem.model_validate_json(answer.content)
    assert (problem.code, problem.status, problem.detail) == (kind.code, kind.status, "the lamp is out")
    assert (problem.remedy, problem.instance, answer.headers["x-lamp"]) == (kind.advice, "/x", "7")


async def test_a_service_may_say_better_what_to_do() -> None:
    """The class's sentence is a default; a subclass is answered as its parent."""

    class LampOut(Conflict):
        pass

    answer = await answer_to(LampOut("the lamp is out", remedy="Change the bulb."))

    assert (409, "conflict", "Change the bulb.") == (answer.status_code, answer.json()["code"], answer.json()["remedy"])


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (
            StoreUnavailable("history", "mysql://root:secret@db"),
            "the store of history is unavailable: it does not answer",
        ),
        (ServiceUnavailable("ingest", "http://10.0.0.7: refused"), "service ingest does not answer"),
    ],
)
async def test_what_is_away_is_named_without_its_address(error: ServiceError, detail: str) -> None:
    """The store and the service are named, and when to come back; the cause is for the log."""
    answer = await answer_to(error)

    assert (503, detail, "5") == (answer.status_code, answer.json()["detail"], answer.headers["retry-after"])
    assert isinstance(error, ConnectionError)


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (503, Unavailable), (418, Malformed), (502, Internal), (507, Internal)]
)
async def test_errors_of_the_framework_have_a_kind_too(status: int, kind: type[ServiceError]) -> None:
    """What a library answers by itself is answered by the nearest of ours."""
    answer = await answer_to(HTTPException(status, "no"))

    assert kind is kind_of(status)
    assert (kind.status, kind.code) == (answer.status_code, Problem.model_validate_json(answer.content).code)


async def test_a_missing_route_or_method_is_named() -> None:
    """The framework's own word names nothing: path and method are added."""
    missing = (await answer_to(ValueError(), "/y")).json()
    method = (await answer_to(ValueError(), "/x", "PUT")).json()

    assert ("not_found", "GET /y: not found") == (missing["code"], missing["detail"])
    assert ("not_allowed", "PUT /x: method not allowed") == (method["code"], method["detail"])


async def test_a_defect_is_ours_and_says_nothing_of_itself() -> None:
    """An unforeseen error is 500, and its text stays in the log."""
    answer = await answer_to(RuntimeError("password is 1234"))

    assert (500, "internal") == (answer.status_code, answer.json()["code"])
    assert "1234" not in answer.text
