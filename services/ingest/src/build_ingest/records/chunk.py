"""Chunks: consecutive records of one build as they lie in the store, compressed, never changed, only merged.

A chunk holds every record from `first_seq` to `last_seq`: log text joined by newlines, and beside it an index
(records, streams, times) and the raw JSON of what is not log. Chunks of a build follow each other without a
hole, so that whoever inserts the chunk after `applied` first has stored it, and a second writer is refused.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, groupby
from operator import itemgetter, sub
from typing import Any

import zstandard
from build_protocol.messages import BuildLog, Stream
from pydantic_core import from_json, to_json

from build_ingest.records.delivery import RecordDelivery
from build_ingest.records.fold import BuildState, LogGrowth

CHUNK_BYTES = 256 * 1024
"""A chunk is closed when its records have about this many bytes: a range read unpacks one or two of them."""

SMALL_BYTES = 128 * 1024
"""Chunks with less text than this are merged with their neighbours."""

LEVEL = 3
MERGED_LEVEL = 9
"""Zstd levels: new text must not wait; what is merged is written once and kept."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One stored piece of a build. `text`, `index` and `events` are zstd frames with checksum."""

    build_id: str
    first_seq: int
    last_seq: int
    first_line: int
    """Number of its first line; with `continues` that line began in an earlier chunk."""
    last_line: int
    """`first_line - 1` where it has no text."""
    first_byte: int
    """Where its text begins in the UTF-8 text of the whole log."""
    end_byte: int
    continues: bool
    text: bytes
    index: bytes
    events: bytes | None

    @property
    def has_text(self) -> bool:
        """Whether it holds any line."""
        return self.last_line >= self.first_line

    @property
    def is_cold(self) -> bool:
        """Whether its text was dropped here: then it is in the build's archive. No text at all packs to some bytes."""
        return self.has_text and not self.text

    @property
    def text_bytes(self) -> int:
        """Bytes of its text, unpacked."""
        return self.end_byte - self.first_byte


@dataclass(frozen=True, slots=True)
class Index:
    """How a chunk's text falls into records and lines. One entry per line in `streams` (run-length) and `times`."""

    events: list[int]
    """Seqs of the records that are not log."""
    counts: list[int]
    """Elements of `lines` in each log record."""
    continued: list[int]
    """Positions in `counts` of records that go on with the line before."""
    streams: list[tuple[Stream, int]]
    times: list[int]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a build's stored records end: the next chunk begins here."""

    seq: int
    lines: int
    text_bytes: int


def position_of(state: BuildState | None) -> Position:
    """Where the next record of the build goes."""
    if state is None:
        return Position(0, 0, 0)
    return Position(state.applied, state.build.log_lines, state.build.log_bytes)


def pack(build_id: str, deliveries: Sequence[RecordDelivery], at: Position) -> tuple[list[Chunk], LogGrowth | None]:
    """Chunks of whole records for consecutive deliveries that follow position `at`, and how the log grew."""
    chunks: list[Chunk] = []
    growth: LogGrowth | None = None
    for group in _split(deliveries):
        chunk, grown = _pack_group(build_id, group, at)
        chunks.append(chunk)
        growth = grown or growth
        at = Position(chunk.last_seq, chunk.last_line, chunk.end_byte if chunk.has_text else at.text_bytes)
    return chunks, growth


def merge(chunks: Sequence[Chunk]) -> Chunk:
    """One chunk with the records of several that follow each other."""
    first, last = chunks[0], chunks[-1]
    with_text = [chunk for chunk in chunks if chunk.has_text]
    texts = [
        part
        for chunk in with_text
        for part in (b"" if chunk.continues or chunk is with_text[0] else b"\n", text_of(chunk))
    ]
    return Chunk(
        build_id=first.build_id,
        first_seq=first.first_seq,
        last_seq=last.last_seq,
        first_line=with_text[0].first_line if with_text else first.first_line,
        last_line=last.last_line,
        first_byte=with_text[0].first_byte if with_text else first.first_byte,
        end_byte=last.end_byte,
        continues=bool(with_text) and with_text[0].continues,
        text=compress(b"".join(texts), MERGED_LEVEL),
        index=_compress_index(_merge_indexes(chunks)),
        events=_compress_events(chain.from_iterable(events_of(chunk) for chunk in chunks)),
    )


def text_of(chunk: Chunk) -> bytes:
    """The chunk's lines, joined by newlines. Raises `zstandard.ZstdError` when the stored bytes are damaged."""
    return _decompress(chunk.text)


def index_of(chunk: Chunk) -> Index:
    """The chunk's index."""
    raw: dict[str, Any] = from_json(_decompress(chunk.index))
    return Index(
        events=raw["e"],
        counts=raw["n"],
        continued=raw["c"],
        streams=[(stream, count) for stream, count in raw["s"]],
        times=list(accumulate(raw["t"])),
    )


def events_of(chunk: Chunk) -> list[dict[str, Any]]:
    """The chunk's records that are not log, as the agent reported them."""
    if chunk.events is None:
        return []
    events: list[dict[str, Any]] = from_json(_decompress(chunk.events))
    return events


def compress(raw: bytes, level: int = LEVEL) -> bytes:
    """A zstd frame with checksum, as all of a chunk's parts are."""
    return zstandard.ZstdCompressor(level=level, write_checksum=True).compress(raw)


def text_of_lines(lines: list[str]) -> str:
    """Lines joined by newlines. A newline inside a line would shift every later number: it becomes U+2424."""
    text = "\n".join(lines)
    if text.count("\n") != len(lines) - 1:
        text = "\n".join(line.replace("\n", "\N{SYMBOL FOR NEWLINE}") for line in lines)
    return text


def _split(deliveries: Sequence[RecordDelivery]) -> Iterable[list[RecordDelivery]]:
    group: list[RecordDelivery] = []
    size = 0
    for delivery in deliveries:
        group.append(delivery)
        size += len(delivery.body)
        if size >= CHUNK_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _pack_group(build_id: str, deliveries: Sequence[RecordDelivery], at: Position) -> tuple[Chunk, LogGrowth | None]:
    logs = [log for delivery in deliveries if (log := delivery.log) is not None]
    events = [delivery for delivery in deliveries if delivery.log is None]
    has_lines = at.lines > 0
    parts: list[str] = []
    continued: list[int] = []
    lines = at.lines
    for place, log in enumerate(logs):
        goes_on = bool(log.data.continues) and (has_lines or place > 0)
        if goes_on:
            continued.append(place)
        elif place:
            parts.append("\n")
        parts.append(text_of_lines(log.data.lines))
        lines += len(log.data.lines) - goes_on
    goes_on_first = bool(continued) and continued[0] == 0
    text = "".join(parts).encode()
    first_byte = at.text_bytes + (1 if logs and has_lines and not goes_on_first else 0)
    index = Index(
        [event.seq for event in events], [len(log.data.lines) for log in logs], continued, *_columns(logs, continued)
    )
    chunk = Chunk(
        build_id=build_id,
        first_seq=deliveries[0].seq,
        last_seq=deliveries[-1].seq,
        first_line=at.lines if goes_on_first else at.lines + 1,
        last_line=lines,
        first_byte=first_byte,
        end_byte=first_byte + len(text),
        continues=goes_on_first,
        text=compress(text),
        index=_compress_index(index),
        events=_compress_bodies(event.body for event in events),
    )
    if not logs:
        return chunk, None
    last_line = text.rpartition(b"\n")[2].decode()
    return chunk, LogGrowth(lines, chunk.end_byte, last_line, logs[-1].seq, index.times[-1])


def _columns(logs: Sequence[BuildLog], continued: Sequence[int]) -> tuple[list[tuple[Stream, int]], list[int]]:
    """Stream (run-length) and time of every line; a line in pieces has those of its first piece in the chunk."""
    pieces = set(continued) - {0}
    streams: list[tuple[Stream, int]] = []
    times: list[int] = []
    for place, log in enumerate(logs):
        data = log.data
        count, sent = len(data.lines), data.times_ms[: len(data.lines)]
        filled = sent + [sent[-1] if sent else log.timestamp] * (count - len(sent))
        if place in pieces:
            filled, count = filled[1:], count - 1
        times += filled
        if count:
            streams.append((data.stream, count))
    merged = [(stream, sum(map(itemgetter(1), run))) for stream, run in groupby(streams, key=itemgetter(0))]
    return merged, times


def _merge_indexes(chunks: Sequence[Chunk]) -> Index:
    indexes = [(chunk, index_of(chunk)) for chunk in chunks]
    merged = Index([], [], [], [], [])
    for chunk, index in indexes:
        # What went on with an earlier chunk's line now goes on inside this one: its line is counted already.
        inside = chunk.continues and bool(merged.counts)
        merged.events.extend(index.events)
        merged.continued.extend(place + len(merged.counts) for place in index.continued)
        merged.counts.extend(index.counts)
        merged.times.extend(index.times[inside:])
        streams = list(index.streams)
        if inside and streams:
            streams[0] = (streams[0][0], streams[0][1] - 1)
        merged.streams.extend(run for run in streams if run[1])
    runs = [(stream, sum(map(itemgetter(1), run))) for stream, run in groupby(merged.streams, key=itemgetter(0))]
    return replace(merged, streams=runs)


def _decompress(stored: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(stored)


def _compress_index(index: Index) -> bytes:
    # Times as differences: they are small, and repeat.
    times = index.times[:1] + list(map(sub, index.times[1:], index.times))
    return compress(
        to_json({"e": index.events, "n": index.counts, "c": index.continued, "s": index.streams, "t": times})
    )


def _compress_bodies(bodies: Iterable[bytes]) -> bytes | None:
    joined = b",".join(bodies)
    return compress(b"[" + joined + b"]") if joined else None


def _compress_events(events: Iterable[dict[str, Any]]) -> bytes | None:
    listed = list(events)
    return compress(to_json(listed)) if listed else None
