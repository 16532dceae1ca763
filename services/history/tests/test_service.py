"""The whole service on an embedded bus: from published messages to answers, for callers of any scope."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager

import httpx
import pytest
from build_chassis.auth import Principal, mint_internal
from build_chassis.bus import Outgoing, open_bus
from build_history.app import create_app
from build_history.settings import Settings
from build_protocol.incidents import IncidentChanged
from build_protocol.topology import branch_routing_key, queue_name, routing_key
from build_testkit.signing import SECRET

EVERYTHING = Principal("ann", "viewer", None)


class Service:
    """A running history service, its bus, and people who ask it."""

    def __init__(self, app, bus):
        self.app, self.bus, self.published = app, bus, 0

    async def publish(self, *messages):
        self.published += len(messages)
        await self.bus.publish(
            [Outgoing(routing_key(m.type, m.build_id, m.project), m.to_json().encode()) for m in messages]
        )

    async def ask(self, path, caller=EVERYTHING, **query):
        token = mint_internal(caller, "history", SECRET)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://history") as client:
            return await client.get(path, params=query, headers={"Authorization": f"Bearer {token}"})

    async def send(self, method, path, caller, json=None):
        token = mint_internal(caller, "history", SECRET)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://history") as client:
            return await client.request(method, path, json=json, headers={"Authorization": f"Bearer {token}"})

    async def answer(self, path, caller=EVERYTHING, **query):
        response = await self.ask(path, caller, **query)
        assert response.status_code == 200, response.text
        return response.json()

    async def handled(self):
        """Wait until the service is done with all that was published here: with every page, not only the first."""
        async with asyncio.timeout(20):
            while self.app.state.dependencies.registry.get_sample_value("history_messages_total") < self.published:  # noqa: ASYNC110  the counter has no event
                await asyncio.sleep(0.02)

    async def settled(self, builds_seen):
        """Wait until the service has recorded so many builds of any project."""
        async with asyncio.timeout(20):
            while True:
                lanes = (await self.answer("/api/history/summary"))["items"]
                if sum(lane["pace"]["builds"] for lane in lanes) >= builds_seen:
                    return
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running(bus_url, tmp_path, builds, keep_days=36500):
    settings = Settings(
        _env_file=None,
        config_path=str(tmp_path / "config.yaml"),
        keep_days=keep_days,
        store_url=f"sqlite:///{tmp_path}/history.sqlite",
        jwt_secret_key=SECRET,
    )
    bus = open_bus(bus_url)
    await bus.open()
    app = create_app(settings, bus, clock=lambda: builds.noon_at + 30 * builds.hour_ms)
    async with app.router.lifespan_context(app):
        yield Service(app, bus)
    await bus.close()


@pytest.fixture
async def service(bus_url, tmp_path, builds):
    async with running(bus_url, tmp_path, builds) as service:
        yield service


async def broken_and_fixed(service, builds):
    """Commit 1 green, 2 breaks both configs, 3 fixes one; a fourth build runs."""
    messages = []
    for config in ("release", "asan"):
        for n, how in ((1, ()), (2, ("failed", "sig")), (3, () if config == "asan" else ("failed", "sig"))):
            fields = {"config": config, "commits": [builds.commit(k) for k in range(n, 1, -1)] or None}
            fields["pins"] = [{"name": "llvm", "commit": builds.sha(900 + n), "committed_at": builds.noon_at}]
            messages += [builds.start(n, **fields), builds.verdict(n, *how, **fields)]
    running = builds.start(29, config="asan", commit=builds.sha(5), commits=[builds.commit(5), builds.commit(4)])
    await service.publish(*messages, running)
    await service.handled()


async def test_the_same_break_of_another_farm_is_named(service, builds):
    """Whoever sees both projects reads where it is red; to others the other project does not exist."""
    red = [
        builds.verdict(1, config="nightly", project="q"),
        builds.verdict(2, "failed", "sig", config="nightly", project="q"),
    ]
    await broken_and_fixed(service, builds)
    await service.publish(*red)
    await service.handled()

    everywhere = (await service.answer("/api/failures/sig"))["redAt"]
    assert [("p", ["release"]), ("q", ["nightly"])] == sorted((at["project"], at["configs"]) for at in everywhere)
    incident = await service.answer(f"/api/incidents/{everywhere[0]['incident']}")
    assert incident["firstStartedAt"] == everywhere[0]["firstStartedAt"]
    own = (await service.answer("/api/failures/sig", Principal("x", "viewer", frozenset({"p"}))))["redAt"]
    assert ["p"] == [at["project"] for at in own]


async def test_a_break_is_shown_on_every_page(service, builds):
    """Group, incident, commit, grid, pins, trends and summary agree about one break."""
    await broken_and_fixed(service, builds)

    (group,) = (await service.answer("/api/failures"))["items"]
    assert tuple(group[name] for name in ("signature", "count", "projects", "configs")) == (
        "sig",
        3,
        ["p"],
        ["asan", "release"],
    )
    assert group["sparkline"] == [0] * 28 + [3, 0]
    assert len((await service.answer("/api/failures/sig"))["builds"]) == 3

    (incident,) = (await service.answer("/api/incidents", state="open"))["items"]
    assert (incident["configs"], incident["recoveredConfigs"]) == (["asan", "release"], ["asan"])
    assert [builds.sha(2)] == [commit["sha"] for commit in incident["suspects"]]
    assert incident["authors"] == ["author 2"]
    members = (await service.answer(f"/api/incidents/{incident['id']}"))["members"]
    assert [builds.id(2, c) for c in ("asan", "release")] == [member["firstBuild"] for member in members]

    (commit,) = (await service.answer(f"/api/commits/{builds.sha(2)}"))["items"]
    judged = {c["config"]: (c["answer"], c["judged"]["verdict"]) for c in commit["configs"]}
    assert judged == {"asan": ("failed", "new"), "release": ("failed", "new")}
    (waiting,) = (await service.answer(f"/api/commits/{builds.sha(4)}"))["items"]
    shown = {c["config"]: (c["answer"], c.get("expectedAt")) for c in waiting["configs"]}
    expected_at = builds.noon_at + 30 * builds.hour_ms
    assert {"asan": ("will_include", expected_at), "release": ("not_built", None)} == shown

    grid = await service.answer("/api/history/grid", project="p")
    assert [builds.sha(n) for n in (5, 4, 3, 2, 1)] == [row["info"]["sha"] for row in grid["rows"]]
    columns = {c["config"]: (c["colour"], c.get("lastGreen"), c.get("firstRed")) for c in grid["columns"]}
    assert ("red", builds.sha(1), builds.sha(2)) == columns["release"]
    assert ("green", builds.sha(3), None) == columns["asan"]

    (matrix,) = (await service.answer("/api/pins"))["items"]
    (downstream,) = matrix["downstreams"]
    assert {"green": builds.sha(901), "red": builds.sha(902)} == downstream["suspectRange"]
    assert builds.sha(901) == matrix["safeToBumpTo"]

    trends = (await service.answer("/api/history/trends", project="p", days=7))["items"]
    assert {t["config"]: (t["days"][0]["succeeded"], t["days"][0]["failed"]) for t in trends} == {
        "asan": (2, 1),
        "release": (1, 2),
    }
    summary = await service.answer("/api/history/summary")
    assert (summary["green"], summary["red"], summary["successRate"]) == (1, 1, 0.5)


async def test_a_project_outside_the_callers_scope_does_not_exist(service, builds):
    """Whatever is asked, in whatever way, a caller of another project learns nothing of this one."""
    await broken_and_fixed(service, builds)
    stranger = Principal("eve", "viewer", frozenset({"q"}))
    incident = (await service.answer("/api/incidents"))["items"][0]["id"]
    schema = service.app.openapi()["paths"]
    known = {"signature": "sig", "incident_id": incident, "sha": builds.sha(2), "build_id": builds.id(2, "asan")}
    known |= {"gate": "bump"}

    for path in (path for path in schema if "get" in schema[path]):
        parameters = schema[path]["get"].get("parameters", ())
        required = {"project": "p"} if any(p["name"] == "project" and p["required"] for p in parameters) else {}
        for filters in ({}, {"project": "p"}, {"project": "p", "branch": "main"}, {"q": builds.sha(2)}):
            asked, query = path.format(**known), {**required, **filters}
            response = await service.ask(asked, stranger, **query)
            text = response.text.replace(asked, "")
            if "q" not in query:  # what the caller sent themselves may come back
                assert builds.sha(2) not in text
            assert not {"sig", "release", "author 2"} & set(text.split('"')), (asked, query, text)
            assert response.status_code in (200, 404, 422)


async def test_only_production_is_red_on_the_summary(service, tmp_path, builds):
    """A red config in staging has its own colour beside the count; owner and what is overdue are shown."""
    (tmp_path / "config.yaml").write_text(
        "projects: {p: {configs: {release: {state: staging, owner: ann@example.com}, nightly: {cadence_minutes: 60}}}}"
    )
    await broken_and_fixed(service, builds)

    summary = await service.answer("/api/history/summary")
    release = next(lane for lane in summary["items"] if lane["config"] == "release")
    columns = {c["config"]: c["state"] for c in (await service.answer("/api/history/grid", project="p"))["columns"]}

    assert (summary["green"], summary["red"]) == (1, 0)
    assert (release["colour"], release["excludedColour"], release["declared"]["owner"]) == (
        "none",
        "red",
        "ann@example.com",
    )
    assert [(item["config"], item.get("overdueMs")) for item in summary["overdue"]] == [("nightly", None)]
    assert columns == {"asan": "production", "release": "staging"}


async def test_a_running_builds_failure_is_judged_at_once(service, builds):
    """Asked while the build runs: by its own range and lane, or for a branch nobody knows by the project's base."""
    await broken_and_fixed(service, builds)
    failure = {"project": "p", "signature": "sig", "category": "compile_error"}

    running = await service.answer("/api/history/verdict", **failure, buildId=builds.id(29, "asan"))
    pull_request = await service.answer(
        "/api/history/verdict", **failure, branch="pr-7", config="release", commit="f" * 40
    )
    elsewhere = await service.ask("/api/history/verdict", Principal("eve", "viewer", frozenset({"q"})), **failure)

    assert (running["verdict"], running["signature"]) == ("new", "sig")
    assert pull_request["verdict"] == "already_red"
    assert "judged against main" in pull_request["evidence"][-1]
    assert elsewhere.status_code == 404


async def test_a_persons_word_stands_above_the_rules_until_it_is_taken_back(service, builds):
    """`infra` takes the colour away, shows who decided so everywhere, and is forgotten without a trace."""
    await broken_and_fixed(service, builds)
    build_id, dev = builds.id(3, "release"), Principal("bea", "developer", frozenset({"p"}))
    path = f"/api/history/verdicts/{build_id}/sig"
    before = await service.answer("/api/history/grid", project="p")

    decision = {"verdict": "infra", "reason": "the disk of the builder"}
    put = await service.send("PUT", path, dev, decision)
    judged = (await service.answer(f"/api/history/verdicts/{build_id}"))["items"]
    lanes = {
        c["config"]: c.get("redBuilds") for c in (await service.answer("/api/history/grid", project="p"))["columns"]
    }
    (commit,) = (await service.answer(f"/api/commits/{builds.sha(3)}"))["items"]
    release = next(c for c in commit["configs"] if c["config"] == "release")

    assert put.status_code == 200
    assert (judged[0]["verdict"], judged[0]["override"]["by"]) == ("infra", "bea")
    assert judged[0]["evidence"][0] == "bea decided so: the disk of the builder"
    assert lanes["release"] == 1  # the break of commit 2 still stands, commit 3 no longer counts
    assert release["answer"] == "inconclusive"

    gone = await service.send("DELETE", path, dev)
    assert gone.status_code == 204
    assert before == await service.answer("/api/history/grid", project="p")


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        (Principal("vic", "viewer", None), "3/sig", 403),
        (Principal("eve", "developer", frozenset({"q"})), "3/sig", 404),
        (Principal("bea", "developer", None), "3/other", 404),
        (Principal("bea", "developer", None), "77/sig", 404),
    ],
)
async def test_who_may_not_decide_is_refused(tmp_path, builds, who, path, status):
    """Viewers, strangers, and words on what no build showed."""
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, builds) as service:
        await service.publish(builds.verdict(3, "failed", "sig"))
        await service.settled(1)

        number, signature = path.split("/")
        asked = f"/api/history/verdicts/{builds.id(int(number))}/{signature}"
        response = await service.send("PUT", asked, who, {"verdict": "flaky"})

    assert status == response.status_code


async def test_scoped_callers_see_their_own(service, builds):
    """Two projects with one signature: each caller counts what they may see, the whole is for who may see both."""
    await service.publish(
        builds.verdict(1, "failed", "sig"),
        builds.verdict(2, "failed", "sig", project="q", config="of-q"),
        builds.verdict(3, "failed", "sig", project="q", config="of-q"),
    )
    await service.settled(3)
    counts = {}
    for scope in (None, frozenset({"p"}), frozenset({"q", "none"}), frozenset({"p", "q"})):
        items = (await service.answer("/api/failures", Principal("x", "viewer", scope)))["items"]
        counts[scope] = [(group["count"], group["projects"]) for group in items]

    assert counts == {
        None: [(3, ["p", "q"])],
        frozenset({"p"}): [(1, ["p"])],
        frozenset({"q", "none"}): [(2, ["q"])],
        frozenset({"p", "q"}): [(3, ["p", "q"])],
    }


async def test_every_list_is_walked_by_its_cursor(service, builds):
    """Pages of two, to the end: every item once, in order, also merged over several projects."""
    messages = []
    for n in range(1, 8):
        project = "pq"[n % 2]
        messages += [
            builds.verdict(n, "failed", f"sig-{n}", project=project, config=project),
            builds.verdict(n, project=project, config=project, build_id=builds.id(100 + n)),
        ]
    await service.publish(*messages)
    await service.settled(14)
    both = Principal("x", "viewer", frozenset({"p", "q"}))

    for path, name in (("/api/failures", "signature"), ("/api/incidents", "signature")):
        seen, query = [], {"limit": 2}
        while True:
            page = await service.answer(path, both, **query)
            seen += [item[name] for item in page["items"]]
            if page.get("nextCursor") is None:
                break
            query["cursor"] = page["nextCursor"]
        assert [f"sig-{n}" for n in range(7, 0, -1)] == seen


async def test_a_gate_says_whether_its_configs_passed_the_newest_commit(tmp_path, builds):
    """Of the newest commit or the one named; a config that never built it hinders; other projects do not exist."""
    (tmp_path / "config.yaml").write_text(
        "projects: {p: {branch: main, configs: {release: {gates: [release]}, asan: {gates: [release, bump]}}}}"
    )
    verdicts = [builds.verdict(n, config=config) for n in (1, 2) for config in ("release", "asan")]
    verdicts += [builds.verdict(3, config="asan"), builds.verdict(4, "failed", "sig", config="asan")]
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, builds) as service:
        await service.publish(*verdicts)
        await service.handled()

        newest = await service.answer("/api/history/gates/release", project="p")
        waiting = await service.answer("/api/history/gates/release", project="p", commit=builds.sha(3))
        bump = await service.answer("/api/history/gates/bump", project="p", branch="main", commit=builds.sha(3))
        older = await service.answer("/api/history/gates/release", project="p", commit=builds.sha(2))
        refused = [
            await service.ask("/api/history/gates/deploy", project="p"),
            await service.ask("/api/history/gates/release", project="p", commit="abc"),
            await service.ask("/api/history/gates/release", project="p", commit="f" * 40),
            await service.ask("/api/history/gates/release", Principal("eve", "viewer", frozenset({"q"})), project="p"),
        ]
        nothing = await service.answer("/api/history/gates/release", project="new")

    assert (newest["commit"], newest["state"], newest["lastOpen"]) == (builds.sha(4), "blocked", builds.sha(2))
    hindrances = {each["config"]: each.get("hindrance") for each in newest["configs"]}
    assert hindrances == {"asan": "failed", "release": "not_built"}
    assert {each["config"]: each["lag"]["commits"] for each in newest["configs"]} == {"asan": 0, "release": 2}
    assert (waiting["state"], bump["state"], older["state"]) == ("waiting", "open", "open")
    assert [answer.status_code for answer in refused] == [422, 422, 404, 404]
    assert (nothing["state"], nothing["configs"]) == ("unknown", [])


async def test_the_beginning_of_several_commits_answers_for_none(tmp_path, builds):
    """However many branches build the newest of them; a project, or more digits, tell them apart."""
    old, new = "c0ffee" + "1" * 34, "c0ffee" + "2" * 34
    newest = [builds.verdict(n, branch=f"b{n}", commit=new) for n in range(2, 54)]
    alone = builds.verdict(1, commit=old, project="q")
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, builds) as service:
        await service.publish(alone, *newest)
        await service.handled()

        unclear = await service.ask("/api/commits/C0FFEE")
        answers = {
            old: await service.answer("/api/commits/c0ffee1"),
            new: await service.answer(f"/api/commits/{new}"),
        }
        of_project = await service.answer("/api/commits/c0ffee", project="q")
        listed = await service.answer("/api/commits", q="c0ffee", project="q")
        one_sees = await service.answer("/api/commits/c0ffee", Principal("eve", "viewer", frozenset({"q"})))

    assert (unclear.status_code, "give its whole id" in unclear.json()["detail"]) == (409, True)
    assert {sha: answer["sha"] for sha, answer in answers.items()} == {old: old, new: new}
    assert of_project["sha"] == one_sees["sha"] == old
    assert [commit["info"]["sha"] for commit in listed["items"]] == [old]


async def test_commits_that_begin_alike_are_listed(tmp_path, builds):
    """The refusal says what to type instead."""
    shas = ["c0ffee" + digit * 34 for digit in "12"]
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, builds) as service:
        await service.publish(*(builds.verdict(n, commit=sha) for n, sha in enumerate(shas, 1)))
        await service.handled()

        unclear = await service.ask("/api/commits/c0ffee")

    assert unclear.status_code == 409
    assert unclear.json()["detail"] == f"c0ffee begins several commits ({', '.join(shas)}): give more digits"


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/api/failures", {"cursor": "!"}, 422),
        ("/api/failures", {"limit": 0}, 422),
        ("/api/failures/none", {}, 404),
        ("/api/incidents/none", {}, 404),
        ("/api/commits", {}, 422),
        ("/api/commits/xyz1", {}, 422),
        ("/api/commits/abc", {}, 422),
        ("/api/commits/" + "a" * 40, {}, 404),
        ("/api/history/trends", {}, 422),
    ],
)
async def test_a_bad_question_gets_a_clear_answer(tmp_path, builds, path, query, status):
    """Problem details that name what is wrong, and never a 500."""
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, builds) as service:
        response = await service.ask(path, **query)

    assert status == response.status_code
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"]


async def test_poison_is_parked_and_its_neighbours_are_recorded(service, builds):
    """A message nobody can read stops no other."""
    verdict = builds.verdict(1)
    await service.bus.publish(
        [
            Outgoing(routing_key("BUILD_VERDICT", verdict.build_id, "p"), b'{"type":"BUILD_VERDICT","data":{}}'),
            Outgoing(routing_key("BUILD_VERDICT", verdict.build_id, "p"), verdict.to_json().encode()),
        ]
    )

    await service.settled(1)


async def test_last_green_respects_fault_and_overrides(service, builds):
    """The gateway gets the commit that is green in history: no retry of an old one, none that skipped its tests."""
    gateway = Principal("gateway", "admin", None, kind="service")
    tested = {"tests_passed": 100}
    await service.publish(
        builds.verdict(1, metrics=tested),
        builds.verdict(2, metrics=tested, commits=[builds.commit(2)]),
        builds.verdict(3, metrics=tested, commit=builds.sha(1)),
        builds.verdict(4, "failed", "sig"),
        builds.verdict(5, metrics={"tests_skipped": 100}),
        builds.verdict(6, config="bare", branch=None),
    )
    await service.handled()
    path = "/internal/last-green"

    green = await service.answer(path, gateway, project="p", branch="main", config="default")
    bare = await service.answer(path, gateway, project="p", config="bare")

    assert (builds.sha(2), "main") == (green["commit"], green["branch"])
    assert (builds.sha(6), None) == (bare["commit"], bare["branch"])
    assert await service.answer(path, gateway, project="p", branch="main", config="none") is None
    assert (await service.ask(path, project="p")).status_code == 404


async def test_what_becomes_of_an_incident_is_published(service, builds, tmp_path):
    """Opened and fixed: the message carries the whole state, all transitions, and its branch's shard in its key."""
    await service.publish(builds.verdict(1), builds.verdict(2, "failed", "sig"), builds.verdict(3))
    await service.handled()

    async with service.bus.consume(queue_name("notifier")) as consumer:
        async with asyncio.timeout(20):
            found: list[IncidentChanged] = []
            while not found or found[-1].data.ended_as is None:
                deliveries = await consumer.fetch(10)
                found += [
                    IncidentChanged.model_validate_json(delivery.body)
                    for delivery in deliveries
                    if delivery.routing_key == branch_routing_key("INCIDENT_CHANGED", "p", "main")
                ]
                await consumer.ack(deliveries)

    last = found[-1].data
    assert [("opened", True), ("fixed", True)] == [(noted.kind, noted.news) for noted in last.transitions]
    assert last.closing is not None
    assert (builds.id(2), builds.id(3)) == (last.opening.build_id, last.closing.build_id)
    shown = await service.answer(f"/api/incidents/{last.id}")
    assert (last.revision, "closed", "fixed") == (shown["revision"], shown["state"], shown["endedAs"])


async def test_a_stopped_service_catches_up(bus_url, tmp_path, builds):
    """What was published while the service was away is recorded when it returns."""
    async with running(bus_url, tmp_path, builds) as service:
        await service.publish(builds.verdict(1))
        await service.settled(1)
    bus = open_bus(bus_url)
    await bus.open()
    late = builds.verdict(2, "failed", "sig")
    await bus.publish([Outgoing(routing_key(late.type, late.build_id, late.project), late.to_json().encode())])
    await bus.close()

    async with running(bus_url, tmp_path, builds) as service:
        await service.settled(2)
        assert len((await service.answer("/api/failures"))["items"]) == 1


async def test_without_a_token_nobody_is_answered(tmp_path, builds):
    """Services answer the gateway only."""
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, builds) as service:
        transport = httpx.ASGITransport(service.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://history") as client:
            response = await client.get("/api/history/summary")
            ready = await client.get("/readyz")

    assert response.status_code == 401
    assert ready.status_code == 200


async def test_retention_that_fails_ends_no_other_duty(tmp_path, builds, caplog):
    """A fact that nobody can read any more fails its round; what is published is recorded all the same."""
    bus_url = f"sqlite:///{tmp_path}/bus.sqlite"
    async with running(bus_url, tmp_path, builds) as service:
        # A second one that stays: a round that would delete everything is not begun.
        await service.publish(builds.verdict(1), builds.verdict(20, config="kept"))
        await service.settled(2)
    with sqlite3.connect(tmp_path / "history.sqlite") as rows:
        rows.execute("update history_facts set point = 'damaged' where build_id = ?", [builds.id(1)])

    async with running(bus_url, tmp_path, builds, keep_days=1) as service:
        async with asyncio.timeout(20):
            while "failed to forget old builds" not in caplog.text:  # noqa: ASYNC110  the log has no event
                await asyncio.sleep(0.02)
        await service.publish(builds.verdict(28, config="new"))
        await service.settled(3)


async def test_people_own_incidents_of_their_projects(service, builds):
    """A developer acknowledges, assigns, writes and links; a viewer reads it; who may not see the project gets 404."""
    await service.publish(builds.verdict(0), builds.verdict(1, "failed", "s", commits=[builds.commit(1)]))
    await service.settled(2)
    (incident,) = (await service.answer("/api/incidents", state="open"))["items"]
    path = f"/api/incidents/{incident['id']}"
    ann = Principal("ann", "developer", frozenset({"p"}))

    taken = await service.send("PUT", f"{path}/acknowledgement", ann)
    assert (taken.status_code, taken.json()["acknowledgedBy"]) == (200, "ann")
    for method, below, body in (
        ("PUT", "assignee", {"assignee": "bob"}),
        ("POST", "notes", {"text": "the fuse is gone"}),
        ("POST", "links", {"kind": "revert", "url": "https://example.com/2"}),
    ):
        answer = await service.send(method, f"{path}/{below}", ann, json=body)
        assert answer.is_success, answer.text
        for stranger, status in ((Principal("eve", "developer", frozenset({"q"})), 404), (EVERYTHING, 403)):
            assert (await service.send(method, f"{path}/{below}", stranger, json=body)).status_code == status

    (listed,) = (await service.answer("/api/incidents"))["items"]
    shown = await service.answer(path)
    assert listed["ownership"] == shown["ownership"]
    assert (shown["ownership"]["acknowledgedBy"], shown["ownership"]["assignee"]) == ("ann", "bob")
    assert [event["kind"] for event in shown["ownership"]["events"]] == ["acknowledged", "assigned", "noted", "linked"]
    assert f"git revert --no-edit {builds.sha(1)}" in shown["revert"]["commands"]
    bad = await service.send("POST", f"{path}/links", ann, json={"url": "javascript:alert(1)"})
    assert bad.status_code == 422

    await service.publish(builds.verdict(2))
    await service.settled(3)
    refused = await service.send("PUT", f"{path}/acknowledgement", ann)
    assert (refused.status_code, "is closed (fixed)" in refused.text) == (409, True)
