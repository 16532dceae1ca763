"""Branches: bring the incidents and pins of one branch up to the facts, as one."""

from collections.abc import Sequence

from chassis.errors import StoreUnavailable

from history import derived
from history.facts import Point
from history.filing import coloured_tag
from history.incidents import EXPLAINED, Incident, explained, fold
from history.pins import lines_of
from history.racing import RACES, differs, each, version_of
from history.store import HistoryStore, Row

BRANCH_WINDOW = 2000
"""Incidents and pins of a branch are told by this many of its newest coloured builds."""

EXPLAINED_BY_MAX = 20


async def refresh_branch(store: HistoryStore, project: str, branch: str, fresh: frozenset[str]) -> None:
    """Refresh a branch's incidents and pins; the branch row's version guards them as one."""
    guard_key = derived.branch_key(project, branch)
    for _ in range(RACES):
        guard = (await store.rows_by_key([guard_key])).get(guard_key)
        points = await store.points(coloured_tag(project, branch), limit=BRANCH_WINDOW)
        newest_ms = points[0].started_ms if points else 0
        known = await _known_incidents(store, project, branch, points)
        incidents = await _incidents(store, points, [derived.read_as(Incident, row) for row in known.values()], fresh)
        lines = lines_of(points)
        pins = await store.rows_by_key([derived.pin_key(project, branch, line.name) for line in lines])
        rows = [derived.incident_row(i, version_of(known, derived.incident_key(i.id))) for i in incidents]
        rows += [derived.pin_row(line, version_of(pins, derived.pin_key(project, branch, line.name))) for line in lines]
        since_ms = points[-1].started_ms if points else 0
        kept = {row.key for row in rows}
        gone = [row for key, row in known.items() if key not in kept and row.rank >= since_ms]
        changed = [row for row in rows if (old := (known | pins).get(row.key)) is None or differs(old, row)]
        if not await store.put_rows([derived.branch_row(project, branch, newest_ms, guard.version if guard else 0)]):
            continue
        await store.drop_rows(gone)
        if len(await store.put_rows(changed)) == len(changed):
            return
    raise StoreUnavailable("history", f"branch {project}/{branch} is contended")


async def _known_incidents(store: HistoryStore, project: str, branch: str, points: Sequence[Point]) -> dict[str, Row]:
    """Rows of the branch's incidents that these points may change: begun among them, or still open when they began."""
    scope = derived.branch_scope(project, branch)
    since_ms = points[-1].started_ms if points else 0
    begun = await store.rows("incident", scope=scope, since_rank=since_ms, limit=2 * BRANCH_WINDOW)
    before = await store.rows("incident", scope=scope, after=(since_ms, ""), limit=100)
    still = await store.rows("incident", scope=scope, labels=["open"], limit=1000)
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
