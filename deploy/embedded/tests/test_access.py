"""Who may do what, on every route of every service, in the own project and in a foreign one, with all five behind it.

The table names the least role of each route; a route that it does not name fails.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from build_chassis.bus import Outgoing
from build_notifier.messages.message import Message
from build_notifier.records.notification import claim_on
from build_protocol.examples import RECORDS
from build_protocol.ids import new_build_id
from build_protocol.messages import build_message
from build_protocol.topology import routing_key
from build_testkit.front_door import GEESE, Door, front_door, routes_of

pytestmark = pytest.mark.slow

MINE, THEIRS, OPEN = "mine", "theirs", "open"
PRIVATE = "priv-"
"""How everything begins in a seed that visitors are not shown."""
PROJECTS: dict[str, dict[str, Any]] = {MINE: {}, THEIRS: {"source_url": "https://zqtheirsqz"}}
RANK = {None: -1, "viewer": 0, "developer": 1, "maintainer": 2, "admin": 3}
ROLES: dict[str, dict[str, str]] = {
    "viewer": {MINE: "viewer", "aside": "maintainer"},
    "developer": {MINE: "developer", "aside": "maintainer"},
    "maintainer": {MINE: "maintainer"},
    "both": {MINE: "maintainer", THEIRS: "viewer"},
    "admin": {MINE: "admin", THEIRS: "admin"},
}
OUTSIDE = ("nobody", "read key", "agent key")


@dataclass(frozen=True)
class Rule:
    """The least role that a route needs, and a request that has everything else right."""

    least: str
    """A role in the project, `admin` of all, a `person` who is logged in, `anyone`, an `agent`, a `service`."""
    ok: frozenset[int] = frozenset({200})
    """Of whoever may."""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    foreign: frozenset[int] = frozenset({404})
    """In a project that does not exist for the caller; an answer of 200 shows nothing of it."""


def rule(
    least: str, *ok: int, body: Any = None, foreign: int = 404, query: Mapping[str, str] = MappingProxyType({})
) -> Rule:
    return Rule(least, frozenset(ok or {200}), query, body, frozenset({foreign}))


def listed(query: Mapping[str, str] = MappingProxyType({})) -> Rule:
    return rule("viewer", foreign=200, query=query)


IN_LANE = {"project": "{project}", "branch": "main", "config": "release"}
MUTE = {"project": "{project}", "untilAt": 2**52, "reason": "r"}
OFFER = {"buildId": "{build_id}", "project": "{project}", "name": "{word}", "sizeBytes": 3, "sha256": "a" * 64}
PASSWORD = {"oldPassword": "wrong geese", "password": "other geese on a bicycle"}
SPAN = {"sinceAt": 1, "beforeAt": 2, "aheadMs": 1, "isCheck": True}
RULES: dict[str, Rule] = {
    # gateway
    "POST /api/auth/login": rule("anyone", 401, body={"username": "nobody", "password": "wrong"}),
    "POST /api/auth/refresh": rule("anyone", 401),
    "POST /api/auth/logout": rule("anyone", 204),
    "GET /api/auth/options": rule("anyone"),
    "GET /api/auth/sso": rule("anyone", 404),
    "GET /api/auth/sso/callback": rule("anyone", 404),
    "POST /api/auth/sso/logout": rule("anyone", 404),
    "GET /api/auth/me": rule("person"),
    "GET /api/users": rule("admin"),
    "POST /api/users": rule("admin", 409, body={"name": "viewer", "password": GEESE}),
    "PUT /api/users/me/password": rule("person", 403, 429, body=PASSWORD),
    "PATCH /api/users/{name}": rule("admin", 404, body={}),
    "DELETE /api/users/{name}": rule("admin", 404),
    "POST /api/users/{name}/confirm": rule("admin", 404),
    "GET /api/groups": rule("admin"),
    "PUT /api/groups/{name}": rule("admin", body={"projects": []}),
    "DELETE /api/groups/{name}": rule("admin", 204, 404),
    "PUT /api/groups/{name}/members/{user}": rule("admin", 404),
    "DELETE /api/groups/{name}/members/{user}": rule("admin", 404),
    "GET /api/projects/{project}/members": rule("maintainer"),
    "PUT /api/projects/{project}/members/{name}": rule("maintainer", 404, body={"role": "viewer"}),
    "DELETE /api/projects/{project}/members/{name}": rule("maintainer", 404),
    "GET /api/keys": rule("admin"),
    "POST /api/keys": rule("admin", 201, body={"name": "k", "projects": []}),
    "DELETE /api/keys/{key_id}": rule("admin", 404),
    "POST /api/keys/{key_id}/confirm": rule("admin", 404),
    "POST /api/keys/{key_id}/rotate": rule("admin", 404, body={}),
    "POST /api/auth/ci-token": rule("anyone", 401, body={"token": "a.b.c"}),
    "GET /api/operation/notices": rule("admin"),
    "POST /api/operation/clock/adopt": rule("admin", 200, 409, body={"nowAt": 1}),
    "GET /api/agents": listed(),
    "GET /api/commands": listed(),
    "POST /api/commands": rule("developer", 409, body={"kind": "cancel", "buildId": "{build_id}"}),
    "GET /api/commands/{command_id}": rule("viewer"),
    "GET /api/parking": rule("admin"),
    "GET /api/parking/{parked_id}": rule("admin", 404),
    "POST /api/parking/{parked_id}/replay": rule("admin", 404),
    "DELETE /api/parking/{parked_id}": rule("admin", 404),
    "GET /api/projects": listed(),
    "GET /api/projects/{project}/badge.svg": rule("viewer"),
    "GET /api/audit": rule("admin"),
    "GET /api/audit/check": rule("admin"),
    "GET /api/audit/export": rule("admin"),
    "GET /api/openapi.json": rule("person"),
    "GET /api/asyncapi.json": rule("person"),
    "GET /api/protocol.schema.json": rule("person"),
    # ingest
    "GET /api/builds": listed(),
    "GET /api/builds/{build_id}": rule("viewer"),
    "GET /api/builds/{build_id}/failures": rule("viewer"),
    "POST /api/builds/{build_id}/analysis": rule("developer", 200, 409),
    "GET /api/builds/{build_id}/tests": rule("viewer"),
    "GET /api/builds/{build_id}/records": rule("viewer"),
    "GET /api/builds/{build_id}/logs": rule("viewer"),
    "GET /api/builds/{build_id}/logs/news": rule("viewer"),
    "GET /api/builds/logs/search": listed({"q": "e", "project": "{project}", "branch": "main"}),
    "POST /api/builds/{build_id}/failures/feedback": rule("viewer", 201, body={"line": 1}),
    "GET /api/builds/{build_id}/failures/feedback": rule("viewer"),
    "GET /api/builds/failures/feedback": rule("developer", foreign=200, query={"project": "{project}"}),
    # history
    "GET /api/history/verdict": rule("viewer", query=IN_LANE),
    "GET /api/history/verdicts/{build_id}": rule("viewer"),
    "PUT /api/history/verdicts/{build_id}/{signature}": rule("developer", body={"verdict": "flaky", "reason": "r"}),
    "DELETE /api/history/verdicts/{build_id}/{signature}": rule("developer", 204),
    "GET /api/history/trends": listed(IN_LANE),
    "GET /api/history/summary": listed(),
    "GET /api/history/steps": listed(IN_LANE),
    "GET /api/history/regressions": listed(IN_LANE),
    "GET /api/history/flaky": listed(IN_LANE),
    "GET /api/history/grid": listed(IN_LANE),
    "GET /api/history/gates/{gate}": rule("viewer", query=IN_LANE),
    "GET /api/tests": listed(IN_LANE),
    "GET /api/tests/history": rule("viewer", query={**IN_LANE, "name": "TorchToLinalg/{word}.mlir"}),
    "GET /api/failures": listed(),
    "GET /api/failures/{signature}": rule("viewer"),
    "GET /api/incidents": listed(),
    "GET /api/incidents/{incident_id}": rule("viewer"),
    "PUT /api/incidents/{incident_id}/acknowledgement": rule("developer"),
    "DELETE /api/incidents/{incident_id}/acknowledgement": rule("developer"),
    "PUT /api/incidents/{incident_id}/assignee": rule("developer", body={"assignee": "ann"}),
    "POST /api/incidents/{incident_id}/notes": rule("developer", 201, body={"text": "n"}),
    "POST /api/incidents/{incident_id}/links": rule("developer", 201, body={"url": "https://example.org/1"}),
    "DELETE /api/incidents/{incident_id}/links": rule("developer", query={"url": "https://example.org/1"}),
    "GET /api/commits": listed(IN_LANE),
    "GET /api/commits/{sha}": rule("viewer"),
    "GET /api/pins": listed(),
    # notifier
    "GET /api/notifications": listed(),
    "GET /api/notifications/mutes": listed(),
    "POST /api/notifications/mutes": rule("developer", 201, body=MUTE),
    "PUT /api/notifications/mutes/{mute_id}": rule("developer", body=MUTE),
    "DELETE /api/notifications/mutes/{mute_id}": rule("developer", 204, 404),
    "POST /api/notifications/webhooks/sendgrid": rule("anyone", 404),
    "GET /api/notifications/{notification_id}": rule("viewer"),
    # artifacts
    "POST /api/artifacts": rule("agent", 403, body=OFFER),
    "GET /api/builds/{build_id}/artifacts": listed(),
    "GET /api/artifacts/destination": rule("person"),
    "GET /api/artifacts/{artifact_id}": rule("viewer"),
    "POST /api/artifacts/{artifact_id}/verify": rule("service", 404),
    "DELETE /api/artifacts/{artifact_id}": rule("service", 204),
    "GET /api/artifacts/{artifact_id}/link": rule("viewer", 409),
    "GET /api/artifacts/{artifact_id}/download": rule("viewer", 409),
    "PUT /api/artifacts/objects/{ticket}": rule("anyone", 403),
    "GET /api/artifacts/objects/{ticket}": rule("anyone", 403),
    # people's own tokens, links of mails, and what comes last because it goes on for a while
    "GET /api/users/me/second-factor": rule("person"),
    "POST /api/users/me/second-factor": rule("person", 403, 429, body={"password": "wrong geese"}),
    "POST /api/users/me/second-factor/confirm": rule("person", 403, 409, body={"code": "000000"}),
    "POST /api/users/me/second-factor/end": rule("person", 403, 429, body={"password": "wrong", "code": "000000"}),
    "DELETE /api/users/{name}/second-factor": rule("admin", 404),
    "GET /api/tokens": rule("person"),
    "POST /api/tokens": rule("person", 201, body={"name": "k"}),
    "POST /api/tokens/grant": rule("person", 422, body={"name": "k", "id": "k", "sha256": "k"}),
    "POST /api/tokens/awaited": rule("anyone", body={"value": "x"}),
    "POST /api/tokens/give-up": rule("anyone", 204, body={"value": "x"}),
    "DELETE /api/tokens/{token_id}": rule("person", 404),
    "GET /api/notifications/act/{token}/{deed}": rule("anyone", 404, 422),
    "POST /api/notifications/act/{token}/{deed}": rule("anyone", 404, 422),
    "POST /api/operation/clock/place-anew": rule("admin", body=SPAN),
    "POST /api/operation/rebuild/history": rule("admin", 200, 409),
    "GET /api/operation/rebuild/history": rule("admin", 200, 404),
    "POST /api/operation/rebuild/notifier": rule("admin", 200, 409),
}


@dataclass(frozen=True)
class Seed:
    """What there is of a project, and the words by which it would be known."""

    project: str
    word: str
    values: dict[str, str]


@pytest.fixture
async def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    monkeypatch.setenv("NOTIFIER_SENDGRID_WEBHOOK_KEY", "")
    monkeypatch.setenv("GATEWAY_VISITOR_REQUESTS_PER_SECOND", "10000")
    (tmp_path / "config.yaml").write_text(json.dumps({"projects": PROJECTS}))
    async with front_door(tmp_path) as door:
        yield door


class System:
    """Two projects with one of everything, and who may do what in which of them."""

    def __init__(self, door: Door, client: httpx.AsyncClient) -> None:
        self.door = door
        self._client = client
        self.tokens: dict[str, str | None] = {
            name: door.callers[name] for name in ("nobody", "read key", "agent key", "admin")
        }

    async def ask(self, who: str, method: str, path: str, **options: Any) -> httpx.Response:
        token = self.tokens[who]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client.cookies.clear()
        return await self._client.request(method, path, headers=headers, **options)

    async def let_in(self) -> None:
        """A person of each role."""
        for name, roles in ROLES.items():
            if name != "admin":
                body = {"name": name, "password": GEESE, "projects": [], "roles": roles}
                (await self.ask("admin", "POST", "/api/users", json=body)).raise_for_status()
                answer = await self.ask("nobody", "POST", "/api/auth/login", json={"username": name, "password": GEESE})
                self.tokens[name] = answer.json()["accessToken"]

    async def seed(self, project: str) -> Seed:
        """A failed build of the project, and all that comes of one."""
        word = f"zq{project}qz"
        build_id = new_build_id(int(time.time() * 1000))
        sha = f"{word.encode().hex():0<40}"[:40]
        key = f"{PRIVATE}agent-of-{project}"
        made = await self.ask("admin", "POST", "/api/keys", json={"name": key, "projects": [project]})
        self.tokens[key] = made.json()["value"]
        await self.publish(project, word, key, build_id, sha)
        values = {"project": project, "build_id": build_id, "sha": sha, "word": word, "gate": "release"}
        values["signature"] = (await self.until(f"/api/builds/{build_id}/failures"))["signature"]
        values["incident_id"] = (await self.until(f"/api/incidents?project={project}"))["id"]
        claimed = claim_on(
            ("mail", f"of-{word}@example.org"),
            "broken",
            values["incident_id"],
            "opened",
            Message(kind="opened", project=project, branch=word, at=1, dashboard_url="http://x"),
            project=project,
            now_ms=1,
            due_at=2**52,
        )
        await self.door.apps["notifier"].state.dependencies.store.claim([claimed])
        values["notification_id"] = claimed.id
        mute = {"project": project, "untilAt": 2**52, "reason": word}
        values["mute_id"] = (await self.ask("admin", "POST", "/api/notifications/mutes", json=mute)).json()["id"]
        offer = filled(OFFER, values)
        values["artifact_id"] = (await self.ask(key, "POST", "/api/artifacts", json=offer)).json()["artifactId"]
        await self.until(f"/api/tests?project={project}&branch=main")
        commands = self.door.apps["gateway"].state.dependencies.commands
        command = await commands.order("trigger", agent=word, requested_by="admin", project=project)
        return Seed(project, word, values | {"command_id": command.id})

    async def publish(self, project: str, word: str, agent: str, build_id: str, sha: str) -> None:
        """The records of a failed build; returns once history has judged it."""
        text = json.dumps([json.loads(record.to_json()) for record in RECORDS[:4]])
        first = json.loads(RECORDS[0].to_json())
        old_names = (first["buildId"], f'"{first["project"]}"', first["data"]["commit"])
        for old, new in zip(old_names, (build_id, f'"{project}"', sha), strict=True):
            text = text.replace(old, new)
        text = text.replace("getStrides", word).replace("convolution.mlir", f"{word}.mlir")
        sent = json.loads(text)
        sent[0]["data"] |= {
            "host": {**sent[0]["data"]["host"], "name": f"{PRIVATE}host"},
            "command": ["ninja", f"{PRIVATE}argument"],
            "cwd": f"/home/{PRIVATE}cwd",
            "environment": {"CC": f"{PRIVATE}environment"},
            "commitAuthor": f"Ada <{PRIVATE}mail@example.org>",
            "commits": [{**sent[0]["data"]["commits"][0], "authorEmail": f"{PRIVATE}mail@example.org"}],
        }
        lines = "\n".join(sent[1]["data"]["lines"]).encode()
        sent[3]["data"]["totals"] |= {"bytes": len(lines), "sha256": hashlib.sha256(lines).hexdigest()}
        records = [build_message.validate_python(each) for each in sent]
        sender = {"agent": agent}
        await self.door.apps["gateway"].state.bus.publish(
            [Outgoing(routing_key(each.type, build_id, project), each.to_json().encode(), sender) for each in records]
        )
        async with asyncio.timeout(30):
            path = f"/api/history/verdicts/{build_id}"
            while (await self.ask("admin", "GET", path)).status_code != 200:  # noqa: ASYNC110  as below
                await asyncio.sleep(0.05)

    async def until(self, path: str) -> dict[str, Any]:
        """The first item of a list, once there is one."""
        async with asyncio.timeout(30):
            while not (items := (await self.ask("admin", "GET", path)).json()["items"]):  # noqa: ASYNC110  stored behind a REST API
                await asyncio.sleep(0.05)
        item: dict[str, Any] = items[0]
        return item


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """The template with a seed's values in the place of its names; what no seed has is `x`."""
    if isinstance(template, str):
        for name, value in values.items():
            template = template.replace(f"{{{name}}}", value)
        return template
    if isinstance(template, Mapping):
        return {name: filled(value, values) for name, value in template.items()}
    return template


def expected(rule: Rule, who: str, target: str) -> frozenset[int]:
    """How the request is answered, were everything else right."""
    role = ROLES[who].get(target)
    if rule.least == "service":
        return frozenset({404})
    if rule.least in {"person", "agent"}:
        return rule.ok
    if rule.least == "admin":
        return rule.ok if who == "admin" else frozenset({403})
    if role is None:
        return rule.foreign
    return rule.ok if RANK[role] >= RANK[rule.least] else frozenset({403})


def askers(rule: Rule, target: str) -> Sequence[str]:
    """Who asks: everybody, where it depends on the project; some, where it does not."""
    if rule.least == "anyone":
        return ("nobody",) if target == MINE else ()
    if rule.least in RANK and rule.least != "admin":
        return (*OUTSIDE, *ROLES) if target == MINE else tuple(ROLES)
    return (*OUTSIDE, "viewer", "maintainer", "admin") if target == MINE else ()


async def test_every_route_has_its_rule_and_keeps_it(door: Door) -> None:
    """Each route x role x own or foreign project; without a login, and with keys that are not for it, 401."""
    routes = {
        f"{method} {path}"
        for app in door.apps.values()
        for method, path in routes_of(app)
        if path.startswith("/api/") and not path.endswith("{path:path}")
    }
    assert routes == RULES.keys(), "a route without a rule, or a rule without its route"
    async with httpx.AsyncClient(base_url=door.url, timeout=30) as client:
        system = System(door, client)
        await system.let_in()
        seeds = {project: await system.seed(project) for project in (MINE, THEIRS)}
        wrong = []
        for route, rule in RULES.items():
            method, _, path = route.partition(" ")
            for target, seed in seeds.items():
                values = seed.values | dict.fromkeys(("name", "user", "key_id", "parked_id", "ticket"), "x1")
                options = {"params": filled(rule.query, values)} | (
                    {} if rule.body is None else {"json": filled(rule.body, values)}
                )
                for who in askers(rule, target):
                    answer = await system.ask(who, method, filled(path, values), **options)
                    if rule.least == "anyone":
                        is_right = answer.status_code in rule.ok
                    elif who in OUTSIDE:
                        is_read = who == "read key" and method == "GET" and has_read_keys(path)
                        is_agents = who == "agent key" and "/artifacts" in path
                        is_right = is_read or is_agents or answer.status_code == 401
                    else:
                        is_right = answer.status_code in expected(rule, who, target)
                        if answer.is_success and THEIRS not in ROLES[who] and not path.endswith(".json"):
                            is_right &= seeds[THEIRS].word not in answer.text
                    if not is_right:
                        wrong.append((route, target, who, answer.status_code, answer.text[:200]))
        assert not wrong, "\n".join(map(str, wrong))


FOR_VISITORS = {
    "/api/auth/me",
    "/api/projects",
    "/api/projects/{project}/badge.svg",
    "/api/builds",
    "/api/builds/{build_id}",
    "/api/builds/{build_id}/failures",
    "/api/builds/{build_id}/tests",
    "/api/builds/{build_id}/logs",
    "/api/builds/{build_id}/artifacts",
    "/api/failures",
    "/api/failures/{signature}",
    "/api/incidents",
    "/api/incidents/{incident_id}",
    "/api/commits",
    "/api/commits/{sha}",
    "/api/tests",
    "/api/tests/history",
    "/api/pins",
    "/api/history/trends",
    "/api/history/summary",
    "/api/history/steps",
    "/api/history/regressions",
    "/api/history/flaky",
    "/api/history/grid",
    "/api/history/verdicts/{build_id}",
}


async def test_visitors_read_public_projects_and_nothing_else(door: Door, tmp_path: Path) -> None:
    """Each route: what is for visitors is answered without mails, machines, environment and arguments; the rest 401."""
    owner = {"release": {"owner": f"{PRIVATE}owner@example.org"}}
    opened = {"projects": PROJECTS | {OPEN: {"public": True, "configs": owner}}}
    await asyncio.to_thread((tmp_path / "config.yaml").write_text, json.dumps(opened))
    async with httpx.AsyncClient(base_url=door.url, timeout=30) as client:
        system = System(door, client)
        seeds = {project: await system.seed(project) for project in (OPEN, THEIRS)}
        wrong = []
        for route, rule in RULES.items():
            method, _, path = route.partition(" ")
            if rule.least in {"anyone", "service"}:
                continue
            for target, seed in seeds.items():
                values = seed.values | dict.fromkeys(("name", "user", "key_id", "parked_id", "ticket"), "x1")
                options = {"params": filled(rule.query, values)} | (
                    {} if rule.body is None else {"json": filled(rule.body, values)}
                )
                answer = await system.ask("nobody", method, filled(path, values), **options)
                if method != "GET" or path not in FOR_VISITORS:
                    is_right = answer.status_code == 401
                elif target == OPEN or not rule.foreign:
                    is_right = answer.status_code == 200
                elif path.endswith(".svg"):
                    is_right = answer.status_code == 401
                else:
                    is_right = answer.status_code in rule.foreign | ({200} if rule.least == "person" else set())
                shown = answer.text if answer.is_success else ""
                if not is_right or PRIVATE in shown or seeds[THEIRS].word in shown:
                    wrong.append((route, target, answer.status_code, answer.text[:1500]))
        assert not wrong, "\n".join(map(str, wrong))

        admin = (await system.ask("admin", "GET", f"/api/builds/{seeds[OPEN].values['build_id']}")).text
        assert admin.count(PRIVATE) >= 5, "the seed has what is left out"
        for asked in ("agent=x", "q=x"):
            assert (await system.ask("nobody", "GET", f"/api/builds?{asked}")).status_code == 401
        (open_project,) = (await system.ask("nobody", "GET", "/api/projects")).json()["items"]
        assert open_project["name"] == OPEN
        me = (await system.ask("nobody", "GET", "/api/auth/me")).json()
        assert (me["role"], me["projects"]) == ("viewer", [OPEN])


def has_read_keys(path: str) -> bool:
    """Whether a key with scope `read` may ask: what other services answer, and badges."""
    own = (
        "/api/users",
        "/api/groups",
        "/api/keys",
        "/api/agents",
        "/api/commands",
        "/api/parking",
        "/api/audit",
        "/api/auth",
    )
    return (
        not path.startswith(own)
        and not path.endswith(".json")
        and path != "/api/projects"
        and not path.endswith("members")
    )
