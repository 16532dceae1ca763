"""Branches: refresh the incidents and pins of one branch as one.

The branch's row holds the identity of its incidents, every transition, and the outbox: they change together, by one
compare-and-set, or not at all. The incidents' own rows and the messages follow from it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from build_chassis.errors import StoreUnavailable
from build_protocol.clock import DAY_MS, Clock, now_ms
from build_protocol.incidents import Evidence, Face, IncidentState, Member

from build_history.builds.fact import Fact, Point
from build_history.builds.index_keys import coloured_tag
from build_history.projections.config_state import ConfigStates, ExcludedConfigs
from build_history.projections.effective import effective
from build_history.projections.identity import Matching, Record, absorbing, end_of, ended, match, published, vanished
from build_history.projections.incidents import Break, described, evidence_of, fold, override_of
from build_history.projections.pins import lines_of
from build_history.refresh import row_kinds
from build_history.store import HistoryStore, Row
from build_history.store.versions import RACES, differs, version_of

BRANCH_WINDOW = 2000
"""A branch is folded from this many of its newest coloured builds, and from the incidents that were open before."""

RECORDS_MAX = 40
"""Incidents a branch's row remembers; builds from before the oldest of them are settled."""

MEMBERS_READ_MAX = 20

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
) -> None:
    """Refresh a branch's incidents and pins; the branch row's version guards them as one.

    `fresh` are the builds whose facts changed. Configs that were not built since `idle_since_ms`, else for `IDLE_MS`
    before the branch's newest build, keep no incident open.
    """
    guard_key = row_kinds.BRANCH.key(project, branch)
    for _ in range(RACES):
        guard = (await store.rows_by_key([guard_key])).get(guard_key)
        before = (
            row_kinds.read_as(row_kinds.Branch, guard) if guard else row_kinds.Branch(project=project, branch=branch)
        )
        points = await store.points(coloured_tag(project, branch), limit=BRANCH_WINDOW, since_at=before.since_at)
        is_full = len(points) == BRANCH_WINDOW
        since_at = points[-1].started_at if is_full else before.since_at
        newest_at = points[0].started_at if points else 0
        idle_ms = newest_at - IDLE_MS if idle_since_ms is None else idle_since_ms
        folding = _Folding(store, before, states, now=clock(), idle_since_ms=idle_ms)
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
        guarded = row_kinds.BranchAt(folded.branch, newest_at)
        if not await store.put_rows([row_kinds.BRANCH.row(guarded, guard.version if guard else 0)]):
            continue
        if len(await store.put_rows(changed)) == len(changed):
            return
    raise StoreUnavailable("history", f"branch {project}/{branch} is contended")


async def withdraw_idle(store: HistoryStore, excluded_configs: ExcludedConfigs, clock: Clock = now_ms) -> int:
    """Look again at branches with incidents open for long; how many those are. Repeating is harmless."""
    labels = ["open", row_kinds.staging_label("open")]
    rows = await store.rows("incident", labels=labels, newest_first=False, limit=IDLE_PER_STEP)
    since_at = clock() - IDLE_MS
    old = row_kinds.read_all(IncidentState, [row for row in rows if row.rank < since_at])
    branches = sorted({(state.project, state.branch or "") for state in old})
    for project, branch in branches:
        states = excluded_configs(project)
        await refresh_branch(store, project, branch, frozenset(), states, clock=clock, idle_since_ms=since_at)
    return len(branches)


@dataclass(slots=True)
class _Folded:
    """A branch as its builds have it now, the incidents of it that may have changed, and their rows as they were."""

    branch: row_kinds.Branch
    points: Sequence[Point] = ()
    """The builds it was folded from, as they count."""
    states: list[IncidentState] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)


class _Folding:
    """One fold of a branch: what is read for it, and what comes of it."""

    def __init__(
        self, store: HistoryStore, before: row_kinds.Branch, states: ConfigStates, *, now: int, idle_since_ms: int
    ) -> None:
        self._store = store
        self._before = before
        self._states = states
        self._now_ms = now
        self._idle_since_ms = idle_since_ms

    async def fold(self, points: Sequence[Point], since_at: int, fresh: frozenset[str]) -> _Folded:
        """Fold these builds, newest first, of which `fresh` have changed facts."""
        counted = effective(point for point in points if point.config not in self._states.silent)
        old = [record.id for record in self._before.incidents if record.first_started_at < since_at]
        breaks = fold(counted, await self._states_of(old), since_at=since_at, staging=self._states.staging)
        matching = match(breaks, self._before.incidents, since_at=since_at)
        facts = await self._facts(vanished(matching))
        found = self._found(matching, facts)
        by_id = {record.id: broken for record, (broken, _) in zip(found, matching.found, strict=True)}
        folded = await self._published(self._records(matching, found, facts, since_at), by_id, since_at, fresh)
        folded.points = counted
        return folded

    def _found(self, matching: Matching, facts: Mapping[str, Fact]) -> list[Record]:
        """The record of every break, in the breaks' order."""
        found = []
        for broken, known in matching.found:
            record = known
            for other, main in matching.merged:
                if record is not None and main.id == record.id:
                    record = absorbing(record, other)
            is_idle = not broken.is_over and self._is_idle(broken)
            if record is None or record.ended_as is None or not is_idle:
                project, branch = self._before.project, self._before.branch
                record = published(project, branch, broken, record, facts, now_ms=self._now_ms)
            found.append(ended(record, "withdrawn", now_ms=self._now_ms) if is_idle else record)
        return found

    def _is_idle(self, broken: Break) -> bool:
        """Whether only configs keep it open that are not built any more."""
        last = max(member.last_red_at for member in broken.members.values() if member.recovered_at is None)
        return last < self._idle_since_ms

    def _records(
        self, matching: Matching, found: Sequence[Record], facts: Mapping[str, Fact], since_at: int
    ) -> list[Record]:
        """All records to be remembered, in the order in which they were published."""
        after = {record.id: record for record in found}
        for record, main in matching.merged:
            after[record.id] = ended(record, "merged", now_ms=self._now_ms, into=main)
        for record in matching.gone:
            builds = {record.opened_by, *record.red.values()}
            if record.ended_as is not None and facts.keys().isdisjoint(builds):
                continue  # retention: how it ended stays as it was
            ended_as, at = end_of(builds, facts)
            after[record.id] = ended(record, ended_as, now_ms=self._now_ms, at=at)
        known = {record.id: record for record in self._before.incidents}
        return [
            after.get(record_id) or known[record_id]
            for record_id in known | after
            if record_id in after or known[record_id].first_started_at >= since_at
        ]

    async def _published(
        self, records: Sequence[Record], found: Mapping[str, Break], since_at: int, fresh: frozenset[str]
    ) -> _Folded:
        known = {record.id: record for record in self._before.incidents}
        due = [record for record in records if record != known.get(record.id) or _touches(found.get(record.id), fresh)]
        rows = await self._store.rows_by_key([row_kinds.INCIDENT.key(record.id) for record in due])
        facts = await self._facts(build for record in due for build in _described_by(found.get(record.id)))
        outbox = {state.id: state for state in self._before.outbox}
        remembered = {record.id: record for record in records}
        states = []
        for record in due:
            row = rows.get(row_kinds.INCIDENT.key(record.id))
            old = outbox.get(record.id) or (row_kinds.read_as(IncidentState, row) if row else None)
            state = _state(self._before, record, found.get(record.id), old, facts)
            if state != old:
                state = state.model_copy(update={"revision": record.revision + 1})
                remembered[record.id] = record.model_copy(update={"revision": state.revision})
                outbox[record.id] = state
            states.append(state)
        kept, since_at = _remembered(list(remembered.values()), since_at)
        branch = self._before.model_copy(
            update={
                "staging": sorted(self._states.staging),
                "silent": sorted(self._states.silent),
                "since_at": max(since_at, self._before.since_at),
                "incidents": kept,
                "outbox": list(outbox.values()),
            }
        )
        return _Folded(branch, states=states, rows=rows)

    async def _states_of(self, ids: Sequence[str]) -> list[IncidentState]:
        if not ids:
            return []
        rows = await self._store.rows_by_key([row_kinds.INCIDENT.key(incident_id) for incident_id in ids])
        states = {state.id: state for state in row_kinds.read_all(IncidentState, list(rows.values()))}
        # A row may not have been written yet whose message waits in the outbox.
        states |= {state.id: state for state in self._before.outbox if state.id in ids}
        return list(states.values())

    async def _facts(self, builds: Iterable[str]) -> dict[str, Fact]:
        wanted = list(dict.fromkeys(builds))
        stored = await self._store.facts(wanted) if wanted else {}
        return {build_id: known.fact for build_id, known in stored.items()}


def _remembered(records: Sequence[Record], since_at: int) -> tuple[list[Record], int]:
    """The records a row keeps, and from when on builds are folded: 0 while nothing had to be forgotten."""
    if len(records) <= RECORDS_MAX:
        return list(records), 0
    newest = sorted(records, key=lambda record: record.first_started_at)[-RECORDS_MAX:]
    since_at = max(since_at, newest[0].first_started_at)
    return [
        record
        for record in records
        if record.first_started_at >= since_at
        or record.ended_as is None
        or (record.closing_started_at or 0) >= since_at
    ], since_at


def _touches(found: Break | None, fresh: Collection[str]) -> bool:
    return found is not None and (
        not found.builds.isdisjoint(fresh) or (found.closing is not None and found.closing.id in fresh)
    )


def _described_by(found: Break | None) -> list[str]:
    """The builds whose facts an incident is described by."""
    if found is None:
        return []
    builds = [face.build_id for face in found.faces]
    builds += [member.first_build for member in found.members.values()][:MEMBERS_READ_MAX]
    return [*builds, found.closing.id] if found.closing else builds


def _state(
    branch: row_kinds.Branch, record: Record, found: Break | None, old: IncidentState | None, facts: Mapping[str, Fact]
) -> IncidentState:
    """The incident as it stands, at the revision published last."""
    shared = {
        "revision": record.revision,
        "state": "open" if record.ended_as is None else "closed",
        "ended_as": record.ended_as,
        "closed_at": record.ended_at,
        "merged_into": record.merged_into,
        "absorbed": record.absorbed,
        "transitions": record.transitions,
    }
    if found is None:
        base = old or _bare(branch, record)
        if record.ended_as == "fixed":
            # The builds that were seen to fail ended green after all.
            recovered = [
                member if member.recovered_at is not None else _recovered(member, record) for member in base.members
            ]
            base = base.model_copy(update={"members": recovered})
        return base.model_copy(update=shared)
    faces = described(found, facts, old)
    closing = None
    if found.closing is not None and record.ended_as is not None:
        fact = facts.get(found.closing.id)
        closing = evidence_of(fact) if fact else old.closing if old else None
    return IncidentState(
        id=record.id,
        project=branch.project,
        branch=branch.branch or None,
        opened_at=found.opening.known_at,
        first_started_at=record.first_started_at,
        faces=faces,
        members=sorted(found.members.values(), key=lambda member: (member.joined_at, member.config)),
        suspects=faces[0].suspects,
        closing=closing,
        override=override_of(found, facts),
        **shared,
    )


def _recovered(member: Member, record: Record) -> Member:
    return member.model_copy(update={"recovered_at": record.ended_at, "recovered_by": member.last_build})


def _bare(branch: row_kinds.Branch, record: Record) -> IncidentState:
    """An incident of which nothing but its identity is left."""
    opening = Evidence(
        build_id=record.opened_by, config=next(iter(record.configs), "default"), started_at=record.first_started_at
    )
    return IncidentState(
        id=record.id,
        project=branch.project,
        branch=branch.branch or None,
        revision=record.revision,
        opened_at=record.first_started_at,
        first_started_at=record.first_started_at,
        faces=[Face(signature=next(iter(record.signatures), "unclassified"), evidence=opening)],
        members=[],
    )
