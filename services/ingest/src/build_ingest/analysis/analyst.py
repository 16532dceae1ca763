"""The analyst: reads builds behind their commits, and keeps their failures and test results beside them.

It reads only what is stored, a few chunks at a time, in one task of its own: nothing it does, and no bug of it, delays
or affects storing. What it missed (a restart, a takeover, more builds at once than it reads) it reads from the store.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from build_chassis.errors import StoreUnavailable
from build_chassis.supervisor import Duty
from build_protocol.messages import BuildMetrics, FailureData

from build_ingest.analysis.build_cursor import BuildCursor
from build_ingest.analysis.early_alert import EarlyAlert, is_certain
from build_ingest.analysis.green_logs import GreenLogs
from build_ingest.analysis.log_reader import LogReader
from build_ingest.analysis.rules_version import fingerprint
from build_ingest.findings.failures import Found, ranked, so_far
from build_ingest.findings.test_results import counts_of, merged
from build_ingest.intake.consumer import RecordConsumer
from build_ingest.metrics import Metrics
from build_ingest.records import fold
from build_ingest.records.fold import BuildState
from build_ingest.records.plan import Step
from build_ingest.store.contract import BuildStore

CURSORS_MAX = 200
"""Builds read while they run; further ones are read when they end."""

RESULTS_SECONDS = 2.0
"""Test results of a running build are shown after this at the latest."""

log = logging.getLogger("ingest")


class Analyst:
    """Finds failures and test results of this replica's builds, live and at their end."""

    def __init__(
        self,
        store: BuildStore,
        consumer: RecordConsumer,
        metrics: Metrics,
        early_alert: EarlyAlert,
        make_reader: Callable[[], LogReader] = LogReader,
    ) -> None:
        self._store = store
        self._consumer = consumer
        self._metrics = metrics
        self._early_alert = early_alert
        self.green_logs = GreenLogs(store)
        self._make_reader = make_reader
        self._cursors: dict[str, BuildCursor] = {}
        self._due: dict[str, None] = {}
        self._woken = asyncio.Event()

    def notice(self, step: Step) -> None:
        """A step was committed: read its text soon. Returns at once."""
        if _extent(step.after) == _extent(step.before):
            return
        cursor = self._cursor(step.after)
        if cursor is not None:
            cursor.follow(step)
            self._make_due(step.after.build.id)

    def adopt(self, states: Iterable[BuildState]) -> None:
        """These builds became ours: read what is stored of those that run."""
        for state in states:
            if not state.complete and any(_extent(state)) and self._cursor(state) is not None:
                self._make_due(state.build.id)

    def abandon(self, build_ids: Iterable[str]) -> None:
        """Another replica reads these builds now."""
        for build_id in build_ids:
            self._cursors.pop(build_id, None)
            self._early_alert.forget(build_id)

    def duties(self) -> Sequence[Duty]:
        """What the supervisor runs."""
        return (
            Duty("read builds", self.read_due, None, wake=self._woken),
            Duty("show test results", self.show_results, RESULTS_SECONDS, rests_first=True),
            Duty("take in the rules", self.read_rules, None),
            *self.green_logs.duties(),
        )

    async def read_rules(self) -> None:
        """Load the rules once: a build's worth of time, off the loop, and not when the first build fails."""
        await asyncio.to_thread(fingerprint)

    async def show_results(self) -> None:
        """Store the test results found in running builds' logs since the last call. Raises StoreUnavailable."""
        for cursor in list(self._cursors.values()):
            if cursor.is_behind:
                async with cursor.lock:
                    await cursor.keep_results()

    async def read_due(self) -> None:
        """Read all builds that grew, and show the failures that became certain. Raises StoreUnavailable."""
        while self._due:
            build_id = next(iter(self._due))
            # Taken out first: what comes while it is read makes it due again.
            del self._due[build_id]
            try:
                await self._read_build(build_id)
            except StoreUnavailable:
                self._make_due(build_id)
                raise

    async def judge(self, state: BuildState) -> list[FailureData]:
        """The failures of a build that ended, ranked, kept and shown; key build id, repeating is harmless.

        Raises StoreUnavailable. When the analysis breaks, what was found before is all there is, and the build does
        not say `analysed`.
        """
        build = state.build
        if state.is_analysed:
            return (await self._store.find_failures(build.id)).items
        cursor = self._cursors.get(build.id) or self._new_cursor(state)
        async with cursor.lock:
            try:
                rules = await asyncio.to_thread(fingerprint)
                found = await self._report(cursor, state)
                counts = await self._count_tests(cursor) if found is not None else None
            finally:
                # Finishing uses a reader up; the next attempt begins anew.
                self._cursors.pop(build.id, None)
                self._early_alert.forget(build.id)
        is_analysed = found is not None
        if found is None:
            found = Found() if build.status == "succeeded" else await self._store.find_failures(build.id)
        await self._store.keep_failures(build.id, build.log_bytes, found)
        revision = state.verdict_revision
        await self._consumer.change(
            build.id,
            lambda now: (
                fold.mark_failures(
                    now, found.first, found.count, is_analysed=is_analysed, rules=rules, test_counts=counts
                )
                if now.verdict_revision == revision
                else None
            ),
        )
        return found.items

    def _cursor(self, state: BuildState) -> BuildCursor | None:
        build_id = state.build.id
        cursor = self._cursors.get(build_id)
        if cursor is None and len(self._cursors) < CURSORS_MAX:
            cursor = self._cursors[build_id] = self._new_cursor(state)
        return cursor

    def _new_cursor(self, state: BuildState) -> BuildCursor:
        return BuildCursor(state, self._make_reader(), self._store, self.green_logs)

    def _make_due(self, build_id: str) -> None:
        self._due[build_id] = None
        self._woken.set()

    async def _read_build(self, build_id: str) -> None:
        cursor = self._cursors.get(build_id)
        if cursor is None:
            return
        async with cursor.lock:
            # It may have been judged while this waited; then its reader is used up.
            if cursor.is_broken or self._cursors.get(build_id) is not cursor:
                return
            try:
                await cursor.catch_up()
                if len(cursor.reader.failures) > cursor.shown_count:
                    await self._show(build_id, cursor)
            except StoreUnavailable:
                raise
            except Exception:
                log.exception("analysis failed build_id=%s", build_id)
                self._break(cursor)

    async def _show(self, build_id: str, cursor: BuildCursor) -> None:
        """Keep and show what is certain; a row that others keep changing is tried again with the next line."""
        count = len(cursor.reader.failures)
        found = so_far(cursor.reader.failures)
        await self._store.keep_failures(build_id, cursor.reader.text_bytes, found)
        is_shown, will_fail = False, is_certain(found.items)

        def decide(now: BuildState) -> BuildState | None:
            nonlocal is_shown
            shown = (now.build.first_failure, now.build.failure_count, now.will_fail)
            is_shown = now.complete or shown == (found.first, found.count, now.will_fail or will_fail)
            if is_shown:
                return None
            return fold.mark_failures(now, found.first, found.count, is_analysed=False, will_fail=will_fail)

        after = await self._consumer.change(build_id, decide)
        if after is not None or is_shown:
            cursor.shown_count = count
        if after is not None:
            await self._early_alert.publish(after, found.items)

    async def _report(self, cursor: BuildCursor, state: BuildState) -> Found | None:
        """The whole log's failures; None when the analysis broke."""
        build = state.build
        if cursor.is_broken:
            return None
        try:
            cursor.state = state
            cursor.reader.is_green = build.status == "succeeded"
            await cursor.read_to_end()
            if build.status == "succeeded":
                self.green_logs.notice(state)
                return Found()
            report = await asyncio.to_thread(cursor.reader.finish, build.exit_code or None)
            return ranked(report.failures, report.dropped)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("analysis failed build_id=%s", build.id)
            self._break(cursor)
            return None

    async def _count_tests(self, cursor: BuildCursor) -> BuildMetrics | None:
        """The tests of a build that ended, by what came of them; None where there are none, or more may come."""
        if not cursor.has_results or cursor.state.build.provisional:
            return None
        blocks = await self._store.read_results(cursor.state.build.id)
        return await asyncio.to_thread(lambda: counts_of(merged(blocks)))

    def _break(self, cursor: BuildCursor) -> None:
        """The analysis of this build went wrong: its log stays as it is, and it is never shown as analysed."""
        self._metrics.analysis_errors.inc()
        cursor.give_up()


def _extent(state: BuildState | None) -> tuple[int, int]:
    """How much of a build there is to read: bytes of its log, and the newest record with test results."""
    return (0, 0) if state is None else (state.build.log_bytes, state.tests_seq)
