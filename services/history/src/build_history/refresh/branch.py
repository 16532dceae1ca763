"""Branches: refresh the incidents and pins of one branch as one.

The branch's row holds the identity of its incidents, every transition, and the outbox: they change together, by one
compare-and-set, or not at all. The incidents' own rows and the messages follow from it.
"""

from build_chassis.store.optimistic import LOST, Lost, update
from build_protocol.clock import DAY_MS, Clock, now_ms
from build_protocol.incidents import IncidentState

from build_history.builds.index_keys import coloured_tag
from build_history.projections.config_state import ConfigStates, ExcludedConfigs
from build_history.projections.pins import lines_of
from build_history.refresh import row_kinds
from build_history.refresh.folding import Folding
from build_history.store import HistoryStore
from build_history.store.contract import PointQuery, RowQuery
from build_history.store.versions import differs, version_of

BRANCH_WINDOW = 2000
"""A branch is folded from this many of its newest coloured builds, and from the incidents that were open before."""

IDLE_MS = 90 * DAY_MS
"""A config that was not built for so long is gone: it no longer keeps an incident open."""

IDLE_PER_STEP = 200


async def refresh_branch(
    store: HistoryStore,
    project: str,
    branch: str,
    fresh: frozenset[str],
    states: ConfigStates,
    *,
    clock: Clock = now_ms,
    idle_since_ms: int | None = None,
    is_quiet: bool = False,
) -> None:
    """Refresh a branch's incidents and pins; the branch row's version guards them as one.

    `fresh` are the builds whose facts changed. Configs that were not built since `idle_since_ms`, else for `IDLE_MS`
    before the branch's newest build, keep no incident open. `is_quiet`: what comes of it notifies nobody.
    """
    guard_key = row_kinds.BRANCH.key(project, branch)

    async def attempt() -> Lost | None:
        guard = (await store.rows_by_key([guard_key])).get(guard_key)
        before = (
            row_kinds.read_as(row_kinds.Branch, guard) if guard else row_kinds.Branch(project=project, branch=branch)
        )
        points = await store.points(
            PointQuery(coloured_tag(project, branch), limit=BRANCH_WINDOW, since_at=before.since_at)
        )
        since_at = points[-1].started_at if len(points) == BRANCH_WINDOW else before.since_at
        newest_at = points[0].started_at if points else 0
        idle_ms = newest_at - IDLE_MS if idle_since_ms is None else idle_since_ms
        folding = Folding(store, before, states, now=clock(), idle_since_ms=idle_ms)
        folded = await folding.fold(points, since_at, fresh)
        lines = lines_of([point for point in folded.points if point.config not in states.staging])
        pins = await store.rows_by_key([row_kinds.PIN.key(project, branch, line.name) for line in lines])
        rows = [
            row_kinds.INCIDENT.row(state, version_of(folded.rows, row_kinds.INCIDENT.key(state.id)))
            for state in folded.states
        ]
        rows += [
            row_kinds.PIN.row(line, version_of(pins, row_kinds.PIN.key(project, branch, line.name))) for line in lines
        ]
        known = folded.rows | pins
        changed = [row for row in rows if (old := known.get(row.key)) is None or differs(old, row)]
        guarded = row_kinds.BranchAt(_marked(before, folded.branch, is_quiet=is_quiet), newest_at)
        if not await store.put_rows([row_kinds.BRANCH.row(guarded, guard.version if guard else 0)]):
            return LOST
        return None if len(await store.put_rows(changed)) == len(changed) else LOST

    await update("history", f"branch {project}/{branch}", attempt)


def _marked(before: row_kinds.Branch, after: row_kinds.Branch, *, is_quiet: bool) -> row_kinds.Branch:
    """The branch with what is quiet of its outbox; news that comes to a quiet incident makes it news."""
    waited = {state.id: state for state in before.outbox}
    changed = {state.id for state in after.outbox if state != waited.get(state.id)}
    quiet = set(before.quiet) | (changed - waited.keys()) if is_quiet else set(before.quiet) - changed
    return after.model_copy(update={"quiet": sorted(quiet)})


async def withdraw_idle(store: HistoryStore, excluded_configs: ExcludedConfigs, clock: Clock = now_ms) -> int:
    """Look again at branches with incidents open for long; how many those are. Repeating is harmless."""
    labels = ["open", row_kinds.staging_label("open")]
    rows = await store.rows(RowQuery("incident", labels=labels, newest_first=False, limit=IDLE_PER_STEP))
    since_at = clock() - IDLE_MS
    old = row_kinds.read_all(IncidentState, [row for row in rows if row.rank < since_at])
    branches = sorted({(state.project, state.branch or "") for state in old})
    for project, branch in branches:
        states = excluded_configs(project)
        await refresh_branch(store, project, branch, frozenset(), states, clock=clock, idle_since_ms=since_at)
    return len(branches)
