"""Deciding: a person's word on a failure is written into the build's fact, and the rows it touches are refreshed."""

from collections.abc import Mapping

from build_chassis.errors import StoreUnavailable
from build_protocol.clock import Clock, now_ms

from build_history.builds.fact import UNCLASSIFIED, Fact
from build_history.builds.index_keys import touched_by
from build_history.builds.override import Override
from build_history.projections.config_state import ExcludedConfigs, no_config_excluded
from build_history.refresh.refresh import refresh
from build_history.store import FactWrite, HistoryStore
from build_history.store.versions import RACES

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
    for _ in range(RACES):
        stored = (await store.facts([build_id])).get(build_id)
        if stored is None or not _may_hold(stored.fact, signature):
            raise NoSuchFailure(build_id, signature)
        fact = stored.fact.model_copy(update={"overrides": _with(stored.fact.overrides, signature, override)})
        if fact == stored.fact and not stored.stale:
            return fact
        stale = stored.stale | touched_by(fact) | touched_by(stored.fact)
        if await store.put_facts([FactWrite(fact, stale, stored.version, stored.fact)]):
            await refresh(store, stale, {build_id: fact}, excluded_configs, clock)
            await store.settle({build_id: stored.version + 1})
            return fact
    reason = f"build {build_id} is contended"
    raise StoreUnavailable("history", reason, reason)


def _may_hold(fact: Fact, signature: str) -> bool:
    if fact.status in ("queued", "running"):
        # The page knows failures of a running build before history does: the word waits for the verdict.
        return signature in fact.overrides or len(fact.overrides) < OVERRIDES_MAX
    return signature in ({f.signature or UNCLASSIFIED for f in fact.failures} or {UNCLASSIFIED})


def _with(overrides: Mapping[str, Override], signature: str, override: Override | None) -> dict[str, Override]:
    others = {known: kept for known, kept in overrides.items() if known != signature}
    return others if override is None else {**others, signature: override}
