"""Power lost at any moment: what was promised by then is there, whatever of the unsynced writes reached the disk."""

import asyncio
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from build_chassis.bus import EmbeddedBus
from build_chassis.store.contract import FIRST_VERSION
from build_chassis.store.sql import SqlEngine
from build_dashboard.recording.spool import Spool
from build_dashboard.whole_file import write_whole
from crash.images import MARKS, Disk, Op, points, record
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, text

FULL = bool(os.environ.get("FULL"))
POINTS = 2000 if FULL else 30
CHOICES = 6 if FULL else 2

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="NOT CHECKED: needs a C compiler")

MARK = """
import asyncio, os, sys
directory = sys.argv[1]
marks = os.open(directory + "/marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
def promised(what):
    os.write(marks, b"%d\\n" % what)
"""

BUS = (
    MARK
    + """
from pathlib import Path
from build_chassis.bus import EmbeddedBus, Outgoing
from build_protocol import topology
async def main():
    bus = EmbeddedBus(Path(directory) / "bus.sqlite")
    await bus.open()
    async with bus.consume(topology.ingest_queue(4)) as consumer:
        for number in range(80):
            await bus.publish([Outgoing("4.BUILD_LOG.p", b"%d " % number + b"x" * 3000)])
            promised(number)
            if number == 40:
                await consumer.ack((await consumer.fetch(20))[:10])
    await bus.close()
asyncio.run(main())
"""
)

STORE = (
    MARK
    + """
from build_chassis.store.sql import SqlEngine
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, insert
metadata = MetaData()
things = Table("things", metadata, Column("id", Integer, primary_key=True), Column("raw", LargeBinary))
async def main():
    for round in range(3):
        engine = SqlEngine(f"sqlite:///{directory}/store.sqlite")
        await engine.migrate(metadata)
        for number in range(round * 30, round * 30 + 30):
            await engine.write(lambda db: db.execute(insert(things).values(id=number, raw=b"y" * 5000)).rowcount)
            promised(number)
        await engine.close()
asyncio.run(main())
"""
)

SPOOL = (
    MARK
    + """
from pathlib import Path
from build_dashboard.recording.spool import Spool
for round in range(3):
    spool = Spool(Path(directory), segment_bytes=4000, keep_bytes=12000)
    for number in range(25):
        seq = spool.last_seq + 1
        spool.append([b"%d " % seq + b"z" * 300, b"%d " % (seq + 1) + b"z" * 40], b"checkpoint %d" % (seq + 1))
        promised(seq + 1)
        spool.forget_stored(max(0, seq - 20))
    spool.close()
"""
)

WHOLE = (
    MARK
    + """
from pathlib import Path
from build_dashboard.whole_file import write_whole
for number in range(20):
    write_whole(Path(directory) / "secrets.json", "%d " % number + "s" * 2000)
    promised(number)
"""
)


def bus_keeps(image: Path, last: int) -> None:
    async def read() -> None:
        bus = EmbeddedBus(image / "bus.sqlite")
        await bus.open()
        await bus.close()

    asyncio.run(read())
    with closing(sqlite3.connect(image / "bus.sqlite")) as connection:
        assert ("ok",) == connection.execute("pragma integrity_check").fetchone()
        bodies = {body.split(b" ")[0]: body for (body,) in connection.execute("select body from messages")}
    assert {b"%d" % number for number in range(last + 1)} <= bodies.keys()
    assert all(body == number + b" " + b"x" * 3000 for number, body in bodies.items())


def store_keeps(image: Path, last: int) -> None:
    metadata = MetaData()
    Table("things", metadata, Column("id", Integer, primary_key=True), Column("raw", LargeBinary))

    async def read() -> list[int]:
        engine = SqlEngine(f"sqlite:///{image}/store.sqlite")
        assert FIRST_VERSION == await engine.migrate(metadata)
        found = await engine.read(lambda db: list(db.execute(text("select id from things order by id")).scalars()))
        assert "ok" == await engine.read(lambda db: db.execute(text("pragma integrity_check")).scalar())
        await engine.close()
        return found

    found = asyncio.run(read())
    assert list(range(len(found))) == found
    assert len(found) > last


def spool_keeps(image: Path, last: int) -> None:
    spool = Spool(image)
    assert spool.last_seq >= last
    first = spool.first_seq
    assert first <= max(1, last - 20), "what was not reported as stored is gone"
    records = [int(record.split(b" ")[0]) for record in spool.records()]
    assert list(range(first, spool.last_seq + 1)) == records
    if last:
        assert int(spool.checkpoint.split()[1]) >= last
    spool.append([b"%d " % (spool.last_seq + 1)], b"checkpoint %d" % (spool.last_seq + 1))
    spool.close()


def file_keeps(image: Path, last: int) -> None:
    path = image / "secrets.json"
    if last < 0 and not path.exists():
        return
    number, _, rest = path.read_text().partition(" ")
    assert int(number) >= last
    assert rest == "s" * 2000
    write_whole(path, "more")


CASES: dict[str, tuple[str, Callable[[Path, int], None], int]] = {
    "bus": (BUS, bus_keeps, -1),
    "store": (STORE, store_keeps, -1),
    "spool": (SPOOL, spool_keeps, 0),
    "file": (WHOLE, file_keeps, -1),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_power_may_be_lost_at_any_moment(case: str, tmp_path: Path) -> None:
    """It opens, nothing of it is damaged, and what was reported as kept is kept."""
    program, keeps, nothing = CASES[case]
    directory = tmp_path / "run"
    directory.mkdir()
    ops = record(program, directory)
    seed = random.SystemRandom().randrange(2**32) if FULL else 7
    failed = first_failure(ops, str(directory), tmp_path / "image", keeps, nothing=nothing, seed=seed)
    assert failed is None, failed


def first_failure(
    ops: list[Op], source: str, image: Path, keeps: Callable[[Path, int], None], *, nothing: int, seed: int
) -> str | None:
    """Which image breaks the promise first; None where none does."""
    disk, last, done = Disk(), nothing, 0
    for point in points(ops, POINTS, seed):
        for op in ops[done:point]:
            disk.follow(op)
            if op.path.endswith(f"/{MARKS}") and op.kind == "W":
                last = int(op.data)
        done = point
        for choice in range(CHOICES + 1):
            choose = random.Random(f"{seed}.{point}.{choice}") if choice else None
            disk.image(source, image, choose)
            try:
                keeps(image, last)
            except Exception as error:  # noqa: BLE001  whatever it is, the image is named
                return f"seed {seed}, {point} of {len(ops)} acts, choice {choice}, promised {last}: {error!r}"
    return None


@pytest.mark.parametrize("case", ["spool", "file"])
def test_a_sync_that_is_left_out_is_found(case: str, tmp_path: Path) -> None:
    """The same run without the syncs of its files breaks the promise: the images do show what is not sure."""
    program, keeps, nothing = CASES[case]
    directory = tmp_path / "run"
    directory.mkdir()
    ops = [op for op in record(program, directory) if op.kind != "S" or op.path == str(directory)]
    assert first_failure(ops, str(directory), tmp_path / "image", keeps, nothing=nothing, seed=7)
