"""The consumer: what a batch leaves in the store, and what is announced."""

import asyncio

import pytest
from build_chassis.bus import Delivery
from build_chassis.errors import PoisonMessage
from build_ingest.records.chunk import text_of
from build_protocol.ids import SHARDS, new_build_id
from build_protocol.messages import ArtifactReady, ArtifactReadyData, BuildUpdate
from build_protocol.topology import routing_key


async def _text(store, build_id: str) -> str:
    chunks = [chunk for chunk in await store.read_chunks(build_id, "seq", 1, 1000) if chunk.has_text]
    parts = [("" if chunk.continues or chunk is chunks[0] else "\n") + text_of(chunk).decode() for chunk in chunks]
    return "".join(parts)


async def test_a_batch_is_stored_and_announced_in_order(bench, bus, reporter) -> None:
    """After a batch the build is stored, its text, its row and its head are announced, the head last."""
    records = [reporter.start(), reporter.log(["a", "b"]), reporter.update(progress=50), reporter.log(["c"])]

    await bench.consumer.handle([reporter.delivery(record) for record in records])

    assert await _text(bench.store, reporter.id) == "a\nb\nc"
    logs, rows, heads = bus.events("LOG"), bus.events("BUILD"), bus.events("STORED")
    assert [(log.after_seq, log.seq, log.first_line, log.lines) for log in logs] == [(0, 4, 1, ["a", "b", "c"])]
    assert [(row.build.as_of_seq, row.events) for row in rows] == [(4, ["BUILD_START", "BUILD_LOG", "BUILD_UPDATE"])]
    assert [(head.upto, head.resend_from) for head in heads] == [(4, None)]
    assert bus.announced[-1] == heads[-1]


async def test_announced_text_joins_without_a_hole(bench, bus, reporter) -> None:
    """Consecutive announcements continue each other, over progress records, batches and lines in pieces."""
    await bench.consumer.handle([reporter.delivery(reporter.start())])
    for number in range(20):
        batch = [reporter.log([f"line {number}"], continues=number % 5 == 2)]
        batch += [reporter.update(progress=number)] if number % 3 == 0 else []
        await bench.consumer.handle([reporter.delivery(record) for record in batch])

    shown: list[str] = []
    after = 0
    for log in bus.events("LOG"):
        assert log.after_seq == after
        if log.continues:
            assert log.first_line == len(shown)
            shown[-1] += log.lines[0]
            shown += log.lines[1:]
        else:
            assert log.first_line == len(shown) + 1
            shown += log.lines
        after = log.seq
    assert shown == reporter.lines


async def test_a_redelivered_batch_changes_nothing(make_bench, bus, reporter) -> None:
    """The same batch again, before or after a restart: stored once, and its agent is notified again."""
    deliveries = [reporter.delivery(record) for record in (reporter.start(), reporter.log(["a"]), reporter.log(["b"]))]
    first, restarted = make_bench(), make_bench()
    await first.consumer.handle(deliveries)
    stored = await first.store.find(reporter.id)

    await first.consumer.handle(deliveries)
    await restarted.consumer.handle(deliveries)

    assert await first.store.find(reporter.id) == stored
    assert await _text(first.store, reporter.id) == "a\nb"
    assert [head.upto for head in bus.events("STORED")] == [3, 3, 3]
    assert len(bus.events("LOG")) == 1


async def test_a_restart_in_the_middle_goes_on(make_bench, reporter) -> None:
    """Batches before and after a restart, overlapping, make one log."""
    records = [reporter.start(), *(reporter.log([f"line {number}"]) for number in range(9))]
    deliveries = [reporter.delivery(record) for record in records]

    await make_bench().consumer.handle(deliveries[:6])
    last = make_bench()
    await last.consumer.handle(deliveries[3:])

    assert await _text(last.store, reporter.id) == "\n".join(reporter.lines)


async def test_a_hole_is_asked_for_and_filled(bench, bus, reporter) -> None:
    """Records beyond a hole are not reported stored; once it is filled, they are, in order."""
    start, two, three, four = (
        reporter.delivery(r) for r in (reporter.start(), reporter.log(["2"]), reporter.log(["3"]), reporter.log(["4"]))
    )
    await bench.consumer.handle([start, four])
    holed = bus.events("STORED")[-1]
    await bench.consumer.repeat_heads()
    repeated = bus.events("STORED")[-1]
    await bench.consumer.handle([two, three])

    assert (holed.upto, holed.resend_from) == (1, 2) == (repeated.upto, repeated.resend_from)
    assert (bus.events("STORED")[-1].upto, bus.events("STORED")[-1].resend_from) == (4, None)
    assert await _text(bench.store, reporter.id) == "2\n3\n4"


async def test_what_another_replica_stored_is_no_hole(make_bench, bus, reporter) -> None:
    """A replica that took a shard over while the former one finished a batch asks for nothing that is stored."""
    start, two, three, four = (
        reporter.delivery(r) for r in (reporter.start(), reporter.log(["2"]), reporter.log(["3"]), reporter.log(["4"]))
    )
    former, latter = make_bench(), make_bench()
    await former.consumer.handle([start])
    await latter.consumer.adopt(range(SHARDS))
    await former.consumer.handle([two, three])

    await latter.consumer.handle([four])

    assert [(head.upto, head.resend_from) for head in bus.events("STORED")] == [(1, None), (3, None), (4, None)]
    assert await _text(latter.store, reporter.id) == "2\n3\n4"


async def test_a_hole_that_another_replica_fills_is_no_longer_asked_for(make_bench, bus, reporter) -> None:
    """The repeated head says what is stored by now, whoever stored it."""
    records = [reporter.start(), *(reporter.log([text]) for text in "2345")]
    start, two, three, _, five = map(reporter.delivery, records)
    former, latter = make_bench(), make_bench()
    await latter.consumer.handle([start, five])
    await former.consumer.handle([two, three])

    await latter.consumer.repeat_heads()

    assert (bus.events("STORED")[-1].upto, bus.events("STORED")[-1].resend_from) == (3, 4)


async def test_builds_that_another_replica_moved_are_caught_up_with(make_bench, reporter, make_reporter) -> None:
    """What a former owner still committed, new builds and ends alike, is looked after by the present one."""
    late = make_reporter()
    former, latter = make_bench(), make_bench()
    await former.consumer.handle([reporter.delivery(reporter.start())])
    await latter.consumer.adopt(range(SHARDS))
    await former.consumer.handle([reporter.delivery(reporter.complete()), late.delivery(late.start())])

    moved = await latter.consumer.catch_up(range(SHARDS))

    assert {state.build.id for state in moved} == {reporter.id, late.id} == set(latter.consumer.open_builds)
    assert latter.consumer.open_builds[reporter.id].complete
    assert await latter.consumer.catch_up(range(SHARDS)) == []


async def test_a_build_that_another_replica_settled_is_let_alone(make_bench, reporter) -> None:
    """Once nobody has to look after it, nobody does."""
    former, latter = make_bench(), make_bench()
    await former.consumer.handle([reporter.delivery(reporter.start()), reporter.delivery(reporter.complete())])
    await latter.consumer.adopt(range(SHARDS))
    await former.lifecycle.settle_due()

    await latter.consumer.catch_up(range(SHARDS))

    assert latter.consumer.open_builds == {}


async def test_a_build_without_its_beginning_is_asked_for_from_record_1(bench, bus, reporter) -> None:
    """When the first record is missing, nothing is stored and everything is asked for."""
    start, log = reporter.start(), reporter.log(["a"])

    await bench.consumer.handle([reporter.delivery(log)])

    assert await bench.store.find(reporter.id) is None
    assert [(head.upto, head.resend_from) for head in bus.events("STORED")] == [(0, 1)]
    await bench.consumer.handle([reporter.delivery(start)])
    assert await _text(bench.store, reporter.id) == "a"


async def test_other_bytes_for_a_stored_seq_are_quarantined(bench, reporter) -> None:
    """The first content of a seq is kept; the other is parked and counted, whether log or not."""
    start, log, update = reporter.start(), reporter.log(["first"]), reporter.update(progress=1)
    await bench.consumer.handle([reporter.delivery(record) for record in (start, log, update)])
    other_log = log.model_copy(update={"data": log.data.model_copy(update={"lines": ["second"]})})
    other_update = BuildUpdate(**{**update.model_dump(), "data": {"progress": 99}})

    for other in (other_log, other_update):
        with pytest.raises(PoisonMessage, match="other bytes"):
            await bench.consumer.handle([reporter.delivery(other)])

    assert await _text(bench.store, reporter.id) == "first"
    assert bench.metrics.quarantined._value.get() == 2


async def test_poison_spoils_nothing_else_of_its_batch(bench, make_reporter) -> None:
    """A record that can never be stored is reported; the rest of its batch is stored."""
    good, bad = make_reporter(), make_reporter()
    await bench.consumer.handle([bad.delivery(bad.start())])
    batch = [
        good.delivery(good.start()),
        bad.delivery(bad.log(["x"]), agent="intruder"),
        good.delivery(good.log(["y"])),
    ]

    with pytest.raises(PoisonMessage, match="intruder"):
        await bench.consumer.handle(batch)

    assert await _text(bench.store, good.id) == "y"
    assert (await bench.store.find(bad.id)).build.log_lines == 0


async def test_a_record_that_cannot_be_read_leaves_a_tombstone_not_a_hole(bench, bus, reporter) -> None:
    """It is parked; in its place the build's row says so, and what follows is stored, also when it comes again."""
    start, log, after = reporter.start(), reporter.log(["unreadable"]), reporter.log(["after it"])
    headers = {"agent": reporter.agent, "build_id": reporter.id, "seq": "2"}
    body = log.to_json().replace('"BUILD_LOG"', '"BUILD_POEM"').encode()
    unreadable = Delivery(99, f"0.BUILD_LOG.{reporter.project}", body, headers)

    with pytest.raises(PoisonMessage):
        await bench.consumer.handle([reporter.delivery(start), unreadable, reporter.delivery(after)])
    with pytest.raises(PoisonMessage, match="BUILD_LOG"):
        await bench.consumer.handle([unreadable])

    build = (await bench.store.find(reporter.id)).build
    assert (3, 1, "after it") == (build.as_of_seq, build.log_lines, build.last_line)
    assert "record 2" in build.error
    assert bus.events("STORED")[-1].resend_from is None


async def test_two_consumers_of_one_shard_damage_nothing(make_bench, reporter) -> None:
    """While ownership changes hands two replicas may store the same build: it reads as it was reported."""
    records = [reporter.start(), *(reporter.log([f"line {number}"]) for number in range(40))]
    deliveries = [reporter.delivery(record) for record in records]
    benches = [make_bench(), make_bench()]

    async def feed(bench, size: int) -> None:
        for first in range(0, len(deliveries), size):
            await bench.consumer.handle(deliveries[first : first + size])

    await asyncio.gather(feed(benches[0], 3), feed(benches[1], 5))

    assert await _text(benches[0].store, reporter.id) == "\n".join(reporter.lines)
    assert (await benches[0].store.load(reporter.id)).applied == len(records)


async def test_a_build_that_reports_line_by_line_stays_compact(bench, reporter) -> None:
    """Many one-line records end as few chunks, and the log is whole."""
    await bench.consumer.handle([reporter.delivery(reporter.start())])
    for number in range(150):
        await bench.consumer.handle(
            [reporter.delivery(reporter.log([f"[{number}/150] Building CXX object lib/{number}.o"]))]
        )
    await bench.consumer.handle([reporter.delivery(reporter.complete())])

    chunks = await bench.store.read_chunks(reporter.id, "seq", 1, 1000)
    assert len(chunks) <= 2
    assert await _text(bench.store, reporter.id) == "\n".join(reporter.lines)


async def test_rows_that_only_grow_are_announced_a_few_times_a_second(bench, bus, reporter) -> None:
    """A chatty build's row is held back between announcements, and the newest one comes at last."""
    await bench.consumer.handle([reporter.delivery(reporter.start())])
    for _ in range(50):
        bench.now += 0.02
        await bench.consumer.handle([reporter.delivery(reporter.log(["x"]))])
        await bench.lifecycle.announce_held_rows()
    bench.now += 1
    await bench.lifecycle.announce_held_rows()

    rows = bus.events("BUILD")
    assert 4 <= len(rows) <= 8
    assert rows[-1].build.log_lines == 50
    assert len(bus.events("LOG")) == 50


async def test_nothing_is_announced_before_it_is_stored(bench, bus, reporter) -> None:
    """Whenever something is announced, the store has it already."""
    early: list[str] = []
    announce = bus.announce

    async def check(exchange: str, routing_key: str, body: bytes) -> None:
        await announce(exchange, routing_key, body)
        event = bus.announced[-1]
        positions = {"LOG": "seq", "STORED": "upto"}
        upto = event.build.as_of_seq if event.type == "BUILD" else getattr(event, positions[event.type])
        state = await bench.store.find(reporter.id)
        if state is None or state.applied < upto:
            early.append(event.type)

    bus.announce = check
    for record in (reporter.start(), reporter.log(["a"]), reporter.update(progress=1), reporter.complete()):
        await bench.consumer.handle([reporter.delivery(record)])
    await bench.lifecycle.settle_due()

    assert early == []
    assert len(bus.announced) > 8


async def test_the_first_receipt_is_kept(make_bench, store, reporter) -> None:
    """A build's place by the server's clock is stored once: a later copy of its first record does not move it."""
    start = reporter.start(clock={"wallAt": 50, "bootId": "b", "uptimeMs": 1000})
    clock = '{"wallAt":90,"bootId":"b","uptimeMs":3000}'
    await make_bench().consumer.handle([reporter.delivery(start, received_at="1700000000000", clock=clock)])
    await make_bench().consumer.handle([reporter.delivery(start, received_at="1700000009999", clock=clock)])

    for state in (await store.find(reporter.id), await store.load(reporter.id)):
        assert (state.build.received_at, state.build.server_started_at) == (1_700_000_000_000, 1_699_999_998_000)
        assert state.start_time.server_started_earliest_at == 1_699_999_998_000
        assert state.start_time.clock_skew_ms == 90 - 1_700_000_000_000


async def test_a_ready_artifact_is_announced_with_the_build_s_row(bench, reporter, bus) -> None:
    """The build's row is announced with ARTIFACT_READY, each time it comes; of an unknown build nothing is."""
    await bench.consumer.handle([reporter.delivery(reporter.start())])
    bus.announced.clear()
    ready = ArtifactReady(
        build_id=reporter.id,
        project=reporter.project,
        timestamp=1,
        data=ArtifactReadyData(artifact_id="0" * 32, name="wheel", size_bytes=1, sha256="0" * 64),
    )
    unknown = ready.model_copy(update={"build_id": new_build_id(1)})

    for message in (ready, unknown, ready):
        key = routing_key(message.type, message.build_id, message.project)
        await bench.consumer.handle([Delivery(1, key, message.to_json().encode(), {})])

    assert [(["ARTIFACT_READY"], reporter.id)] * 2 == [(event.events, event.build.id) for event in bus.events("BUILD")]
    assert len(bus.announced) == 2
