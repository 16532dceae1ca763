"""Branches: bring the incidents and pins of one branch up to the facts, as one."""

from collections.abc import Sequence

from build_chassis.errors import StoreUnavailable

from build_history.builds.fact import Point
from build_history.builds.index_keys import coloured_tag
from build_history.concurrently import each
from build_history.projections.incidents import EXPLAINED, Incident, explained, fold
from build_history.projections.pins import lines_of
from build_history.racing import RACES, differs, version_of
from build_history.refresh import row_kinds
from build_history.store import HistoryStore, Row

BRANCH_WINDOW = 2000
"""Incidents and pins of a branch are told by this many of its newest coloured builds."""

EXPLAINED_BY_MAX = 20


async def refresh_branch(
    store: HistoryStore, project: str, branch: str, fresh: frozenset[str], excluded_configs: frozenset[str]
) -> None:
    """Refresh a branch's incidents and pins; the branch row's version guards them as one.

    Builds of the configs `excluded_configs` take no part. `fresh` are the builds whose facts changed.
    """
    guard_key = row_kinds.branch_key(project, branch)
    for _ in range(RACES):
        guard = (await store.rows_by_key([guard_key])).get(guard_key)
        points = await store.points(coloured_tag(project, branch), limit=BRANCH_WINDOW)
        newest_at = points[0].started_at if points else 0
        known = await _known_incidents(store, project, branch, points)
        since_at = points[-1].started_at if points else 0
        before = [row_kinds.read_as(Incident, row) for row in known.values()]
        counted = [point for point in points if point.config not in excluded_configs]
        incidents = await _incidents(store, counted, _without(before, excluded_configs, since_at), fresh)
        lines = lines_of(counted)
        pins = await store.rows_by_key([row_kinds.pin_key(project, branch, line.name) for line in lines])
        rows = [row_kinds.incident_row(i, version_of(known, row_kinds.incident_key(i.id))) for i in incidents]
        key_of = {line.name: row_kinds.pin_key(project, branch, line.name) for line in lines}
        rows += [row_kinds.pin_row(line, version_of(pins, key_of[line.name])) for line in lines]
        kept = {row.key for row in rows}
        gone = [row for key, row in known.items() if key not in kept and row.rank >= since_at]
        changed = [row for row in rows if (old := (known | pins).get(row.key)) is None or differs(old, row)]
        told = row_kinds.Branch(project=project, branch=branch, excluded_configs=sorted(excluded_configs))
        if not await store.put_rows([row_kinds.branch_row(told, newest_at, guard.version if guard else 0)]):
            continue
        await store.drop_rows(gone)
        if len(await store.put_rows(changed)) == len(changed):
            return
    raise StoreUnavailable("history", f"branch {project}/{branch} is contended")


def _without(incidents: Sequence[Incident], excluded_configs: frozenset[str], since_at: int) -> list[Incident]:
    """The incidents as they were told before, without the configs that are no longer counted.

    One that began among the builds at hand is told by those alone.
    """
    if not excluded_configs:
        return list(incidents)
    counted = [
        incident.model_copy(update={"members": [m for m in incident.members if m.config not in excluded_configs]})
        for incident in incidents
        if incident.first_started_at < since_at
    ]
    return [incident for incident in counted if incident.members]


async def _known_incidents(store: HistoryStore, project: str, branch: str, points: Sequence[Point]) -> dict[str, Row]:
    """Rows of the branch's incidents that these points may change: begun among them, or still open when they began."""
    scope = row_kinds.branch_scope(project, branch)
    since_at = points[-1].started_at if points else 0
    begun = await store.rows("incident", scopes=[scope], since_rank=since_at, limit=2 * BRANCH_WINDOW)
    before = await store.rows("incident", scopes=[scope], after=(since_at, ""), limit=100)
    still = await store.rows("incident", scopes=[scope], labels=["open"], limit=1000)
    return {row.key: row for row in (*begun, *before, *still)}


async def _incidents(
    store: HistoryStore, points: Sequence[Point], known: Sequence[Incident], fresh: frozenset[str]
) -> list[Incident]:
    by_id = {incident.id: incident for incident in known}

    async def one(incident: Incident) -> Incident:
        before = by_id.get(incident.id)
        firsts = [member.first_build for member in incident.members]
        if before and firsts == [m.first_build for m in before.members] and fresh.isdisjoint(firsts):
            told = {name: getattr(before, name) for name in EXPLAINED}
            return incident.model_copy(update=told)
        stored = await store.facts(firsts[:EXPLAINED_BY_MAX])
        return explained(incident, [stored[build_id].fact for build_id in firsts if build_id in stored])

    return await each(fold(points, known), one)
