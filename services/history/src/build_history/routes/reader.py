"""Reader: one caller's view of the store. Projects outside their scope do not exist in it."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice

from build_chassis.auth import Principal
from build_chassis.pagination import decode_cursor, encode_cursor
from build_chassis.projects import Projects
from build_protocol.clock import HOUR_MS
from build_protocol.incidents import IncidentState

from build_history.builds.fact import UNCLASSIFIED, Fact, Lane
from build_history.builds.index_keys import includes_tag, lane_tag
from build_history.projections.commits import CommitRow, answers
from build_history.projections.config_state import ConfigStates, Overdue, cadences_ms, overdue, states_in
from build_history.projections.failure_groups import FailureGroup, Group, merged
from build_history.projections.failure_verdict import Case
from build_history.projections.lanes import BuildRef, LaneState
from build_history.projections.pins import PinLine
from build_history.projections.red_places import RedPlace, red_places
from build_history.projections.slow_steps import StepOverBuilds, slowest_steps
from build_history.refresh import row_kinds
from build_history.routes.schemas import CommitOnBranch, TestInConfig, TestList
from build_history.store import HistoryStore, Row
from build_history.store.contract import PointQuery, RowQuery
from build_history.test_history.matrix import partition_of, unpacked
from build_history.test_history.statistics import LaneStatistics, Order, StatisticsCache, runs_of, selected

LANES_MAX = 2000
DAYS_MAX = 4000
PIN_LINES_MAX = 2000
INCLUDING_MAX = 500
OPEN_INCIDENTS_MAX = 200
ALIKE_PROJECTS_MAX = 50
GROUP_ROWS_MAX = 5000
SPARKLINE_DAYS = 30
STEP_BUILDS = 20
STEP_BUILDS_OF_MANY = 3
STEP_LANES_MAX = 60
TESTS_READ_MAX = 20_000
"""Tests one question goes through, over all its configs: more would keep others waiting."""

ALIKE_MS = 6 * HOUR_MS
"""Two projects fail at the same time when their builds start within this of each other."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page, and where the next one begins."""

    rows: list[Row]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads for one caller; nothing outside `caller.projects` is ever returned."""

    store: HistoryStore
    caller: Principal
    projects: Projects
    statistics: StatisticsCache = field(default_factory=StatisticsCache)

    def states(self, project: str) -> ConfigStates:
        """The configs of a project that are not in production, by their state."""
        return states_in(self.projects.get(project))

    def excluded_configs(self, project: str) -> frozenset[str]:
        """The configs of a project that are not in production."""
        return self.states(project).excluded_configs

    async def fact(self, build_id: str) -> Fact | None:
        """What is known of a build, if the caller sees its project."""
        stored = (await self.store.facts([build_id])).get(build_id)
        return stored.fact if stored and self.caller.may_see(stored.fact.project) else None

    async def base_of(self, project: str) -> str | None:
        """The branch that changes of a project start from: as config.yaml says, else its most lately built one."""
        return self.projects.get(project).branch or await self.branch_of(project, None)

    async def projects_failing_alike(self, signature: str, case: Case) -> set[str]:
        """Other projects the caller sees that showed this failure in the hours around the build."""
        if signature == UNCLASSIFIED:
            return set()
        rows = await self._group_rows([row_kinds.signature_label(signature)], None)
        around = [row for row in rows if abs(row.rank - case.started_at) <= ALIKE_MS]
        return {row.project for row in around} - {case.lane.project}

    async def lanes(self, project: str | None = None, branch: str | None = None) -> list[LaneState]:
        """The lanes of a project or of all, of a branch or of all."""
        rows = await self._listed("lane", limit=LANES_MAX, project=project, branch=branch)
        states = row_kinds.read_all(LaneState, rows)
        return [state for state in states if branch is None or state.branch == branch]

    async def last_green(self, lane: Lane) -> BuildRef | None:
        """The last build of a lane that counts as green."""
        key = row_kinds.LANE.key(*lane)
        row = (await self.store.rows_by_key([key])).get(key)
        return row_kinds.read_as(LaneState, row).last_green if row and self.caller.may_see(lane.project) else None

    async def branch_of(self, project: str, branch: str | None) -> str | None:
        """The branch asked for, else the project's most lately built one; None when there is none to see."""
        if branch is not None or not self.caller.may_see(project):
            return branch if self.caller.may_see(project) else None
        newest = await self.store.rows(RowQuery("branch", project=project, limit=1))
        if newest:
            return row_kinds.read_as(row_kinds.Branch, newest[0]).branch
        lanes = await self.store.rows(RowQuery("lane", project=project, limit=1))
        return row_kinds.read_as(LaneState, lanes[0]).branch if lanes else None

    async def overdue(self, lanes: Sequence[LaneState], project: str | None, now_ms: int) -> list[Overdue]:
        """The configs of which a build was expected by their cadence, of one project or of all the caller sees."""
        known = self.projects.current().items()
        seen = {name: file for name, file in known if self.caller.may_see(name) and project in (None, name)}
        waiting = {name: file for name, file in seen.items() if cadences_ms(file)}
        branches = {name: await self.base_of(name) for name in waiting}
        return overdue(waiting, branches, lanes, now_ms)

    async def steps(self, project: str, branch: str, config: str | None) -> list[StepOverBuilds]:
        """The slowest steps of each config's newest builds that tell of steps, the slowest first."""
        lanes = [lane for lane in await self.lanes(project, branch) if config in (None, lane.config)]
        deep = STEP_BUILDS if len(lanes) == 1 else STEP_BUILDS_OF_MANY
        points = await self.store.points_by_tag(
            [lane_tag(Lane(project, branch, lane.config)) for lane in lanes[:STEP_LANES_MAX]], limit=deep
        )
        stored = await self.store.facts([point.id for found in points.values() for point in found])
        facts = [known.fact for known in stored.values() if known.fact.slowest]
        return slowest_steps(facts)

    async def days(self, states: Sequence[LaneState], since_day: int) -> dict[str, list[str]]:
        """Days of lanes since a day, oldest first, as the JSON they are stored as; by config, lanes of one branch."""
        lanes = {row_kinds.lane_scope_of(state): state.config for state in states}
        days: dict[str, list[str]] = {config: [] for config in lanes.values()}
        # All lanes in one question: for a page of 60 configs the round trips would cost more than the rows.
        for row in await self.store.rows(
            RowQuery("day", scopes=lanes, since_rank=since_day, newest_first=False, limit=DAYS_MAX)
        ):
            days[lanes[row.scope]].append(row.body)
        return days

    async def commits(self, project: str, branch: str, limit: int, cursor: str | None) -> Page:
        """Commit rows of a branch, newest first."""
        return await self._page("commit", limit, cursor, project=project, branch=branch)

    async def commits_like(self, prefix: str, limit: int, project: str | None = None) -> list[CommitRow]:
        """Commits whose sha begins so, in this project, or in any that the caller sees."""
        rows = await self._listed("commit", limit=limit, label_prefix=prefix, project=project)
        return row_kinds.read_all(CommitRow, rows)

    async def answer(self, row: CommitRow, now_ms: int) -> CommitOnBranch:
        """What every config of its branch says of a commit."""
        lanes = await self.lanes(row.project, row.branch)
        tag = includes_tag(row.project, row.branch, row.info.sha)
        including = await self.store.points(PointQuery(tag, limit=INCLUDING_MAX, newest_first=False))
        unknown = []
        if not including and any(lane.config not in {cell.config for cell in row.cells} for lane in lanes):
            unknown.append("whether later builds include this commit: no agent sent a range that names it")
        if row.info.parents is None:
            unknown.append("the commit's parents")
        configs = answers(row, lanes, including, now_ms, configured=self.projects.get(row.project))
        return CommitOnBranch(project=row.project, branch=row.branch, info=row.info, configs=configs, unknown=unknown)

    async def incidents(
        self,
        project: str | None,
        branch: str | None,
        state: str | None,
        limit: int,
        cursor: str | None,
        *,
        with_staging: bool = False,
    ) -> Page:
        """Incident rows, the latest first; those that only configs in staging show where they are asked for."""
        labels = [state] if state is not None else ["open", "closed"]
        if with_staging:
            labels += [row_kinds.staging_label(label) for label in labels]
        return await self._page("incident", limit, cursor, project=project, branch=branch, labels=labels)

    async def incident(self, incident_id: str) -> IncidentState | None:
        """One incident, if the caller sees its project."""
        key = row_kinds.INCIDENT.key(incident_id)
        row = (await self.store.rows_by_key([key])).get(key)
        return row_kinds.read_as(IncidentState, row) if row and self.caller.may_see(row.project) else None

    async def groups(
        self, project: str | None, limit: int, cursor: str | None, today: int
    ) -> tuple[list[FailureGroup], str | None]:
        """Failure groups, the last seen first, each over all projects the caller sees (or over the one asked for)."""
        page = await self._page("group", limit, cursor, project=project)
        alike: defaultdict[str, list[Row]] = defaultdict(list)
        for row in await self._group_rows([row.label for row in page.rows], project):
            alike[row.label].append(row)
        shown: list[FailureGroup] = []
        for row in page.rows:
            found = alike[row.label] or [row]
            # A signature seen in several projects stands once, where it was seen last.
            if row.key == max(found, key=lambda other: (other.rank, other.key)).key:
                shown.append(merged(row_kinds.read_all(Group, found), today, SPARKLINE_DAYS, builds_max=5))
        return shown, page.next_cursor

    async def group(self, signature: str, project: str | None, today: int) -> FailureGroup | None:
        """One failure group with its newest builds; None when the caller sees no project that has it."""
        found = await self._group_rows([row_kinds.signature_label(signature)], project)
        return merged(row_kinds.read_all(Group, found), today, SPARKLINE_DAYS, builds_max=50) if found else None

    async def red_places(self, signature: str, projects: Sequence[str]) -> list[RedPlace]:
        """On which branches of these projects, all of which the caller sees, this failure is red now."""
        if signature == UNCLASSIFIED:
            return []
        listings = [
            await self._listed("incident", limit=OPEN_INCIDENTS_MAX, project=project, labels=["open"])
            for project in projects[:ALIKE_PROJECTS_MAX]
        ]
        return red_places(signature, row_kinds.read_all(IncidentState, [row for rows in listings for row in rows]))

    async def pin_lines(self, name: str | None) -> list[PinLine]:
        """Every pin line the caller sees, of one upstream or of all."""
        labels = [row_kinds.upstream_label(name)] if name is not None else None
        return row_kinds.read_all(PinLine, await self._listed("pin", limit=PIN_LINES_MAX, labels=labels))

    async def tests(
        self, project: str, branch: str, config: str | None, q: str | None, order: Order, *, first: int, count: int
    ) -> TestList:
        """Tests of a branch by this order; of many large configs only the newest are read, and the answer says so."""
        rows = await self._statistics_rows(project, branch, config)
        lanes, left = await asyncio.to_thread(self._statistics_of, rows)
        items, total = await asyncio.to_thread(selected, lanes, q, order, first, count)
        unknown = [f"the tests of {left} more configs: ask for one by `config`"] if left else []
        after = str(first + count) if first + count < total else None
        return TestList(items=items, total=total, next_cursor=after, unknown=unknown)

    async def test_runs(self, project: str, branch: str, config: str | None, name: str) -> list[TestInConfig]:
        """How one test went, in each config of a branch that remembers it."""
        lanes = [Lane(project, branch, lane.config) for lane in await self.lanes(project, branch)]
        keys = {
            row_kinds.PARTITION.key(*lane, partition_of(name)): lane for lane in lanes if config in (None, lane.config)
        }
        rows = await self.store.rows_by_key(keys)
        tests = [
            TestInConfig(config=keys[key].config, runs=runs_of(await asyncio.to_thread(unpacked, row.body), name))
            for key, row in rows.items()
        ]
        return sorted((lane for lane in tests if lane.runs), key=lambda lane: lane.config)

    def _statistics_of(self, rows: Sequence[Row]) -> tuple[list[LaneStatistics], int]:
        """The statistics of the newest lanes, up to a number of tests, and how many lanes are left out."""
        lanes: list[LaneStatistics] = []
        for row in rows:
            if lanes and sum(len(lane.names) for lane in lanes) >= TESTS_READ_MAX:
                break
            lanes.append(self.statistics.read(row.key, row.version, row.body))
        return lanes, len(rows) - len(lanes)

    async def _statistics_rows(self, project: str, branch: str, config: str | None) -> list[Row]:
        if config is not None:
            key = row_kinds.STATISTICS.key(project, branch, config)
            return list((await self.store.rows_by_key([key])).values()) if self.caller.may_see(project) else []
        return await self._listed("statistics", limit=LANES_MAX, project=project, branch=branch)

    async def _group_rows(self, labels: Collection[str], project: str | None) -> list[Row]:
        """The groups of these signatures in every project the caller sees, or in the one asked for."""
        rows = await self.store.rows(RowQuery("group", labels=labels, limit=GROUP_ROWS_MAX))
        return [row for row in rows if self.caller.may_see(row.project) and project in (None, row.project)]

    async def _page(
        self,
        kind: str,
        limit: int,
        cursor: str | None,
        *,
        project: str | None = None,
        branch: str | None = None,
        labels: Collection[str] | None = None,
    ) -> Page:
        after = decode_cursor(cursor) if cursor else None
        rows = await self._listed(kind, limit=limit + 1, project=project, branch=branch, labels=labels, after=after)
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(rows=rows, next_cursor=encode_cursor(rows[-1].rank, rows[-1].key) if more else None)

    async def _listed(
        self,
        kind: str,
        *,
        limit: int,
        project: str | None = None,
        branch: str | None = None,
        labels: Collection[str] | None = None,
        label_prefix: str | None = None,
        after: tuple[int, str] | None = None,
    ) -> list[Row]:
        """Rows the caller sees, newest first: one listing where they see everything, else one per project, merged."""
        scopes = [row_kinds.branch_scope(project, branch)] if project is not None and branch is not None else None
        for_projects: Sequence[str | None] = [project]
        if project is None and self.caller.projects is not None:
            for_projects = sorted(self.caller.projects)
        listings = [
            await self.store.rows(
                RowQuery(
                    kind,
                    limit=limit,
                    # A branch's scope names its project: one filter is what one index answers.
                    project=name if scopes is None else None,
                    scopes=scopes,
                    labels=labels,
                    label_prefix=label_prefix,
                    after=after,
                )
            )
            for name in for_projects
            if name is None or self.caller.may_see(name)
        ]
        ordered = merge(*listings, key=lambda row: (-row.rank, _reversed(row.key)))
        return list(islice(ordered, limit))


def _reversed(key: str) -> tuple[int, ...]:
    """Sorts keys downwards, as the stores do within one rank."""
    return tuple(-ord(character) for character in key)
