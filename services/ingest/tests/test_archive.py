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


class Keeper:
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


class Desk:
    """What an ingest process has of the archive."""

    def __init__(self, bench, keeper: Keeper) -> None:
        self.bench = bench
        self.artifacts_client = ArtifactsClient(keeper)
        self.archivist = Archivist(bench.store, bench.intake, self.artifacts_client, bench.metrics, lambda: range(8))
        self.texts = Texts(bench.store, self.artifacts_client)

    def retention(self, **said: int) -> Retention:
        limits = {"keep_days": 0, "hot_days": 30, **said}
        return Retention(self.bench.store, self.bench.intake, self.artifacts_client, **limits)


@pytest.fixture(autouse=True)
def many_chunks(monkeypatch) -> None:
    """Logs of these tests are small: without this, each would become one chunk at its end."""
    monkeypatch.setattr("build_ingest.intake.consumer.SMALL_BYTES", 500)


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest.fixture
def make_desk(make_bench, keeper: Keeper) -> Callable[[], Desk]:
    """Each call is a restart."""
    return lambda: Desk(make_bench(), keeper)


async def ended(desk: Desk, speaker, lines: int = 400) -> None:
    """A build with a log of some chunks, ended and verified."""
    await desk.bench.intake.handle([speaker.delivery(speaker.start())])
    for first in range(0, lines, 20):
        said = [f"{n} größer {n * 7919:x}" + "x" * (n % 300) for n in range(first, first + 20)]
        await desk.bench.intake.handle([speaker.delivery(speaker.log(said, continues=first % 60 == 20))])
    await desk.bench.intake.handle([speaker.delivery(speaker.complete("failed", exit_code=1))])
    await desk.bench.lifecycle.settle_due()


async def step(desk: Desk, speaker) -> str:
    return (await desk.bench.store.find(speaker.id)).archive.step


def text_of(keeper: Keeper) -> str:
    """The only archive's text, as any decompressor reads it."""
    (held,) = keeper.held.values()
    assert held["state"] == "verified"
    return zstandard.ZstdDecompressor().stream_reader(bytes(held["body"]), read_across_frames=True).read().decode()


def download(speaker) -> str:
    return "".join(f"{line}\n" for line in speaker.lines)


async def test_a_verified_log_is_archived_whole(make_desk, keeper, speaker) -> None:
    """Under its name, as the build's; a second look finds nothing to do."""
    desk = make_desk()
    await ended(desk, speaker)
    assert await step(desk, speaker) == "due"

    await desk.archivist.bring_due()
    count = len(keeper.calls)
    await desk.archivist.bring_due()

    (held,) = keeper.held.values()
    assert (held["offer"]["name"], held["offer"]["buildId"]) == ("build.log.zst", speaker.id)
    assert (text_of(keeper), await step(desk, speaker), len(keeper.calls)) == (download(speaker), "kept", count)


@on_sqlite
async def test_only_whole_logs_of_ended_builds_are_archived(make_desk, keeper, make_speaker) -> None:
    """A running build's, an empty one, and one that differs from what its agent counted stay where they are."""
    desk = make_desk()
    running, silent, other = make_speaker(), make_speaker(), make_speaker()
    for speaker, said in (
        (running, [running.start(), running.log(["x"])]),
        (silent, [silent.start(), silent.complete()]),
        (other, [other.start(), other.log(["x"]), other.complete(totals=silent.totals())]),
    ):
        await desk.bench.intake.handle([speaker.delivery(record) for record in said])
    await desk.bench.lifecycle.settle_due()

    await desk.archivist.bring_due()

    assert keeper.calls == []


@on_sqlite
@pytest.mark.parametrize("kill_at", list(product(range(1, CALLS), WHEN)))
@pytest.mark.parametrize("is_merged", [False, True])
async def test_a_kill_at_any_call_leaves_one_archive(
    make_desk, keeper, speaker, kill_at: tuple[int, str], is_merged: bool
) -> None:
    """Whoever goes on finishes what was begun, or lets go of it when its chunks were merged meanwhile."""
    desk = make_desk()
    await ended(desk, speaker, lines=60)
    keeper.kill_at = kill_at
    with pytest.raises(Killed):
        await desk.archivist.bring_due()
    keeper.kill_at = None
    if is_merged:
        chunks = await desk.bench.store.read_chunks(speaker.id, "seq", 1, 100)
        await desk.bench.store.compact(merge(chunks))

    restarted = make_desk()
    await restarted.archivist.bring_due()

    keeper.held = {key: held for key, held in keeper.held.items() if held["state"] != "uploading"}  # its day is over
    assert (text_of(keeper), await step(restarted, speaker)) == (download(speaker), "kept")


@on_sqlite
@pytest.mark.parametrize("kill_at", list(product([1, 2], WHEN)))
async def test_a_kill_at_any_write_leaves_one_archive(
    make_desk, keeper, speaker, monkeypatch, kill_at: tuple[int, str]
) -> None:
    """Between the artifacts service's answer and the build's row."""
    desk = make_desk()
    await ended(desk, speaker, lines=60)
    replace, writes = desk.bench.store.replace, []

    async def dying(before, after) -> bool:
        writes.append(after)
        if kill_at == (len(writes), "before"):
            raise Killed
        done = await replace(before, after)
        if kill_at == (len(writes), "after"):
            raise Killed
        return done

    with monkeypatch.context() as patched:
        patched.setattr(desk.bench.store, "replace", dying)
        with pytest.raises(Killed):
            await desk.archivist.bring_due()
    restarted = make_desk()
    await restarted.archivist.bring_due()

    assert (text_of(keeper), await step(restarted, speaker)) == (download(speaker), "kept")


@on_sqlite
async def test_of_two_replicas_one_archives(make_desk, keeper, speaker) -> None:
    """One that decided from an old row leaves the other's archive alone."""
    desk = make_desk()
    await ended(desk, speaker)
    old = await desk.bench.store.find(speaker.id)
    await desk.archivist.bring_due()
    kept = await desk.bench.store.find(speaker.id)
    await desk.bench.store.compact(merge(await desk.bench.store.read_chunks(speaker.id, "seq", 1, 100)))

    await make_desk().archivist.bring(old)

    assert (await desk.bench.store.find(speaker.id)).archive == kept.archive
    assert keeper.held[kept.archive.artifact_id]["state"] == "verified"


@on_sqlite
async def test_an_artifacts_service_that_is_away_is_waited_for(make_desk, keeper, make_speaker) -> None:
    """Storing goes on, nothing is lost, and after some failures the others are left in peace."""
    desk = make_desk()
    speakers = [make_speaker() for _ in range(6)]
    for speaker in speakers:
        await ended(desk, speaker, lines=20)
    keeper.is_away = True
    with pytest.raises(StoreUnavailable):
        await desk.archivist.bring_due()
    assert desk.bench.metrics.archive_errors._value.get() == archivist.FAILURES_IN_A_ROW
    keeper.is_away = False

    for _ in range(2):
        await desk.archivist.bring_due()

    assert {await step(desk, speaker) for speaker in speakers} == {"kept"}
    assert len(keeper.held) == 6


@on_sqlite
async def test_a_large_archive_comes_in_parts(make_desk, keeper, speaker, monkeypatch) -> None:
    """One part at a time is in memory; joined they are the file."""
    monkeypatch.setattr(artifacts_client, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(artifacts_client, "PART_BYTES", 777)
    desk = make_desk()
    await ended(desk, speaker)

    await desk.archivist.bring_due()

    assert sum(call.startswith("PUT") for call in keeper.calls) > 5
    assert text_of(keeper) == download(speaker)


async def everything(texts, state) -> list[object]:
    """What readers may ask for."""
    pages = [await read_page(texts, state, first, count) for first, count in ((1, 50), (117, 3), (333, 90), (1, 9999))]
    hits = await search(texts, state, "größer.*a", is_regex=True, match_case=True, first=1, count=50)
    ranges = [(0, 10_000_000), (0, 1), (777, 4321)]
    parts = [b"".join([piece async for piece in stream_text(texts, state, *bounds)]) for bounds in ranges]
    return [*pages, hits, *parts]


async def test_an_old_log_is_read_from_its_archive_as_before(make_desk, keeper, speaker) -> None:
    """Lines, streams, times, hits and ranges; its text is no longer here, and younger logs' is."""
    desk = make_desk()
    await ended(desk, speaker)
    state = await desk.bench.store.find(speaker.id)
    before = await everything(desk.bench.store, state)
    await desk.archivist.bring_due()

    await desk.retention().cool_old(at_day(29))
    assert await step(desk, speaker) == "kept"
    await desk.retention().cool_old(at_day(31))

    chunks = await desk.bench.store.read_chunks(speaker.id, "seq", 1, 100)
    assert {chunk.is_cold for chunk in chunks if chunk.has_text} == {True}
    assert await everything(make_desk().texts, state) == before
    assert await step(desk, speaker) == "cold"


@on_sqlite
async def test_pages_of_one_log_are_read_once(make_desk, keeper, speaker) -> None:
    """The archive is asked for its table and its blocks, and not again for each page."""
    desk = make_desk()
    await ended(desk, speaker)
    await desk.archivist.bring_due()
    await desk.retention().cool_old(at_day(31))
    state = await desk.bench.store.find(speaker.id)
    keeper.calls.clear()

    for first in range(1, 300, 20):
        await read_page(desk.texts, state, first, 20)

    assert len(keeper.calls) <= 3


@on_sqlite
async def test_text_is_dropped_only_while_its_archive_is_there(make_desk, keeper, speaker) -> None:
    """One that was lost elsewhere is brought anew, as long as the text is still here."""
    desk = make_desk()
    await ended(desk, speaker)
    await desk.archivist.bring_due()
    keeper.held.clear()

    await desk.retention().cool_old(at_day(31))
    assert await step(desk, speaker) == "due"
    await desk.archivist.bring_due()
    await desk.retention().cool_old(at_day(31))

    assert (text_of(keeper), await step(desk, speaker)) == (download(speaker), "cold")


@pytest.mark.parametrize("at", range(3))
async def test_a_kill_while_text_is_dropped_is_finished_later(make_desk, keeper, speaker, monkeypatch, at: int) -> None:
    """Half dropped, the log reads as before; the next round drops the rest."""
    monkeypatch.setattr("build_ingest.lifecycle.retention.CHUNKS_AT_ONCE", 1)
    desk = make_desk()
    await ended(desk, speaker)
    await desk.archivist.bring_due()
    state = await desk.bench.store.find(speaker.id)
    before = await everything(desk.bench.store, state)
    drop, calls = desk.bench.store.drop_text, []

    async def dying(build_id: str, limit: int) -> int:
        calls.append(build_id)
        if len(calls) > at:
            raise Killed
        return await drop(build_id, limit)

    with monkeypatch.context() as patched:
        patched.setattr(desk.bench.store, "drop_text", dying)
        with pytest.raises(Killed):
            await desk.retention().cool_old(at_day(31))
    restarted = make_desk()
    halfway = await everything(restarted.texts, state)
    await restarted.retention().cool_old(at_day(31))

    assert halfway == before == await everything(restarted.texts, state)
    assert await step(restarted, speaker) == "cold"


@on_sqlite
async def test_an_archive_that_is_away_or_damaged_is_said_to_be(make_desk, keeper, speaker) -> None:
    """Readers are told to come again; nobody is shown other text."""
    desk = make_desk()
    await ended(desk, speaker)
    await desk.archivist.bring_due()
    await desk.retention().cool_old(at_day(31))
    state = await desk.bench.store.find(speaker.id)
    keeper.is_away = True
    with pytest.raises(StoreUnavailable):
        await read_page(make_desk().texts, state, 1, 10)
    keeper.is_away = False
    (held,) = keeper.held.values()
    held["body"][60] ^= 1

    with pytest.raises(StoreUnavailable, match="damaged"):
        await read_page(make_desk().texts, state, 1, 10)
    with pytest.raises(StoreUnavailable, match="no archive is set up"):
        await read_page(Texts(desk.bench.store, None), state, 1, 10)


async def test_a_forgotten_builds_archive_is_let_go_of_first(make_desk, keeper, speaker) -> None:
    """While the artifacts service is away the build stays, so that its archive is not left behind."""
    desk = make_desk()
    await ended(desk, speaker)
    await desk.archivist.bring_due()
    keeper.is_away = True
    with pytest.raises(StoreUnavailable):
        await desk.retention(keep_days=365).forget_old(at_day(400))
    assert await desk.bench.store.find(speaker.id) is not None
    keeper.is_away = False

    await desk.retention(keep_days=365).forget_old(at_day(400))

    assert (keeper.held, await desk.bench.store.find(speaker.id)) == ({}, None)


async def test_a_late_record_of_an_archived_build_harms_nothing(make_desk, keeper, speaker) -> None:
    """An artifact told of weeks later is kept; what is cold is not merged."""
    desk = make_desk()
    await ended(desk, speaker)
    await desk.archivist.bring_due()
    await desk.retention().cool_old(at_day(31))
    state = await desk.bench.store.find(speaker.id)
    restarted = make_desk()

    await restarted.bench.intake.handle([speaker.delivery(speaker.uploaded())])

    later = await restarted.bench.store.find(speaker.id)
    assert later.applied == state.applied + 1
    page = await read_page(restarted.texts, later, 1, 1000)
    assert page.lines == speaker.lines
