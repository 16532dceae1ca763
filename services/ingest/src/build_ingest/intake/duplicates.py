"""Duplicates: whether a record that comes again is the one that is stored under its seq."""

import logging
from collections.abc import Sequence

import zstandard
from pydantic_core import from_json

from build_ingest.records.chunk import Chunk, Index, events_of, index_of, text_of, text_of_lines
from build_ingest.records.delivery import RecordDelivery
from build_ingest.store.contract import BuildStore

CHUNKS_PER_READ = 8

log = logging.getLogger("ingest")


async def find_differing(
    store: BuildStore, build_id: str, duplicates: Sequence[RecordDelivery]
) -> list[RecordDelivery]:
    """Those of the duplicates whose content differs from what is stored under their seq."""
    differing: list[RecordDelivery] = []
    chunks: list[Chunk] = []
    for delivery in sorted(duplicates, key=lambda duplicate: duplicate.seq):
        chunks = [chunk for chunk in chunks if chunk.last_seq >= delivery.seq]
        if len(chunks) < 2:
            chunks = await store.read_chunks(build_id, "seq", delivery.seq, CHUNKS_PER_READ)
        following = chunks[1] if len(chunks) > 1 else None
        try:
            if not chunks or not holds(chunks[0], following, delivery):
                differing.append(delivery)
        except zstandard.ZstdError as error:
            log.error("damaged log build_id=%s seq=%s reason=%s", build_id, delivery.seq, error)
    return differing


def holds(chunk: Chunk, following: Chunk | None, delivery: RecordDelivery) -> bool:
    """Whether the stored record of this seq is the same one: the same content, however it is written as JSON.

    `following` is the chunk after it: its text may go on with this one's last line.
    """
    index = index_of(chunk)
    if delivery.seq in index.events:
        repeated = from_json(delivery.body)
        return any(event == repeated for event in events_of(chunk) if event.get("seq") == delivery.seq)
    if delivery.log is None:
        return False
    data = delivery.log.data
    place = delivery.seq - chunk.first_seq - sum(seq < delivery.seq for seq in index.events)
    if index.counts[place] != len(data.lines):
        return False
    is_last = place + 1 == len(index.counts)
    goes_on = bool(following and following.continues) if is_last else place + 1 in index.continued
    stored, text = _stored_text(chunk, index, place), text_of_lines(data.lines)
    # A line reported in several records is stored in one piece: there the text must be part of it.
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
