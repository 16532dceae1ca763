"""The spool on a real disk: nothing that was appended is lost, nothing torn is read."""

import errno
import os
from pathlib import Path

import pytest
from build_dashboard.recording.spool import Spool, SpoolFull
from hypothesis import given, settings
from hypothesis import strategies as st


def fill(directory: Path, count: int, **options) -> Spool:
    spool = Spool(directory, **options)
    for seq in range(1, count + 1):
        spool.append([b"record %d" % seq], b"checkpoint %d" % seq)
    return spool


def test_restart_knows_everything(tmp_path) -> None:
    """After a restart, records, their numbers and the last checkpoint are there."""
    fill(tmp_path, 3).close()
    spool = Spool(tmp_path)

    assert spool.last_seq == 3
    assert spool.checkpoint == b"checkpoint 3"
    assert spool.read_after(0, 1 << 20, 100) == [b"record 1", b"record 2", b"record 3"]
    spool.append([b"record 4"], b"checkpoint 4")
    assert spool.read_after(2, 1 << 20, 100) == [b"record 3", b"record 4"]


def test_tail_torn_at_any_byte_is_cut(tmp_path) -> None:
    """Wherever a crash cut the file, whole records before are kept, and appending goes on after them."""
    fill(tmp_path, 2).close()
    (path,) = tmp_path.glob("*.spool")
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        spool = Spool(tmp_path)
        records = [b"record 1", b"record 2"][: spool.last_seq]
        assert spool.read_after(0, 1 << 20, 100) == records
        assert spool.checkpoint in (b"", b"checkpoint 1", b"checkpoint 2")[: spool.last_seq + 1]
        spool.append([b"next"], b"then")
        assert spool.read_after(0, 1 << 20, 100) == [*records, b"next"]
        spool.close()
        for old in tmp_path.glob("*.spool"):
            old.unlink()


def test_flipped_byte_is_noticed(tmp_path) -> None:
    """A record with a changed byte is never read as a record."""
    fill(tmp_path, 2).close()
    (path,) = tmp_path.glob("*.spool")
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))
    spool = Spool(tmp_path)

    assert spool.read_after(0, 1 << 20, 100) == [b"record 1", b"record 2"][: spool.last_seq]
    assert spool.checkpoint == b"checkpoint 1"


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=60),
    start=st.integers(0, 60),
    limit=st.integers(1, 2000),
    restarts=st.booleans(),
)
def test_reading_gives_every_record_once(tmp_path_factory, sizes, start, limit, restarts) -> None:
    """From any place, with any limit, over any segments: the same records in order."""
    spool = Spool(tmp_path_factory.mktemp("spool"), segment_bytes=700)
    records = [bytes([65 + place % 26]) * size for place, size in enumerate(sizes)]
    for record in records:
        spool.append([record], b"c")
    if restarts:
        spool.close()
        spool = Spool(spool.directory, segment_bytes=700)
    read: list[bytes] = []
    while batch := spool.read_after(start + len(read), limit, 7):
        assert len(batch) == 1 or sum(map(len, batch)) <= limit
        read += batch

    assert read == records[start:]
    spool.close()


def test_stored_records_leave_when_there_are_many(tmp_path) -> None:
    """What is stored is deleted once the spool is large; the newest and the checkpoint stay."""
    spool = fill(tmp_path, 100, segment_bytes=200, keep_bytes=1000)
    before = spool.size_bytes
    spool.forget_stored(90)

    assert spool.size_bytes < before
    assert spool.size_bytes == sum(path.stat().st_size for path in tmp_path.glob("*.spool"))
    assert 1 < spool.first_seq <= 91
    assert spool.read_after(90, 1 << 20, 100) == [b"record %d" % seq for seq in range(91, 101)]
    spool.close()
    assert Spool(tmp_path).checkpoint == b"checkpoint 100"


def test_unstored_records_never_leave(tmp_path) -> None:
    """However large the spool is, a record that is not stored stays."""
    spool = fill(tmp_path, 50, segment_bytes=200, keep_bytes=0)
    spool.forget_stored(0)

    assert len(spool.read_after(0, 1 << 20, 100)) == 50


def test_stored_records_make_room_on_a_full_disk(tmp_path) -> None:
    """What is kept for a second sending goes first when the disk is full."""
    spool = fill(tmp_path, 100, segment_bytes=200)
    spool.forget_stored(60)
    assert spool.first_seq == 1
    spool.make_room()

    assert 1 < spool.first_seq <= 61


def test_full_disk_loses_nothing_of_before(tmp_path, monkeypatch) -> None:
    """An append that the disk refuses changes nothing, and may be tried again."""
    spool = fill(tmp_path, 1)
    real = os.pwrite
    written: list[int] = []

    def half_then_nothing(fd: int, data: bytes, offset: int) -> int:
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(real(fd, data[:10], offset))
        return written[0]

    monkeypatch.setattr(os, "pwrite", half_then_nothing)
    with pytest.raises(SpoolFull):
        spool.append([b"record 2"], b"checkpoint 2")
    monkeypatch.setattr(os, "pwrite", real)
    spool.append([b"record 2"], b"checkpoint 2")

    assert spool.read_after(0, 1 << 20, 100) == [b"record 1", b"record 2"]
    spool.close()
    assert Spool(tmp_path).last_seq == 2


def test_a_disk_that_fills_at_a_new_segment_loses_no_checkpoint(tmp_path, monkeypatch) -> None:
    """Each segment alone records where to go on, though its first append was refused: else lines would come twice."""
    spool = fill(tmp_path, 2, segment_bytes=10)
    real = os.pwrite

    def full(fd: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(SpoolFull):
        spool.append([b"record 3"], b"checkpoint 3")
    monkeypatch.setattr(os, "pwrite", real)
    spool.append([b"record 3"])
    spool.close()

    again = Spool(tmp_path)
    assert (3, b"checkpoint 2") == (again.last_seq, again.checkpoint)
    again.close()
