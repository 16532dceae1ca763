"""The archive: whole logs are brought elsewhere and read from there, whoever dies in between."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import pytest
import zstandard
from build_chassis.auth import Principal
from build_chassis.errors import StoreUnavailable
from build_chassis.service_client import NO_HEADERS, Answer, ServiceUnavailable
from build_ingest.archive import archivist, artifacts_client
from build_ingest.archive.archivist import Archivist
from build_ingest.archive.artifacts_client import ArtifactsClient
from build_ingest.archive.texts import Texts
from build_ingest.lifecycle.retention import Retention
from build_ingest.logs.pages import read_page, stream_text
from build_ingest.logs.search import search
from build_ingest.records.chunk import merge

DAY = 86_400
STARTED = 1_700_000_000


def at_day(days: float) -> int:
    """So many days after the builds started, in milliseconds since the epoch."""
    return int((STARTED + days * DAY) * 1000)


CALLS = 4
"""More than bringing one small archive takes: offer, put, verify."""

WHEN = ("before", "after")
on_sqlite = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
"""What concerns the archive and not the driver."""


class Killed(BaseException):
    """The process ends here."""


class InMemoryArtifacts:
    """An artifacts service in memory, which can be away, and at whose calls a caller can be killed."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.is_away = False
        self.calls: list[str] = []
        self.kill_at: tuple[int, str] | None = None

    async def call(
        self,
        method: str,
        path: str,
        principal: Principal,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Answer:
        assert principal.kind == "service"
        if self.is_away:
            raise ServiceUnavailable("artifacts", "away")
        self.calls.append(f"{method} {path}")
        self._kill("before")
        below = path.removeprefix("/api/artifacts").removeprefix("/objects")
        answer = self._answer(method, below, body, headers) if below else self._take(body)
        self._kill("after")
        return answer

    def _kill(self, when: str) -> None:
        if self.kill_at == (len(self.calls), when):
            raise Killed

    def _take(self, body: bytes) -> Answer:
        offer = json.loads(body)
        whole, part = offer["sizeBytes"], offer.get("partSizeBytes") or offer["sizeBytes"]
        key = hashlib.sha256(body).hexdigest()[:32]
        known = self.held.setdefault(key, {"offer": offer, "state": "uploading", "body": bytearray(whole)})
        begins = [] if known["state"] == "verified" else range(0, whole, part)
        puts = [
            {
                "url": f"/api/artifacts/objects/{key}/{at}",
                "offset": at,
                "sizeBytes": min(part, whole - at),
                "headers": {},
            }
            for at in begins
        ]
        return _json({"artifactId": key, "puts": [put | {"headers": {}} for put in puts]})

    def _answer(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        _, key, *rest = path.split("/")
        if key not in self.held:
            return Answer(404, {}, b"{}")
        found = self.held[key]
        if "range" in headers:
            first, _, last = headers["range"].removeprefix("bytes=").partition("-")
            return Answer(206, {}, bytes(found["body"][int(first) : int(last) + 1]))
        if method == "PUT":
            found["body"][int(rest[0]) : int(rest[0]) + len(body)] = body
        elif method == "DELETE":
            del self.held[key]
        elif rest == ["verify"]:
            is_whole = hashlib.sha256(found["body"]).hexdigest() == found["offer"]["sha256"]
            found["state"] = "verified" if is_whole else "refused"
        link = {"url": f"/api/artifacts/objects/{key}", "expiresAt": int(time.time() * 1000) + 60_000}
        return _json({"state": found["state"]} | link)


def _json(body: object) -> Answer:
    return Answer(200, {}, json.dumps(body).encode())


class Ingest:
    """What an ingest process has of the archive."""

    def __init__(self, bench, artifacts: Any) -> None:
        self.bench = bench
        self.artifacts_client = ArtifactsClient(artifacts)
        self.archivist = Archivist(bench.store, bench.consumer, self.artifacts_client, bench.metrics, lambda: range(8))
        self.texts = Texts(bench.store, self.artifacts_client)

    def retention(self, *, keep_days: int = 0, hot_days: int = 30) -> Retention:
        return Retention(
            self.bench.store, self.bench.consumer, self.artifacts_client, keep_days=keep_days, hot_days=hot_days
        )


@pytest.fixture(autouse=True)
def many_chunks(monkeypatch) -> None:
    """Logs of these tests are small: without this, each would become one chunk at its end."""
    monkeypatch.setattr("build_ingest.intake.consumer.SMALL_BYTES", 500)


@pytest.fixture
def artifacts() -> InMemoryArtifacts:
    return InMemoryArtifacts()


@pytest.fixture
def make_ingest(make_bench, artifacts: InMemoryArtifacts) -> Callable[[], Ingest]:
    """Each call is a restart."""
    return lambda: Ingest(make_bench(), artifacts)


async def ended(ingest: Ingest, reporter, lines: int = 400) -> None:
    """A build with a log of some chunks, ended and verified."""
    await ingest.bench.consumer.handle([reporter.delivery(reporter.start())])
    for first in range(0, lines, 20):
        printed = [f"{n} größer {n * 7919:x}" + "x" * (n % 300) for n in range(first, first + 20)]
        await ingest.bench.consumer.handle([reporter.delivery(reporter.log(printed, continues=first % 60 == 20))])
    await ingest.bench.consumer.handle([reporter.delivery(reporter.complete("failed", exit_code=1))])
    await ingest.bench.lifecycle.settle_due()


async def step(ingest: Ingest, reporter) -> str:
    return (await ingest.bench.store.find(reporter.id)).archive.step


def text_of(artifacts: InMemoryArtifacts) -> str:
    """The only archive's text, as any decompressor reads it."""
    (held,) = artifacts.held.values()
    assert held["state"] == "verified"
    return zstandard.ZstdDecompressor().stream_reader(bytes(held["body"]), read_across_frames=True).read().decode()


def download(reporter) -> str:
    return "".join(f"{line}\n" for line in reporter.lines)


async def test_a_verified_log_is_archived_whole(make_ingest, artifacts, reporter) -> None:
    """Under its name, as the build's; a second look finds nothing to do."""
    ingest = make_ingest()
    await ended(ingest, reporter)
    assert await step(ingest, reporter) == "due"

    await ingest.archivist.bring_due()
    count = len(artifacts.calls)
    await ingest.archivist.bring_due()

    (held,) = artifacts.held.values()
    assert (held["offer"]["name"], held["offer"]["buildId"]) == ("build.log.zst", reporter.id)
    assert (text_of(artifacts), await step(ingest, reporter), len(artifacts.calls)) == (
        download(reporter),
        "kept",
        count,
    )


@on_sqlite
async def test_only_whole_logs_of_ended_builds_are_archived(make_ingest, artifacts, make_reporter) -> None:
    """A running build's, an empty one, and one that differs from what its agent counted stay where they are."""
    ingest = make_ingest()
    running, silent, other = make_reporter(), make_reporter(), make_reporter()
    for reporter, records in (
        (running, [running.start(), running.log(["x"])]),
        (silent, [silent.start(), silent.complete()]),
        (other, [other.start(), other.log(["x"]), other.complete(totals=silent.totals())]),
    ):
        await ingest.bench.consumer.handle([reporter.delivery(record) for record in records])
    await ingest.bench.lifecycle.settle_due()

    await ingest.archivist.bring_due()

    assert artifacts.calls == []


@on_sqlite
@pytest.mark.parametrize("kill_at", list(product(range(1, CALLS), WHEN)))
@pytest.mark.parametrize("is_merged", [False, True])
async def test_a_kill_at_any_call_leaves_one_archive(
    make_ingest, artifacts, reporter, kill_at: tuple[int, str], is_merged: bool
) -> None:
    """Whoever goes on finishes what was begun, or lets go of it when its chunks were merged meanwhile."""
    ingest = make_ingest()
    await ended(ingest, reporter, lines=60)
    artifacts.kill_at = kill_at
    with pytest.raises(Killed):
        await ingest.archivist.bring_due()
    artifacts.kill_at = None
    if is_merged:
        chunks = await ingest.bench.store.read_chunks(reporter.id, "seq", 1, 100)
        await ingest.bench.store.compact(merge(chunks))

    restarted = make_ingest()
    await restarted.archivist.bring_due()

    artifacts.held = {
        key: held for key, held in artifacts.held.items() if held["state"] != "uploading"
    }  # its day is over
    assert (text_of(artifacts), await step(restarted, reporter)) == (download(reporter), "kept")


@on_sqlite
@pytest.mark.parametrize("kill_at", list(product([1, 2], WHEN)))
async def test_a_kill_at_any_write_leaves_one_archive(
    make_ingest, artifacts, reporter, monkeypatch, kill_at: tuple[int, str]
) -> None:
    """Between the artifacts service's answer and the build's row."""
    ingest = make_ingest()
    await ended(ingest, reporter, lines=60)
    replace, writes = ingest.bench.store.replace, []

    async def dying(before, after) -> bool:
        writes.append(after)
        if kill_at == (len(writes), "before"):
            raise Killed
        done = await replace(before, after)
        if kill_at == (len(writes), "after"):
            raise Killed
        return done

    with monkeypatch.context() as patched:
        patched.setattr(ingest.bench.store, "replace", dying)
        with pytest.raises(Killed):
            await ingest.archivist.bring_due()
    restarted = make_ingest()
    await restarted.archivist.bring_due()

    assert (text_of(artifacts), await step(restarted, reporter)) == (download(reporter), "kept")


@on_sqlite
async def test_of_two_replicas_one_archives(make_ingest, artifacts, reporter) -> None:
    """One that decided from an old row leaves the other's archive alone."""
    ingest = make_ingest()
    await ended(ingest, reporter)
    old = await ingest.bench.store.find(reporter.id)
    await ingest.archivist.bring_due()
    kept = await ingest.bench.store.find(reporter.id)
    await ingest.bench.store.compact(merge(await ingest.bench.store.read_chunks(reporter.id, "seq", 1, 100)))

    await make_ingest().archivist.bring(old)

    assert (await ingest.bench.store.find(reporter.id)).archive == kept.archive
    assert artifacts.held[kept.archive.artifact_id]["state"] == "verified"


@on_sqlite
async def test_an_artifacts_service_that_is_away_is_waited_for(make_ingest, artifacts, make_reporter) -> None:
    """Storing goes on, nothing is lost, and after some failures the others are left in peace."""
    ingest = make_ingest()
    reporters = [make_reporter() for _ in range(6)]
    for reporter in reporters:
        await ended(ingest, reporter, lines=20)
    artifacts.is_away = True
    with pytest.raises(StoreUnavailable):
        await ingest.archivist.bring_due()
    assert ingest.bench.metrics.archive_errors._value.get() == archivist.FAILURES_IN_A_ROW
    artifacts.is_away = False

    for _ in range(2):
        await ingest.archivist.bring_due()

    assert {await step(ingest, reporter) for reporter in reporters} == {"kept"}
    assert len(artifacts.held) == 6


@on_sqlite
async def test_a_large_archive_comes_in_parts(make_ingest, artifacts, reporter, monkeypatch) -> None:
    """One part at a time is in memory; joined they are the file."""
    monkeypatch.setattr(artifacts_client, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(artifacts_client, "PART_BYTES", 777)
    ingest = make_ingest()
    await ended(ingest, reporter)

    await ingest.archivist.bring_due()

    assert sum(call.startswith("PUT") for call in artifacts.calls) > 5
    assert text_of(artifacts) == download(reporter)


async def everything(texts, state) -> list[object]:
    """What readers may ask for."""
    pages = [await read_page(texts, state, first, count) for first, count in ((1, 50), (117, 3), (333, 90), (1, 9999))]
    hits = await search(texts, state.build, "größer.*a", is_regex=True, match_case=True, first=1, count=50)
    ranges = [(0, 10_000_000), (0, 1), (777, 4321)]
    parts = [b"".join([piece async for piece in stream_text(texts, state, *bounds)]) for bounds in ranges]
    return [*pages, hits, *parts]


async def test_an_old_log_is_read_from_its_archive_as_before(make_ingest, artifacts, reporter) -> None:
    """Lines, streams, times, hits and ranges; its text is no longer here, and younger logs' is."""
    ingest = make_ingest()
    await ended(ingest, reporter)
    state = await ingest.bench.store.find(reporter.id)
    before = await everything(ingest.bench.store, state)
    await ingest.archivist.bring_due()

    await ingest.retention().cool_old(at_day(29))
    assert await step(ingest, reporter) == "kept"
    await ingest.retention().cool_old(at_day(31))

    chunks = await ingest.bench.store.read_chunks(reporter.id, "seq", 1, 100)
    assert {chunk.is_cold for chunk in chunks if chunk.has_text} == {True}
    assert await everything(make_ingest().texts, state) == before
    assert await step(ingest, reporter) == "cold"


@on_sqlite
async def test_pages_of_one_log_are_read_once(make_ingest, artifacts, reporter) -> None:
    """The archive is asked for its table and its blocks, and not again for each page."""
    ingest = make_ingest()
    await ended(ingest, reporter)
    await ingest.archivist.bring_due()
    await ingest.retention().cool_old(at_day(31))
    state = await ingest.bench.store.find(reporter.id)
    artifacts.calls.clear()

    for first in range(1, 300, 20):
        await read_page(ingest.texts, state, first, 20)

    assert len(artifacts.calls) <= 3


@on_sqlite
async def test_text_is_dropped_only_while_its_archive_is_there(make_ingest, artifacts, reporter) -> None:
    """One that was lost elsewhere is brought anew, as long as the text is still here."""
    ingest = make_ingest()
    await ended(ingest, reporter)
    await ingest.archivist.bring_due()
    artifacts.held.clear()

    await ingest.retention().cool_old(at_day(31))
    assert await step(ingest, reporter) == "due"
    await ingest.archivist.bring_due()
    await ingest.retention().cool_old(at_day(31))

    assert (text_of(artifacts), await step(ingest, reporter)) == (download(reporter), "cold")


@pytest.mark.parametrize("at", range(3))
async def test_a_kill_while_text_is_dropped_is_finished_later(
    make_ingest, artifacts, reporter, monkeypatch, at: int
) -> None:
    """Half dropped, the log reads as before; the next round drops the rest."""
    monkeypatch.setattr("build_ingest.lifecycle.retention.CHUNKS_AT_ONCE", 1)
    ingest = make_ingest()
    await ended(ingest, reporter)
    await ingest.archivist.bring_due()
    state = await ingest.bench.store.find(reporter.id)
    before = await everything(ingest.bench.store, state)
    drop, calls = ingest.bench.store.drop_text, []

    async def dying(build_id: str, limit: int) -> int:
        calls.append(build_id)
        if len(calls) > at:
            raise Killed
        return await drop(build_id, limit)

    with monkeypatch.context() as patched:
        patched.setattr(ingest.bench.store, "drop_text", dying)
        with pytest.raises(Killed):
            await ingest.retention().cool_old(at_day(31))
    restarted = make_ingest()
    halfway = await everything(restarted.texts, state)
    await restarted.retention().cool_old(at_day(31))

    assert halfway == before == await everything(restarted.texts, state)
    assert await step(restarted, reporter) == "cold"


@on_sqlite
async def test_an_archive_that_is_away_or_damaged_is_reported_so(make_ingest, artifacts, reporter) -> None:
    """Readers are asked to come again; nobody is shown other text."""
    ingest = make_ingest()
    await ended(ingest, reporter)
    await ingest.archivist.bring_due()
    await ingest.retention().cool_old(at_day(31))
    state = await ingest.bench.store.find(reporter.id)
    artifacts.is_away = True
    with pytest.raises(StoreUnavailable):
        await read_page(make_ingest().texts, state, 1, 10)
    artifacts.is_away = False
    (held,) = artifacts.held.values()
    held["body"][60] ^= 1

    with pytest.raises(StoreUnavailable, match="damaged"):
        await read_page(make_ingest().texts, state, 1, 10)
    with pytest.raises(StoreUnavailable, match="no archive is set up"):
        await read_page(Texts(ingest.bench.store, None), state, 1, 10)


async def test_a_forgotten_builds_archive_is_let_go_of_first(make_ingest, artifacts, reporter) -> None:
    """While the artifacts service is away the build stays, so that its archive is not left behind."""
    ingest = make_ingest()
    await ended(ingest, reporter)
    await ingest.archivist.bring_due()
    artifacts.is_away = True
    with pytest.raises(StoreUnavailable):
        await ingest.retention(keep_days=365).forget_old(at_day(400))
    assert await ingest.bench.store.find(reporter.id) is not None
    artifacts.is_away = False

    await ingest.retention(keep_days=365).forget_old(at_day(400))

    assert (artifacts.held, await ingest.bench.store.find(reporter.id)) == ({}, None)


async def test_a_late_record_of_an_archived_build_damages_nothing(make_ingest, artifacts, reporter) -> None:
    """An artifact reported weeks later is kept; what is cold is not merged."""
    ingest = make_ingest()
    await ended(ingest, reporter)
    await ingest.archivist.bring_due()
    await ingest.retention().cool_old(at_day(31))
    state = await ingest.bench.store.find(reporter.id)
    restarted = make_ingest()

    await restarted.bench.consumer.handle([reporter.delivery(reporter.uploaded())])

    later = await restarted.bench.store.find(reporter.id)
    assert later.applied == state.applied + 1
    page = await read_page(restarted.texts, later, 1, 1000)
    assert page.lines == reporter.lines
