"""Lines a second from a filled queue to committed, searchable and verified (`python -m bench.ingest [STORE_URL...]`).

Yardstick: the same messages put into a bare table of the standard library's sqlite3, 200 a commit. Beside it: stored
size, range reads and searches of the log, here and from its archive, pages of 100,000 test results, the latency of a
single line on an idle system.
"""

import argparse
import asyncio
import hashlib
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import build_artifacts.app
import build_artifacts.settings
import httpx
from build_analysis.test_results import TestResult
from build_chassis.auth import Principal, mint_internal
from build_chassis.bus import Bus, Outgoing, open_bus
from build_chassis.service_client import MountedServiceClient
from build_ingest.app import create_app
from build_ingest.findings.test_results import pack
from build_ingest.lifecycle.retention import Retention
from build_ingest.settings import Settings
from build_ingest.store import open_store
from build_protocol.clock import DAY_MS, now_ms
from build_protocol.frames import Stored, live_event
from build_protocol.ids import new_build_id
from build_protocol.messages import BuildComplete, BuildLog, BuildStart, LogTotals, Record
from build_protocol.topology import LIVE_EXCHANGE, routing_key
from build_testkit.signing import SECRET
from fastapi import FastAPI

from bench.lines import DIRECTORIES

LINES_PER_RECORD = 200
RESULTS = 100_000
PROBES = 200


def text(count: int) -> list[str]:
    """Lines as ninja prints them, about 114 bytes each."""
    return [
        f"[{n}/{count}] Building CXX object {DIRECTORIES[n % 5]}/CMakeFiles/obj.MLIR{n * 7919 % 100_003:06d}.dir/"
        f"Pass{n % 977}Pattern.cpp.o"
        for n in range(1, count + 1)
    ]


class Talk:
    """The records of one build, as its agent publishes them."""

    def __init__(self) -> None:
        self.id = new_build_id(int(time.time() * 1000))
        self.seq = 0

    def say(self, kind: type[Record], data: object) -> Outgoing:
        """The next record."""
        self.seq += 1
        record = kind.model_validate(
            {
                "buildId": self.id,
                "project": "bench",
                "seq": self.seq,
                "timestamp": int(time.time() * 1000),
                "data": data,
            }
        )
        key = routing_key(kind.model_fields["type"].default, self.id, "bench")
        return Outgoing(key, record.to_json().encode(), {"agent": "bench"})

    def build(self, lines: list[str]) -> list[Outgoing]:
        """A whole build."""
        joined = "\n".join(lines).encode()
        totals = LogTotals(lines=len(lines), bytes=len(joined), sha256=hashlib.sha256(joined).hexdigest())
        logs = []
        begin = self.say(BuildStart, {"branch": "main"})
        for first in range(0, len(lines), LINES_PER_RECORD):
            chunk = lines[first : first + LINES_PER_RECORD]
            times = [int(time.time() * 1000)] * 3
            logs.append(self.say(BuildLog, {"firstLine": first + 1, "lines": chunk, "timesMs": times}))
        return [begin, *logs, self.say(BuildComplete, {"status": "succeeded", "totals": totals})]


def bare(messages: list[Outgoing], folder: Path) -> float:
    """Seconds the yardstick takes."""
    db = sqlite3.connect(folder / "bare.sqlite")
    db.executescript(
        "pragma journal_mode=wal; pragma synchronous=full; create table r(seq integer primary key, body blob)"
    )
    begin = time.perf_counter()
    for first in range(0, len(messages), 200):
        with db:
            db.executemany("insert into r(body) values (?)", ((m.body,) for m in messages[first : first + 200]))
    seconds = time.perf_counter() - begin
    db.close()
    return seconds


async def measure(store_url: str, bus_url: str | None, count: int, folder: Path) -> None:
    """Fill the queue, start ingest, print what it took."""
    talk = Talk()
    messages = talk.build(text(count))
    raw_bytes = sum(len(line) + 1 for line in text(count))
    bare_seconds = bare(messages, folder)
    bus = open_bus(bus_url or f"sqlite:///{folder}/bus.sqlite")
    store = open_store(store_url)
    artifacts = build_artifacts.app.create_app(
        build_artifacts.settings.Settings(
            store_url=f"sqlite:///{folder}/artifacts.sqlite",
            jwt_secret_key=SECRET,
            directory=str(folder / "objects"),
            s3_bucket="",
        ),
        bus,
    )
    settings = Settings(store_url=store_url, jwt_secret_key=SECRET, replica="bench")
    app = create_app(
        settings, bus, store=store, peers={"artifacts": MountedServiceClient("artifacts", artifacts, SECRET)}
    )
    async with AsyncExitStack() as stack:
        await store.open()
        await bus.open()
        stack.push_async_callback(bus.close)
        await stack.enter_async_context(artifacts.router.lifespan_context(artifacts))
        for first in range(0, len(messages), 100):
            await bus.publish(messages[first : first + 100])
        listener = await stack.enter_async_context(bus.listen(LIVE_EXCHANGE, "stored.#"))
        begin, cpu = time.perf_counter(), time.process_time()
        await stack.enter_async_context(app.router.lifespan_context(app))
        stored_seconds = stored_cpu = 0.0
        async for counted in listener:
            event = live_event.validate_json(counted.body)
            if isinstance(event, Stored) and event.upto == talk.seq and not stored_seconds:
                stored_seconds, stored_cpu = time.perf_counter() - begin, time.process_time() - cpu
            if isinstance(event, Stored) and event.verified is not None:
                assert event.verified
                break
        verified_seconds = time.perf_counter() - begin
        print(
            f"{store_url.split(':', maxsplit=1)[0]}: {count} lines, {raw_bytes / 1e6:.1f} MB, {len(messages)} records"
        )
        print(
            f"  committed   {stored_seconds:.2f} s, {count / stored_seconds:,.0f} lines/s, CPU {stored_cpu:.2f} s;"
            f" {stored_seconds / bare_seconds:.1f} x bare sqlite3 ({bare_seconds:.2f} s)"
        )
        print(f"  verified    {verified_seconds:.2f} s")
        chunks = await app.state.dependencies.store.read_chunks(talk.id, "seq", 1, 100_000)
        size = sum(len(c.text) + len(c.index) + len(c.events or b"") for c in chunks)
        print(f"  stored      {size / raw_bytes:.1%} of raw, {len(chunks)} chunks")
        logs = questions(talk.id, count)
        await read(app, logs)
        await results(app, talk.id)
        await cool(app, talk.id)
        print("  from the archive:")
        await read(app, logs)
        await latency(bus, listener)


def questions(build_id: str, count: int) -> dict[str, str]:
    """What readers ask of a log."""
    logs = f"/api/builds/{build_id}/logs"
    return {
        "500 lines at 3/4": f"{logs}?first={count * 3 // 4}&count=500",
        "search, 1 hit": f"{logs}?q=[{count - 1}/",
        "search, all": f"{logs}?q=Building",
        "whole text": f"{logs}?format=text",
    }


async def results(app: FastAPI, build_id: str) -> None:
    """Pages of many test results, that stand in reports and in the log."""
    reported = [
        TestResult(f"MLIR.Dialect/Op{n % 97}.t{n}.mlir", "passed", "junit", n % 50 / 100) for n in range(RESULTS)
    ]
    logged = [TestResult(f"MLIR :: Dialect/Op{n % 97}/t{n}.mlir", "passed", "lit", None, n) for n in range(RESULTS)]
    blocks = [pack(build_id, "record", at, reported[at : at + 300]) for at in range(0, RESULTS, 300)]
    await app.state.dependencies.store.keep_results(blocks)
    path = f"/api/builds/{build_id}/tests"
    await read(app, {"100,000 tests": f"{path}?sort=slowest"})
    blocks = [pack(build_id, "log", at, logged[at : at + 1000]) for at in range(0, RESULTS, 1000)]
    await app.state.dependencies.store.keep_results(blocks)
    await read(app, {"in both": f"{path}?sort=slowest"})


async def cool(app: FastAPI, build_id: str) -> None:
    """Wait until the log is archived, then drop its text here."""
    replica = app.state.dependencies.replica
    async with asyncio.timeout(60):
        while (await app.state.dependencies.store.find(build_id)).archive.step != "kept":  # noqa: ASYNC110  the archivist's work
            await asyncio.sleep(0.05)
    later = Retention(app.state.dependencies.store, replica.consumer, replica.artifacts_client, keep_days=0, hot_days=1)
    await later.cool_old(now_ms() + 2 * DAY_MS)


async def read(app: FastAPI, paths: Mapping[str, str]) -> None:
    """What the REST routes take to answer."""
    token = mint_internal(Principal("bench", "viewer", None), "ingest", SECRET)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
        for name, path in paths.items():
            took = []
            for _ in range(5):
                begin = time.perf_counter()
                answer = await client.get(path, headers={"Authorization": f"Bearer {token}"})
                took.append(time.perf_counter() - begin)
                assert answer.status_code == 200
            print(f"  {name:<17} {statistics.median(took) * 1000:.1f} ms")


async def latency(bus: Bus, listener: object) -> None:
    """From publishing one line, on an idle system, to the announcement that it is stored."""
    talk = Talk()
    await bus.publish([talk.say(BuildStart, {})])
    took = []
    for n in range(PROBES):
        await asyncio.sleep(0.02)
        begin = time.perf_counter()
        await bus.publish([talk.say(BuildLog, {"firstLine": n + 1, "lines": ["one line"]})])
        async for counted in listener:  # type: ignore[attr-defined]
            event = live_event.validate_json(counted.body)
            if event.build_id == talk.id and event.upto == talk.seq:
                break
        took.append((time.perf_counter() - begin) * 1000)
    took.sort()
    print(f"  one line    stored after {statistics.median(took):.1f} ms (p99 {took[int(PROBES * 0.99)]:.1f} ms)")


def main() -> None:
    """Measure every store URL given; without one, SQLite in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", nargs="*", metavar="STORE_URL")
    parser.add_argument("--bus", metavar="URL", help="amqp://... instead of an embedded bus in a temporary folder")
    parser.add_argument("--lines", type=int, default=200_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        for place, url in enumerate(arguments.stores or [f"sqlite:///{home}/ingest.sqlite"]):
            folder = Path(home) / str(place)
            folder.mkdir()
            asyncio.run(measure(url, arguments.bus, arguments.lines, folder))


if __name__ == "__main__":
    main()
