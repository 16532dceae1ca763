"""The whole service on an embedded bus: from published records to REST answers."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from build_chassis.auth import Principal, mint_internal
from build_chassis.bus import Outgoing, open_bus
from build_ingest.app import create_app
from build_ingest.settings import Settings
from build_testkit.signing import SECRET
from fastapi import FastAPI

EVERYBODY = Principal("ana", "viewer", None)
DEVELOPER = Principal("dev", "developer", None)
GATEWAY = Principal("gateway", "admin", None, kind="service")


class Service:
    def __init__(self, app: FastAPI, bus: Any) -> None:
        self.app = app
        self.bus = bus
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ingest")

    async def publish(self, reporter, *records) -> None:
        deliveries = [reporter.delivery(record) for record in records]
        await self.bus.publish([Outgoing(each.routing_key, each.body, each.headers) for each in deliveries])

    async def get(self, path: str, principal: Principal = EVERYBODY, **headers: str) -> httpx.Response:
        token = mint_internal(principal, "ingest", SECRET)
        return await self._client.get(path, headers={"Authorization": f"Bearer {token}", **headers})

    async def post(self, path: str, body: dict, principal: Principal = EVERYBODY) -> httpx.Response:
        token = mint_internal(principal, "ingest", SECRET)
        return await self._client.post(path, json=body, headers={"Authorization": f"Bearer {token}"})

    async def stored(self, reporter, upto: int | None = None) -> dict:
        async def reached() -> dict | None:
            answer = await self.get(f"/api/builds/{reporter.id}")
            return answer.json() if answer.status_code == 200 and answer.json()["asOfSeq"] >= wanted else None

        wanted = upto or reporter.seq
        return await eventually(reached)


async def eventually(ask: Callable[[], Awaitable[Any]], seconds: float = 10) -> Any:
    async with asyncio.timeout(seconds):
        while not (answer := await ask()):  # noqa: ASYNC110  what is awaited happens behind a REST API
            await asyncio.sleep(0.01)
    return answer


@asynccontextmanager
async def serving(folder: Path, bus_url: str | None = None) -> AsyncIterator[Service]:
    settings = Settings(store_url=f"sqlite:///{folder}/ingest.sqlite", jwt_secret_key=SECRET, replica="test")
    bus = open_bus(bus_url or f"sqlite:///{folder}/bus.sqlite")
    app = create_app(settings, bus)
    async with AsyncExitStack() as stack:
        await bus.open()
        stack.push_async_callback(bus.close)
        await stack.enter_async_context(app.router.lifespan_context(app))
        yield Service(app, bus)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(tmp_path) as running:
        yield running


async def test_published_records_are_shown(service, reporter) -> None:
    """What an agent reported is in the list, on the build's page and in its log."""
    await service.publish(
        reporter,
        reporter.start(cwd="/src", tools={"ninja": "1.11"}),
        reporter.log(["one", "two"]),
        reporter.update(progress=9),
    )

    detail = await service.stored(reporter)
    listed = (await service.get("/api/builds")).json()
    page = (await service.get(f"/api/builds/{reporter.id}/logs")).json()

    assert (detail["status"], detail["progress"], detail["cwd"], detail["tools"]) == (
        "running",
        9,
        "/src",
        {"ninja": "1.11"},
    )
    assert [build["id"] for build in listed["items"]] == [reporter.id]
    assert (page["first"], page["lines"], page["total"], page["asOfSeq"]) == (1, ["one", "two"], 2, 3)
    assert (page["streams"], len(page["timesMs"])) == (["out", "out"], 2)


async def test_a_finished_build_is_judged_and_verified(service, reporter) -> None:
    """The end of a build reaches the other services as a verdict, and the log is verified."""
    await service.publish(reporter, reporter.start(), reporter.log(["x"]), reporter.complete("failed", exit_code=1))

    async with service.bus.consume("notifier.builds") as notifier:
        (verdict,) = await asyncio.wait_for(notifier.fetch(1), 10)
        await notifier.ack([verdict])

    async def verified() -> dict | None:
        answer = (await service.get(f"/api/builds/{reporter.id}")).json()
        return answer if answer["verified"] else None

    assert b'"failed"' in verdict.body
    assert (await eventually(verified))["exitCode"] == 1


async def test_a_build_survives_restarts_on_any_bus(tmp_path: Path, bus_url: str, make_reporter) -> None:
    """A build whose service is stopped and started in its midst is stored whole, judged and verified."""
    reporter = make_reporter()
    records = [
        reporter.start(),
        *(reporter.log([f"line {n}.{m}" for m in range(50)]) for n in range(60)),
        reporter.complete(),
    ]
    for at in range(0, len(records), 21):
        async with serving(tmp_path, bus_url) as service:
            await service.publish(reporter, *records[at : at + 21])
            # The last batch of each life may or may not be stored when it ends.
            await service.stored(reporter, upto=at + 10)
    async with serving(tmp_path, bus_url) as service:

        async def verified() -> dict | None:
            answer = (await service.get(f"/api/builds/{reporter.id}")).json()
            return answer if answer["verified"] else None

        detail = await eventually(verified, seconds=30)
        text = await service.get(f"/api/builds/{reporter.id}/logs?format=text")
        async with service.bus.consume("notifier.builds") as notifier:
            (verdict, *_) = await asyncio.wait_for(notifier.fetch(1), 10)
            await notifier.ack([verdict])

    assert detail["status"] == "succeeded"
    assert text.text == "".join(f"{line}\n" for line in reporter.lines)


async def test_the_text_is_the_log_in_any_ranges(service, reporter) -> None:
    """Ranges of the download joined are the whole download, which is the log, a line a line."""
    await service.publish(reporter, reporter.start())
    for number in range(60):
        lines = [f"{number}.{line} ü" + "x" * 200 for line in range(90)]
        await service.publish(reporter, reporter.log(lines, continues=number % 9 == 4))
    await service.stored(reporter)
    path = f"/api/builds/{reporter.id}/logs?format=text"

    whole = await service.get(path)
    size = len(whole.content)
    parts = [await service.get(path, Range=f"bytes={at}-{at + 99_999}") for at in range(0, size, 100_000)]
    tail = await service.get(path, Range="bytes=-10")
    beyond = await service.get(path, Range=f"bytes={size}-")

    assert whole.text == "".join(f"{line}\n" for line in reporter.lines)
    assert b"".join(part.content for part in parts) == whole.content
    assert {part.status_code for part in parts} == {206}
    assert parts[1].headers["content-range"] == f"bytes 100000-199999/{size}"
    assert tail.content == whole.content[-10:]
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert whole.headers["content-length"] == str(size)
    assert whole.headers["x-content-type-options"] == "nosniff"


async def test_pages_of_lines_agree_with_the_log(service, reporter) -> None:
    """Any page shows the right lines, also where a line runs over several records."""
    await service.publish(reporter, reporter.start())
    for number in range(30):
        lines = [f"line {number}.{line}" for line in range(7)]
        await service.publish(
            reporter, reporter.log(lines, continues=number % 3 == 1, stream=["out", "err"][number % 2])
        )
    await service.stored(reporter)

    for first, count in [
        (1, 10_000),
        (1, 1),
        (7, 1),
        (14, 3),
        (len(reporter.lines), 5),
        (len(reporter.lines) + 1, 5),
        (100, 50),
    ]:
        page = (await service.get(f"/api/builds/{reporter.id}/logs?first={first}&count={count}")).json()
        assert page["lines"] == reporter.lines[first - 1 : first - 1 + count]
        assert len(page["lines"]) == len(page["timesMs"]) == len(page["streams"])


async def test_search_finds_lines_by_word_and_by_pattern(service, reporter) -> None:
    """Hits carry their line numbers; case, literal text and regular expressions are distinguished."""
    lines = [f"[{n}/500] Building lib/File{n}.cpp" for n in range(500)]
    lines[99] = "lib/File99.cpp:3:1: Error: a.b (missing)"
    lines[400] = "lib/File400.cpp:9:2: error: axb"
    await service.publish(reporter, reporter.start())
    for first in range(0, 500, 50):
        await service.publish(reporter, reporter.log(lines[first : first + 50]))
    await service.publish(reporter, reporter.log([" went on"], continues=True))
    await service.stored(reporter)

    async def hits(query: str) -> list[int]:
        return [hit["line"] for hit in (await service.get(f"/api/builds/{reporter.id}/logs?q={query}")).json()["hits"]]

    assert await hits("error%3A") == [100, 401]
    assert await hits("error%3A&case=true") == [401]
    assert await hits("a.b") == [100]
    assert await hits("a.b&regex=true") == [100, 401]
    assert await hits("^lib.*missing\\)$&regex=true") == [100]
    assert await hits("cpp+went+on") == [500]
    assert await hits("Building&count=2&first=499") == [499, 500]
    first_page = (await service.get(f"/api/builds/{reporter.id}/logs?q=Building&count=2")).json()
    assert (first_page["totalHits"], first_page["totalIsExact"], first_page["nextFirst"]) == (498, True, 3)
    assert (await service.get(f"/api/builds/{reporter.id}/logs?q=(&regex=true")).status_code == 422


async def test_news_of_a_log_and_a_search_over_many(service, make_reporter) -> None:
    """The search comes as JSON lines; a pattern that is none and a search of everything are refused in words."""
    green_log = ["built in 31 s", "warning: x"]
    red_log = ["warning: x", "built in 12 s", "error: no member", "retry x1"]
    green, red = make_reporter(started_at=1_700_000_000_000), make_reporter(started_at=1_700_000_060_000)
    for reporter, lines, status in ((green, green_log, "succeeded"), (red, red_log, "failed")):
        await service.publish(reporter, reporter.start(), reporter.log(lines), reporter.complete(status))
        await service.stored(reporter)

    found = (await service.get(f"/api/builds/{red.id}/logs/news?count=1")).json()
    answer = await service.get("/api/builds/logs/search?q=no%20member&commit=0123ABC")
    hidden = await service.get(
        "/api/builds/logs/search?q=no&commit=0123", Principal("bob", "viewer", frozenset({"aside"}))
    )
    unbound = await service.get("/api/builds/logs/search?q=x")
    broken = await service.get("/api/builds/logs/search?q=(&regex=true&commit=0123")

    assert ([item["line"] for item in found["items"]], found["totalItems"]) == ([3], 2)
    assert answer.headers["content-type"] == "application/x-ndjson"
    first, second, end = map(json.loads, answer.text.splitlines())
    assert [(part["build"]["id"], part["totalHits"]) for part in (first, second)] == [(red.id, 1), (green.id, 0)]
    assert (end["type"], end["end"], end["builds"]) == ("end", "done", 2)
    assert [json.loads(line)["type"] for line in hidden.text.splitlines()] == ["end"]
    assert (unbound.status_code, broken.status_code) == (422, 422)
    assert "name a commit" in unbound.json()["detail"]
    assert "regular expression" in broken.json()["detail"]


async def test_events_are_the_records_beside_the_log(service, reporter) -> None:
    """The events tab shows what the agent reported, in pages."""
    await service.publish(
        reporter, reporter.start(), *(reporter.update(progress=n) for n in range(10)), reporter.log(["x"])
    )
    await service.stored(reporter)

    first = (await service.get(f"/api/builds/{reporter.id}/records?limit=6")).json()
    rest = (await service.get(f"/api/builds/{reporter.id}/records?after={first['nextAfter']}")).json()

    assert [event["seq"] for event in first["items"] + rest["items"]] == list(range(1, 12))
    assert first["items"][0]["data"]["command"] == ["ninja"]


async def test_another_projects_build_does_not_exist(service, make_reporter) -> None:
    """Outside the caller's projects every route answers as for an unknown build, and lists are empty."""
    reporter, unknown = make_reporter(), make_reporter()
    await service.publish(reporter, reporter.start())
    await service.stored(reporter)
    stranger = Principal("eve", "admin", frozenset({"iree"}))

    for path in ("", "/logs", "/logs/news", "/logs?format=text", "/logs?q=x", "/failures", "/tests", "/records"):
        hidden = await service.get(f"/api/builds/{reporter.id}{path}", stranger)
        absent = await service.get(f"/api/builds/{unknown.id}{path}", stranger)
        assert hidden.status_code == absent.status_code == 404
        assert hidden.json()["detail"].replace(reporter.id, "") == absent.json()["detail"].replace(unknown.id, "")
    for query in ("", "?project=torch-mlir", "?project=torch-mlir&project=iree", "?q=ninja"):
        assert (await service.get(f"/api/builds{query}", stranger)).json()["items"] == []


async def test_the_gateway_asks_what_is_stored_and_people_cannot(service, make_reporter) -> None:
    """Internal answers name owner and head; people find nothing there."""
    reporter, unknown = make_reporter(), make_reporter()
    await service.publish(reporter, reporter.start(), reporter.complete())
    await service.stored(reporter)
    path = f"/internal/stored?build={reporter.id}&build={unknown.id}"

    answer = (await service.get(path, GATEWAY)).json()

    assert list(answer) == [reporter.id]
    assert answer[reporter.id] | {"verified": None} == {
        "stored": 2,
        "agent": "builder-1",
        "project": "torch-mlir",
        "status": "succeeded",
        "complete": True,
        "verified": None,
        "logLines": 0,
        "logBytes": 0,
    }
    assert (await service.get(path)).status_code == 404


async def test_poison_is_parked_and_the_rest_of_its_batch_is_stored(service, make_reporter) -> None:
    """A message nobody can read and one of another agent go to the parking queue; the build goes on."""
    reporter = make_reporter()
    deliveries = [reporter.delivery(record) for record in (reporter.start(), reporter.log(["a"]))]
    foreign = reporter.delivery(reporter.log(["b"]).model_copy(update={"seq": 3}), agent="intruder")
    own = reporter.delivery(reporter.log(["b"]).model_copy(update={"seq": 3}))
    broken = Outgoing(deliveries[0].routing_key, b'{"type":"BUILD_LOG"', {"agent": reporter.agent})
    outgoing = [Outgoing(each.routing_key, each.body, each.headers) for each in (*deliveries, foreign, own)]

    await service.bus.publish([*outgoing[:1], broken, *outgoing[1:]])

    assert (await service.stored(reporter, upto=3))["logLines"] == 2

    async def both_parked() -> list[str] | None:
        reasons = [dead.reason for dead in await service.bus.dead_letters()]
        return reasons if len(reasons) == 2 else None

    assert any("intruder" in reason for reason in await eventually(both_parked))


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "cursor=x", "status=odd", "commit=xyz", "cursor=%C3%BC"])
async def test_a_bad_query_is_answered_with_what_is_wrong(service, query: str) -> None:
    """A list asked wrongly answers 422 with the parameter's name."""
    answer = await service.get(f"/api/builds?{query}")

    assert answer.status_code == 422
    assert query.split("=", maxsplit=1)[0] in answer.json()["detail"]


async def test_lists_go_on_by_cursor(service, make_reporter) -> None:
    """Pages by cursor show every build once, newest first."""
    reporters = [make_reporter() for _ in range(7)]
    for reporter in reporters:
        await service.publish(reporter, reporter.start())
    for reporter in reporters:
        await service.stored(reporter)

    seen: list[str] = []
    path: str | None = "/api/builds?limit=3"
    while path:
        page = (await service.get(path)).json()
        seen += [build["id"] for build in page["items"]]
        path = f"/api/builds?limit=3&cursor={page['nextCursor']}" if "nextCursor" in page else None

    assert seen == [reporter.id for reporter in reversed(reporters)]


@pytest.mark.slow
async def test_a_flood_is_whole(service, reporter) -> None:
    """Twenty thousand lines in full records come out as they went in."""
    await service.publish(reporter, reporter.start())
    lines = [f"[{number}/20000] Building CXX object {number * 7919:x}.o" for number in range(20_000)]
    for first in range(0, 20_000, 200):
        await service.publish(reporter, reporter.log(lines[first : first + 200]))
    await service.publish(reporter, reporter.complete())

    async def verified() -> dict | None:
        answer = await service.get(f"/api/builds/{reporter.id}")
        return answer.json() if answer.status_code == 200 and answer.json()["verified"] else None

    await eventually(verified)
    text = (await service.get(f"/api/builds/{reporter.id}/logs?format=text")).content
    assert hashlib.sha256(text[:-1]).hexdigest() == reporter.totals().sha256


async def test_failures_are_answered_while_a_build_runs_and_at_its_end(service, reporter) -> None:
    """The route lists what is certain, first real one first, and says when the whole log was analysed."""

    async def failures() -> dict:
        return (await service.get(f"/api/builds/{reporter.id}/failures")).json()

    async def found() -> dict | None:
        answer = await failures()
        return answer if answer["items"] else None

    async def analysed() -> dict | None:
        build = (await service.get(f"/api/builds/{reporter.id}")).json()
        return await failures() if build["status"] == "failed" and (await failures())["analysed"] else None

    await service.publish(reporter, reporter.start(), reporter.log(["[1/9] Building CXX object a.o"]))
    await service.stored(reporter)
    assert await failures() == {"items": [], "analysed": False}

    error = "lib/B.cpp:3:7: error: use of undeclared identifier 'lower'"
    await service.publish(
        reporter, reporter.log(["FAILED: b.o", "c++ -c lib/B.cpp -o b.o", error, "1 error generated."])
    )
    await service.publish(reporter, reporter.log(["[3/9] Building CXX object c.o", "[4/9] Building CXX object d.o"]))
    live = await eventually(found)
    await service.publish(reporter, reporter.log(["ninja: build stopped: subcommand failed."]))
    await service.publish(reporter, reporter.complete("failed", exit_code=1))
    ended = await eventually(analysed)

    assert live["items"][0]["firstLine"] == 4
    assert live["analysed"]
    (failure,) = ended["items"]
    assert (failure["category"], failure["file"], failure["line"], failure["target"]) == (
        "compile_error",
        "lib/B.cpp",
        3,
        "b.o",
    )
    assert failure["signature"].startswith("compile_error-")


async def test_a_person_names_which_line_is_the_right_one(service, reporter) -> None:
    """Kept with the line's text and what the analysis found; sent again it is replaced; exported across builds."""
    await service.publish(
        reporter, reporter.start(), reporter.log(["one", "lib/B.cpp:3:7: error: no such thing", "three"])
    )
    await service.publish(reporter, reporter.complete("failed", exit_code=1))

    async def analysed() -> dict | None:
        answer = (await service.get(f"/api/builds/{reporter.id}/failures")).json()
        return answer if answer["analysed"] else None

    await service.stored(reporter)
    found = await eventually(analysed)
    path = f"/api/builds/{reporter.id}/failures/feedback"
    remark = {"line": 3, "signature": found["items"][0]["signature"], "note": "this one"}
    answers = [await service.post(path, remark | {"note": note}) for note in ("this one", "no, really")]
    of_build = (await service.get(path)).json()["items"]
    export = await service.get("/api/builds/failures/feedback?project=torch-mlir", DEVELOPER)

    assert [answer.status_code for answer in answers] == [201, 201]
    (stored,) = of_build
    assert (stored["text"], stored["note"], stored["by"], stored["line"]) == ("three", "no, really", "ana", 3)
    assert stored["found"]["firstLine"] == 2
    assert stored["rules"] == found["rules"]
    assert export.json()["items"] == of_build
    assert (await service.post(path, {"line": 4})).status_code == 422
    assert (await service.post(path, {"line": 1}, GATEWAY)).status_code == 403
    assert (await service.get("/api/builds/failures/feedback")).status_code == 403
    stranger = Principal("eve", "admin", frozenset({"iree"}))
    assert (await service.post(path, {"line": 1}, stranger)).status_code == 404
    assert (await service.get("/api/builds/failures/feedback", stranger)).json()["items"] == []


async def test_a_maintainer_has_a_log_read_again(service, reporter) -> None:
    """At once, whatever rules it was read by; a running build waits for its end, and viewers may not."""
    path = f"/api/builds/{reporter.id}/analysis"
    await service.publish(reporter, reporter.start(), reporter.log(["lib/B.cpp:3:7: error: no such thing"]))
    await service.stored(reporter)
    early = await service.post(path, {}, DEVELOPER)
    await service.publish(reporter, reporter.complete("failed", exit_code=1))

    async def read() -> httpx.Response | None:
        answer = await service.post(path, {}, DEVELOPER)
        return answer if answer.status_code == 200 else None

    answer = await eventually(read)

    assert early.status_code == 409
    assert [failure["line"] for failure in answer.json()["items"]] == [3]
    assert (await service.post(path, {})).status_code == 403


async def test_what_an_agent_found_late_is_on_the_builds_page(service, reporter) -> None:
    """Step times, hotspots, changed configuration, the expected rest: the newest counts; what is missing adds up."""
    slow = {"output": "a.o", "durationMs": 900, "previousMs": 300}
    await service.publish(
        reporter,
        reporter.start(),
        reporter.update(remainingMs=60_000, compileHotspots=[slow | {"durationMs": 1}]),
        reporter.update(stepTimes={"count": 3, "slowest": [slow], "criticalPath": [slow]}, compileHotspots=[slow]),
        reporter.update(configurationChanges=[{"name": "CMAKE_BUILD_TYPE", "before": "Debug"}]),
        reporter.update(missingFacts=[missing := {"name": "branch", "reason": "detached", "remedy": "give --branch"}]),
        reporter.update(
            missingFacts=[missing, damaged := {**missing, "name": "tests", "reason": "a report is damaged"}]
        ),
    )

    detail = await service.stored(reporter)
    (row,) = (await service.get("/api/builds")).json()["items"]

    assert detail["stepTimes"] == {"count": 3, "slowest": [slow], "criticalPath": [slow]}
    assert detail["compileHotspots"] == [slow]
    assert detail["configurationChanges"] == [{"name": "CMAKE_BUILD_TYPE", "before": "Debug"}]
    assert detail["missingFacts"] == [missing, damaged]
    assert 59_000 < detail["remainingMs"] == row["remainingMs"] <= 60_000


async def test_test_results_are_answered_in_pages(service, reporter) -> None:
    """Filtered, sorted, with counts of the whole build; a page goes on where the one before ended."""
    tests = [{"name": f"Suite.T{n}", "outcome": ["passed", "failed"][n % 2], "seconds": n} for n in range(6)]
    await service.publish(reporter, reporter.start(), reporter.update(tests=tests), reporter.complete("failed"))
    path = f"/api/builds/{reporter.id}/tests"

    async def counted() -> dict | None:
        answer = (await service.get(f"/api/builds/{reporter.id}")).json()
        return answer.get("metrics")

    await service.stored(reporter)
    metrics = await eventually(counted)
    page = (await service.get(f"{path}?sort=slowest&limit=4")).json()
    rest = (await service.get(f"{path}?sort=slowest&limit=4&cursor={page['nextCursor']}")).json()
    failed = (await service.get(f"{path}?outcome=failed&q=t3")).json()

    assert [item["name"] for item in page["items"] + rest["items"]] == [f"Suite.T{n}" for n in range(5, -1, -1)]
    assert (page["counts"], page["totalSeconds"], "nextCursor" in rest) == ({"passed": 3, "failed": 3}, 15, False)
    assert [item["name"] for item in failed["items"]] == ["Suite.T3"]
    assert (metrics["testsPassed"], metrics["testsFailed"]) == (3, 3)
    assert (await service.get(f"{path}?limit=501")).status_code == 422


def test_the_failures_of_a_build_are_typed_in_openapi(tmp_path: Path) -> None:
    """Whoever generates a client from the schema sees what a failure is."""
    bus = open_bus(f"sqlite:///{tmp_path}/bus.sqlite")
    schema = create_app(Settings(store_url="sqlite://", jwt_secret_key=SECRET), bus).openapi()

    answer = schema["paths"]["/api/builds/{build_id}/failures"]["get"]["responses"]["200"]["content"]
    assert answer["application/json"]["schema"]["$ref"].endswith("/Failures")
    assert "signature" in schema["components"]["schemas"]["FailureData"]["properties"]


async def test_builds_are_listed_by_what_people_call_them(service, make_reporter) -> None:
    """Every build that answers to a beginning or end of an id; one of another's project is not even counted."""
    ours, theirs = make_reporter("iree"), make_reporter("torch-mlir")
    theirs.id = f"{theirs.id[:-12]}{ours.id[-12:]}"
    for one in (ours, theirs):
        await service.publish(one, one.start())
        await service.stored(one)
    stranger = Principal("eve", "admin", frozenset({"iree"}))

    async def named(text: str, **caller: Principal) -> list[str]:
        answer = await service.get(f"/api/builds?id={quote(text)}", **caller)
        return [build["id"] for build in answer.json()["items"]]

    assert await named(ours.id[-8:]) == [theirs.id, ours.id]
    assert await named(f" {ours.id[-8:].upper()}\n", principal=stranger) == [ours.id]
    assert await named(theirs.id, principal=stranger) == []
    for wrong, why in {"abc": "too short", "latest": "is no build id", "": "is no build id"}.items():
        answer = await service.get(f"/api/builds?id={wrong}")
        assert (answer.status_code, why in answer.json()["detail"]) == (422, True)


async def test_an_idle_service_rests(service) -> None:
    """No duty asks for its next step at once when nothing is there to do: an idle service takes no CPU."""
    replica = service.app.state.dependencies.replica

    assert [] == [duty.name for duty in replica.duties() if await duty.step()]


async def test_verdicts_are_given_again_to_services_alone(service, make_reporter) -> None:
    """As they were published, of builds of CI that ended before a time; none of running ones; page by page."""
    reporters = [make_reporter() for _ in range(3)]
    for reporter in reporters:
        await service.publish(reporter, reporter.start(), reporter.log(["a"]), reporter.complete("failed"))
    running, local = make_reporter(), make_reporter()
    await service.publish(running, running.start())
    await service.publish(local, local.start(origin="local"), local.complete())
    for reporter in (*reporters, running, local):
        await service.stored(reporter)
    queue = "history.builds"
    async with service.bus.consume(queue) as consumer, asyncio.timeout(10):
        published: dict[str, Any] = {}
        while len(published) < len(reporters) + 1:
            deliveries = await consumer.fetch(20)
            await consumer.ack(deliveries)
            messages = [json.loads(delivery.body) for delivery in deliveries]
            published |= {each["buildId"]: each for each in messages if each["type"] == "BUILD_VERDICT"}

    ended: list[str] = []
    path = "/internal/ended?limit=2&overBefore=1800000000000"
    while path:
        page = (await service.get(path, GATEWAY)).json()
        ended += page["builds"]
        path = f"/internal/ended?limit=2&overBefore=1800000000000&before={page['before']}" if "before" in page else ""
    assert {reporter.id for reporter in reporters} == set(ended)
    assert [] == (await service.get("/internal/ended?overBefore=5", GATEWAY)).json()["builds"]

    async def settled() -> list[Any]:
        query = "&".join(
            f"build={build_id}" for build_id in (*ended, running.id, "0" * 8 + "-0000-7000-8000-" + "0" * 12)
        )
        verdicts: list[Any] = (await service.get(f"/internal/verdicts?{query}", GATEWAY)).json()["verdicts"]
        return verdicts if len(verdicts) == len(ended) else []

    for verdict in await eventually(settled):
        assert published[verdict["buildId"]] == {**verdict, "timestamp": published[verdict["buildId"]]["timestamp"]}
    assert 404 == (await service.get("/internal/ended?overBefore=5", EVERYBODY)).status_code
