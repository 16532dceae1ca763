"""Deliveries of `history.builds`: facts are stored, then the rows they touch are refreshed, then the batch is acked.

A crash between the two leaves the fact marked with the rows still due; the redelivery finds the mark.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from build_chassis.bus import Delivery
from build_chassis.errors import StoreUnavailable
from build_chassis.failpoints import fail_at
from build_protocol.clock import Clock, now_ms
from build_protocol.messages import BuildFailing, BuildStart, BuildVerdict, build_message
from build_protocol.start_time import StartTime, receipt_of, start_time_of

from build_history.builds.fact import UNSTAMPED, Fact, with_failing, with_start, with_verdict
from build_history.builds.index_keys import Touched, touched_by
from build_history.projections.config_state import ExcludedConfigs, no_config_excluded
from build_history.refresh.refresh import refresh
from build_history.store import FactWrite, HistoryStore
from build_history.store.versions import RACES

BuildReport = BuildStart | BuildFailing | BuildVerdict


async def handle(
    deliveries: Sequence[Delivery],
    *,
    store: HistoryStore,
    excluded_configs: ExcludedConfigs = no_config_excluded,
    clock: Clock = now_ms,
) -> None:
    """Record a batch; raises ValidationError for a message that can never be read, StoreUnavailable to try later."""
    messages = [build_message.validate_json(delivery.body) for delivery in deliveries]
    reports = [message for message in messages if isinstance(message, BuildReport)]
    start_times = {
        message.build_id: start_time_of(message, receipt_of(delivery.headers))
        for message, delivery in zip(messages, deliveries, strict=True)
        if isinstance(message, BuildStart)
    }
    await record(reports, store=store, excluded_configs=excluded_configs, clock=clock, start_times=start_times)


async def record(
    messages: Sequence[BuildReport],
    *,
    store: HistoryStore,
    excluded_configs: ExcludedConfigs = no_config_excluded,
    clock: Clock = now_ms,
    start_times: Mapping[str, StartTime] = MappingProxyType({}),
) -> None:
    """Record what was reported of builds; repeated or reordered messages change nothing (build id, revision).

    `start_times`: by the receipts of the BUILD_STARTs among them. Ingest's, in the verdict, replaces it.
    """
    reports: defaultdict[str, list[BuildReport]] = defaultdict(list)
    for message in messages:
        # Local and premerge builds are their person's: they never enter history.
        if message.data.origin == "ci":
            reports[message.build_id].append(message)
    facts, versions, stale = await _store_facts(reports, store, start_times)
    if not stale:
        return
    fail_at("history.filed")
    await refresh(store, stale, facts, excluded_configs, clock)
    fail_at("history.counted")
    await store.settle(versions)


async def _store_facts(
    reports: dict[str, list[BuildReport]], store: HistoryStore, start_times: Mapping[str, StartTime]
) -> tuple[dict[str, Fact], dict[str, int], set[Touched]]:
    """Merge and store; the facts with rows due, their stored versions, and those rows."""
    facts: dict[str, Fact] = {}
    versions: dict[str, int] = {}
    stale: set[Touched] = set()
    due = dict(reports)
    for _ in range(RACES):
        if not due:
            return facts, versions, stale
        known = await store.facts(due)
        writes: dict[str, FactWrite] = {}
        for build_id, messages in due.items():
            stored = known.get(build_id)
            fact = _merged(stored.fact if stored else None, messages, start_times.get(build_id, UNSTAMPED))
            marks = stored.stale if stored else frozenset()
            if stored is None or fact != stored.fact:
                marks |= touched_by(fact) | (touched_by(stored.fact) if stored else frozenset())
                version = stored.version if stored else 0
                writes[build_id] = FactWrite(fact, marks, version, stored.fact if stored else None)
            elif marks:
                facts[build_id], versions[build_id] = fact, stored.version
                stale |= marks
        written = await store.put_facts(list(writes.values()))
        for build_id in written:
            write = writes[build_id]
            facts[build_id], versions[build_id] = write.fact, write.replaces + 1
            stale |= write.stale
        due = {build_id: due[build_id] for build_id in writes if build_id not in written}
    raise StoreUnavailable("history", f"{len(due)} facts are contended")


def _merged(fact: Fact | None, messages: Sequence[BuildReport], start_time: StartTime) -> Fact:
    for message in messages:
        if isinstance(message, BuildStart):
            fact = with_start(fact, message, start_time)
        elif isinstance(message, BuildFailing):
            fact = with_failing(fact, message)
        else:
            fact = with_verdict(fact, message)
    assert fact is not None  # noqa: S101  `messages` is never empty: the builds are named by their messages
    return fact
