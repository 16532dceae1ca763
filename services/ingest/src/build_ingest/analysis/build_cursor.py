"""BuildCursor: how far one build is read, and what follows. Reads new chunks from memory, the rest from the store."""

import asyncio
from collections import deque

from build_chassis.concurrency import in_thread_if_large

from build_ingest.analysis.green_logs import GreenLogs
from build_ingest.analysis.log_reader import LogReader
from build_ingest.findings.test_results import LogBlocks, ResultBlock, pack, reported_in
from build_ingest.logs.pages import stream_text
from build_ingest.records.chunk import Chunk, events_of
from build_ingest.records.fold import BuildState
from build_ingest.records.plan import Step
from build_ingest.store.contract import BuildStore

PENDING_CHUNKS = 64
"""Chunks of a build kept for reading, compressed; a build that is faster is read from the store."""

THREAD_BYTES = 8 * 1024
"""More text than this is read in a thread, so that the loop answers others meanwhile."""

EVENT_CHUNKS_PER_READ = 32


class BuildCursor:
    """Reads one build as it grows: its log for failures and test results, its records for test results."""

    def __init__(self, state: BuildState, reader: LogReader, store: BuildStore, green_logs: GreenLogs) -> None:
        self.state = state
        """The build as far as it is to be read."""
        self.reader = reader
        self.shown_count = 0
        """Failures that the build's row shows."""
        self.is_broken = False
        self.lock = asyncio.Lock()
        self._store = store
        self._green_logs = green_logs
        self._is_compared = False
        self._pending: deque[Chunk] = deque()
        """Chunks that follow what is read without a hole."""
        self._end = 0
        """Where the pending chunks end, in bytes of the log."""
        self._blocks = LogBlocks(state.build.id)
        self._tests_seq = 0
        """Records are read for test results up to here."""

    @property
    def has_results(self) -> bool:
        """Whether any test result was read."""
        return self._blocks.found_any or self.state.tests_seq > 0

    @property
    def is_behind(self) -> bool:
        """Whether test results were read and are not stored."""
        return self._blocks.is_behind

    def follow(self, step: Step) -> None:
        """The build grew by a step: its chunks are read from memory if they join what is there, else from the store."""
        self.state = step.after
        before = step.before.build.log_bytes if step.before else 0
        if before == self._end and len(self._pending) < PENDING_CHUNKS:
            self._pending.extend(chunk for chunk in step.chunks if chunk.has_text)
            self._end = step.after.build.log_bytes

    def give_up(self) -> None:
        """The analysis of this build went wrong: it is not read any further."""
        self.is_broken = True
        self._pending.clear()

    async def catch_up(self) -> None:
        """Read up to the end of `state`. Raises StoreUnavailable, and LookupError where stored text is missing."""
        reader = self.reader
        if not self._is_compared:
            if (green := await self._green_logs.before(self.state.build)) is not None:
                reader.compare_with(green)
            self._is_compared = True
        while self._pending:
            chunks, end = list(self._pending), self._end
            self._pending.clear()
            await in_thread_if_large(end - reader.text_bytes, THREAD_BYTES, reader.read_chunks, chunks, end)
            await self._take_results()
        while reader.text_bytes < self.state.build.log_bytes:
            at = reader.text_bytes
            async for text in stream_text(self._store, self.state, at, self.state.build.log_bytes):
                await in_thread_if_large(len(text), THREAD_BYTES, reader.read, text)
                await self._take_results()
            if reader.text_bytes == at:
                raise LookupError(f"build {self.state.build.id}: text from byte {at} on is missing")
        self._end = max(self._end, reader.text_bytes)
        await self._read_records()

    async def keep_results(self) -> None:
        """Store the test results found in the log. Raises StoreUnavailable; calling again is harmless."""
        if self._blocks.is_behind:
            await self._store.keep_results(await asyncio.to_thread(self._blocks.unkept))
            self._blocks.keep()

    async def read_to_end(self) -> None:
        """Read and keep everything: the build ended."""
        await self.catch_up()
        await asyncio.to_thread(self.reader.read_last)
        self._blocks.add(self.reader.take_results())
        await self.keep_results()

    async def _take_results(self) -> None:
        self._blocks.add(self.reader.take_results())
        if self._blocks.is_full:
            await self.keep_results()

    async def _read_records(self) -> None:
        """Keep the test results that records carry; key (build id, seq), so repeating is harmless."""
        build_id, upto = self.state.build.id, self.state.tests_seq
        while self._tests_seq < upto:
            chunks = await self._store.read_events(build_id, self._tests_seq, EVENT_CHUNKS_PER_READ)
            blocks = await asyncio.to_thread(_blocks_of, build_id, chunks, self._tests_seq)
            if blocks:
                await self._store.keep_results(blocks)
            self._tests_seq = chunks[-1].last_seq if chunks else upto


def _blocks_of(build_id: str, chunks: list[Chunk], after_seq: int) -> list[ResultBlock]:
    records = [record for chunk in chunks for record in events_of(chunk) if record["seq"] > after_seq]
    return [pack(build_id, "record", record["seq"], results) for record in records if (results := reported_in(record))]
