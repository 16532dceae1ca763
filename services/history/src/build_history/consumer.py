"""Deliveries of `history.builds`: facts are stored, then the rows they touch are refreshed, then the batch is acked.

A crash between the two leaves the fact marked with the rows still due; the redelivery finds the mark.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from build_chassis.bus import Delivery
from build_protocol.clock import Clock, now_ms
from build_protocol.clocks import StartTime
from build_protocol.messages import BuildFailing, BuildStart, BuildVerdict, build_message
from build_protocol.start_time import receipt_of, start_time_of

from build_history.builds.fact import UNSTAMPED, Fact, with_failing, with_start, with_verdict
from build_history.projections.config_state import ExcludedConfigs, no_config_excluded
from build_history.refresh.facts import change_facts
from build_history.store import HistoryStore

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

    def merged(build_id: str, fact: Fact | None) -> Fact:
        return _merged(fact, reports[build_id], start_times.get(build_id, UNSTAMPED))

    await change_facts(store, reports, merged, excluded_configs, clock)


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
