"""Answers over 100,000 builds: p50 and p99 of every listing (`python -m bench.history [STORE_URL...]`).

Yardstick: the promised 100 ms. Five projects, one of them with 60 configs; breaks that hit all configs, flakes, ranges
and pins. Asked through the app, a caller who sees everything and one who sees two projects in turn.
"""

import argparse
import asyncio
import gc
import hashlib
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from build_protocol.ids import new_build_id
from build_protocol.messages import BuildVerdict, BuildVerdictData, Commit, FailureData, Pin
from chassis.auth import Principal, mint_internal
from chassis.bus import EmbeddedBus
from history.app import create_app
from history.consumer import record
from history.derived import read_as
from history.groups import Group
from history.settings import Settings
from history.store import HistoryStore

from bench.statistics import percentile, spread

SECRET = "no secret, only long enough for a benchmark"
BUDGET_MS = 100.0
BATCH = 2000
NOW_MS = int(time.time() * 1000)
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
            pins = [Pin(name="llvm-project", commit=sha("llvm", n // 20), committed_at=NOW_MS - 86_400_000)]
            for number in range(configs):
                config = f"config-{number:02d}"
                flaked = f"flake-{dice.randrange(2000)}" if dice.random() < 0.02 else None
                signature = broken or flaked
                since = reds.get((project, config), n - 1)
                started_ms = NOW_MS - (commits_built - n + 1) * step_ms + number
                took_ms = 1_800_000 + dice.randrange(300_000)
                failure = FailureData(category="compile", message=f"error {signature}", first_line=9)
                failure = failure.model_copy(update={"signature": signature})
                yield BuildVerdict(
                    build_id=new_build_id(started_ms),
                    project=project,
                    timestamp=started_ms + took_ms,
                    data=BuildVerdictData(
                        status="failed" if signature else "succeeded",
                        revision=1,
                        branch="main",
                        config=config,
                        commit=sha(project, n),
                        started_at=started_ms,
                        ended_at=started_ms + took_ms,
                        duration_ms=took_ms,
                        first_failure=failure if signature else None,
                        pins=pins,
                        commits=[
                            Commit(
                                sha=sha(project, k),
                                parents=[sha(project, k - 1)],
                                author=f"author {k % 40}",
                                committed_at=NOW_MS - (commits_built - k + 2) * step_ms,
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


async def measure(store_url: str, count: int, asks: int, folder: Path) -> None:
    """Fill a store and time the questions."""
    print(f"{store_url.split(':', maxsplit=1)[0]}: {count:,} builds")
    bus = EmbeddedBus(folder / "bus.sqlite")
    await bus.open()
    app = create_app(Settings(store_url=store_url, jwt_secret_key=SECRET), bus)
    async with app.router.lifespan_context(app):
        if not await app.state.store.rows("lane", limit=1):
            await fill(app.state.store, count)
        gc.collect()
        gc.freeze()  # as chassis.service.serve does
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://history") as client:
            groups = await app.state.store.rows("group", project="iree", limit=1)
            for name, path in questions(count, read_as(Group, groups[0]).signature).items():
                took, size, cpu_seconds = [], 0, 0.0
                for n in range(-3, asks):  # the first three warm up
                    token = mint_internal(CALLERS[n % 2 and "llvm" not in path], "history", SECRET)
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


def main() -> None:
    """Measure every store URL given; without one, SQLite in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", nargs="*", metavar="STORE_URL")
    parser.add_argument("--builds", type=int, default=100_000)
    parser.add_argument("--asks", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        for place, url in enumerate(arguments.stores or [f"sqlite:///{home}/history.sqlite"]):
            folder = Path(home) / str(place)
            folder.mkdir()
            asyncio.run(measure(url, arguments.builds, arguments.asks, folder))


if __name__ == "__main__":
    main()
