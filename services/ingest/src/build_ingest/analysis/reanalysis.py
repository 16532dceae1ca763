"""Reanalysis: logs that were analysed by other rules than today's are read again, slowly, behind everything else.

What is found replaces what was found. Only another first failure is news to other services: then the build is judged
again, as the next revision of its verdict.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence

from build_chassis.errors import StoreUnavailable
from build_chassis.supervisor import Duty
from build_protocol.clock import DAY_MS, Clock, now_ms
from build_protocol.messages import FailureData

from build_ingest.analysis.green_logs import GreenLogs
from build_ingest.analysis.log_reader import LogReader
from build_ingest.analysis.rules_version import fingerprint
from build_ingest.findings.failures import Found, ranked
from build_ingest.intake.consumer import RecordConsumer
from build_ingest.logs.pages import stream_text
from build_ingest.metrics import Metrics
from build_ingest.records import fold
from build_ingest.records.fold import BuildState
from build_ingest.store.contract import BuildStore, ChunkSource, place_at, place_of

ROUND_SECONDS = 60.0
BUILDS_PER_LOOK = 20
REST_SHARE = 9.0
"""After a log it rests for this many times as long as reading it took: a tenth of one core at most."""

REST_SECONDS_MIN = 0.2

log = logging.getLogger("ingest")


class Reanalysis:
    """Reads the logs of ended builds again: all that are stale of this replica's shards, or one that is asked for."""

    def __init__(
        self,
        store: BuildStore,
        texts: ChunkSource,
        consumer: RecordConsumer,
        metrics: Metrics,
        green_logs: GreenLogs,
        *,
        shards: Callable[[], Collection[int]],
        judge: Callable[[BuildState], None],
        days: int = 0,
        clock: Clock = now_ms,
    ) -> None:
        self._store = store
        self._texts = texts
        self._green_logs = green_logs
        self._consumer = consumer
        self._metrics = metrics
        self._shards = shards
        self._judge = judge
        self._days = days
        self._clock = clock
        self._reading = asyncio.Lock()

    def duties(self) -> Sequence[Duty]:
        """What the supervisor runs."""
        return (Duty("read stale builds again", self.read_stale, ROUND_SECONDS),)

    async def read_stale(self) -> None:
        """Read every stale build of the last days again, the newest first. Raises StoreUnavailable."""
        if not self._days:
            return
        rules = await asyncio.to_thread(fingerprint)
        since = place_at(self._clock() - self._days * DAY_MS)
        before = None
        while stale := await self._store.list_stale(rules, tuple(self._shards()), since, before, BUILDS_PER_LOOK):
            for state in stale:
                begin = time.monotonic()
                await self.read(state)
                seconds = time.monotonic() - begin
                await asyncio.sleep(max(REST_SECONDS_MIN, seconds * REST_SHARE))
            before = place_of(stale[-1].build)

    async def read(self, state: BuildState) -> Found:
        """Read one judged build's whole log again, and keep what is found; key build id. Raises StoreUnavailable."""
        build, revision = state.build, state.verdict_revision
        rules = await asyncio.to_thread(fingerprint)
        async with self._reading:
            found = await self._read(state)
        is_read = found is not None
        if found is None:
            found = await self._store.find_failures(build.id)
        else:
            await self._store.keep_failures(build.id, build.log_bytes, found)

        def decide(now: BuildState) -> BuildState | None:
            if now.verdict_revision != revision or now.verdict_due:
                return None
            is_news = _facts(found.first) != _facts(now.build.first_failure)
            after = fold.mark_failures(now, found.first, found.count, is_analysed=is_read, rules=rules)
            return fold.judge_again(after) if is_news and is_read else after

        after = await self._consumer.change(build.id, decide)
        if after is not None:
            self._metrics.reanalysed.inc()
            if after.verdict_due:
                log.info("judged again build_id=%s revision=%s", build.id, after.verdict_revision)
                self._judge(after)
        return found

    async def _read(self, state: BuildState) -> Found | None:
        """The log's failures by today's rules; None when its analysis broke."""
        build = state.build
        if build.status == "succeeded":
            return Found()
        try:
            reader = LogReader()
            if (green := await self._green_logs.before(build)) is not None:
                reader.compare_with(green)
            async for text in stream_text(self._texts, state, 0, build.log_bytes):
                await asyncio.to_thread(reader.read, text)
                reader.take_results()
            await asyncio.to_thread(reader.read_last)
            report = await asyncio.to_thread(reader.finish, build.exit_code or None)
            return ranked(report.failures, report.dropped)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("analysis failed build_id=%s", build.id)
            self._metrics.analysis_errors.inc()
            return None


_HOW_FOUND = frozenset({"root_line", "root_count", "why"})
"""How a failure was chosen, and what else has its cause: another answer is no news of the failure itself."""


def _facts(failure: FailureData | None) -> dict[str, object] | None:
    """What people see of a failure and groups are made by; how it was found is left out."""
    if failure is None:
        return None
    return {name: getattr(failure, name) for name in FailureData.model_fields if name not in _HOW_FOUND}
