"""Deciding: a person's word on a failure is written into the build's fact, and the rows it touches are refreshed."""

from collections.abc import Mapping

from build_protocol.clock import Clock, now_ms

from build_history.builds.fact import UNCLASSIFIED, Fact
from build_history.builds.override import Override
from build_history.projections.config_state import ExcludedConfigs, no_config_excluded
from build_history.refresh.facts import change_facts
from build_history.store import HistoryStore

OVERRIDES_MAX = 50
"""Of one build; as many failures as a verdict carries."""


class NoSuchFailure(LookupError):
    """The build never showed this failure."""

    def __init__(self, build_id: str, signature: str) -> None:
        super().__init__(f"build {build_id} shows no failure with the signature {signature}")


async def decide(
    store: HistoryStore,
    build_id: str,
    signature: str,
    override: Override | None,
    excluded_configs: ExcludedConfigs = no_config_excluded,
    *,
    clock: Clock = now_ms,
) -> Fact:
    """Keep the override, or with None forget it; the fact as it is then. Key: (build id, signature), the last wins.

    Raises NoSuchFailure. A crash after the fact was stored leaves it marked: the next message of the build, or the
    next decision on it, refreshes its rows.
    """

    def overridden(_: str, fact: Fact | None) -> Fact:
        if fact is None or not _may_hold(fact, signature):
            raise NoSuchFailure(build_id, signature)
        return fact.model_copy(update={"overrides": _with(fact.overrides, signature, override)})

    return (await change_facts(store, [build_id], overridden, excluded_configs, clock))[build_id]


def _may_hold(fact: Fact, signature: str) -> bool:
    if fact.status in ("queued", "running"):
        # The page knows failures of a running build before history does: the word waits for the verdict.
        return signature in fact.overrides or len(fact.overrides) < OVERRIDES_MAX
    return signature in ({f.signature or UNCLASSIFIED for f in fact.failures} or {UNCLASSIFIED})


def _with(overrides: Mapping[str, Override], signature: str, override: Override | None) -> dict[str, Override]:
    others = {known: kept for known, kept in overrides.items() if known != signature}
    return others if override is None else {**others, signature: override}
