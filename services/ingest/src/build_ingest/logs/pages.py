"""The log as people read it: pages of lines, the text as a stream of bytes. Reads few chunks at a time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import chain, repeat

from build_protocol.messages import Stream
from build_protocol.views import LogPage

from build_ingest.records.chunk import Chunk, index_of, text_of
from build_ingest.records.fold import BuildState
from build_ingest.store.contract import ChunkSource

CHUNKS_PER_READ = 8


async def read_page(store: ChunkSource, state: BuildState, first: int, count: int) -> LogPage:
    """Lines `first` to `first + count - 1`, as many of them as there are."""
    build = state.build
    last = min(first + count - 1, build.log_lines)
    chunks = await _chunks_of_lines(store, build.id, first, last) if first <= last else []
    lines, streams, times = await asyncio.to_thread(_lines_of, chunks, first, last, build.log_bytes)
    return LogPage(
        first=first, lines=lines, total=build.log_lines, as_of_seq=build.as_of_seq, streams=streams, times_ms=times
    )


def text_size(state: BuildState) -> int:
    """Bytes of the whole text: its lines, each with a newline."""
    return state.build.log_bytes + 1 if state.build.log_lines else 0


async def stream_text(store: ChunkSource, state: BuildState, begin: int, end: int) -> AsyncIterator[bytes]:
    """Bytes `begin` to `end` (exclusive) of the whole text, as it was at `state`. Memory: a few chunks."""
    body_end = min(end, state.build.log_bytes)
    at = begin
    while at < body_end:
        # The chunk that ends at `at` is read already, and so are any without text that stand there.
        chunks = await store.read_chunks(state.build.id, "byte", at + 1, CHUNKS_PER_READ)
        pieces = await asyncio.to_thread(text_between, chunks, at, body_end)
        if not pieces:
            return
        yield pieces
        at += len(pieces)
    if begin <= state.build.log_bytes < end:
        yield b"\n"


def text_between(chunks: Sequence[Chunk], at: int, end: int) -> bytes:
    """What these chunks, which follow each other, hold of bytes `at` to `end` (exclusive) of the log's text."""
    pieces: list[bytes] = []
    for chunk in chunks:
        if not chunk.has_text or chunk.end_byte < at or chunk.first_byte > end:
            continue
        joint = b"\n" if chunk.first_line > 1 and not chunk.continues else b""
        piece = joint + text_of(chunk)
        begins = chunk.first_byte - len(joint)
        pieces.append(piece[max(0, at - begins) : max(0, end - begins)])
    return b"".join(pieces)


async def _chunks_of_lines(store: ChunkSource, build_id: str, first: int, last: int) -> list[Chunk]:
    chunks = await store.read_chunks(build_id, "line", first, 2)
    # The last line may go on in the next chunk, so one that ends with it is not enough.
    while chunks and chunks[-1].last_line <= last:
        more = await store.read_chunks(build_id, "seq", chunks[-1].last_seq + 1, CHUNKS_PER_READ)
        if not more or more[-1].last_seq <= chunks[-1].last_seq:
            break
        # A merge may have put some of what was read, and what follows it, into one chunk meanwhile.
        chunks = [chunk for chunk in chunks if chunk.last_seq < more[0].first_seq] + more
    return [chunk for chunk in chunks if chunk.has_text and chunk.first_line <= last]


def _lines_of(
    chunks: Sequence[Chunk], first: int, last: int, end_byte: int
) -> tuple[list[str], list[Stream], list[int]]:
    lines: list[str] = []
    streams: list[Stream] = []
    times: list[int] = []
    for chunk in chunks:
        index = index_of(chunk)
        begins = 0
        # Chunks may know more of the last line than the state: a page that got it now would get it twice.
        found = text_of(chunk)[: max(0, end_byte - chunk.first_byte)].decode().split("\n")
        if chunk.continues and lines:
            lines[-1] += found[0]
            begins = 1
        lines += found[begins:]
        streams += list(chain.from_iterable(repeat(*run) for run in index.streams))[begins:]
        times += index.times[begins:]
    if not chunks:
        return [], [], []
    skip = first - chunks[0].first_line
    wanted = slice(skip, skip + last - first + 1)
    return lines[wanted], streams[wanted], times[wanted]
