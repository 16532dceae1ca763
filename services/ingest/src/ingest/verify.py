"""Verification: does what the store holds agree with what the agent counted? Read from the store, chunk by chunk."""

import asyncio
import hashlib
import logging
from collections.abc import Sequence

import zstandard
from build_protocol.messages import LogTotals

from ingest.chunk import Chunk, text_of
from ingest.store.contract import BuildStore, StoredChunkMissing

CHUNKS_PER_READ = 8

log = logging.getLogger("ingest")


async def agrees(store: BuildStore, build_id: str, upto: int, totals: LogTotals) -> bool:
    """Whether lines, bytes and sha256 of the stored text are the agent's. Memory does not grow with the log."""
    tally = _Tally()
    seq = 0
    while seq < upto:
        try:
            chunks = await store.read_chunks(build_id, "seq", seq + 1, CHUNKS_PER_READ)
            # Hashing and unpacking let go of the interpreter: other builds go on meanwhile.
            await asyncio.to_thread(tally.add, chunks)
        except (StoredChunkMissing, zstandard.ZstdError) as error:
            log.error("damaged log build_id=%s after_seq=%s reason=%s", build_id, seq, error)
            return False
        if not chunks or chunks[0].first_seq != seq + 1:
            log.error("damaged log build_id=%s after_seq=%s reason=missing chunk", build_id, seq)
            return False
        seq = chunks[-1].last_seq
    found = tally.totals()
    if found != totals:
        log.error("log differs build_id=%s stored=%s agent=%s", build_id, found.to_json(), totals.to_json())
    return found == totals


class _Tally:
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
