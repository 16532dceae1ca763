"""Verification: does what the store holds agree with what the agent counted? Read from the store, chunk by chunk."""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from contextlib import suppress

import zstandard
from build_protocol.messages import LogTotals

from build_ingest.records.chunk import Chunk, text_of
from build_ingest.store.contract import BuildStore, StoredChunkMissing

CHUNKS_PER_READ = 8
READS = 5
MERGE_SECONDS = 0.05
"""A merge of a build's last chunks takes about as long; there are one or two of them when a build ends."""

log = logging.getLogger("ingest")


async def agrees(store: BuildStore, build_id: str, upto: int, totals: LogTotals, *, is_cut: bool = False) -> bool:
    """Whether lines, bytes and sha256 of the stored text are the agent's; of a log that was cut, its lines.

    Memory does not grow with the log.
    """
    try:
        found = await _found(store, build_id, upto)
    except (StoredChunkMissing, zstandard.ZstdError) as error:
        log.error("damaged log build_id=%s reason=%s", build_id, error)
        return False
    if is_cut:
        return found.lines == totals.lines
    if found != totals:
        log.error("log differs build_id=%s stored=%s agent=%s", build_id, found.to_json(), totals.to_json())
    return found == totals


async def _found(store: BuildStore, build_id: str, upto: int) -> LogTotals:
    """Totals of what is stored; a merge that moves chunks under the reader makes it begin again, a few times."""
    for _ in range(READS - 1):
        with suppress(StoredChunkMissing):
            return await _read(store, build_id, upto)
        await asyncio.sleep(MERGE_SECONDS)
    return await _read(store, build_id, upto)


async def _read(store: BuildStore, build_id: str, upto: int) -> LogTotals:
    running = _RunningTotals()
    seq = 0
    while seq < upto:
        chunks = await store.read_chunks(build_id, "seq", seq + 1, CHUNKS_PER_READ)
        if not chunks or chunks[0].first_seq != seq + 1:
            raise StoredChunkMissing(build_id, seq + 1)
        # Hashing and unpacking let go of the interpreter: other builds go on meanwhile.
        await asyncio.to_thread(running.add, chunks)
        seq = chunks[-1].last_seq
    return running.totals()


class _RunningTotals:
    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._lines = 0
        self._bytes = 0

    def add(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            if not chunk.has_text:
                continue
            text = text_of(chunk)
            joint = b"\n" if self._lines and not chunk.continues else b""
            self._sha256.update(joint)
            self._sha256.update(text)
            self._lines += text.count(b"\n") + (0 if chunk.continues and self._lines else 1)
            self._bytes += len(joint) + len(text)

    def totals(self) -> LogTotals:
        return LogTotals(lines=self._lines, bytes=self._bytes, sha256=self._sha256.hexdigest())
