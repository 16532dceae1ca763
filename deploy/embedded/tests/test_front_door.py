"""The front door with all five real services behind it, mounted and over HTTP: what reaches a service, and for whom."""

import itertools
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from build_chassis.auth import Kind, Principal, mint_internal
from build_chassis.bodies import BODY_BYTES, limit_of
from build_chassis.pagination import encode_cursor
from build_protocol.ids import new_build_id
from build_testkit.front_door import SECRET, Door, api_routes, front_door, routes_of, stored_build
from build_testkit.served import chunked, send_raw
from fastapi import FastAPI

pytestmark = pytest.mark.slow

SERVICES = ("artifacts", "history", "ingest", "notifier")
CLIMBS = ("..", "%2e%2e", ".%2e", "%2E%2E", "%252e%252e", "..;", "..%20", "%ef%bc%8e%ef%bc%8e", "%c0%ae%c0%ae", "..%00")
"""A way up, as different programs may read one."""

TARGETS = (
    "/api/builds/..%2f..%2finternal/stored",
    "/api/builds/..%5c..%5cinternal/stored",
    "/api/builds/..\\..\\internal/stored",
    "/api/builds/%2finternal/stored",
    "/api//internal/stored",
    "//internal/stored",
    "/api/builds//x",
    "/api/artifacts/objects/..",
    "/api/artifacts/objects/..%2f..%2f..%2finternal%2fopenapi.json",
    "/api/artifacts/objects/%2e%2e%3fx",
    "/api/notifications/webhooks/sendgrid/../../mutes",
    "/api/../internal/stored",
    "/../internal/stored",
    "/assets/..%2f..%2fsecret",
    "http://other/api/../metrics",
    "http://other/api/builds/../../metrics",
    "/api/builds/x#/../../metrics",
    "/api/builds/%",
    "/api/builds/%zz",
    "/api/builds/x%00",
)
"""Requests' targets, as sent, that are not plainly one path."""

OWNED = ("builds", "artifacts", "artifacts/objects", "history", "notifications", "notifications/webhooks")


@pytest.fixture(params=["mounted", "http"])
async def door(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    """The embedded system; over HTTP, each of its services has a server of its own."""
    monkeypatch.setenv("NOTIFIER_SENDGRID_WEBHOOK_KEY", "")
    async with front_door(tmp_path, is_mounted=request.param == "mounted") as door:
        yield door


def filled(path: str) -> str:
    """The path with something in place of its parameters."""
    return "/".join("x" if part.startswith("{") else part for part in path.split("/"))


async def test_internal_routes_are_for_services_only(door: Door) -> None:
    """On every service: without a token 401, for a person or a key 404, for a service an answer. Others are known."""
    statuses: dict[tuple[str, str], dict[str, int]] = {}
    for service, app in door.apps.items():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{service}") as client:
            for method, path in routes_of(app):
                if path.startswith("/internal/"):
                    statuses[service, path] = {"nobody": (await client.request(method, path)).status_code}
                    kinds: tuple[Kind, ...] = ("user", "key", "service")
                    for kind in kinds:
                        token = mint_internal(Principal("x", "admin", None, kind), service, SECRET)
                        answer = await client.request(method, path, headers={"Authorization": f"Bearer {token}"})
                        statuses[service, path][kind] = answer.status_code

    assert {(service, "/internal/openapi.json") for service in door.apps} < statuses.keys()
    for where, answers in statuses.items():
        assert (answers["nobody"], answers["user"], answers["key"]) == (401, 404, 404), where
        assert answers["service"] in {200, 422}, where
    known = ("/api/", "/internal/", "/healthz", "/readyz", "/metrics")
    beside = {path for service in SERVICES for _, path in routes_of(door.apps[service]) if not path.startswith(known)}
    assert not beside


async def test_nothing_outside_api_is_reached(door: Door) -> None:
    """Every route of every service that is not below `/api/`, by every way up, for everybody: refused, none arrives."""
    hidden = sorted(
        {path for service in SERVICES for _, path in routes_of(door.apps[service]) if not path.startswith("/api/")}
    )
    before = door.arrived()
    ways = [(climb, OWNED[at % len(OWNED)]) for at, climb in enumerate(CLIMBS)]
    ways += [("%2e%2e", owned) for owned in OWNED]
    for (climb, owned), path, caller in itertools.product(ways, hidden, door.callers):
        up = "/".join([climb] * (owned.count("/") + 2))
        status, text = await door.ask("GET", f"/api/{owned}/{up}{path}?build=x", caller)
        assert (status, "the path" in text) == (400, True), (climb, owned, path, caller)

    assert door.arrived() == before


async def test_targets_that_could_be_read_as_others_are_refused(door: Door) -> None:
    """With any method and for everybody, also as a WebSocket: 400, and no service receives it."""
    before = door.arrived()
    upgrade = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: " + "a" * 22 + "==",
    ]

    for target in TARGETS:
        for method, caller in itertools.product(("GET", "PUT", "POST", "DELETE"), door.callers):
            assert (await door.ask(method, target, caller))[0] == 400, (method, target, caller)
        status, _ = await send_raw(door.url, target.replace("/api", "/ws", 1), headers=upgrade)
        assert status in {400, 403}, target

    assert door.arrived() == before


@pytest.mark.parametrize("path", ["/internal/stored?build=x", "/internal/openapi.json", "/internal/last-green"])
async def test_internal_paths_do_not_exist_at_the_front_door(door: Door, path: str) -> None:
    """Neither the gateway's own nor a service's, for anybody."""
    for caller in door.callers:
        status, _ = await door.ask("GET", path, caller)
        assert status in {401, 404}, caller
        assert (await door.ask("GET", f"/api{path}", caller))[0] == 404

    assert not door.arrived()


async def test_a_path_that_ends_in_a_slash_is_no_route(door: Door) -> None:
    """No service redirects to an address that only services know."""
    for path in ("/api/builds/", "/api/artifacts/objects/", "/api/failures/"):
        status, text = await door.ask("GET", path)
        assert (status, "127.0.0.1" in text) == (404, False), path

    assert not door.arrived()


async def test_who_asks_arrives_as_what_they_are(door: Door) -> None:
    """A person, a key of either scope: each sees its own projects, and another's build does not exist for it."""
    build_id = await stored_build(door, "theirs")
    answers = {
        caller: [
            (await door.ask("GET", f"/api/builds/{build_id}{beneath}", caller))[0]
            for beneath in ("", "/logs", "/failures", "/tests", "/records", "/artifacts", "/failures/feedback")
        ]
        for caller in door.callers
    }
    climbed = [
        await door.ask("GET", f"/api/builds/%2e%2e/%2e%2e/internal/stored?build={build_id}", caller)
        for caller in door.callers
    ]

    assert answers["admin"] == [200] * 7
    assert answers["viewer"] == answers["read key"] == [404, 404, 404, 404, 404, 200, 404]
    assert answers["agent key"] == [401, 401, 401, 401, 401, 200, 401]
    assert answers["nobody"] == [401] * 7
    for caller in ("viewer", "read key", "agent key"):
        assert await door.ask("GET", f"/api/builds/{build_id}/artifacts", caller) == (200, '{"items":[]}')
    assert all(status == 400 and build_id not in text for status, text in climbed)


async def operations(door: Door) -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Method, path, description and the schemas of everything that the API describes."""
    _, text = await door.ask("GET", "/api/openapi.json")
    described = json.loads(text)
    schemas = described["components"]["schemas"]
    return [
        (method.upper(), path, operation, schemas)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


async def test_no_number_in_an_address_is_too_large_for_a_store(door: Door) -> None:
    """Every number that a query takes, at and beyond 64 bits, and cursors of such rank: refused by name, never 500."""
    build_id = await stored_build(door, "mine")
    filling = {"project": "mine", "branch": "main", "config": "default", "name": "x", "q": "x", "build": build_id}
    asked = 0
    for method, path, operation, _ in await operations(door):
        parameters = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
        others = {each["name"]: filling.get(each["name"], "1") for each in parameters if each["required"]}
        for parameter in parameters:
            kinds = {each.get("type") for each in parameter["schema"].get("anyOf", [parameter["schema"]])}
            is_number = "integer" in kinds
            if not is_number and parameter["name"] != "cursor":
                continue
            for number in (2**53, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, "9" * 5000, "NaN", "1e400"):
                value = number if is_number else encode_cursor(number, "k") if isinstance(number, int) else number
                query = urlencode({**others, parameter["name"]: value})
                target = f"{path.replace('{build_id}', build_id)}?{query}"
                status, text = await door.ask(method, target)
                assert status < 500, (target[:200], text[:300])
                if is_number and parameter["in"] == "query" and "{" not in target:
                    assert (status, parameter["name"] in text) == (422, True), (target[:200], text[:300])
                asked += 1

    assert asked > 100


WRONG: dict[str, list[Any]] = {
    "integer": ["1", True, 1.5, 2**63, 10**30],
    "boolean": [0, 1, "true", "no"],
    "string": [1, True, ["x"]],
    "array": [{}, "x", 1],
    "object": [[], "x", 1],
}


async def test_nothing_in_a_body_is_converted(door: Door) -> None:
    """Every field of every body, with values of other types: 422 that names the field; NaN and 1e400 as well."""
    build_id = await stored_build(door, "mine")
    asked = 0
    for method, path, operation, schemas in await operations(door):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body is None:
            continue
        target = re.sub(r"{build_id}", build_id, path)
        target = re.sub(r"{name}", "vic", target)
        target = re.sub(r"{[a-z_]+}", "a" * 32, target)
        caller = "agent key" if target == "/api/artifacts" else "admin"
        for name, schema in schemas[body["schema"]["$ref"].rpartition("/")[2]]["properties"].items():
            kinds = [each["type"] for each in schema.get("anyOf", [schema]) if "type" in each]
            sent = [json.dumps(value) for kind in kinds for value in WRONG.get(kind, [])]
            sent += ["NaN", "1e400"] if "integer" in kinds else []
            for value in sent:
                content = f'{{"{name}": {value}}}'.encode()
                headers = ["Content-Type: application/json", f"Content-Length: {len(content)}"]
                status, text = await door.ask(method, target, caller, headers=headers, body=plain([content]))
                is_named = f"body.{name}" in text or text.count("; body.") == 4  # no more than five are named
                assert (status, is_named) == (422, True), (method, target, content, status, text[:300])
                asked += 1

    assert asked > 60


async def test_no_route_takes_a_body_over_its_limit(door: Door) -> None:
    """Every route of every service: 413 by a length; without one, 413 where it is read and else an answer."""
    piece = b"x" * 4096
    for app in door.apps.values():
        for method, template in routes_of(app):
            path = filled(template)
            size = limit_of(method, path).size
            if size is None or not path.startswith("/api/"):
                continue
            over = chunked([piece] * (size // len(piece) + 1))
            declared = [f"Content-Length: {size + 1}"]

            assert (await door.ask(method, path, headers=declared))[0] == 413, path
            status, _ = await door.ask(method, path, headers=["Transfer-Encoding: chunked"], body=over)

            assert status == 413 or (status < 500 and not reads(app, method, template)), (method, path, status)


def reads(app: FastAPI, method: str, path: str) -> bool:
    """Whether a route has a body that FastAPI reads."""
    (route,) = [each for each in api_routes(app.routes) if each.path == path and method in (each.methods or ())]
    return route.body_field is not None


async def test_the_largest_offer_passes(door: Door, tmp_path: Path) -> None:
    """A thousand parts, and names as long and as odd as names may be."""
    mib = 1024 * 1024
    (tmp_path / "config.yaml").write_text("projects: {mine: {artifact_max_bytes: 6000000000}}")
    offer = {
        "buildId": new_build_id(int(time.time() * 1000)),
        "project": "mine",
        "name": "\N{PILE OF POO}" * 512,
        "contentType": "\u0001" * 512,
        "sizeBytes": 1000 * 5 * mib,
        "sha256": "a" * 64,
        "partSizeBytes": 5 * mib,
        "partSha256": ["a" * 64] * 1000,
    }
    async with httpx.AsyncClient(base_url=door.url) as client:
        headers = {"Authorization": f"Bearer {door.callers['agent key']}"}
        answer = await client.post("/api/artifacts", json=offer, headers=headers, timeout=30)

    assert answer.status_code == 200, answer.text[:300]
    assert len(answer.request.content) > BODY_BYTES


async def test_a_tickets_bytes_are_bounded_by_the_ticket(door: Door, tmp_path: Path) -> None:
    """More than was promised is refused where it is more, by its length or without; a forged ticket reads nothing."""
    offer = {
        "buildId": new_build_id(int(time.time() * 1000)),
        "project": "mine",
        "name": "a",
        "sizeBytes": 100_000,
        "sha256": "a" * 64,
    }
    async with httpx.AsyncClient(base_url=door.url) as client:
        headers = {"Authorization": f"Bearer {door.callers['agent key']}"}
        (put,) = (await client.post("/api/artifacts", json=offer, headers=headers)).json()["puts"]
    body = [b"x" * 4096] * 1000
    declared = await door.ask("PUT", put["url"], "nobody", headers=["Content-Length: 4096000"], body=plain(body))
    counted = await door.ask("PUT", put["url"], "nobody", headers=["Transfer-Encoding: chunked"], body=chunked(body))
    forged = await door.ask(
        "PUT", put["url"] + "x", "nobody", headers=["Transfer-Encoding: chunked"], body=chunked(body)
    )

    assert (declared[0], counted[0], forged[0]) == (400, 400, 403)
    assert not [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]


async def plain(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
