"""Answers over 100,000 builds: p50 and p99 of every listing (`python -m bench.history [STORE...]`).

A store is `sqlite`, `mariadb` or `mongodb` (a server of our own while it lasts), or the URL of an empty one.

Yardstick: the promised 100 ms. Five projects, one of them with 60 configs; breaks that hit all configs, flakes, ranges
and pins. Asked through the app, a caller who sees everything and one who sees two projects in turn. `--tests 20000`
adds a lane whose newest 200 builds each ran so many tests, read by the import as from ingest.
"""

import argparse
import asyncio
import gc
import hashlib
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
from build_chassis.auth import Principal, mint_internal
from build_chassis.bus import EmbeddedBus
from build_history.app import create_app
from build_history.builds.fact import Lane
from build_history.consumer import record
from build_history.metrics import Metrics
from build_history.projections.failure_groups import Group
from build_history.refresh.row_kinds import PARTITION, STATISTICS, PartitionText, StatisticsText, read_as
from build_history.settings import Settings
from build_history.store import HistoryStore
from build_history.store.contract import RowQuery
from build_history.test_history.importer import Importer
from build_history.test_history.matrix import BUILDS_MAX, PARTITIONS, Column, Partition, entries_of, packed
from build_history.test_history.statistics import statistics_of
from build_protocol.ids import new_build_id
from build_protocol.messages import (
    BuildVerdict,
    BuildVerdictData,
    Commit,
    FailureData,
    Outcome,
    Pin,
    TestResult,
)
from build_testkit.mariadb import private_mariadb
from build_testkit.mongodb import private_mongodb
from build_testkit.signing import SECRET
from prometheus_client import CollectorRegistry

from bench.statistics import percentile, spread

BUDGET_MS = 100.0
BATCH = 2000
IMPORTED = 4
NOW_AT = int(time.time() * 1000)
PROJECTS = {"llvm": 60, "iree": 10, "torch-mlir": 10, "stablehlo": 10, "circt": 10}
CALLERS = (Principal("all", "viewer", None), Principal("two", "viewer", frozenset({"iree", "torch-mlir"})))


def sha(project: str, n: int) -> str:
    """Commit n of a project."""
    return hashlib.sha1(f"{project} {n}".encode(), usedforsecurity=False).hexdigest()


def verdicts(count: int) -> Iterator[BuildVerdict]:
    """So many builds in the order in which they started, the last of them just now."""
    dice = random.Random(11)
    commits_built = count // sum(PROJECTS.values())
    step_ms = 365 * 86_400_000 // commits_built
    reds: dict[tuple[str, str], int] = {}
    for n in range(1, commits_built + 1):
        for project, configs in PROJECTS.items():
            broken = f"{project}-{n // 5}" if dice.random() < 0.08 else None
            pins = [Pin(name="llvm-project", commit=sha("llvm", n // 20), committed_at=NOW_AT - 86_400_000)]
            for number in range(configs):
                config = f"config-{number:02d}"
                flaked = f"flake-{dice.randrange(2000)}" if dice.random() < 0.02 else None
                signature = broken or flaked
                since = reds.get((project, config), n - 1)
                started_at = NOW_AT - (commits_built - n + 1) * step_ms + number
                took_ms = 1_800_000 + dice.randrange(300_000)
                failure = FailureData(category="compile", message=f"error {signature}", first_line=9)
                failure = failure.model_copy(update={"signature": signature})
                yield BuildVerdict(
                    build_id=new_build_id(started_at),
                    project=project,
                    timestamp=started_at + took_ms,
                    data=BuildVerdictData(
                        status="failed" if signature else "succeeded",
                        revision=1,
                        branch="main",
                        config=config,
                        commit=sha(project, n),
                        started_at=started_at,
                        ended_at=started_at + took_ms,
                        duration_ms=took_ms,
                        first_failure=failure if signature else None,
                        pins=pins,
                        commits=[
                            Commit(
                                sha=sha(project, k),
                                parents=[sha(project, k - 1)],
                                author=f"author {k % 40}",
                                committed_at=NOW_AT - (commits_built - k + 2) * step_ms,
                                subject=f"Change {k}",
                            )
                            for k in range(n, max(since, n - 10), -1)
                        ],
                    ),
                )
                if signature:
                    reds.setdefault((project, config), n - 1)
                else:
                    reds.pop((project, config), None)


class TestedIngest:
    """Ingest as the import asks it: every build ran the same tests."""

    def __init__(self, names: list[str]) -> None:
        results = [result(name, place, random.Random(place)) for place, name in enumerate(names)]
        self._results = [one.model_dump(mode="json", by_alias=True) for one in results]

    async def get_json(self, path: str, _principal: Principal) -> Any:
        """A build without steps, or a page of its tests."""
        place, _, query = path.partition("?")
        if not place.endswith("/tests"):
            return {}
        first = int(parse_qs(query).get("cursor", ["0"])[0])
        after = str(first + 500) if first + 500 < len(self._results) else None
        return {"items": self._results[first : first + 500], "counts": {}, "nextCursor": after}


async def enter_tests(store: HistoryStore, tests: int) -> None:
    """A lane of its own whose result matrix is full, and what importing its next builds costs."""
    lane, partitions = Lane("tested", "main", "tested"), [Partition() for _ in range(PARTITIONS)]
    names = [f"MLIR :: Dialect/Dialect{n % 97}/transform-{n:05d}.mlir" for n in range(tests)]
    dice, starts = random.Random(3), [NOW_AT - (BUILDS_MAX - n) * 600_000 for n in range(BUILDS_MAX)]
    for n, started_at in enumerate(starts):
        entries = entries_of(result(name, place, dice) for place, name in enumerate(names))
        for number, partition in enumerate(partitions):
            partition.enter(Column(started_at, new_build_id(started_at), sha("tested", n)), entries.get(number, {}))
    rows = [
        PARTITION.row(PartitionText(lane, number, packed(partition), NOW_AT), 0)
        for number, partition in enumerate(partitions)
    ]
    await store.put_rows(
        [*rows, STATISTICS.row(StatisticsText(lane, statistics_of("tested", partitions).to_text(), NOW_AT), 0)]
    )
    for n in range(IMPORTED):
        started_at = NOW_AT + n * 1000
        facts = {"branch": "main", "config": "tested", "commit": sha("new", n), "started_at": started_at}
        data = BuildVerdictData(status="succeeded", revision=1, ended_at=started_at, **facts)
        verdict = BuildVerdict(build_id=new_build_id(started_at), project="tested", timestamp=started_at, data=data)
        await record([verdict], store=store)
    # One step, so that builds of one lane are entered together, as after a busy minute.
    importer = Importer(store, TestedIngest(names), Metrics(CollectorRegistry()), lambda: NOW_AT + 3_600_000)
    begin, cpu = time.perf_counter(), time.process_time()
    await importer.step()
    wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
    kept = await store.rows(RowQuery("partition", project="tested", limit=1000))
    kept += await store.rows(RowQuery("statistics", project="tested", limit=10))
    size = sum(len(row.body) for row in kept)
    print(
        f"  imported    {IMPORTED} builds of {tests:,} tests into {BUILDS_MAX}: {wall:.1f} s, {cpu:.1f} s CPU;"
        f" {size / 1e6:.1f} MB kept, {size / tests / BUILDS_MAX:.2f} bytes a result"
    )


def result(name: str, place: int, dice: random.Random) -> TestResult:
    """How one test went in one build: one in 500 fails now and then."""
    outcome: Outcome = "failed" if place % 500 == 0 and dice.random() < 0.2 else "passed"
    return TestResult(name=name, outcome=outcome, seconds=(1 + place % 50) * dice.uniform(0.02, 0.03))


TEST_QUESTIONS = {
    "tests, by name": "/api/tests?project=tested",
    "tests, flaky": "/api/tests?project=tested&sort=flaky",
    "tests, slowest": "/api/tests?project=tested&sort=slowest",
    "tests, failing": "/api/tests?project=tested&sort=failing",
    "tests, by part of name": "/api/tests?project=tested&q=dialect13",
    "one test's history": "/api/tests/history?project=tested&name=MLIR%20::%20Dialect/Dialect0/transform-00000.mlir",
}


def questions(count: int, signature: str) -> dict[str, str]:
    """What pages ask."""
    newest = count // sum(PROJECTS.values())
    return {
        "failure groups": "/api/failures?limit=50",
        "one group": f"/api/failures/{signature}",
        "open incidents": "/api/incidents?state=open",
        "incidents": "/api/incidents?limit=50",
        "commits": "/api/commits?project=iree&limit=50",
        "commit, 60 configs": f"/api/commits/{sha('llvm', newest - 3)}",
        "commit, 10 configs": f"/api/commits/{sha('iree', newest - 3)[:14]}",
        "pins": "/api/pins",
        "grid, 50 x 60": "/api/history/grid?project=llvm",
        "grid, 50 x 10": "/api/history/grid?project=iree",
        "trend, 1 config": "/api/history/trends?project=iree&config=config-03&days=365",
        "trends, 10 x 90 days": "/api/history/trends?project=iree",
        "summary": "/api/history/summary",
        "regressions": "/api/history/regressions",
        "flaky": "/api/history/flaky",
    }


async def fill(store: HistoryStore, count: int) -> None:
    """Record the builds in large batches, as a service that was away for long would."""
    begin, batch = time.perf_counter(), []
    for verdict in verdicts(count):
        batch.append(verdict)
        if len(batch) == BATCH:
            await record(batch, store=store)
            batch.clear()
    await record(batch, store=store)
    seconds = time.perf_counter() - begin
    print(f"  filled      {count / seconds:,.0f} builds/s in batches of {BATCH}")
    late = [v for _, v in zip(range(count), verdicts(count), strict=False)][-20:]
    took = []
    for verdict in late:
        again = verdict.model_copy(update={"build_id": new_build_id(verdict.timestamp)})
        begin = time.perf_counter()
        await record([again], store=store)
        took.append((time.perf_counter() - begin) * 1000)
    print(f"  one verdict recorded, all rows refreshed: ms {spread(took, 1)}")


async def measure(store_url: str, arguments: argparse.Namespace, folder: Path) -> None:
    """Fill a store and time the questions."""
    count, asks, tests = arguments.builds, arguments.asks, arguments.tests
    print(f"{store_url.split(':', maxsplit=1)[0]}: {count:,} builds")
    bus = EmbeddedBus(folder / "bus.sqlite")
    await bus.open()
    app = create_app(Settings(store_url=store_url, jwt_secret_key=SECRET), bus)
    async with app.router.lifespan_context(app):
        if not await app.state.dependencies.store.rows(RowQuery("lane", limit=1)):
            await fill(app.state.dependencies.store, count)
        gc.collect()
        gc.freeze()  # as chassis.service.serve does
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://history") as client:
            groups = await app.state.dependencies.store.rows(RowQuery("group", project="iree", limit=1))
            asked = questions(count, read_as(Group, groups[0]).signature if groups else "none")
            if tests:
                await enter_tests(app.state.dependencies.store, tests)
                asked = {**asked, **TEST_QUESTIONS}
            for name, path in asked.items():
                took, size, cpu_seconds = [], 0, 0.0
                is_for_all = "llvm" in path or "tested" in path
                for n in range(-3, asks):  # the first three warm up
                    caller = CALLERS[n % 2 and not is_for_all]
                    token = mint_internal(caller, "history", SECRET)
                    begin, cpu = time.perf_counter(), time.process_time()
                    answer = await client.get(path, headers={"Authorization": f"Bearer {token}"})
                    if n >= 0:
                        took.append((time.perf_counter() - begin) * 1000)
                        cpu_seconds += time.process_time() - cpu
                    if answer.status_code not in (200, 404):
                        raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
                    size = max(size, len(answer.content))
                p99 = percentile(took, 99)
                print(
                    f"  {name:<21} p50 {percentile(took, 50):6.1f} ms   p99 {p99:6.1f} ms"
                    f"   {p99 / BUDGET_MS:5.2f} x the 100 ms"
                    f"   CPU {cpu_seconds / asks * 1000:5.1f} ms   {size / 1000:6.0f} kB"
                )
    await bus.close()


@contextmanager
def empty_store(name: str, folder: Path) -> Iterator[str]:
    """The URL of an empty store."""
    if name == "sqlite":
        yield f"sqlite:///{folder}/history.sqlite"
    elif name == "mariadb":
        with private_mariadb() as mariadb:
            yield mariadb.database_url("history")
    elif name == "mongodb":
        with private_mongodb() as mongodb:
            yield mongodb.database_url("history")
    else:
        yield name


def main() -> None:
    """Measure every store named; without one, SQLite."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", nargs="*", metavar="STORE", default=["sqlite"])
    parser.add_argument("--builds", type=int, default=100_000)
    parser.add_argument("--asks", type=int, default=100)
    parser.add_argument("--tests", type=int, default=0, metavar="N", help="tests of one more lane")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        for place, name in enumerate(arguments.stores):
            folder = Path(home) / str(place)
            folder.mkdir()
            with empty_store(name, folder) as url:
                asyncio.run(measure(url, arguments, folder))


if __name__ == "__main__":
    main()
