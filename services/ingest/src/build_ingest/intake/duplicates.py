"""Repeats: whether a record that comes again is the one that is stored under its seq."""

import logging
from collections.abc import Sequence

import zstandard
from pydantic_core import from_json

from build_ingest.records.chunk import Chunk, Index, events_of, index_of, text_of, text_of_lines
from build_ingest.records.delivery import RecordDelivery
from build_ingest.store.contract import BuildStore

CHUNKS_PER_READ = 8

log = logging.getLogger("ingest")


async def find_strangers(store: BuildStore, build_id: str, repeats: Sequence[RecordDelivery]) -> list[RecordDelivery]:
    """Those of the repeats that say something else than what is stored under their seq."""
    strangers: list[RecordDelivery] = []
    chunks: list[Chunk] = []
    for arrival in sorted(repeats, key=lambda repeat: repeat.seq):
        chunks = [chunk for chunk in chunks if chunk.last_seq >= arrival.seq]
        if len(chunks) < 2:
            chunks = await store.read_chunks(build_id, "seq", arrival.seq, CHUNKS_PER_READ)
        following = chunks[1] if len(chunks) > 1 else None
        try:
            if not chunks or not holds(chunks[0], following, arrival):
                strangers.append(arrival)
        except zstandard.ZstdError as error:
            log.error("damaged log build_id=%s seq=%s reason=%s", build_id, arrival.seq, error)
    return strangers


def holds(chunk: Chunk, following: Chunk | None, arrival: RecordDelivery) -> bool:
    """Whether the stored record of this seq is the same one: the same words, whatever their spelling as JSON.

    `following` is the chunk after it: its text may go on with this one's last line.
    """
    index = index_of(chunk)
    if arrival.seq in index.events:
        said = from_json(arrival.body)
        return any(event == said for event in events_of(chunk) if event.get("seq") == arrival.seq)
    if arrival.log is None:
        return False
    data = arrival.log.data
    place = arrival.seq - chunk.first_seq - sum(seq < arrival.seq for seq in index.events)
    if index.counts[place] != len(data.lines):
        return False
    is_last = place + 1 == len(index.counts)
    goes_on = bool(following and following.continues) if is_last else place + 1 in index.continued
    stored, text = _stored_text(chunk, index, place), text_of_lines(data.lines)
    # A line told in several records is stored in one piece: there the words must be part of it.
    if place and place in index.continued:
        return text in stored if goes_on else stored.endswith(text)
    return stored.startswith(text) if goes_on else stored == text


def _stored_text(chunk: Chunk, index: Index, place: int) -> str:
    """The lines that the log record at `place` has a part in."""
    lines = text_of(chunk).decode().split("\n")
    # A piece that goes on shares its first line with the piece before it.
    shared = sum(0 < position <= place for position in index.continued)
    first = sum(index.counts[:place]) - shared
    return "\n".join(lines[first : first + index.counts[place]])
