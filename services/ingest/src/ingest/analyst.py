"""The analyst: reads the logs of builds behind their commits, and keeps what failed beside them.

It reads only what is stored, a few chunks at a time, in one task of its own: nothing it does, and no bug of it, delays
or harms storing. What it missed (a restart, a takeover, more builds at once than it reads) it reads from the store.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from build_analysis.rule_set import default_rules
from build_protocol.messages import FailureData
from chassis.errors import StoreUnavailable

from ingest import fold
from ingest.chunk import Chunk
from ingest.consumer import Intake
from ingest.failures import Found, so_far, told
from ingest.fold import BuildState
from ingest.log import stream_text
from ingest.metrics import Metrics
from ingest.plan import Step
from ingest.reader import LogReader
from ingest.store.contract import BuildStore

READINGS = 200
"""Builds read while they run; further ones are read when they end."""

PENDING_CHUNKS = 64
"""Chunks of a build kept for reading, compressed; a build that is faster is read from the store."""

ASIDE_BYTES = 8 * 1024
"""More text than this is read in a thread, so that the loop answers others meanwhile."""

RETRY_SECONDS = 1.0
"""A store that is away is asked again after this."""

log = logging.getLogger("ingest")


@dataclass(slots=True)
class _Reading:
    """How far a build's log is read, and what follows."""

    state: BuildState
    reader: LogReader = field(default_factory=LogReader)
    pending: deque[Chunk] = field(default_factory=deque)
    """Chunks that follow what is read without a hole."""
    end: int = 0
    """Where the pending chunks end, in bytes of the log."""
    told: int = 0
    """Failures that the build's row shows."""
    is_broken: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Analyst:
    """Finds the failures of this replica's builds, live and at their end."""

    def __init__(
        self,
        store: BuildStore,
        intake: Intake,
        metrics: Metrics,
        make_reader: Callable[[], LogReader] = LogReader,
    ) -> None:
        self._store = store
        self._intake = intake
        self._metrics = metrics
        self._make_reader = make_reader
        self._readings: dict[str, _Reading] = {}
        self._due: dict[str, None] = {}
        self._woken = asyncio.Event()

    def notice(self, step: Step) -> None:
        """A step was committed: read its text soon. Returns at once."""
        build = step.after.build
        before = step.before.build.log_bytes if step.before else 0
        if build.log_bytes == before:
            return
        reading = self._reading(step.after)
        if reading is None:
            return
        reading.state = step.after
        if before == reading.end and len(reading.pending) < PENDING_CHUNKS:
            reading.pending.extend(chunk for chunk in step.chunks if chunk.has_text)
            reading.end = build.log_bytes
        self._call(build.id)

    def adopt(self, states: Iterable[BuildState]) -> None:
        """These builds became ours: read what is stored of those that run."""
        for state in states:
            if not state.complete and state.build.log_bytes and self._reading(state) is not None:
                self._call(state.build.id)

    def abandon(self, build_ids: Iterable[str]) -> None:
        """Another replica reads these builds now."""
        for build_id in build_ids:
            self._readings.pop(build_id, None)

    async def run(self) -> None:
        """Read what is due, until cancelled."""
        # Taking in the rules costs a build's worth of time: not on the loop, and not when the first build fails.
        await asyncio.to_thread(default_rules)
        while True:
            await self._woken.wait()
            try:
                await self.read_due()
            except StoreUnavailable as error:
                log.warning("analysis waits reason=%s", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def read_due(self) -> None:
        """Read all builds that grew, and show the failures that became certain. Raises StoreUnavailable."""
        while self._due:
            build_id = next(iter(self._due))
            # Taken out first: what comes while it is read makes it due again.
            del self._due[build_id]
            try:
                await self._look(build_id)
            except StoreUnavailable:
                self._call(build_id)
                raise
        self._woken.clear()

    async def judge(self, state: BuildState) -> list[FailureData]:
        """The failures of a build that ended, ranked, kept and shown; key build id, repeating is harmless.

        Raises StoreUnavailable. When the analysis breaks, what was found before is all there is, and the build does
        not say `analysed`.
        """
        build = state.build
        if state.is_analysed:
            return (await self._store.find_failures(build.id)).items
        reading = self._readings.get(build.id) or _Reading(state, self._make_reader())
        async with reading.lock:
            try:
                found = await self._report(reading, state)
            finally:
                # Finishing uses a reader up; whoever comes again begins anew.
                self._readings.pop(build.id, None)
        is_analysed = found is not None
        if found is None:
            found = Found() if build.status == "succeeded" else await self._store.find_failures(build.id)
        await self._store.keep_failures(build.id, build.log_bytes, found)
        revision = state.verdict_revision
        await self._intake.change(
            build.id,
            lambda now: (
                fold.mark_failures(now, found.first, found.count, is_analysed=is_analysed)
                if now.verdict_revision == revision
                else None
            ),
        )
        return found.items

    def _reading(self, state: BuildState) -> _Reading | None:
        build_id = state.build.id
        reading = self._readings.get(build_id)
        if reading is None and len(self._readings) < READINGS:
            reading = self._readings[build_id] = _Reading(state, self._make_reader())
        return reading

    def _call(self, build_id: str) -> None:
        self._due[build_id] = None
        self._woken.set()

    async def _look(self, build_id: str) -> None:
        reading = self._readings.get(build_id)
        if reading is None:
            return
        async with reading.lock:
            # It may have been judged while this waited; then its reader is used up.
            if reading.is_broken or self._readings.get(build_id) is not reading:
                return
            try:
                await self._catch_up(reading)
                if len(reading.reader.failures) > reading.told:
                    await self._tell(build_id, reading)
            except StoreUnavailable:
                raise
            except Exception:
                log.exception("analysis failed build_id=%s", build_id)
                self._break(reading)

    async def _tell(self, build_id: str, reading: _Reading) -> None:
        """Keep and show what is certain; a row that others keep changing is tried again with the next line."""
        count = len(reading.reader.failures)
        found = so_far(reading.reader.failures)
        await self._store.keep_failures(build_id, reading.reader.text_bytes, found)
        is_shown = False

        def decide(now: BuildState) -> BuildState | None:
            nonlocal is_shown
            is_shown = now.complete or (now.build.first_failure, now.build.failure_count) == (found.first, found.count)
            return None if is_shown else fold.mark_failures(now, found.first, found.count, is_analysed=False)

        after = await self._intake.change(build_id, decide)
        if after is not None or is_shown:
            reading.told = count

    async def _report(self, reading: _Reading, state: BuildState) -> Found | None:
        """The whole log's failures; None when the analysis broke."""
        build = state.build
        if build.status == "succeeded":
            return Found()
        if reading.is_broken:
            return None
        try:
            reading.state = state
            await self._catch_up(reading)
            report = await asyncio.to_thread(reading.reader.finish, build.exit_code or None)
            return told(report.failures, report.dropped)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("analysis failed build_id=%s", build.id)
            self._break(reading)
            return None

    async def _catch_up(self, reading: _Reading) -> None:
        """Read up to the end of what is stored: from memory what just came, the rest from the store."""
        reader = reading.reader
        while reading.pending:
            chunks, end = list(reading.pending), reading.end
            reading.pending.clear()
            await _aside(end - reader.text_bytes, reader.read_chunks, chunks, end)
        state = reading.state
        while reader.text_bytes < state.build.log_bytes:
            at = reader.text_bytes
            async for text in stream_text(self._store, state, at, state.build.log_bytes):
                await _aside(len(text), reader.read, text)
            if reader.text_bytes == at:
                raise LookupError(f"build {state.build.id}: text from byte {at} on is missing")
            state = reading.state
        reading.end = max(reading.end, reader.text_bytes)

    def _break(self, reading: _Reading) -> None:
        """The analysis of this build went wrong: its log stays as it is, and nobody calls it analysed."""
        self._metrics.analysis_errors.inc()
        reading.is_broken = True
        reading.pending.clear()


async def _aside(size_bytes: int, work: Callable[..., None], *args: Any) -> None:
    if size_bytes < ASIDE_BYTES:
        work(*args)
    else:
        await asyncio.to_thread(work, *args)
