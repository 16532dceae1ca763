"""What was sent, what history shows and what pages show of a branch are one truth, whatever happened on the way.

Random histories: configs in every state, several ways to fail, builds that overlap, are retried, lost and found again,
seen to fail early, overridden, without their tests; messages late, repeated and turned round; history's store fails in
the middle of a write, its bus takes messages and does not say so, notifier reads them in any order.
"""

import asyncio
import operator
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from build_chassis.bus import Outgoing, PublishFailed
from build_chassis.errors import StoreUnavailable
from build_history.builds.override import Override
from build_history.consumer import record
from build_history.projections.config_state import ConfigStates, states_in
from build_history.projections.lanes import LaneState
from build_history.refresh import row_kinds
from build_history.refresh.outbox import Outbox
from build_history.refresh.override import NoSuchFailure, decide
from build_history.store import HistoryStore
from build_history.store import open_store as open_history
from build_history.store.contract import RowQuery
from build_notifier.consumer import Recorder
from build_notifier.messages.context import ServiceContexts
from build_notifier.messages.message import LogLine
from build_notifier.metrics import Metrics
from build_notifier.planning.planner import Planner
from build_notifier.records.branch import NEWS
from build_notifier.settings import Settings
from build_notifier.store import NotificationQuery, NotifierStore
from build_notifier.store import open_store as open_notifier
from build_protocol.ids import new_build_id
from build_protocol.incidents import IncidentChanged, IncidentState
from build_protocol.messages import BuildFailing, BuildStart, BuildVerdict, BuildVerdictData, Commit, FailureData
from build_protocol.project_config import BuildConfig, Project
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

HISTORIES = 2000 if os.environ.get("FULL") == "1" else 200
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if HISTORIES > 1000 else 300)]

NOON_AT = 1_700_000_000_000
MINUTE_MS = 60_000
CONFIGS = {"release": "production", "asan": "production", "gcc": "staging", "fuzz": "silent"}
BRANCHES = ("main", None)


@dataclass(frozen=True)
class Build:
    """One build as it went, and when what was reported of it arrived; times in minutes."""

    config: str
    branch: str | None
    commit: int
    start: int
    minutes: int
    outcome: str
    signatures: tuple[str, ...]
    early: bool
    late: str | None
    tests: int | None
    known_commits: int
    delays: tuple[int, int, int]

    def id(self, number: int, project: str) -> str:
        """The id of the build of this number in its history: every history has builds of its own."""
        return new_build_id(NOON_AT + self.start * MINUTE_MS, f"{project:>8}{number:02}".encode())

    def messages(self, number: int, project: str) -> list[tuple[int, Any]]:
        """(minute of arrival, message) of everything that is reported of it."""
        build_id = self.id(number, project)
        shared = {
            "branch": self.branch,
            "config": self.config,
            "commit": sha(self.commit),
            "commits": [
                Commit(sha=sha(n), parents=[sha(n - 1)])
                for n in range(self.commit, self.commit - self.known_commits, -1)
            ]
            or None,
        }
        start_at, end_at = NOON_AT + self.start * MINUTE_MS, NOON_AT + (self.start + self.minutes) * MINUTE_MS
        start = BuildStart.model_validate(
            {"build_id": build_id, "project": project, "timestamp": start_at, "seq": 1, "data": shared}
        )
        reports: list[tuple[int, Any]] = [(self.start, start)]

        def judged(status: str, revision: int, **more: Any) -> BuildVerdictData:
            red = status == "failed" or revision == 0
            failures = [
                FailureData(category="compile", message=name, first_line=1, signature=name, fault=more.get("fault"))
                for name in (self.signatures if red else ())
            ]
            facts: dict[str, Any] = {
                "status": status,
                "revision": revision,
                "started_at": start_at,
                **shared,
                "failures": failures,
            }
            facts["first_failure"] = failures[0] if failures else None
            facts["ended_at"] = end_at if revision else None
            facts["metrics"] = None if self.tests is None else {"tests_passed": self.tests}
            return BuildVerdictData.model_validate(facts)

        if self.early:
            at = self.start + self.minutes // 2
            failing = BuildFailing(
                build_id=build_id, project=project, timestamp=NOON_AT + at * MINUTE_MS, data=judged("failed", 0)
            )
            reports.append((at + self.delays[0], failing))
        infra = {"fault": "infra"} if self.outcome == "infra" else {}
        status = "failed" if self.outcome == "infra" else self.outcome
        for revision, (how, delay) in enumerate([(status, self.delays[1]), (self.late, self.delays[2])], 1):
            if how is not None:
                data = judged(how, revision, **infra)
                verdict = BuildVerdict(build_id=build_id, project=project, timestamp=end_at, data=data)
                reports.append((self.start + self.minutes + delay, verdict))
        return reports


def sha(n: int) -> str:
    return f"{n + 1000:040x}"


OUTCOMES = ("succeeded",) * 3 + ("failed",) * 4 + ("lost", "cancelled", "infra")
PRELUDE = [
    Build(
        config=config,
        branch=branch,
        commit=0,
        start=0,
        minutes=1,
        outcome="succeeded",
        signatures=("a",),
        early=False,
        late=None,
        tests=tests,
        known_commits=0,
        delays=(0, 0, 0),
    )
    for config, branch, tests in (("release", "main", 100), ("asan", "main", None), ("gcc", "main", None))
]
"""Most histories begin green: what is red from its first build on is no news to anybody."""


DELAY = st.sampled_from([0, 0, 0, 1, 3, 20, 45, 70, 120, 300, 600])
SIGNATURES = st.sampled_from([("a",), ("a",), ("b",), ("c",), ("a", "b"), ("c", "a")])


@st.composite
def builds(draw: st.DrawFn) -> Build:
    """Any build."""
    outcome = draw(st.sampled_from(OUTCOMES))
    return Build(
        config=draw(st.sampled_from(["release", "release", "asan", "asan", "release", "gcc", "fuzz"])),
        branch=draw(st.sampled_from(["main", "main", "main", "main", "main", None])),
        commit=draw(st.sampled_from(range(1, 9))),
        start=draw(st.sampled_from(range(5, 600, 7))),
        minutes=draw(st.sampled_from([1, 5, 20, 45, 90])),
        outcome=outcome,
        signatures=draw(SIGNATURES),
        early=outcome != "succeeded" and draw(st.sampled_from([False, False, True])),
        late=draw(st.sampled_from(["failed", "succeeded", None])) if outcome == "lost" else None,
        tests=draw(st.sampled_from([100, 100, 100, 90, 0, None])),
        known_commits=draw(st.sampled_from([0, 1, 2, 4])),
        delays=(draw(DELAY), draw(DELAY), draw(DELAY)),
    )


@dataclass(frozen=True)
class Past:
    """One random history."""

    builds: list[Build]
    overrides: list[tuple[int, str | None, int]]
    """(which build, the verdict or None to take it back, minute)."""
    batches: list[int]
    repeats: list[int]
    deaths: list[int]
    unconfirmed: list[int]
    shuffles: list[int]
    plans: list[bool]


def _some(most: int, below: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.sampled_from(range(below)), max_size=most)


PASTS = st.builds(
    Past,
    builds=st.builds(operator.add, st.sampled_from([PRELUDE] * 4 + [[]]), st.lists(builds(), min_size=5, max_size=18)),
    overrides=st.lists(
        st.tuples(st.sampled_from(range(20)), st.sampled_from(["infra", "infra", "new", None]), DELAY), max_size=6
    ),
    batches=st.lists(st.sampled_from([1, 2, 4, 9, 30]), min_size=1, max_size=3),
    repeats=_some(4, 60),
    deaths=_some(3, 60),
    unconfirmed=_some(3, 20),
    shuffles=_some(4, 30),
    plans=st.lists(st.booleans(), min_size=2, max_size=5),
)


class Wire:
    """The bus between the two: keeps what is published, and now and then does not say that it did."""

    def __init__(self, unconfirmed: list[int]) -> None:
        self.bodies: list[bytes] = []
        self._unconfirmed = unconfirmed
        self._calls = 0

    async def publish(self, messages: list[Outgoing]) -> None:
        self.bodies += [message.body for message in messages]
        self._calls += 1
        if self._calls - 1 in self._unconfirmed:
            raise PublishFailed("cut")


EVERY_KIND = {
    *("opened", "joined", "changed", "fixed", "overridden", "of staging", "summed up"),
    *("opened, no news", "fixed, no news", "withdrawn, no news"),
}


class Dying:
    """History's store, which fails at some of its writes."""

    def __init__(self, store: HistoryStore, deaths: list[int]) -> None:
        self._store = store
        self._deaths = deaths
        self._writes = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name not in ("put_facts", "put_rows", "drop_rows", "settle"):
            return method

        async def write(*arguments: Any) -> Any:
            self._writes += 1
            if self._writes - 1 in self._deaths:
                raise StoreUnavailable("history", "gone")
            return await method(*arguments)

        return write


class Config:
    """config.yaml: every project has the same configs, each with an owner."""

    project = Project(
        notification_emails=["team@example.com"],
        configs={name: BuildConfig(owner=f"{name}@example.com", state=state) for name, state in CONFIGS.items()},
    )

    def current(self) -> dict[str, Project]:
        return {}

    def get(self, _name: str) -> Project:
        return self.project


class Extracts:
    """The log of any build."""

    async def around(self, *_: object) -> list[LogLine]:
        return []


@dataclass
class World:
    """Both services, on stores that some histories share, each under a project of its own."""

    loop: asyncio.Runner
    history: HistoryStore
    notifier: NotifierStore
    count: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    """What happened in all of them: a property that nothing leads to is not proven."""

    @classmethod
    def opened(cls, loop: asyncio.Runner) -> "World":
        """A world without a past."""
        world = cls(loop, open_history("sqlite://"), open_notifier("sqlite://"))
        loop.run(world.history.open())
        loop.run(world.notifier.open())
        return world

    def renew(self) -> None:
        """Empty stores: what every one of two thousand histories left behind would slow the next."""
        self.close()
        fresh = World.opened(self.loop)
        self.history, self.notifier = fresh.history, fresh.notifier

    def close(self) -> None:
        """Close both stores."""
        self.loop.run(self.history.close())
        self.loop.run(self.notifier.close())


HISTORIES_PER_STORE = 25


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with asyncio.Runner() as loop:
        world = World.opened(loop)
        yield world
        world.close()


_GREEN = PRELUDE[0]
_RED = replace(_GREEN, commit=1, outcome="failed")
TAKEN_BACK = Past(
    builds=[_GREEN, replace(_RED, start=5), replace(_RED, start=264)],
    overrides=[(0, "infra", 6), (0, "new", 600)],
    batches=[1],
    repeats=[],
    deaths=[],
    unconfirmed=[],
    shuffles=[],
    plans=[False],
)
"""An override ends a break, which goes on as one of its own, and is taken back before people were notified of that."""


@example(past=TAKEN_BACK)
@given(past=PASTS)
@settings(
    max_examples=HISTORIES,
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
def test_what_was_sent_is_what_history_shows(world: World, past: Past) -> None:
    """For every incident: the news in it are what people got, and what they believe is what pages show."""
    world.count += 1
    if world.count % HISTORIES_PER_STORE == 0:
        world.renew()
    world.loop.run(_live(world, past, f"p{world.count}"))


def test_the_histories_were_worth_it(world: World) -> None:
    """Everything that can become of an incident did, in those histories."""
    assert EVERY_KIND <= world.seen.keys(), world.seen
    if HISTORIES > 1000:
        assert {"merged, no news", "reopened", "reopened, no news"} <= world.seen.keys(), world.seen


async def _live(world: World, past: Past, project: str) -> None:
    life = Life(world, past, project)
    await life.unfold()
    await _check(world, project)


class Life:
    """One history while it unfolds."""

    def __init__(self, world: World, past: Past, project: str) -> None:
        self._world = world
        self._past = past
        self._project = project
        self._now = NOON_AT
        self._dying: Any = Dying(world.history, past.deaths)
        self._wire = cast("Any", Wire(past.unconfirmed))
        self._read = 0
        self._outbox = Outbox(world.history, self._wire, self._clock)
        config = cast("Any", Config())
        chosen = Settings(_env_file=None, quiet_seconds=30, keep_days=36500)
        metrics = Metrics(CollectorRegistry())
        self._recorder = Recorder(world.notifier, config, chosen)
        self._planner = Planner(
            world.notifier, config, chosen, Extracts(), ServiceContexts({}), metrics=metrics, clock=self._clock
        )

    async def unfold(self) -> None:
        """Let everything happen, in the order in which it arrives, and then let both services finish."""
        waiting, overrides = self._reports(), sorted(self._past.overrides, key=lambda override: override[2])
        turn = 0
        while waiting:
            size = self._past.batches[turn % len(self._past.batches)]
            batch, waiting = waiting[:size], waiting[size:]
            self._now = NOON_AT + batch[-1][0] * MINUTE_MS
            await self._deliver([message for _, message in batch])
            while overrides and NOON_AT + overrides[0][2] * MINUTE_MS <= self._now:
                await self._override(*overrides.pop(0)[:2])
            if self._past.plans[turn % len(self._past.plans)]:
                await self._publish()
                await self._notify()
            turn += 1
        for at, verdict, _ in overrides:
            await self._override(at, verdict)
        while await self._world.history.rows(RowQuery("branch", project=self._project, labels=["due"], limit=1)):
            await self._publish()
        await self._notify()
        while await self._planner.plan_due():
            pass

    async def _publish(self) -> None:
        with suppress(PublishFailed):  # the supervisor comes back to it
            await self._outbox.step()

    def _reports(self) -> list[tuple[int, Any]]:
        """(minute, message) of all that is delivered, some of it twice."""
        once = [
            pair for number, build in enumerate(self._past.builds) for pair in build.messages(number, self._project)
        ]
        once.sort(key=lambda pair: pair[0])
        again = [(once[at % len(once)][0] + 30 * at, once[at % len(once)][1]) for at in self._past.repeats]
        return sorted([*once, *again], key=lambda pair: pair[0])

    async def _deliver(self, messages: list[Any]) -> None:
        while True:
            try:
                await record(messages, store=self._dying, excluded_configs=_states, clock=self._clock)
            except StoreUnavailable:
                continue  # the bus delivers it again
            return

    async def _override(self, at: int, verdict: Any) -> None:
        reds = [number for number, build in enumerate(self._past.builds) if build.outcome == "failed"] or [0]
        number = reds[at % len(reds)]
        build = self._past.builds[number]
        build_id = build.id(number, self._project)
        override = None if verdict is None else Override(verdict=verdict, by="ann", at=self._now)
        with suppress(NoSuchFailure):
            await decide(self._world.history, build_id, build.signatures[0], override, _states, clock=self._clock)

    async def _notify(self) -> None:
        """notifier reads what is on the wire, in any order and some of it again, and plans a minute later."""
        fresh = [IncidentChanged.model_validate_json(body) for body in self._wire.bodies[self._read :]]
        self._read = len(self._wire.bodies)
        for turn in self._past.shuffles:
            if len(fresh) > 1:
                fresh.insert(turn % len(fresh), fresh.pop())
        again = [self._wire.bodies[turn % self._read] for turn in self._past.shuffles if self._read]
        await self._recorder.record([*fresh, *map(IncidentChanged.model_validate_json, again)], self._now)
        self._now += MINUTE_MS
        await self._planner.plan_due()

    def _clock(self) -> int:
        return self._now


def _states(_project: str) -> ConfigStates:
    return states_in(Config.project)


async def _check(world: World, project: str) -> None:
    rows = await world.history.rows(RowQuery("incident", project=project, limit=500))
    incidents = [row_kinds.read_as(IncidentState, row) for row in rows]
    lanes = [
        row_kinds.read_as(LaneState, row)
        for row in await world.history.rows(RowQuery("lane", project=project, limit=500))
    ]
    sent = await _sent(world, project)
    await _check_fixes(world, incidents)
    for incident in incidents:
        _check_incident(incident, sent)
        world.seen.update(f"{noted.kind}{'' if noted.news else ', no news'}" for noted in incident.transitions)
        world.seen.update(["of staging"] if not incident.is_public else [])
    _check_lanes(incidents, lanes)
    stored = await world.notifier.branches_of(project, 9)
    copies = {subject.id for branch in stored for subject in branch.branch.open_subjects("break")}
    assert copies == {incident.id for incident in incidents if incident.state == "open"}
    assert not any(branch.branch.pending for branch in stored)
    assert sent.keys() <= {incident.id for incident in incidents}


def _check_incident(incident: IncidentState, all_sent: Mapping[str, set[str]]) -> None:
    """Everybody who is to be notified got every transition that is news, and nothing else."""
    sent = all_sent[incident.id]
    news = [noted for noted in incident.transitions if noted.news and noted.kind in NEWS]
    keys = {"opened" if NEWS[noted.kind] == "opened" else noted.key for noted in news}
    assert len({noted.key for noted in incident.transitions}) == len(incident.transitions)
    assert sent <= keys, incident
    if incident.ended_as not in ("withdrawn", "merged"):
        assert sent == keys, incident
    believed = None
    for noted in news:
        believed = "closed" if noted.kind in ("fixed", "overridden") else "open"
    if believed is None or incident.ended_as in ("withdrawn", "merged"):
        return
    if incident.state == "closed":
        assert believed == "closed", incident
    elif believed == "closed" and not any("opened" in all_sent[merged] for merged in incident.absorbed):
        # Only slow builds of what was fixed meanwhile keep it open: none of them began after that. Where another
        # incident was merged into it, of which people were notified, they know by that one.
        last = [noted for noted in news if noted.kind in ("fixed", "overridden")][-1]
        reds = [member.last_red_at for member in incident.members if member.recovered_at is None]
        assert max(reds) <= last.at, incident


async def _check_fixes(world: World, incidents: list[IncidentState]) -> None:
    """Only a green build of every config makes an incident fixed: no verdict of a person, no forgotten build."""
    fixes = [
        member.recovered_by or ""
        for incident in incidents
        if incident.ended_as == "fixed"
        for member in incident.members
    ]
    facts = await world.history.facts(fixes)
    assert {"succeeded"} >= {stored.fact.status for stored in facts.values()}
    assert facts.keys() == set(fixes)


def _check_lanes(incidents: list[IncidentState], lanes: list[LaneState]) -> None:
    """A config is red on the pages exactly while an open incident has it, or a running build of it will be red."""
    red = {
        (incident.branch or "", config)
        for incident in incidents
        if incident.state == "open"
        for config in incident.red_configs
    }
    shown = {(lane.branch, lane.config) for lane in lanes if lane.colour == "red" and lane.config != "fuzz"}
    running = {(lane.branch, lane.config) for lane in lanes if lane.running}
    assert shown <= red
    assert red <= shown | running
    signatures: defaultdict[tuple[str | None, str], list[str]] = defaultdict(list)
    for incident in incidents:
        if incident.state == "open":
            for face in incident.faces:
                signatures[incident.branch, face.signature].append(incident.id)
    assert all(len(ids) == 1 for ids in signatures.values()), "two open incidents with one face"


async def _sent(world: World, project: str) -> defaultdict[str, set[str]]:
    """By incident, the transitions of which somebody was notified, each by itself or in a summary."""
    sent: defaultdict[str, set[str]] = defaultdict(set)
    after = None
    while page := await world.notifier.list_notifications(
        NotificationQuery(limit=200, projects={project}, after=after)
    ):
        for row in page:
            if row.rule == "summary":
                world.seen["summed up"] += 1
                for item in row.message.items:
                    for incident, key in item.transitions:
                        sent[incident].add(key)
            else:
                sent[row.incident].add(row.transition)
        after = (page[-1].created_at, page[-1].id)
    return sent
