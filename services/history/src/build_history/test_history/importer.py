"""The import: a verdict reports that a build ended; its tests and slowest steps are then read once from ingest.

What is due is a row per build, written with the build's other rows and dropped once the build's fact records that this
revision was read. Everything may happen twice: a result matrix's column is replaced, a fact is merged.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

from build_chassis.auth import Principal
from build_chassis.service_client import JsonClient, ServiceRefused
from build_chassis.store.optimistic import LOST, Lost, update
from build_protocol.clock import Clock
from build_protocol.messages import BuildMetrics, StepTimes, TestResult
from build_protocol.views import TestPage
from pydantic import ValidationError

from build_history.builds.fact import STEPS_KEPT, Fact, Lane
from build_history.metrics import Metrics
from build_history.projections.config_state import ExcludedConfigs, no_config_excluded
from build_history.refresh import row_kinds
from build_history.refresh.facts import change_facts
from build_history.store import HistoryStore, Row
from build_history.store.contract import RowQuery
from build_history.store.versions import version_of
from build_history.test_history.matrix import PARTITIONS, Column, Entry, Partition, entries_of, packed, unpacked
from build_history.test_history.statistics import statistics_of

log = logging.getLogger("history")

BUILDS_AT_ONCE = 16
"""Builds one step reads; those of one lane share the lane's rewriting."""

TESTS_PER_PAGE = 500
TESTS_MAX = 200_000
TRIES = 8
RETRY_MS = 60_000


class Read(NamedTuple):
    """What ingest has of a build."""

    entries: Mapping[int, Mapping[str, Entry]]
    """Results of tests by partition and name."""
    counts: Mapping[str, int]
    steps: StepTimes | None


@dataclass
class Importer:
    """Reads ended builds and enters what their tests did; `step` is one round."""

    store: HistoryStore
    ingest: JsonClient
    metrics: Metrics
    clock: Clock
    excluded_configs: ExcludedConfigs = no_config_excluded

    async def step(self) -> bool:
        """Read what is due; whether anything was. Raises ServiceUnavailable or StoreUnavailable: nothing is lost."""
        rows = await self.store.rows(RowQuery("reading", limit=BUILDS_AT_ONCE, newest_first=False))
        due = {row_kinds.read_as(row_kinds.Reading, row).build_id: row for row in rows if row.rank <= self.clock()}
        stored = await self.store.facts(due)
        await self.store.drop_rows([row for build_id, row in due.items() if build_id not in stored])
        by_lane: defaultdict[Lane, list[tuple[Fact, Read]]] = defaultdict(list)
        for build_id, known in stored.items():
            read = await self._read(known.fact, due[build_id])
            if read is not None:
                by_lane[known.fact.lane].append((known.fact, read))
        for lane, reads in by_lane.items():
            await self._enter(lane, [(fact, read) for fact, read in reads if read.entries])
        everything = [read for reads in by_lane.values() for read in reads]
        await self._mark_imported(everything)
        self.metrics.imported_builds.inc(len(everything))
        return bool(due)

    async def _read(self, fact: Fact, row: Row) -> Read | None:
        """What ingest has of the build; nothing of a build it no longer has; None when it has to be asked later."""
        asker = Principal("history", "viewer", frozenset({fact.project}), kind="service")
        path = f"/api/builds/{quote(fact.id)}"
        try:
            detail: dict[str, Any] = await self.ingest.get_json(path, asker)
            steps = StepTimes.model_validate(detail["stepTimes"]) if detail.get("stepTimes") else None
            results, counts = await self._tests(f"{path}/tests", asker)
        except (ServiceRefused, ValidationError) as error:
            tries = row_kinds.read_as(row_kinds.Reading, row).tries + 1
            is_gone = isinstance(error, ServiceRefused) and error.status in (404, 410)
            if is_gone or tries >= TRIES:
                log.warning("left out tests of build_id=%s: %s", fact.id, error)
                return Read({}, {}, None)
            log.warning("put off tests of build_id=%s: %s", fact.id, error)
            due = row_kinds.DueReading(fact, self.clock() + RETRY_MS * 2**tries, tries)
            await self.store.put_rows([row_kinds.READING.row(due, row.version)])
            return None
        return Read(await asyncio.to_thread(entries_of, results), counts, steps)

    async def _tests(self, path: str, asker: Principal) -> tuple[list[TestResult], Mapping[str, int]]:
        results: list[TestResult] = []
        query = f"?limit={TESTS_PER_PAGE}"
        while True:
            page = TestPage.model_validate(await self.ingest.get_json(path + query, asker))
            results += page.items
            if page.next_cursor is None or len(results) >= TESTS_MAX:
                return results, {str(outcome): count for outcome, count in page.counts.items()}
            query = f"?limit={TESTS_PER_PAGE}&cursor={quote(page.next_cursor)}"

    async def _enter(self, lane: Lane, reads: Sequence[tuple[Fact, Read]]) -> None:
        """Enter builds into their lane's result matrix, then count it; whoever loses a race reads and enters again."""
        if not reads:
            return
        partition_keys = [row_kinds.PARTITION.key(*lane, number) for number in range(PARTITIONS)]
        statistics_key = row_kinds.STATISTICS.key(*lane)

        async def attempt() -> Lost | None:
            known = await self.store.rows_by_key([*partition_keys, statistics_key])
            texts = {n: known[key].body for n, key in enumerate(partition_keys) if key in known}
            partitions, statistics = await asyncio.to_thread(_entered, lane, texts, reads)
            newest_at = max(fact.started_at for fact, _ in reads)
            rows = [
                row_kinds.PARTITION.row(
                    row_kinds.PartitionText(lane, number, text, newest_at), version_of(known, partition_keys[number])
                )
                for number, text in partitions.items()
            ]
            if len(await self.store.put_rows(rows)) < len(rows):
                return LOST
            # Its version was read before the partitions: statistics that miss a column never replace ones that have it.
            counted = row_kinds.StatisticsText(lane, statistics, newest_at)
            row = row_kinds.STATISTICS.row(counted, version_of(known, statistics_key))
            return None if await self.store.put_rows([row]) else LOST

        await update("history", f"the result matrix of {lane}", attempt)

    async def _mark_imported(self, reads: Sequence[tuple[Fact, Read]]) -> None:
        """Record in the facts what was read, and so that nothing is due. Key: build id and revision."""
        due = {fact.id: (fact.revision, read) for fact, read in reads}
        await change_facts(
            self.store,
            due,
            lambda build_id, fact: _imported(fact, *due[build_id]) if fact else None,
            self.excluded_configs,
            self.clock,
        )


def _entered(lane: Lane, texts: Mapping[int, str], reads: Sequence[tuple[Fact, Read]]) -> tuple[dict[int, str], str]:
    """All partitions with these builds entered, and the lane's statistics, as texts."""
    partitions = {number: unpacked(text) for number, text in texts.items()}
    for fact, read in reads:
        column = Column(fact.started_at, fact.id, fact.commit)
        # Every partition gets the column, so that a test that was not run leaves the window with its builds.
        for number in partitions.keys() | read.entries.keys():
            partitions.setdefault(number, Partition()).enter(column, read.entries.get(number, {}))
    return {number: packed(partition) for number, partition in partitions.items()}, statistics_of(
        lane.config, partitions.values()
    ).to_text()


def _imported(fact: Fact, revision: int, read: Read) -> Fact:
    metrics = fact.metrics or BuildMetrics()
    counted: dict[str, int] = {}
    if read.counts:
        counted = {
            "tests_passed": sum(read.counts.get(outcome, 0) for outcome in ("passed", "xfailed", "flaky")),
            "tests_skipped": read.counts.get("skipped", 0),
        }
        counted["tests_failed"] = sum(read.counts.values()) - sum(counted.values())
    missing = {name: count for name, count in counted.items() if getattr(metrics, name) is None}
    return fact.model_copy(
        update={
            "imported": max(fact.imported, revision),
            "metrics": metrics.model_copy(update=missing) if missing else fact.metrics,
            "slowest": read.steps.slowest[:STEPS_KEPT] if read.steps else fact.slowest,
            "critical_path_ms": sum(s.duration_ms for s in read.steps.critical_path) or None
            if read.steps
            else fact.critical_path_ms,
        }
    )
