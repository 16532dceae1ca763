"""The consumer: what a batch leaves in the store, and who is told."""

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


async def test_a_batch_is_stored_and_told_in_order(bench, ear, speaker) -> None:
    """After a batch the build is stored, its text, its row and its head are announced, the head last."""
    said = [speaker.start(), speaker.log(["a", "b"]), speaker.update(progress=50), speaker.log(["c"])]

    await bench.intake.handle([speaker.delivery(record) for record in said])

    assert await _text(bench.store, speaker.id) == "a\nb\nc"
    logs, rows, heads = ear.heard("LOG"), ear.heard("BUILD"), ear.heard("STORED")
    assert [(log.after_seq, log.seq, log.first_line, log.lines) for log in logs] == [(0, 4, 1, ["a", "b", "c"])]
    assert [(row.build.as_of_seq, row.events) for row in rows] == [(4, ["BUILD_START", "BUILD_LOG", "BUILD_UPDATE"])]
    assert [(head.upto, head.resend_from) for head in heads] == [(4, None)]
    assert ear.announced[-1] == heads[-1]


async def test_announced_text_joins_without_a_hole(bench, ear, speaker) -> None:
    """Consecutive announcements continue each other, over progress records, batches and lines in pieces."""
    await bench.intake.handle([speaker.delivery(speaker.start())])
    for number in range(20):
        batch = [speaker.log([f"line {number}"], continues=number % 5 == 2)]
        batch += [speaker.update(progress=number)] if number % 3 == 0 else []
        await bench.intake.handle([speaker.delivery(record) for record in batch])

    shown: list[str] = []
    after = 0
    for log in ear.heard("LOG"):
        assert log.after_seq == after
        if log.continues:
            assert log.first_line == len(shown)
            shown[-1] += log.lines[0]
            shown += log.lines[1:]
        else:
            assert log.first_line == len(shown) + 1
            shown += log.lines
        after = log.seq
    assert shown == speaker.lines


async def test_a_redelivered_batch_changes_nothing(make_bench, ear, speaker) -> None:
    """The same batch again, before or after a restart: stored once, and its agent is told again."""
    deliveries = [speaker.delivery(record) for record in (speaker.start(), speaker.log(["a"]), speaker.log(["b"]))]
    first, restarted = make_bench(), make_bench()
    await first.intake.handle(deliveries)
    stored = await first.store.find(speaker.id)

    await first.intake.handle(deliveries)
    await restarted.intake.handle(deliveries)

    assert await first.store.find(speaker.id) == stored
    assert await _text(first.store, speaker.id) == "a\nb"
    assert [head.upto for head in ear.heard("STORED")] == [3, 3, 3]
    assert len(ear.heard("LOG")) == 1


async def test_a_restart_in_the_middle_goes_on(make_bench, speaker) -> None:
    """Batches before and after a restart, overlapping, make one log."""
    said = [speaker.start(), *(speaker.log([f"line {number}"]) for number in range(9))]
    deliveries = [speaker.delivery(record) for record in said]

    await make_bench().intake.handle(deliveries[:6])
    last = make_bench()
    await last.intake.handle(deliveries[3:])

    assert await _text(last.store, speaker.id) == "\n".join(speaker.lines)


async def test_a_hole_is_asked_for_and_filled(bench, ear, speaker) -> None:
    """Records beyond a hole are not said to be stored; once it is filled, they are, in order."""
    start, two, three, four = (
        speaker.delivery(r) for r in (speaker.start(), speaker.log(["2"]), speaker.log(["3"]), speaker.log(["4"]))
    )
    await bench.intake.handle([start, four])
    holed = ear.heard("STORED")[-1]
    await bench.intake.repeat_heads()
    repeated = ear.heard("STORED")[-1]
    await bench.intake.handle([two, three])

    assert (holed.upto, holed.resend_from) == (1, 2) == (repeated.upto, repeated.resend_from)
    assert (ear.heard("STORED")[-1].upto, ear.heard("STORED")[-1].resend_from) == (4, None)
    assert await _text(bench.store, speaker.id) == "2\n3\n4"


async def test_what_another_replica_stored_is_no_hole(make_bench, ear, speaker) -> None:
    """A replica that took a shard over while the former one finished a batch asks for nothing that is stored."""
    start, two, three, four = (
        speaker.delivery(r) for r in (speaker.start(), speaker.log(["2"]), speaker.log(["3"]), speaker.log(["4"]))
    )
    former, latter = make_bench(), make_bench()
    await former.intake.handle([start])
    await latter.intake.adopt(range(SHARDS))
    await former.intake.handle([two, three])

    await latter.intake.handle([four])

    assert [(head.upto, head.resend_from) for head in ear.heard("STORED")] == [(1, None), (3, None), (4, None)]
    assert await _text(latter.store, speaker.id) == "2\n3\n4"


async def test_a_hole_that_another_replica_fills_is_no_longer_asked_for(make_bench, ear, speaker) -> None:
    """The repeated head says what is stored by now, whoever stored it."""
    said = [speaker.start(), *(speaker.log([text]) for text in "2345")]
    start, two, three, _, five = map(speaker.delivery, said)
    former, latter = make_bench(), make_bench()
    await latter.intake.handle([start, five])
    await former.intake.handle([two, three])

    await latter.intake.repeat_heads()

    assert (ear.heard("STORED")[-1].upto, ear.heard("STORED")[-1].resend_from) == (3, 4)


async def test_builds_that_another_replica_moved_are_caught_up_with(make_bench, speaker, make_speaker) -> None:
    """What a former owner still committed, new builds and ends alike, is looked after by the present one."""
    late = make_speaker()
    former, latter = make_bench(), make_bench()
    await former.intake.handle([speaker.delivery(speaker.start())])
    await latter.intake.adopt(range(SHARDS))
    await former.intake.handle([speaker.delivery(speaker.complete()), late.delivery(late.start())])

    moved = await latter.intake.catch_up(range(SHARDS))

    assert {state.build.id for state in moved} == {speaker.id, late.id} == set(latter.intake.open_builds)
    assert latter.intake.open_builds[speaker.id].complete
    assert await latter.intake.catch_up(range(SHARDS)) == []


async def test_a_build_that_another_replica_settled_is_let_alone(make_bench, speaker) -> None:
    """Once nobody has to look after it, nobody does."""
    former, latter = make_bench(), make_bench()
    await former.intake.handle([speaker.delivery(speaker.start()), speaker.delivery(speaker.complete())])
    await latter.intake.adopt(range(SHARDS))
    await former.lifecycle.settle_due()

    await latter.intake.catch_up(range(SHARDS))

    assert latter.intake.open_builds == {}


async def test_a_build_without_its_beginning_is_asked_for_from_record_1(bench, ear, speaker) -> None:
    """When the first record is missing, nothing is stored and everything is asked for."""
    start, log = speaker.start(), speaker.log(["a"])

    await bench.intake.handle([speaker.delivery(log)])

    assert await bench.store.find(speaker.id) is None
    assert [(head.upto, head.resend_from) for head in ear.heard("STORED")] == [(0, 1)]
    await bench.intake.handle([speaker.delivery(start)])
    assert await _text(bench.store, speaker.id) == "a"


async def test_other_bytes_for_a_stored_seq_are_quarantined(bench, speaker) -> None:
    """The first content of a seq is kept; the other is parked and counted, whether log or not."""
    start, log, update = speaker.start(), speaker.log(["first"]), speaker.update(progress=1)
    await bench.intake.handle([speaker.delivery(record) for record in (start, log, update)])
    other_log = log.model_copy(update={"data": log.data.model_copy(update={"lines": ["second"]})})
    other_update = BuildUpdate(**{**update.model_dump(), "data": {"progress": 99}})

    for other in (other_log, other_update):
        with pytest.raises(PoisonMessage, match="other bytes"):
            await bench.intake.handle([speaker.delivery(other)])

    assert await _text(bench.store, speaker.id) == "first"
    assert bench.metrics.quarantined._value.get() == 2


async def test_poison_spoils_no_neighbour(bench, make_speaker) -> None:
    """A record that can never be stored is told; the rest of its batch is stored."""
    good, bad = make_speaker(), make_speaker()
    await bench.intake.handle([bad.delivery(bad.start())])
    batch = [
        good.delivery(good.start()),
        bad.delivery(bad.log(["x"]), agent="intruder"),
        good.delivery(good.log(["y"])),
    ]

    with pytest.raises(PoisonMessage, match="intruder"):
        await bench.intake.handle(batch)

    assert await _text(bench.store, good.id) == "y"
    assert (await bench.store.find(bad.id)).build.log_lines == 0


async def test_a_record_that_cannot_be_read_leaves_a_stone_not_a_hole(bench, ear, speaker) -> None:
    """It is parked; in its place people are told so, and what follows is stored, also when it comes again."""
    start, log, after = speaker.start(), speaker.log(["unreadable"]), speaker.log(["after it"])
    headers = {"agent": speaker.agent, "build_id": speaker.id, "seq": "2"}
    body = log.to_json().replace('"BUILD_LOG"', '"BUILD_POEM"').encode()
    unreadable = Delivery(99, f"0.BUILD_LOG.{speaker.project}", body, headers)

    with pytest.raises(PoisonMessage):
        await bench.intake.handle([speaker.delivery(start), unreadable, speaker.delivery(after)])
    with pytest.raises(PoisonMessage, match="BUILD_LOG"):
        await bench.intake.handle([unreadable])

    build = (await bench.store.find(speaker.id)).build
    assert (3, 1, "after it") == (build.as_of_seq, build.log_lines, build.last_line)
    assert "record 2" in build.error
    assert ear.heard("STORED")[-1].resend_from is None


async def test_two_consumers_of_one_shard_do_no_harm(make_bench, speaker) -> None:
    """While ownership changes hands two replicas may store the same build: it reads as it was said."""
    said = [speaker.start(), *(speaker.log([f"line {number}"]) for number in range(40))]
    deliveries = [speaker.delivery(record) for record in said]
    benches = [make_bench(), make_bench()]

    async def feed(bench, size: int) -> None:
        for first in range(0, len(deliveries), size):
            await bench.intake.handle(deliveries[first : first + size])

    await asyncio.gather(feed(benches[0], 3), feed(benches[1], 5))

    assert await _text(benches[0].store, speaker.id) == "\n".join(speaker.lines)
    assert (await benches[0].store.load(speaker.id)).applied == len(said)


async def test_a_build_that_speaks_line_by_line_stays_compact(bench, speaker) -> None:
    """Many one-line records end as few chunks, and the log is whole."""
    await bench.intake.handle([speaker.delivery(speaker.start())])
    for number in range(150):
        await bench.intake.handle(
            [speaker.delivery(speaker.log([f"[{number}/150] Building CXX object lib/{number}.o"]))]
        )
    await bench.intake.handle([speaker.delivery(speaker.complete())])

    chunks = await bench.store.read_chunks(speaker.id, "seq", 1, 1000)
    assert len(chunks) <= 2
    assert await _text(bench.store, speaker.id) == "\n".join(speaker.lines)


async def test_rows_that_only_grow_are_told_a_few_times_a_second(bench, ear, speaker) -> None:
    """A chatty build's row is held back between announcements, and the newest one comes at last."""
    await bench.intake.handle([speaker.delivery(speaker.start())])
    for _ in range(50):
        bench.now += 0.02
        await bench.intake.handle([speaker.delivery(speaker.log(["x"]))])
        await bench.lifecycle.tell_held_rows()
    bench.now += 1
    await bench.lifecycle.tell_held_rows()

    rows = ear.heard("BUILD")
    assert 4 <= len(rows) <= 8
    assert rows[-1].build.log_lines == 50
    assert len(ear.heard("LOG")) == 50


async def test_nothing_is_announced_before_it_is_stored(bench, ear, speaker) -> None:
    """Whenever something is announced, the store has it already."""
    early: list[str] = []
    announce = ear.announce

    async def check(exchange: str, routing_key: str, body: bytes) -> None:
        await announce(exchange, routing_key, body)
        event = ear.announced[-1]
        said = {"LOG": "seq", "STORED": "upto"}
        upto = event.build.as_of_seq if event.type == "BUILD" else getattr(event, said[event.type])
        state = await bench.store.find(speaker.id)
        if state is None or state.applied < upto:
            early.append(event.type)

    ear.announce = check
    for record in (speaker.start(), speaker.log(["a"]), speaker.update(progress=1), speaker.complete()):
        await bench.intake.handle([speaker.delivery(record)])
    await bench.lifecycle.settle_due()

    assert early == []
    assert len(ear.announced) > 8


async def test_the_first_receipt_is_kept(make_bench, store, speaker) -> None:
    """A build's place by the server's clock is stored once: a later copy of its first record does not move it."""
    start = speaker.start(clock={"wallAt": 50, "bootId": "b", "uptimeMs": 1000})
    clock = '{"wallAt":90,"bootId":"b","uptimeMs":3000}'
    await make_bench().intake.handle([speaker.delivery(start, received_at="1700000000000", clock=clock)])
    await make_bench().intake.handle([speaker.delivery(start, received_at="1700000009999", clock=clock)])

    for state in (await store.find(speaker.id), await store.load(speaker.id)):
        assert (state.build.received_at, state.build.server_started_at) == (1_700_000_000_000, 1_699_999_998_000)
        assert state.start_time.server_started_earliest_at == 1_699_999_998_000
        assert state.start_time.clock_skew_ms == 90 - 1_700_000_000_000


async def test_a_ready_artifact_is_passed_on_to_who_watches(bench, speaker, ear) -> None:
    """The build's row is announced with ARTIFACT_READY, each time it comes; of an unknown build nothing is."""
    await bench.intake.handle([speaker.delivery(speaker.start())])
    ear.announced.clear()
    ready = ArtifactReady(
        build_id=speaker.id,
        project=speaker.project,
        timestamp=1,
        data=ArtifactReadyData(artifact_id="0" * 32, name="wheel", size_bytes=1, sha256="0" * 64),
    )
    unknown = ready.model_copy(update={"build_id": new_build_id(1)})

    for message in (ready, unknown, ready):
        key = routing_key(message.type, message.build_id, message.project)
        await bench.intake.handle([Delivery(1, key, message.to_json().encode(), {})])

    assert [(["ARTIFACT_READY"], speaker.id)] * 2 == [(event.events, event.build.id) for event in ear.heard("BUILD")]
    assert len(ear.announced) == 2
