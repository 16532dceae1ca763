"""Folding: from a branch's builds the incidents of it, under the identities they were published with.

What the fold needs of the store is read here; what is decided is pure, in `projections`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from build_protocol.incidents import Evidence, Face, IncidentState, Member

from build_history.builds.fact import Fact, Point
from build_history.projections.config_state import ConfigStates
from build_history.projections.effective import effective
from build_history.projections.identity import Matching, Record, absorbing, end_of, ended, match, published, vanished
from build_history.projections.incidents import Break, described, evidence_of, fold, override_of
from build_history.projections.quarantine import without_quarantined
from build_history.refresh import row_kinds
from build_history.store import HistoryStore, Row

RECORDS_MAX = 40
"""Incidents a branch's row remembers; builds from before the oldest of them are settled."""

MEMBERS_READ_MAX = 20


@dataclass(slots=True)
class Folded:
    """A branch as its builds have it now, the incidents of it that may have changed, and their rows as they were."""

    branch: row_kinds.Branch
    points: Sequence[Point] = ()
    """The builds it was folded from, as they count."""
    states: list[IncidentState] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)


class Folding:
    """One fold of a branch: what is read for it, and what comes of it."""

    def __init__(
        self, store: HistoryStore, before: row_kinds.Branch, states: ConfigStates, *, now: int, idle_since_ms: int
    ) -> None:
        self._store = store
        self._before = before
        self._states = states
        self._now_ms = now
        self._idle_since_ms = idle_since_ms

    async def fold(self, points: Sequence[Point], since_at: int, fresh: frozenset[str]) -> Folded:
        """Fold these builds, newest first, of which `fresh` have changed facts."""
        loud = (point for point in points if point.config not in self._states.silent)
        counted = effective(without_quarantined(loud, self._states.quarantine))
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
    ) -> Folded:
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
                "quarantine": list(self._states.quarantine),
                "since_at": max(since_at, self._before.since_at),
                "incidents": kept,
                "outbox": list(outbox.values()),
            }
        )
        return Folded(branch, states=states, rows=rows)

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
