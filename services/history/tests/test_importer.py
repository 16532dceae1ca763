"""The import: tests and steps are read once from a real HTTP service, whatever happens on the way."""

import asyncio
from collections import Counter
from types import SimpleNamespace

import pytest
from build_chassis.auth import Principal, principal_reader
from build_chassis.projects import Projects
from build_chassis.service_client import HttpServiceClient, ServiceUnavailable
from build_history.consumer import record
from build_history.metrics import Metrics
from build_history.routes.reader import Reader
from build_history.store.contract import RowQuery
from build_history.test_history.importer import Importer
from build_protocol.views import TestPage
from build_testkit.served import served
from build_testkit.signing import SECRET
from fastapi import FastAPI, HTTPException, Request
from prometheus_client import CollectorRegistry


class Ingest:
    """What ingest would answer: tests of a build in pages of two, its slowest steps, or the errors it is set to."""

    def __init__(self):
        self.tests: dict[str, list[tuple[str, str]]] = {}
        self.errors: dict[str, int] = {}
        self.asked: Counter[str] = Counter()
        self.app = FastAPI()
        read = principal_reader("ingest", SECRET)

        @self.app.get("/api/builds/{build_id}")
        async def detail(build_id: str, request: Request):
            assert read(request).projects == frozenset({"p"})
            self.asked[build_id] += 1
            if build_id in self.errors:
                raise HTTPException(self.errors[build_id])
            steps = [{"output": f"step-{n}", "durationMs": 1000 - n} for n in range(12)]
            return {"id": build_id, "stepTimes": {"count": 12, "slowest": steps, "criticalPath": steps[:2]}}

        @self.app.get("/api/builds/{build_id}/tests")
        async def tests(build_id: str, limit: int, cursor: int = 0):
            assert limit <= 500
            results = self.tests.get(build_id, [])
            page = [
                {"name": name, "outcome": outcome, "seconds": 1.0} for name, outcome in results[cursor : cursor + 2]
            ]
            after = str(cursor + 2) if cursor + 2 < len(results) else None
            counts = dict(Counter(outcome for _, outcome in results))
            return TestPage(items=page, counts=counts, next_cursor=after).model_dump(mode="json", by_alias=True)


@pytest.fixture
async def ingest():
    return Ingest()


@pytest.fixture
def clock(builds):
    return SimpleNamespace(now_ms=builds.noon_at + 1000 * builds.hour_ms)


@pytest.fixture
async def test_importer(ingest, sqlite_store, clock):
    async with served(ingest.app) as url:
        peer = HttpServiceClient("ingest", url, SECRET)
        yield Importer(sqlite_store, peer, Metrics(CollectorRegistry()), lambda: clock.now_ms)
        await peer.close()


@pytest.fixture
def reader(sqlite_store, tmp_path):
    return Reader(sqlite_store, Principal("ann", "viewer", None), Projects(tmp_path / "none.yaml"))


async def shown(reader, order="name", q=None, first=0, count=50):
    page = await reader.tests("p", "main", None, q, order, first=first, count=count)
    return {(item.name, item.config): (item.passed, item.failed, item.flaky_runs) for item in page.items}


async def test_tests_and_steps_are_read_once_after_the_verdict(ingest, test_importer, sqlite_store, reader, builds):
    """Every page of every ended build, into one row per test; a redelivered verdict asks nothing again."""
    outcomes = {1: "passed", 2: "failed", 3: "passed"}
    for n, outcome in outcomes.items():
        ingest.tests[builds.id(n)] = [(f"t{k}", "passed") for k in range(4)] + [("odd", outcome)]
        await record([builds.start(n), builds.verdict(n)], store=sqlite_store)

    assert await test_importer.step()
    await record([builds.verdict(n) for n in outcomes], store=sqlite_store)
    assert not await test_importer.step()

    assert await shown(reader) == {
        **{(f"t{k}", "default"): (3, 0, 0) for k in range(4)},
        ("odd", "default"): (2, 1, 1),
    }
    assert list(await shown(reader, order="flaky")) == [("odd", "default")]
    (lane,) = await reader.test_runs("p", "main", None, "odd")
    assert [(run.build_id, run.outcome) for run in lane.runs] == [
        (builds.id(n), outcomes[n]) for n in sorted(outcomes, reverse=True)
    ]
    fact = (await sqlite_store.facts([builds.id(2)]))[builds.id(2)].fact
    assert (fact.metrics.tests_passed, fact.metrics.tests_failed) == (4, 1)
    assert ([s.output for s in fact.slowest], fact.critical_path_ms) == ([f"step-{n}" for n in range(10)], 1999)
    assert set(ingest.asked.values()) == {1}


async def test_a_new_revision_is_read_again(ingest, test_importer, sqlite_store, reader, builds):
    """A late finish replaces what its build had before."""
    ingest.tests[builds.id(1)] = [("t", "failed")]
    await record([builds.verdict(1, "failed", "s")], store=sqlite_store)
    await test_importer.step()
    ingest.tests[builds.id(1)] = [("t", "passed")]
    await record([builds.verdict(1, revision=2)], store=sqlite_store)
    await test_importer.step()

    assert await shown(reader) == {("t", "default"): (1, 0, 0)}


@pytest.mark.parametrize(("status", "asked"), [(404, 1), (500, 8)])
async def test_a_build_that_cannot_be_read_keeps_nobody_waiting(  # noqa: PLR0917  each is a fixture or a case
    ingest, test_importer, clock, sqlite_store, reader, builds, status, asked
):
    """Gone is gone at once, other refusals are asked again later and then left; the others are read meanwhile."""
    ingest.errors[builds.id(1)] = status
    ingest.tests[builds.id(2)] = [("t", "passed")]
    await record([builds.verdict(1), builds.verdict(2)], store=sqlite_store)

    await test_importer.step()
    assert await shown(reader) == {("t", "default"): (1, 0, 0)}
    hours = 0
    while await sqlite_store.rows(RowQuery("reading", limit=1)):
        hours += 1
        clock.now_ms += builds.hour_ms
        await test_importer.step()
        assert hours < 50

    assert ingest.asked[builds.id(1)] == asked


async def test_nothing_is_lost_while_ingest_is_away(sqlite_store, builds):
    """The step says so, and what was due stays due."""
    peer = HttpServiceClient("ingest", "http://127.0.0.1:1", SECRET)
    await record([builds.verdict(1)], store=sqlite_store)

    with pytest.raises(ServiceUnavailable):
        await Importer(sqlite_store, peer, Metrics(CollectorRegistry()), lambda: 2**52).step()

    await peer.close()
    assert len(await sqlite_store.rows(RowQuery("reading", limit=9))) == 1


@pytest.mark.slow
async def test_two_replicas_reading_the_same_leave_one_result(ingest, test_importer, sqlite_store, reader, builds):
    """Both enter the same columns: whoever loses the race enters again, nothing counts twice."""
    for n in range(1, 5):
        ingest.tests[builds.id(n)] = [(f"t{k}", "passed") for k in range(20)]
        await record([builds.verdict(n)], store=sqlite_store)

    await asyncio.gather(*(test_importer.step() for _ in range(3)))

    assert set((await shown(reader)).values()) == {(4, 0, 0)}
    assert await sqlite_store.rows(RowQuery("reading", limit=9)) == []
