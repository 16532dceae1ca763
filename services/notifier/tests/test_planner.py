"""Planning and scheduled work: who is notified when, once, through crashes, joins, quiet hours and digests."""

import asyncio
from typing import Any, cast

import pytest
from build_chassis.errors import StoreUnavailable
from build_notifier.consumer import Recorder
from build_notifier.messages.context import ServiceContexts
from build_notifier.messages.extract import NoExtract
from build_notifier.messages.message import LogLine
from build_notifier.metrics import Metrics
from build_notifier.planning.planner import PATIENCE_MS, Planner
from build_notifier.planning.scheduled import ScheduledWork
from build_notifier.records.mutes import Mute
from build_notifier.settings import Settings
from build_notifier.store import NotificationQuery
from build_protocol.project_config import BuildConfig, Project
from prometheus_client import CollectorRegistry

TEAM = Project(notification_emails=["team@example.com"])


class Config:
    """config.yaml as a test sets it."""

    def __init__(self):
        self.project = TEAM

    def current(self):
        return {"p": self.project}

    def get(self, name):
        return self.project


class Extracts:
    """The log of any build, or why it cannot be read."""

    def __init__(self):
        self.fault = None

    async def around(self, evidence, project):
        if self.fault is not None:
            raise self.fault
        return [LogLine(number=120, text="error s", is_hit=True)]


class Office:
    """Recorder, planner and scheduled work on one store, stepped by hand."""

    def __init__(self, store, clock, **fields):
        self.store, self.clock = store, clock
        self.config, self.extracts = cast("Any", Config()), cast("Any", Extracts())
        settings = Settings(_env_file=None, quiet_seconds=30, **{"keep_days": 36500, **fields})
        self.recorder = Recorder(store, self.config, settings)
        self.planner = Planner(
            store,
            self.config,
            settings,
            self.extracts,
            ServiceContexts({}),
            metrics=Metrics(CollectorRegistry()),
            clock=clock,
        )
        self.scheduled_work = ScheduledWork(store, self.config, settings, clock)

    async def receive(self, *messages):
        await self.recorder.record(messages, self.clock())

    async def plan(self, after_seconds=30):
        self.clock.move(after_seconds)
        await self.planner.plan_due()
        return await self.decided()

    async def die_planning(self, monkeypatch):
        """The claims are made, and the process dies before the branch is replaced."""

        async def die(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(self.store, "put_branch", die)
            with pytest.raises(KeyboardInterrupt):
                await self.plan()

    async def decided(self):
        """(transition, recipient) of everything decided, in no particular order."""
        rows = await self.store.list_notifications(NotificationQuery(limit=100))
        return sorted((row.transition, row.recipient) for row in rows)


@pytest.fixture
def office(sqlite_store, clock):
    return Office(sqlite_store, clock)


async def test_nothing_is_decided_within_the_quiet_period(office, broken):
    """Thirty seconds for others to join, then one decision."""
    await office.receive(broken().message())

    assert await office.plan(29.9) == []
    assert await office.plan(0.1) == [("opened", "team@example.com")]


async def test_a_crash_between_claim_and_branch_repeats_nothing(office, broken, monkeypatch):
    """The claims are made, the process dies before the branch is replaced: the next one decides the same."""
    await office.receive(broken().message())
    await office.die_planning(monkeypatch)

    assert await office.plan(0) == [("opened", "team@example.com")]
    assert await office.store.due_branches(2**52, 9) == []


async def test_a_later_join_is_news_to_its_owner_only(office, broken):
    """Whoever was notified holds the claim; the owner of the config that joins is notified of the same incident."""
    office.config.project = TEAM.model_copy(update={"configs": {"asan": BuildConfig(owner="ann@example.com")}})
    incident = broken()
    await office.receive(incident.message())
    assert await office.plan() == [("opened", "team@example.com")]

    await office.receive(incident.joined("asan").message())

    assert await office.plan() == [("opened", "ann@example.com"), ("opened", "team@example.com")]


async def test_two_replicas_decide_everything_once(sqlite_store, clock, broken):
    """Two services share queue and store: half of sixty messages each, some both; one decision."""
    replicas = [Office(sqlite_store, clock), Office(sqlite_store, clock)]
    incident = broken(configs=["config-00"])
    messages = [incident.message(), *(incident.joined(f"config-{n:02}").message() for n in range(1, 60))]

    async def listen(replica, own):
        for message in own:
            while True:
                try:
                    await replica.receive(message)
                except StoreUnavailable:  # lost every race for the row: the bus delivers it again
                    await asyncio.sleep(0)
                else:
                    break

    halves = (messages[:35], messages[25:])
    await asyncio.gather(*(listen(replica, half) for replica, half in zip(replicas, halves, strict=True)))
    await asyncio.gather(*(replica.plan() for replica in replicas))

    (stored,) = await sqlite_store.branches_of("p", 9)
    assert [f"config-{n:02}" for n in range(60)] == sorted(stored.branch.subjects[0].red_configs)
    assert await replicas[0].decided() == [("opened", "team@example.com")]


async def test_a_message_in_between_is_not_lost(office, broken, monkeypatch):
    """While the planner is at work the branch is fixed: the fix is the next news."""
    incident = broken()
    await office.receive(incident.message())
    put = office.store.put_branch

    async def meanwhile(branch, replaces):
        monkeypatch.setattr(office.store, "put_branch", put)
        await office.receive(incident.fixed(3).message())
        return await put(branch, replaces)

    monkeypatch.setattr(office.store, "put_branch", meanwhile)
    await office.plan()

    assert await office.plan() == [("fixed", "team@example.com"), ("opened", "team@example.com")]


async def test_a_log_that_never_comes_does_not_hold_the_mail_for_ever(office, broken):
    """Two minutes of patience, then it leaves without, and shows why."""
    office.extracts.fault = NoExtract("the log could not be read", permanent=False)
    await office.receive(broken().message())

    assert await office.plan() == []
    assert await office.plan(PATIENCE_MS / 1000) == [("opened", "team@example.com")]
    (row,) = await office.store.list_notifications(NotificationQuery(limit=9))
    assert (row.message.extract, row.message.extract_fault) == ([], "the log could not be read")


async def test_a_project_that_names_nobody_shows_what_it_would_have_sent(office, broken):
    """Recorded as suppressed, so that whoever looks finds the reason."""
    office.config.project = Project()
    await office.receive(broken().message())
    await office.plan()

    (row,) = await office.store.list_notifications(NotificationQuery(limit=9))
    assert (row.state, row.reason) == ("suppressed", "config.yaml names nobody to notify for p")


async def test_what_is_not_wanted_is_not_recorded(office, broken):
    """`notify: []` is a wish, not a fault."""
    office.config.project = TEAM.model_copy(update={"notify": ()})
    await office.receive(broken().message())

    assert await office.plan() == []
    assert await office.store.due_branches(2**52, 9) == []


async def test_quiet_hours_hold_a_mail_back(office, builds, broken):
    """Decided now, sent in the morning."""
    office.config.project = TEAM.model_copy(update={"quiet_hours": "11:00-14:00 UTC"})
    await office.receive(broken().message())
    await office.plan()

    (row,) = await office.store.list_notifications(NotificationQuery(limit=9))
    assert builds.noon_at + 2 * builds.hour_ms == row.due_at


async def test_a_commit_gets_a_status_from_each_build(office, builds):
    """CI and premerge builds, per revision; local and lost ones prove nothing about a commit."""
    office.config.project = TEAM.model_copy(update={"channels": ["github://llvm/torch-mlir"]})
    verdicts = [
        builds.verdict(1),
        builds.verdict(2, "failed", "s", origin="premerge"),
        builds.verdict(3, origin="local"),
        builds.verdict(4, "failed", "s", backfill=True),
        builds.verdict(4, "lost"),
        builds.verdict(4, revision=2),
    ]
    await office.receive(*verdicts)
    await office.receive(*verdicts)

    rows = await office.store.list_notifications(NotificationQuery(limit=9))
    assert sorted([(1, "1:succeeded"), (2, "1:failed"), (4, "2:succeeded")]) == sorted(
        (int(row.message.evidence.commit, 16), row.transition) for row in rows
    )


async def test_the_digest_is_sent_once_a_day_while_something_is_red(office, broken):
    """What broke before the hour and still is broken; nothing red, no digest; asked often, sent once."""
    office.config.project = TEAM.model_copy(update={"notify": ("still_red",)})
    incident = broken()
    await office.receive(incident.message())
    sent = []
    for hours in (1, 18, 1, 1, 22, 24):  # noon, then 13:00, 07:00, 08:00, 09:00, 07:00, 07:00
        office.clock.move(hours * 3600)
        if hours == 24:
            await office.receive(incident.fixed(3).message())
        await office.scheduled_work.sweep()
        sent.append(len(await office.decided()))

    assert sent == [0, 1, 1, 1, 2, 2]


async def test_what_happened_before_a_restore_is_news_to_nobody(office, broken):
    """Read again from agents, late or not: decided, shown with the reason and not sent; what happens next is sent."""
    office.clock.move(7 * 3600)
    await office.store.note_time("restored", office.clock.ms)
    await office.receive(broken(2).message())
    office.clock.move(60)
    await office.receive(broken(3, "t", at=office.clock.ms).message())

    await office.plan()

    rows = await office.store.list_notifications(NotificationQuery(limit=100))
    assert {broken(2).id: "suppressed", broken(3, "t").id: "queued"} == {row.incident: row.state for row in rows}


async def test_a_restore_repeats_no_digest_of_its_day(office, broken):
    """The one of the next morning is sent."""
    office.config.project = TEAM.model_copy(update={"notify": ("still_red",)})
    await office.receive(broken().message())
    office.clock.move(24 * 3600)
    await office.store.note_time("restored", office.clock.ms)
    await office.scheduled_work.sweep()
    assert await office.decided() == []
    office.clock.move(24 * 3600)
    await office.scheduled_work.sweep()
    assert len(await office.decided()) == 1


async def test_an_overdue_config_is_missed_after_the_services_own_start(office, builds):
    """After an outage of our own nobody is called overdue before what was missed has been read."""
    office.config.project = TEAM.model_copy(
        update={"notify": ("agent_missing",), "configs": {"release": BuildConfig(cadence_minutes=5)}}
    )
    await office.receive(builds.verdict(1))
    office.clock.move(599)
    await office.scheduled_work.sweep()
    assert await office.plan() == []
    office.clock.move(60)

    await office.scheduled_work.sweep()

    assert await office.plan() == [("missing", "team@example.com")]


async def test_what_happened_during_an_outage_is_one_summary_of_its_branch(office, builds, broken):
    """Read seven hours late: three incidents, one of them fixed, and one mail to each; nothing again when replayed."""
    office.config.project = TEAM.model_copy(update={"configs": {"asan": BuildConfig(owner="ann@example.com")}})
    office.clock.move(7 * 3600)
    late = [broken(2), broken(3, "t", configs=["asan"]), broken(4, "u").fixed(5)]
    messages = [incident.message() for incident in late]
    await office.receive(*messages)

    assert await office.plan() == [("summary:opened", "ann@example.com"), ("summary:opened", "team@example.com")]
    rows = {row.recipient: row.message for row in await office.store.list_notifications(NotificationQuery(limit=9))}
    assert ["opened", "opened", "opened, fixed"] == sorted(item.news for item in rows["team@example.com"].items)
    assert [["asan"]] == [item.configs for item in rows["ann@example.com"].items]
    await office.receive(*messages)
    assert len(await office.plan()) == 2
    assert await office.store.due_branches(2**52, 9) == []


async def test_a_crash_between_summary_and_branch_repeats_nothing_and_forgets_nothing(
    office, builds, broken, monkeypatch
):
    """The summary is claimed, the process dies, more comes in: that is in a summary of its own."""
    office.clock.move(7 * 3600)
    await office.receive(broken(2).message())
    await office.die_planning(monkeypatch)
    await office.receive(broken(3, "t").message())

    for _ in range(2):
        await office.plan()
    messages = [row.message for row in await office.store.list_notifications(NotificationQuery(limit=9))]
    assert [[["opened"]], [["opened"]]] == [
        [[key for _, key in i.transitions] for i in message.items] for message in messages
    ]
    assert 2 == len({item.transitions[0][0] for message in messages for item in message.items})


async def test_a_mute_follows_the_incident_into_another(office, builds, broken):
    """Muted by its id, then merged: the incident it went into is as silent."""
    first, second = broken(2), broken(3, "t")
    await office.store.put_mute(
        Mute(id="m", project="p", incident=second.id, until_at=2**52, created_by="ann", created_at=1)
    )
    await office.receive(first.message(), second.message())
    await office.plan()
    await office.receive(second.fixed(4, "merged", news=False).message(), first.fixed(5).absorbing(second).message())
    await office.plan()

    rows = await office.store.list_notifications(NotificationQuery(limit=9))
    states = sorted((row.incident == first.id, row.transition, row.state) for row in rows)
    assert states == [
        (False, "opened", "suppressed"),
        (True, "fixed", "suppressed"),
        (True, "opened", "queued"),
    ]


async def test_a_mute_until_fixed_ends_with_its_incident(office, builds, broken):
    """Another face is silent, the fix is notified of, and what breaks again is news: the mute is gone."""
    incident = broken(2)
    mute = Mute(
        id="m", project="p", incident=incident.id, until_at=2**52, until_fixed=True, created_by="ann", created_at=1
    )
    await office.receive(incident.message())
    await office.plan()
    await office.store.put_mute(mute)
    await office.receive(incident.changed(3, "t").message())
    await office.plan()
    await office.receive(incident.fixed(4).message())
    await office.plan()
    assert await office.store.mutes() == []
    await office.receive(incident.reopened(5).message())
    await office.plan()

    rows = await office.store.list_notifications(NotificationQuery(limit=9))
    assert sorted((row.transition, row.state) for row in rows) == [
        ("changed:t", "suppressed"),
        ("fixed", "queued"),
        ("opened", "queued"),
        ("reopened", "queued"),
    ]
