"""History's store computed again from ingest's, both real and running: it answers as before, and nobody is notified."""

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import build_history.app
import build_ingest.app
import build_ingest.settings
import httpx
import pytest
from build_chassis.auth import Principal, mint_internal
from build_chassis.bus import Bus, Outgoing, open_bus
from build_chassis.service_client import MountedServiceClient
from build_history.settings import Settings
from build_protocol.clock import HOUR_MS
from build_protocol.ids import new_build_id
from build_protocol.topology import routing_key
from build_testkit.signing import SECRET

NOON_AT = 1_700_000_000_000
DEVELOPER = Principal("dev", "developer", None)
SERVICE = Principal("gateway", "admin", None, kind="service")
CONFIGS = ("release", "asan")
PAGES = (
    "/api/incidents?state=open",
    "/api/incidents?state=closed",
    "/api/failures",
    "/api/commits?project=p",
    "/api/history/summary",
    "/api/tests?project=p&branch=main&config=release",
)


class System:
    """Ingest and history on one bus, and what is published for notifier."""

    def __init__(self, history: Any, bus: Bus, folder: Path) -> None:
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(history), base_url="http://history")
        self.bus = bus
        self.folder = folder
        self.builds: list[str] = []

    async def call(self, method: str, path: str, caller: Principal = DEVELOPER, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {mint_internal(caller, 'history', SECRET)}"}
        answer = await self._client.request(method, path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def report(self, n: int, config: str, *errors: str) -> None:
        """A build of commit n: its records, as the gateway publishes them."""
        started_at = NOON_AT + n * HOUR_MS
        build_id = new_build_id(started_at, config.encode().ljust(10, b"\0"))
        self.builds.append(build_id)
        status = "failed" if errors else "succeeded"
        start = {"status": "running", "branch": "main", "config": config, "commit": f"{n:040x}", "command": ["make"]}
        tests = [{"name": "Suite.one", "outcome": "failed" if errors else "passed", "seconds": 1.0}]
        lines = [f"/src/a.cpp:3:1: error: {error}" for error in errors] or ["fine"]
        text = "\n".join(lines).encode()
        totals = {"lines": len(lines), "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
        records = [
            ("BUILD_START", start),
            ("BUILD_UPDATE", {"status": "running", "tests": tests}),
            ("BUILD_LOG", {"firstLine": 1, "lines": lines}),
            ("BUILD_COMPLETE", {"status": status, "exitCode": int(bool(errors)), "totals": totals}),
        ]
        await self.bus.publish(
            [
                Outgoing(
                    routing_key(kind, build_id, "p"),
                    json.dumps(
                        {
                            "type": kind,
                            "buildId": build_id,
                            "project": "p",
                            "seq": seq,
                            "timestamp": started_at + seq * 1000,
                            "data": data,
                        }
                    ).encode(),
                    {"agent": "ci", "build_id": build_id, "seq": str(seq)},
                )
                for seq, (kind, data) in enumerate(records, 1)
            ]
        )

    async def pages(self) -> dict[str, Any]:
        """All that history answers."""
        answers = {path: await self.call("GET", path) for path in PAGES}
        for state in ("open", "closed"):
            for incident in answers[f"/api/incidents?state={state}"]["items"]:
                answers[incident["id"]] = await self.call("GET", f"/api/incidents/{incident['id']}")
        return answers

    async def until(self, is_done: Any) -> None:
        async with asyncio.timeout(20):
            while not await is_done():  # noqa: ASYNC110  what is awaited happens behind a REST API
                await asyncio.sleep(0.02)

    async def is_read(self) -> bool:
        """Whether every build is recorded, its tests too."""
        (read,) = self.sql("SELECT count(*) FROM history_facts WHERE json_extract(fact, '$.imported') >= 1")
        (due,) = self.sql("SELECT count(*) FROM history_rows WHERE kind = 'branch' AND label = 'due'")
        return (read, due) == ((len(self.builds),), (0,))

    def sql(self, statement: str) -> list[Any]:
        with sqlite3.connect(self.folder / "history.sqlite", timeout=10) as db:
            return db.execute(statement).fetchall()

    async def rebuild(self) -> dict[str, Any]:
        await self.call("POST", "/internal/rebuild", SERVICE)
        progress: dict[str, Any] = {}

        async def is_done() -> bool:
            progress.update(await self.call("GET", "/internal/rebuild", SERVICE))
            return progress["state"] == "done" and await self.is_read()

        await self.until(is_done)
        return progress

    async def incidents_published(self) -> list[dict[str, Any]]:
        """What notifier would receive of incidents, and did not yet."""
        async with self.bus.consume("notifier.builds") as consumer:
            found: list[dict[str, Any]] = []
            while True:
                try:
                    async with asyncio.timeout(0.3):
                        deliveries = await consumer.fetch(200)
                except TimeoutError:
                    return [message for message in found if message["type"] == "INCIDENT_CHANGED"]
                await consumer.ack(deliveries)
                found += [json.loads(delivery.body) for delivery in deliveries]


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    bus = open_bus(f"sqlite:///{tmp_path}/bus.sqlite")

    def clock() -> int:
        return NOON_AT + 50 * HOUR_MS

    common: dict[str, Any] = {"jwt_secret_key": SECRET, "config_path": str(tmp_path / "config.yaml"), "keep_days": 0}
    of_ingest = build_ingest.settings.Settings(store_url=f"sqlite:///{tmp_path}/ingest.sqlite", **common)
    ingest = build_ingest.app.create_app(of_ingest, bus, clock=clock)
    of_history = Settings(store_url=f"sqlite:///{tmp_path}/history.sqlite", **{**common, "keep_days": 36500})
    peers: Any = {"ingest": MountedServiceClient("ingest", ingest, SECRET)}
    history = build_history.app.create_app(of_history, bus, clock=clock, peers=peers)
    async with AsyncExitStack() as stack:
        await bus.open()
        stack.push_async_callback(bus.close)
        for app in (ingest, history):
            await stack.enter_async_context(app.router.lifespan_context(app))
        system = System(history, bus, tmp_path)
        for n, errors in enumerate(((), ("no member named x",), ("no member named x",), (), ("no type named y",))):
            for config in CONFIGS:
                await system.report(n, config, *errors)
        await system.until(system.is_read)
        yield system


async def test_a_rebuilt_history_answers_as_before(system: System) -> None:
    """Rows lost or wrong, a fact lost: all is as it was, a person's word and the incidents' names too."""
    (open_incident,) = (await system.call("GET", "/api/incidents?state=open"))["items"]
    judged = f"/api/history/verdicts/{system.builds[5]}"
    (failure,) = (await system.call("GET", judged))["items"]
    word = {"verdict": "already_red", "reason": "the network"}
    await system.call("PUT", f"{judged}/{failure['signature']}", body=word)
    await system.until(system.is_read)
    before = {**await system.pages(), judged: await system.call("GET", judged)}
    assert "the network" in str(before[judged])
    assert before["/api/failures"]["items"]
    published = {t["key"] for message in await system.incidents_published() for t in message["data"]["transitions"]}
    assert published

    system.sql("DELETE FROM history_rows WHERE kind NOT IN ('branch', 'incident')")
    for table in ("history_facts", "history_tags"):
        system.sql(f"DELETE FROM {table} WHERE build_id = '{system.builds[2]}'")
    assert before != await system.pages()

    progress = await system.rebuild()
    assert (len(system.builds), len(system.builds)) == (progress["total"], progress["done"])
    after = {**await system.pages(), judged: await system.call("GET", judged)}
    assert before == after
    again = [t["key"] for message in await system.incidents_published() for t in message["data"]["transitions"]]
    assert published >= set(again)
    assert open_incident["id"] in before


async def test_a_build_that_history_never_received_is_no_news(system: System) -> None:
    """Its verdict was lost: it is shown after the rebuild and notifies nobody; what happens then is news again."""
    await system.incidents_published()
    system.sql("DELETE FROM history_rows")
    for table in ("history_facts", "history_tags"):
        system.sql(f"DELETE FROM {table}")

    await system.rebuild()

    assert 1 == len((await system.call("GET", "/api/incidents?state=open"))["items"])
    published = await system.incidents_published()
    assert published
    assert all(message["isBaseline"] for message in published)
    await system.report(5, "release", "no type named y")
    await system.report(6, "release")
    await system.report(6, "asan")
    await system.until(system.is_read)
    assert not any(message["isBaseline"] for message in await system.incidents_published())


async def test_incidents_are_published_again_as_baselines(system: System) -> None:
    """Each as it stands, marked; nothing of what still waits to be published for the first time."""
    newest = {message["data"]["id"]: message["data"] for message in await system.incidents_published()}

    assert {"count": len(newest)} == {"count": (await system.call("POST", "/internal/baselines", SERVICE))["count"]}

    again = await system.incidents_published()
    assert newest == {message["data"]["id"]: message["data"] for message in again}
    assert all(message["isBaseline"] for message in again)
