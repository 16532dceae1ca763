"""Facts are changed, then everything derived from them is refreshed: in the one order that survives a crash.

A fact is stored with the rows it makes stale. A crash before they are refreshed leaves the mark; whoever changes the
fact next, or receives the same message again, finds it.
"""

from collections.abc import Callable, Iterable

from build_chassis.failpoints import fail_at
from build_chassis.store.optimistic import LOST, Lost, update
from build_protocol.clock import Clock

from build_history.builds.fact import Fact
from build_history.builds.index_keys import Touched, touched_by
from build_history.projections.config_state import ExcludedConfigs
from build_history.refresh.refresh import refresh
from build_history.store import FactWrite, HistoryStore


async def change_facts(
    store: HistoryStore,
    build_ids: Iterable[str],
    change: Callable[[str, Fact | None], Fact | None],
    excluded_configs: ExcludedConfigs,
    clock: Clock,
    *,
    is_rebuild: bool = False,
) -> dict[str, Fact]:
    """Replace these builds' facts by what a function makes of them, and refresh what follows. Key: build id.

    Args:
        store: Where they are.
        build_ids: The builds.
        change: Decides only: it is called again with the newer fact where another replica was faster. None: none.
        excluded_configs: As config.yaml has them now.
        clock: The time of what becomes of incidents.
        is_rebuild: Whether rows of facts that do not change are counted again, too, and nobody is notified of it.

    Returns:
        What the function made of them.

    Raises:
        StoreUnavailable: It may be repeated.
    """
    due = set(build_ids)
    what = f"a fact of {len(due)} builds"
    made: dict[str, Fact] = {}
    facts: dict[str, Fact] = {}
    versions: dict[str, int] = {}
    stale: set[Touched] = set()

    async def attempt() -> Lost | None:
        nonlocal due, stale
        known = await store.facts(due)
        writes: dict[str, FactWrite] = {}
        for build_id in due:
            stored = known.get(build_id)
            old, marks, version = (stored.fact, stored.stale, stored.version) if stored else (None, frozenset(), 0)
            fact = change(build_id, old)
            if fact is None:
                continue
            made[build_id] = fact
            if fact != old:
                marks |= touched_by(fact) | (touched_by(old) if old else frozenset())
                writes[build_id] = FactWrite(fact, marks, version, old)
            elif marks or is_rebuild:
                marks |= touched_by(fact) if is_rebuild else frozenset()
                facts[build_id], versions[build_id] = fact, version
                stale |= marks
        written = await store.put_facts(list(writes.values()))
        for build_id in written:
            facts[build_id], versions[build_id] = writes[build_id].fact, writes[build_id].replaces + 1
            stale |= writes[build_id].stale
        due = writes.keys() - written
        return LOST if due else None

    await update("history", what, attempt)
    if stale:
        fail_at("history.filed")
        # Together, for they share lanes, days and branches.
        await refresh(store, stale, facts, excluded_configs, clock, is_quiet=is_rebuild)
        fail_at("history.counted")
        await store.settle(versions)
    return made
