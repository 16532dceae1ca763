"""The spool: a build's records on disk, from before they are sent until they are stored.

Append-only segment files of entries `{crc32, length, kind, seq, payload}`. An entry is a record or a checkpoint (how
far the raw output is read, and the normaliser's state), so that a restart goes on exactly there and no sequence number
ever changes its bytes. Every append is on the disk when it returns; a torn tail is cut at the next opening.
"""

import os
import struct
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from build_dashboard.holder.raw import part_of_disk

HEADER = struct.Struct("<IIcQ")
"""CRC-32 of all that follows it, payload length in bytes, kind, sequence number."""

RECORD, CHECKPOINT = b"R", b"C"

SEGMENT_BYTES = 16 * 1024 * 1024

KEEP_BYTES = 128 * 1024 * 1024
"""Stored records are kept up to this much until the build is verified: they can be resent, and the checksum of the
log can be taken again after a restart."""

KEEP_SEGMENTS = 8
"""Of a small disk, an eighth is kept."""

RECENT_BYTES = 2 * 1024 * 1024
"""The newest records, kept in memory so that what is sent at once is not read back."""

MAX_ENTRY_BYTES = 1024 * 1024


class SpoolFull(OSError):
    """The disk takes no more; nothing was written, and the same append may be tried again."""


# macOS has no fdatasync.
_sync = os.fdatasync if hasattr(os, "fdatasync") else os.fsync


class Spool:
    """One build's records. `append` may run in another thread than the rest."""

    def __init__(
        self,
        directory: Path,
        segment_bytes: int = SEGMENT_BYTES,
        keep_bytes: int = KEEP_BYTES,
        *,
        recent_bytes: int = RECENT_BYTES,
    ) -> None:
        self._recent_bytes = recent_bytes
        self.directory = directory
        self.last_seq = 0
        self.stored_seq = 0
        self.checkpoint = b""
        self._segment_bytes = part_of_disk(str(directory), segment_bytes)
        self._keep_bytes = min(keep_bytes, part_of_disk(str(directory), keep_bytes) * KEEP_SEGMENTS)
        self._lock = Lock()
        self._fd = -1
        self._size = 0  # of the segment being written
        self._segments: list[tuple[int, int]] = []  # first sequence number, size in bytes
        self._recent: deque[bytes] = deque()  # records last_seq-len+1 .. last_seq
        self._recent_size = 0
        self._cursor = _Cursor(0, 0, -1)  # nowhere
        self._recover()

    @property
    def first_seq(self) -> int:
        """The oldest record still here (last_seq + 1 when there is none)."""
        return self._segments[0][0] if self._segments else self.last_seq + 1

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        with self._lock:
            return sum(size for _, size in self._segments[:-1]) + self._size

    def begin_after(self, seq: int) -> None:
        """Let the first record have the number after this one: those before it were stored by another spool."""
        if not self._segments:
            self.last_seq = self.stored_seq = seq

    def append(self, records: Sequence[bytes], checkpoint: bytes = b"") -> None:
        """Write records last_seq+1, ... and where to go on after them; all of it is on the disk on return.

        Raises:
            SpoolFull: the disk is full; nothing was appended.
        """
        seq = self.last_seq
        parts = [_entry(RECORD, seq + place, record) for place, record in enumerate(records, 1)]
        if checkpoint:
            parts.append(_entry(CHECKPOINT, seq + len(records), checkpoint))
        try:
            if self._fd < 0 or self._size >= self._segment_bytes:
                self._begin_segment()
            if self._size == 0 and self.checkpoint:
                # The newest segment alone must tell where to go on: earlier ones may be deleted.
                parts.insert(0, _entry(CHECKPOINT, seq, self.checkpoint))
            self._write(b"".join(parts))
        except OSError as error:
            raise SpoolFull(*error.args) from error
        with self._lock:
            self.last_seq += len(records)
            if checkpoint:
                self.checkpoint = checkpoint
            self._recent.extend(records)
            self._recent_size += sum(map(len, records))
            while self._recent_size > self._recent_bytes:
                self._recent_size -= len(self._recent.popleft())

    def read_after(self, seq: int, limit_bytes: int, limit_records: int) -> list[bytes]:
        """Records seq+1, ... in order: at least one where there is one, together at most about the limits."""
        with self._lock:
            behind = self.last_seq - seq
            if behind <= 0:
                return []
            if behind <= len(self._recent):
                start = len(self._recent) - behind
                end = min(len(self._recent), start + limit_records)
                return _fill((self._recent[place] for place in range(start, end)), limit_bytes)
        return self._read_disk(seq, limit_bytes, limit_records)

    def records(self) -> Iterator[bytes]:
        """All records still here, from the disk."""
        for place, (first_seq, _) in enumerate(self._segments):
            end = self._size if place == len(self._segments) - 1 else None
            for kind, _, payload, _ in _entries(self._path(first_seq), 0, end):
                if kind == RECORD:
                    yield payload

    def forget_stored(self, upto: int) -> None:
        """Records up to `upto` are stored: whole segments of them go once the spool is larger than it should be."""
        with self._lock:
            self.stored_seq = max(self.stored_seq, min(upto, self.last_seq))
            total = sum(size for _, size in self._segments[:-1]) + self._size
            # A segment that is new and empty does not tell yet where to go on.
            while (
                self._size
                and len(self._segments) > 1
                and total > self._keep_bytes
                and self._segments[1][0] <= self.stored_seq + 1
            ):
                first_seq, size = self._segments.pop(0)
                self._path(first_seq).unlink(missing_ok=True)
                total -= size

    def make_room(self) -> None:
        """The disk is full: of what is stored, keep no more than must be."""
        self._keep_bytes = 0
        self.forget_stored(self.stored_seq)

    def close(self) -> None:
        """Let go of the files; what is on the disk stays."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read_disk(self, seq: int, limit_bytes: int, limit_records: int) -> list[bytes]:
        if self._cursor.seq != seq:
            self._cursor = self._seek(seq)
        chosen: list[bytes] = []
        size = 0
        while True:
            cursor = self._cursor
            with self._lock:
                later = [first for first, _ in self._segments if first > cursor.segment]
                end = None if later else self._size
            for kind, entry_seq, payload, next_offset in _entries(self._path(cursor.segment), cursor.offset, end):
                if kind == RECORD and entry_seq > cursor.seq:
                    if chosen and (size + len(payload) > limit_bytes or len(chosen) >= limit_records):
                        return chosen
                    chosen.append(payload)
                    size += len(payload)
                    cursor.seq = entry_seq
                cursor.offset = next_offset
            if not later:
                return chosen
            self._cursor = _Cursor(later[0], 0, cursor.seq)

    def _seek(self, seq: int) -> "_Cursor":
        with self._lock:
            first_seq = max((first for first, _ in self._segments if first <= seq + 1), default=self.first_seq)
        cursor = _Cursor(first_seq, 0, min(seq, self.last_seq))
        for kind, entry_seq, _, next_offset in _entries(self._path(first_seq), 0, None):
            if kind == RECORD and entry_seq > seq:
                break
            cursor.offset = next_offset
        return cursor

    def _begin_segment(self) -> None:
        first_seq = self.last_seq + 1
        path = self._path(first_seq)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        with self._lock:
            if self._segments:
                self._segments[-1] = (self._segments[-1][0], self._size)
            if not self._segments or self._segments[-1][0] != first_seq:
                self._segments.append((first_seq, 0))
            self._size = 0
        directory = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(directory)  # else a power cut may forget the file, fsynced or not
        finally:
            os.close(directory)

    def _write(self, data: bytes) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._fd, data[written:] if written else data, self._size + written)
            _sync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(data)

    def _recover(self) -> None:
        """Read what an earlier process left, and cut what it did not finish writing."""
        firsts = sorted(int(path.stem) for path in self.directory.glob("*.spool"))
        while firsts:
            path = self._path(firsts[-1])
            good, last_seq, checkpoint = _scan(path, firsts[-1] - 1)
            if good == 0:
                path.unlink()  # its first entry was never whole
                firsts.pop()
                continue
            with path.open("r+b") as file:
                file.truncate(good)
            self.last_seq, self._size = last_seq, good
            self.checkpoint = checkpoint
            self._fd = os.open(path, os.O_RDWR)
            break
        self._segments = [(first, self._path(first).stat().st_size) for first in firsts]

    def _path(self, first_seq: int) -> Path:
        return self.directory / f"{first_seq:016d}.spool"


@dataclass(slots=True)
class _Cursor:
    """Where reading from the disk goes on: after record `seq`, at `offset` of the segment beginning with `segment`."""

    segment: int
    offset: int
    seq: int


def _entry(kind: bytes, seq: int, payload: bytes) -> bytes:
    header = HEADER.pack(0, len(payload), kind, seq)
    crc = zlib.crc32(payload, zlib.crc32(header[4:]))
    return crc.to_bytes(4, "little") + header[4:] + payload


def _entries(path: Path, offset: int, end: int | None) -> Iterator[tuple[bytes, int, bytes, int]]:
    """The whole, unharmed entries of a segment from an offset: kind, seq, payload, offset after it."""
    with path.open("rb") as file:
        file.seek(offset)
        while end is None or offset < end:
            header = file.read(HEADER.size)
            if len(header) < HEADER.size:
                return
            crc, length, kind, seq = HEADER.unpack(header)
            if length > MAX_ENTRY_BYTES:
                return
            payload = file.read(length)
            if len(payload) < length or zlib.crc32(payload, zlib.crc32(header[4:])) != crc:
                return
            offset += HEADER.size + length
            yield kind, seq, payload, offset


def _scan(path: Path, before_seq: int) -> tuple[int, int, bytes]:
    """Length of the unharmed part of a segment, its last record's number, its last checkpoint."""
    good, last_seq, checkpoint = 0, before_seq, b""
    for kind, seq, payload, next_offset in _entries(path, 0, None):
        if kind == CHECKPOINT:
            checkpoint = payload
        elif seq == last_seq + 1:
            last_seq = seq
        else:
            break
        good = next_offset
    return good, last_seq, checkpoint


def _fill(records: Iterable[bytes], limit_bytes: int) -> list[bytes]:
    chosen: list[bytes] = []
    size = 0
    for record in records:
        if chosen and size + len(record) > limit_bytes:
            break
        chosen.append(record)
        size += len(record)
    return chosen
