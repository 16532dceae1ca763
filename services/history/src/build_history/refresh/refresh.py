"""Refresh: bring derived rows up to the facts.

Each row is read with its version first, then counted anew from the facts, then stored if that version still stands;
whoever loses the race counts again. So a row is never older than the last fact that touched it, however many replicas
write, and refreshing twice changes nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from build_chassis.concurrency import bounded_gather
from build_chassis.store.optimistic import LOST, Lost, update
from build_protocol.clock import Clock, now_ms

from build_history.builds.fact import Fact, Lane, Point
from build_history.builds.index_keys import Touched, colour_tag, commit_tag, day_tag, failure_tag, lane_tag
from build_history.projections.commits import CommitInfo, CommitRow, cells_of, info_of, informed
from build_history.projections.config_state import ExcludedConfigs, no_config_excluded
from build_history.projections.effective import effective
from build_history.projections.failure_groups import Group, refreshed
from build_history.projections.lanes import WINDOW, LaneState, state_of
from build_history.projections.trends import day_of
from build_history.refresh import row_kinds
from build_history.refresh.branch import refresh_branch
from build_history.refresh.judge import judge_first
from build_history.store import HistoryStore, Row
from build_history.store.contract import READS_AT_ONCE, PointQuery
from build_history.store.versions import differs, version_of

DAY_BUILDS_MAX = 5000
COMMIT_BUILDS_MAX = 500


async def refresh(
    store: HistoryStore,
    stale: Collection[Touched],
    facts: Mapping[str, Fact],
    excluded_configs: ExcludedConfigs = no_config_excluded,
    clock: Clock = now_ms,
    *,
    is_quiet: bool = False,
) -> None:
    """Refresh every row named by `stale`; `facts` are the facts that touched them, by build id.

    `is_quiet`: nobody is notified of what becomes of incidents.
    """
    words = defaultdict(set)
    for touched in stale:
        words[touched.kind].add(touched.words)
    ranges = [facts[build_id] for (build_id,) in words["range"] if build_id in facts]
    kinds = (
        _Commits(words["commit"], ranges, facts),
        _Days(words["day"]),
        _Groups(words["group"], facts),
        _Lanes(words["lane"]),
        _Readings(words["reading"], facts),
    )
    branches = (
        refresh_branch(
            store, project, branch, frozenset(facts), excluded_configs(project), clock=clock, is_quiet=is_quiet
        )
        for project, branch in sorted(words["branch"])
    )
    # Together, so that their writes share commits.
    await asyncio.gather(_until_stored(store, kinds), *branches)


class _Kind:
    """Rows of one kind to be counted: their keys, and how to count those of them that are still due."""

    keys: set[str]

    async def count(self, store: HistoryStore, known: Mapping[str, Row], due: Collection[str]) -> list[Row]:
        """The rows as the facts have them now."""
        raise NotImplementedError


async def _until_stored(store: HistoryStore, kinds: Sequence[_Kind]) -> None:
    due = {key for kind in kinds for key in kind.keys}
    what = f"a row of {len(due)}"

    async def attempt() -> Lost | None:
        nonlocal due
        known = await store.rows_by_key(due)
        counted = [row for kind in kinds for row in await kind.count(store, known, due & kind.keys)]
        gone = [known[key] for key in due - {row.key for row in counted} if key in known]
        changed = [row for row in counted if row.key not in known or differs(known[row.key], row)]
        await store.drop_rows(gone)
        due = {row.key for row in changed} - await store.put_rows(changed)
        return LOST if due else None

    if due:
        await update("history", what, attempt)


class _Lanes(_Kind):
    def __init__(self, lanes: Iterable[tuple[str, ...]]) -> None:
        self._lanes = {row_kinds.LANE.key(*lane): lane for lane in (Lane(*words) for words in lanes)}
        self.keys = set(self._lanes)

    async def count(self, store: HistoryStore, known: Mapping[str, Row], due: Collection[str]) -> list[Row]:
        lanes = {key: self._lanes[key] for key in due}
        points = await store.points_by_tag([lane_tag(lane) for lane in lanes.values()], limit=WINDOW)

        async def one(key: str) -> Row | None:
            newest = points[lane_tag(lanes[key])]
            state = await _lane_state(store, lanes[key], newest) if newest else None
            return row_kinds.LANE.row(state, version_of(known, key)) if state else None

        return _present(await bounded_gather(due, one, at_once=READS_AT_ONCE))


async def _lane_state(store: HistoryStore, lane: Lane, points: Sequence[Point]) -> LaneState:
    """From the lane's newest points, newest first; asks for more only where they do not reach back far enough."""
    points = list(reversed(effective(points)))
    green = next((point for point in points if point.colour == "green"), None)
    if green is None and len(points) == WINDOW:
        green = next(iter(await store.points(PointQuery(colour_tag(lane, "green"), limit=1))), None)
    reds = [p for p in points if p.colour == "red" and (green is None or p.order > green.order)]
    red = min(reds, key=lambda point: point.order, default=None)
    is_older_unseen = len(points) == WINDOW and (green is None or green.order < points[-1].order)
    if is_older_unseen:
        since_at = green.started_at if green else None
        oldest = await store.points(PointQuery(colour_tag(lane, "red"), limit=1, newest_first=False, since_at=since_at))
        red = next(iter(oldest), None)
    return state_of(points, green, red)


class _Days(_Kind):
    def __init__(self, days: Iterable[tuple[str, ...]]) -> None:
        self._days = {}
        for project, branch, config, day in days:
            lane = Lane(project, branch, config)
            self._days[row_kinds.DAY.key(*lane, int(day))] = (lane, int(day))
        self.keys = set(self._days)

    async def count(self, store: HistoryStore, known: Mapping[str, Row], due: Collection[str]) -> list[Row]:
        tags = {key: day_tag(*self._days[key]) for key in due}
        points = await store.points_by_tag(tags.values(), limit=DAY_BUILDS_MAX)
        return [
            row_kinds.DAY.row(day_of(points[tag]), version_of(known, key)) for key, tag in tags.items() if points[tag]
        ]


class _Groups(_Kind):
    def __init__(self, groups: Iterable[tuple[str, ...]], facts: Mapping[str, Fact]) -> None:
        self._facts = facts
        self._days: defaultdict[str, list[tuple[str, str, int]]] = defaultdict(list)
        for project, signature, day in groups:
            self._days[row_kinds.GROUP.key(project, signature)].append((project, signature, int(day)))
        self.keys = set(self._days)

    async def count(self, store: HistoryStore, known: Mapping[str, Row], due: Collection[str]) -> list[Row]:
        tags = {words: failure_tag(*words) for key in due for words in self._days[key]}
        points = await store.points_by_tag(tags.values(), limit=DAY_BUILDS_MAX)

        async def one(key: str) -> Row | None:
            group = row_kinds.read_as(Group, known[key]) if key in known else None
            for words in sorted(self._days[key], key=lambda words: words[2]):
                group = refreshed(group, *words, points[tags[words]])
            if group is None or not group.count:
                return None
            return row_kinds.GROUP.row(await self._with_sample(store, group), version_of(known, key))

        return _present(await bounded_gather(due, one, at_once=READS_AT_ONCE))

    async def _with_sample(self, store: HistoryStore, group: Group) -> Group:
        """With the failure of the newest build that showed it, read only when that build is new here."""
        newest = group.builds[0].id if group.builds else None
        if newest is None or (group.sample is not None and newest not in self._facts):
            return group
        fact = self._facts.get(newest)
        if fact is None:
            stored = await store.facts([newest])
            fact = stored[newest].fact if newest in stored else None
        shown = [f for f in (fact.failures if fact else ()) if f.signature == group.signature]
        return group.model_copy(update={"sample": shown[0]}) if shown else group


class _Readings(_Kind):
    """What is still to be read from ingest."""

    def __init__(self, builds: Iterable[tuple[str, ...]], facts: Mapping[str, Fact]) -> None:
        self._facts = facts
        self._builds = {row_kinds.READING.key(build_id): build_id for (build_id,) in builds}
        self.keys = set(self._builds)

    async def count(self, _store: HistoryStore, known: Mapping[str, Row], due: Collection[str]) -> list[Row]:
        facts = {key: self._facts.get(self._builds[key]) for key in due}
        kept = [known[key] for key, fact in facts.items() if fact is None and key in known]
        return kept + [
            row_kinds.READING.row(
                row_kinds.DueReading(fact, fact.ended_at or fact.started_at, 0), version_of(known, key)
            )
            for key, fact in facts.items()
            if fact is not None and fact.is_due
        ]


class _Commits(_Kind):
    def __init__(self, commits: Iterable[tuple[str, ...]], ranges: Sequence[Fact], facts: Mapping[str, Fact]) -> None:
        self._facts = facts
        self._built = {row_kinds.COMMIT.key(*words): words for words in commits}
        self._infos: dict[str, tuple[str, str, CommitInfo]] = {}
        for fact in ranges:
            project, branch, _ = fact.lane
            for info in info_of(fact):
                key = row_kinds.COMMIT.key(project, branch, info.sha)
                known = self._infos.get(key)
                self._infos[key] = (project, branch, informed(known[2], info) if known else info)
        self.keys = {*self._built, *self._infos}

    async def count(self, store: HistoryStore, known: Mapping[str, Row], due: Collection[str]) -> list[Row]:
        tags = {key: commit_tag(*self._built[key]) for key in due if key in self._built}
        points = await store.points_by_tag(tags.values(), limit=COMMIT_BUILDS_MAX)

        async def one(key: str) -> Row | None:
            row = row_kinds.read_as(CommitRow, known[key]) if key in known else None
            if key in self._infos:
                project, branch, info = self._infos[key]
                merged = informed(row.info, info) if row else info
                row = (
                    row.model_copy(update={"info": merged})
                    if row
                    else CommitRow(project=project, branch=branch, info=merged)
                )
            if key in self._built:
                row = await self._with_cells(store, row, self._built[key], points[tags[key]])
            return row_kinds.COMMIT.row(row, version_of(known, key)) if row else None

        return _present(await bounded_gather(due, one, at_once=READS_AT_ONCE))

    async def _with_cells(
        self, store: HistoryStore, row: CommitRow | None, words: tuple[str, ...], points: Sequence[Point]
    ) -> CommitRow | None:
        if row is None and not points:
            return None
        project, branch, sha = words
        row = row or CommitRow(project=project, branch=branch, info=CommitInfo(sha=sha))
        judged = {cell.build_id: cell.judged for cell in row.cells if cell.judged}
        due = [p for p in points if p.status == "failed" and (p.id in self._facts or p.id not in judged)]
        facts = await _facts_of(store, [point.id for point in due], self._facts)
        for fact in facts:
            judged[fact.id] = await judge_first(store, fact, points)
        return row.model_copy(
            update={
                "cells": cells_of(points, judged),
                "first_built_at": min((point.started_at for point in points), default=None),
            }
        )


async def _facts_of(store: HistoryStore, build_ids: Sequence[str], known: Mapping[str, Fact]) -> list[Fact]:
    """The facts of these builds; only those not at hand are read."""
    missing = [build_id for build_id in build_ids if build_id not in known]
    stored = await store.facts(missing) if missing else {}
    found = ((known.get(build_id) or (stored[build_id].fact if build_id in stored else None)) for build_id in build_ids)
    return [fact for fact in found if fact is not None]


def _present(rows: Iterable[Row | None]) -> list[Row]:
    return [row for row in rows if row is not None]
