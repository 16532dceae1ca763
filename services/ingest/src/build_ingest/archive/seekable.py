"""The archive's file: one zstd file of which any range can be read. Pure.

It is the log's frames one after the other, each readable alone, and at the end a table of their sizes in a frame that
decompressors skip: zstd's seekable format. Decompressed it is the log as it is downloaded, each line with a newline.
"""

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

import zstandard

from build_ingest.records.chunk import Chunk

TABLE_MAGIC = 0x184D2A5E
FOOTER_MAGIC = 0x8F92EAB1
_HEADER = struct.Struct("<II")
_ENTRY = struct.Struct("<II")
_FOOTER = struct.Struct("<IBI")
FOOTER_BYTES = _FOOTER.size

NEWLINE = zstandard.ZstdCompressor(write_checksum=True).compress(b"\n")


class NotAnArchive(ValueError):
    """The bytes are no file in the seekable format."""


class Torn(LookupError):
    """Chunks do not follow each other: some are being merged, or are no longer here."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of the file, and how much text is in it."""

    packed: bytes
    text_bytes: int


class FrameWriter:
    """Makes frames of a log's chunks, as they lie in the store, and then the table of all of them."""

    def __init__(self) -> None:
        self._sizes: list[tuple[int, int]] = []
        self.text_bytes = 0

    def frames_of(self, chunks: Iterable[Chunk]) -> Iterator[Frame]:
        """The frames of chunks that follow those before; raises Torn when they do not, or their text is not here."""
        for chunk in chunks:
            if not chunk.has_text:
                continue
            if chunk.is_cold:
                raise Torn(f"build {chunk.build_id}: the text of record {chunk.first_seq} is not here")
            if chunk.first_line > 1 and not chunk.continues:
                yield self._count(Frame(NEWLINE, 1))
            if chunk.first_byte != self.text_bytes:
                raise Torn(f"build {chunk.build_id}: text from byte {self.text_bytes} on is missing")
            yield self._count(Frame(chunk.text, chunk.text_bytes))

    def end(self) -> Iterator[bytes]:
        """The last newline and the table."""
        yield self._count(Frame(NEWLINE, 1)).packed
        entries = b"".join(_ENTRY.pack(*sizes) for sizes in self._sizes)
        footer = _FOOTER.pack(len(self._sizes), 0, FOOTER_MAGIC)
        yield _HEADER.pack(TABLE_MAGIC, len(entries) + len(footer)) + entries + footer

    def _count(self, frame: Frame) -> Frame:
        self._sizes.append((len(frame.packed), frame.text_bytes))
        self.text_bytes += frame.text_bytes
        return frame


def table_bytes(footer: bytes) -> int:
    """How many bytes at the end of the file are its table, by its last `FOOTER_BYTES`. Raises NotAnArchive."""
    count, descriptor, magic = _FOOTER.unpack(footer)
    if magic != FOOTER_MAGIC or descriptor:
        raise NotAnArchive("no table at the end")
    return _HEADER.size + int(count) * _ENTRY.size + FOOTER_BYTES


@dataclass(frozen=True, slots=True)
class Table:
    """Where each frame ends, in the file and in the text."""

    file_ends: Sequence[int]
    text_ends: Sequence[int]

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """The table out of the file's last bytes; raises NotAnArchive."""
        magic, size = _HEADER.unpack_from(raw)
        if magic != TABLE_MAGIC or size != len(raw) - _HEADER.size:
            raise NotAnArchive("the table is damaged")
        entries = list(_ENTRY.iter_unpack(raw[_HEADER.size : -FOOTER_BYTES]))
        return cls(list(accumulate(packed for packed, _ in entries)), list(accumulate(text for _, text in entries)))

    def span(self, begin: int, end: int) -> "Span":
        """The frames that hold bytes `begin` to `end` (exclusive, not empty) of the text."""
        first, last = bisect_right(self.text_ends, begin), bisect_left(self.text_ends, end)
        if last >= len(self.text_ends):
            raise NotAnArchive(f"there is no text up to byte {end}")
        return Span(
            file_begin=self.file_ends[first - 1] if first else 0,
            file_end=self.file_ends[last],
            text_begin=self.text_ends[first - 1] if first else 0,
            ends=tuple(self.file_ends[first : last + 1]),
        )


@dataclass(frozen=True, slots=True)
class Span:
    """Frames that follow each other: where they lie in the file, where each ends there, where their text begins."""

    file_begin: int
    file_end: int
    text_begin: int
    ends: tuple[int, ...]

    def text(self, raw: bytes) -> bytes:
        """The text of these frames, given their bytes of the file. Raises `zstandard.ZstdError` when damaged."""
        begins = (self.file_begin, *self.ends)
        return b"".join(
            zstandard.ZstdDecompressor().decompress(raw[begin - self.file_begin : end - self.file_begin])
            for begin, end in zip(begins, self.ends, strict=False)
        )
