"""Identity and news: what becomes of an incident as verdicts come in, and what of that people are notified of."""

import random

import pytest
from build_history.builds.override import Override
from build_history.consumer import record
from build_history.metrics import Metrics
from build_history.projections.config_state import ConfigStates
from build_history.refresh import branch, folding, row_kinds
from build_history.refresh.override import decide
from build_history.retention import Retention
from build_history.store.contract import RowQuery
from build_protocol.incidents import IncidentState
from build_protocol.messages import BuildFailing
from prometheus_client import CollectorRegistry

CONFIGS = [f"config-{n:02}" for n in range(60)]


class Story:
    """A branch that lives through verdicts, a second apart."""

    def __init__(self, store, builds):
        self.store = store
        self.builds = builds
        self.now_ms = builds.noon_at + 1000 * builds.hour_ms
        self.states = ConfigStates()
        self._noted = {}

    async def after(self, *messages):
        """The same story after these messages came in, one by one."""
        for message in messages:
            await self.batch(message)
        return self

    async def batch(self, *messages):
        """The same story after these messages came in together."""
        self.now_ms += 1000
        await record(messages, store=self.store, excluded_configs=lambda _: self.states, clock=lambda: self.now_ms)
        return self

    async def override(self, n, signature, verdict="infra", config="default"):
        self.now_ms += 1000
        override = None if verdict is None else Override(verdict=verdict, by="ann", at=self.now_ms)
        await decide(self.store, self.builds.id(n, config), signature, override, clock=lambda: self.now_ms)
        return self

    async def incidents(self):
        """All incidents, the earliest first."""
        rows = await self.store.rows(RowQuery("incident", limit=500, newest_first=False))
        return [row_kinds.read_as(IncidentState, row) for row in rows]

    async def shown(self):
        """(state, how it ended, signatures, configs) of each."""
        return [
            (i.state, i.ended_as, [face.signature for face in i.faces], [member.config for member in i.members])
            for i in await self.incidents()
        ]

    async def news(self):
        """Kinds of the transitions that are news, of all incidents, since this was asked last."""
        fresh = []
        for incident in await self.incidents():
            known = self._noted.get(incident.id, 0)
            fresh += [noted for noted in incident.transitions[known:] if noted.news]
            self._noted[incident.id] = len(incident.transitions)
        return [noted.kind for noted in sorted(fresh, key=lambda noted: noted.at)]


@pytest.fixture
def story(sqlite_store, builds):
    return Story(sqlite_store, builds)


@pytest.fixture
def early(builds):
    """BUILD_FAILING of build n, seen ten minutes after its start."""

    def make(n, *signatures, config="default"):
        verdict = builds.verdict(n, "failed", *signatures, config=config, revision=0, provisional=True, ended_at=None)
        at = builds.noon_at + n * builds.hour_ms + 600_000
        return BuildFailing(build_id=verdict.build_id, project="p", timestamp=at, data=verdict.data)

    return make


async def test_the_first_build_is_no_news(story, builds):
    """A lane's first colour is no news, red or green; nor is the end of what nobody was notified of."""
    await story.after(builds.verdict(1, "failed", "s"), builds.verdict(1, config="asan"))
    assert await story.news() == []

    assert await (await story.after(builds.verdict(2))).news() == []
    assert [("closed", "fixed")] == [(i.state, i.ended_as) for i in await story.incidents()]


async def test_a_break_is_news_once_however_often_it_repeats(story, builds):
    """Green, then red three times with the same failure: opened, once; green twice: fixed, once."""
    await story.after(builds.verdict(1), *(builds.verdict(n, "failed", "s") for n in (2, 3, 4)))
    assert await story.news() == ["opened"]
    assert await (await story.after(builds.verdict(5, "failed", "s"))).news() == []

    assert await (await story.after(builds.verdict(6), builds.verdict(7))).news() == ["fixed"]


async def test_a_red_and_its_fix_in_one_batch_are_both_news(story, builds):
    """A fast fix does not swallow the break, nor overtake it."""
    await story.batch(builds.verdict(1), builds.verdict(2, "failed", "s"), builds.verdict(3))

    assert await story.news() == ["opened", "fixed"]


async def test_a_failing_step_opens_before_the_build_ends_and_the_verdict_is_no_second_news(story, builds, early):
    """Whatever else failed meanwhile: the same incident, without a word; then fixed."""
    await story.after(builds.verdict(1), early(2, "s"))
    assert await story.news() == ["opened"]
    (opened,) = await story.incidents()

    await story.after(early(2, "s"), builds.verdict(2, "failed", "another", "s"))
    assert await story.news() == []
    assert [opened.id] == [incident.id for incident in await story.incidents()]
    assert await (await story.after(builds.verdict(3))).news() == ["fixed"]


async def test_a_failing_build_has_no_colour_before_its_verdict(story, builds, early):
    """Its lane stays green while it runs."""
    await story.after(builds.start(2), builds.verdict(1), early(2, "s"))

    (lane,) = await story.store.rows(RowQuery("lane", limit=9))
    assert "green" == lane.label


async def test_a_build_that_ends_green_after_all_takes_its_early_alert_back(story, builds, early):
    """Whoever was notified that it breaks is notified that it is fine."""
    await (await story.after(builds.verdict(1), early(2, "s"))).news()

    assert await (await story.after(builds.verdict(2))).news() == ["fixed"]


async def test_an_early_alert_of_a_cancelled_build_is_withdrawn(story, builds, early):
    """Nobody knows whether it would have been red: it ends without a word, and not as fixed."""
    await (await story.after(builds.verdict(1), early(2, "s"))).news()
    await story.after(builds.verdict(2, "cancelled"))

    assert await story.news() == []
    assert [("closed", "withdrawn")] == [(i.state, i.ended_as) for i in await story.incidents()]


async def test_an_early_alert_that_comes_after_the_verdict_changes_nothing(story, builds, early):
    """Redelivery may turn the order round."""
    await (await story.after(builds.verdict(1), builds.verdict(2))).news()

    assert await (await story.after(early(2, "s"))).news() == []
    assert await story.incidents() == []


@pytest.mark.parametrize("between", ["lost", "cancelled", "timed_out"])
async def test_builds_without_a_colour_change_nothing(story, builds, between):
    """red -> lost -> red is still the same red."""
    await (await story.after(builds.verdict(1), builds.verdict(2, "failed", "s"))).news()

    await story.after(builds.verdict(3, between), builds.verdict(4, "failed", "s"))

    assert await story.news() == []
    assert [("open", None, ["s"], ["default"])] == await story.shown()


async def test_sixty_configs_broken_by_one_commit_are_one_incident(story, builds):
    """Opened once, sixty join, fixed by the last of them."""
    await story.batch(*(builds.verdict(1, config=config) for config in CONFIGS))
    await story.batch(*(builds.verdict(2, "failed", "s", config=config) for config in CONFIGS))
    assert ["opened", *["joined"] * 59] == await story.news()

    await story.batch(*(builds.verdict(3, config=config) for config in CONFIGS[1:]))
    assert await story.news() == []
    assert await (await story.after(builds.verdict(3, config=CONFIGS[0]))).news() == ["fixed"]


async def test_a_config_red_in_one_way_and_then_in_another_is_one_incident(story, builds):
    """Still red for another reason: changed once, and fixed once."""
    await (await story.after(builds.verdict(1), builds.verdict(2, "failed", "a"))).news()

    await story.after(builds.verdict(3, "failed", "b"), builds.verdict(4, "failed", "b"))
    assert await story.news() == ["changed"]
    assert [("open", None, ["a", "b"], ["default"])] == await story.shown()
    assert await (await story.after(builds.verdict(5, "failed", "a"))).news() == []
    assert await (await story.after(builds.verdict(6))).news() == ["fixed"]


async def test_two_breaks_of_different_configs_are_two_incidents(story, builds):
    """What looks different and hits others is another break."""
    await story.after(builds.verdict(1), builds.verdict(1, config="asan"))

    await story.after(builds.verdict(2, "failed", "s"), builds.verdict(2, "failed", "t", config="asan"))
    assert await story.news() == ["opened", "opened"]
    await story.after(builds.verdict(3), builds.verdict(3, config="asan"))
    assert await story.news() == ["fixed", "fixed"]


async def test_staging_first_then_production_is_one_identity(story, builds):
    """The first red gives the id, whoever it is shown to; its own business until release shows it too."""
    story.states = ConfigStates(staging=frozenset({"asan"}))
    await story.after(
        builds.verdict(1), builds.verdict(1, config="asan"), builds.verdict(2, "failed", "s", config="asan")
    )
    (first,) = await story.incidents()
    assert (await story.news(), first.is_public) == (["opened"], False)

    await story.after(builds.verdict(2, "failed", "s"))
    (second,) = await story.incidents()

    assert (first.id, True) == (second.id, second.is_public)
    assert await story.news() == ["joined"]


async def test_no_branch_is_null_on_the_wire(story, builds):
    """Absent, as the build reported it; nobody invents a name for it."""
    await story.after(builds.verdict(1, branch=None), builds.verdict(2, "failed", "s", branch=None))

    (incident,) = await story.incidents()
    assert incident.branch is None
    assert '"branch"' not in incident.to_json()


async def test_an_override_closes_as_overridden_and_never_as_fixed(story, builds):
    """Called infra by a person: the incident ends so, in every place; taken back, it is the same incident again."""
    await (await story.after(builds.verdict(1), builds.verdict(2, "failed", "s"))).news()
    (before,) = await story.incidents()

    await story.override(2, "s")
    (ended,) = await story.incidents()
    assert (before.id, "closed", "overridden") == (ended.id, ended.state, ended.ended_as)
    assert await story.news() == ["overridden"]

    await story.override(2, "s", None)
    (again,) = await story.incidents()
    assert (before.id, "open", None) == (again.id, again.state, again.ended_as)


async def test_an_override_of_the_last_red_config_is_no_fix(story, builds):
    """The other config recovered long ago: what closes the incident is the word, not that green build."""
    await story.after(*(builds.verdict(1, config=config) for config in ("x", "y")))
    await story.after(*(builds.verdict(2, "failed", "s", config=config) for config in ("x", "y")))
    await (await story.after(builds.verdict(3, config="x"))).news()

    await story.override(2, "s", config="y")

    assert await story.news() == ["overridden"]
    assert ["overridden"] == [incident.ended_as for incident in await story.incidents()]


async def test_two_incidents_that_turn_out_to_be_one_are_merged(story, builds):
    """Red, green, red, and the green is called back: the later one goes into the earlier, nobody is notified twice."""
    await story.after(builds.verdict(1), builds.verdict(2, "failed", "s"), builds.verdict(3))
    await (await story.after(builds.verdict(4, "failed", "s"))).news()
    first, second = await story.incidents()

    await story.after(builds.verdict(3, "lost", revision=2))

    one, other = sorted(await story.incidents(), key=lambda incident: incident.id != first.id)
    assert (one.state, other.ended_as, other.merged_into) == ("open", "merged", first.id)
    assert [second.id] == one.absorbed
    assert await story.news() == []
    assert await (await story.after(builds.verdict(5))).news() == ["fixed"]


async def test_a_late_build_that_opened_the_break_keeps_its_identity(story, builds):
    """An earlier red build comes in later: the same id, an earlier opening."""
    await story.after(builds.verdict(1), builds.verdict(3, "failed", "s"))
    (before,) = await story.incidents()

    await story.after(builds.verdict(2, "failed", "s"))

    (after,) = await story.incidents()
    assert before.id == after.id
    assert builds.id(2) == after.opening.build_id


async def test_a_build_that_was_overtaken_is_no_news(story, builds):
    """It started before a green one and ended after that: it says nothing about the branch as it is now."""
    fine = builds.verdict(4)
    await (await story.after(builds.verdict(1), fine)).news()

    await story.after(builds.verdict(3, "failed", "s", ended_at=fine.data.ended_at + 1))

    assert await story.news() == []
    assert [("closed", "fixed", ["s"], ["default"])] == await story.shown()


async def test_a_break_known_only_after_its_fix_is_news_with_it(story, builds):
    """An outage turned the order round: once, however often it comes again."""
    late = [builds.verdict(n, "failed", "s") for n in (4, 2, 3)]
    await story.after(builds.verdict(1), builds.verdict(5))

    await story.after(*late)
    assert await story.news() == ["opened", "fixed"]
    before = await story.incidents()
    await story.after(*late, builds.verdict(5))
    assert before == await story.incidents()


async def test_a_verdict_delivered_twice_counts_once(story, builds):
    """Redelivery, also of older ones, changes nothing at all, not even a revision."""
    verdicts = [builds.verdict(1), builds.verdict(2, "failed", "s"), builds.verdict(3)]
    await story.after(*verdicts)
    before = await story.incidents()

    await story.after(*verdicts, *reversed(verdicts))

    assert before == await story.incidents()


async def test_a_late_finish_overrides_lost(story, builds):
    """`lost` was provisional: revision 2 of the build is its true colour."""
    await story.after(builds.verdict(1), builds.verdict(2, "lost", provisional=True))

    assert await (await story.after(builds.verdict(2, "failed", "s", revision=2))).news() == ["opened"]


async def test_a_late_red_of_a_fix_is_no_news(story, builds):
    """The slow config's build of the broken commit: open again until its own green, and not a word of either."""
    await story.after(builds.verdict(1), builds.verdict(1, config="asan"), builds.verdict(2, "failed", "s"))
    await (await story.after(builds.verdict(3))).news()

    await story.after(builds.verdict(2, "failed", "s", config="asan"))
    assert (await story.news(), (await story.incidents())[0].state) == ([], "open")
    await story.after(builds.verdict(3, config="asan"))
    assert (await story.news(), (await story.incidents())[0].state) == ([], "closed")


async def test_a_config_still_red_after_the_fix_is_news_again(story, builds):
    """The fix did not fix it there: people who read `fixed` read otherwise, and at last fixed again."""
    await story.after(builds.verdict(1), builds.verdict(1, config="asan"), builds.verdict(2, "failed", "s"))
    await (await story.after(builds.verdict(3), builds.verdict(2, "failed", "s", config="asan"))).news()

    assert await (await story.after(builds.verdict(4, "failed", "s", config="asan"))).news() == ["reopened"]
    assert await (await story.after(builds.verdict(5, config="asan"))).news() == ["fixed"]


async def test_the_same_failure_after_a_fix_is_a_new_incident(story, builds):
    """Broken, fixed, broken again: two incidents."""
    await (await story.after(builds.verdict(1), builds.verdict(2, "failed", "s"), builds.verdict(3))).news()

    assert await (await story.after(builds.verdict(4, "failed", "s"))).news() == ["opened"]
    assert 2 == len({incident.id for incident in await story.incidents()})


async def test_a_silent_incident_becomes_news_when_a_green_config_breaks(story, builds):
    """A new config was red from its first build; then one that had been green shows the same."""
    await story.after(builds.verdict(1, "failed", "s"), builds.verdict(1, config="asan"))
    assert await story.news() == []

    assert await (await story.after(builds.verdict(2, "failed", "s", config="asan"))).news() == ["joined"]


async def test_a_retry_of_an_old_commit_fixes_nothing(story, builds):
    """Commit 1 built again after commit 2 broke: green as it was, and no news of commit 2."""
    await story.after(builds.verdict(1), builds.verdict(2, "failed", "s", commits=[builds.commit(2)]))
    await story.news()

    await story.after(builds.verdict(3, commit=builds.sha(1)))

    assert (await story.news(), (await story.incidents())[0].state) == ([], "open")


async def test_a_green_without_its_tests_fixes_nothing(story, builds):
    """The lane's builds run tests: one that skipped them closes no incident; one that ran them does."""
    tested, skipped = {"tests_passed": 90, "tests_failed": 10}, {"tests_skipped": 100}
    await story.after(builds.verdict(1, metrics=tested), builds.verdict(2, "failed", "s", metrics=tested))
    await story.news()

    assert await (await story.after(builds.verdict(3, metrics=skipped), builds.verdict(4))).news() == []
    assert await (await story.after(builds.verdict(5, metrics=tested))).news() == ["fixed"]


async def test_retention_never_says_fixed(story, builds):
    """An incident outlives its builds; when its branch is built again it is withdrawn, without a word."""
    await (await story.after(builds.verdict(1), builds.verdict(2, "failed", "s"))).news()
    retention = Retention(story.store, Metrics(CollectorRegistry()), keep_days=40)
    await retention.forget_old(builds.noon_at + 24 * 41 * builds.hour_ms)

    await story.after(builds.verdict(24 * 41, config="asan"))

    assert (await story.news(), [i.ended_as for i in await story.incidents()]) == ([], ["withdrawn"])


async def test_a_config_that_is_gone_keeps_no_incident_open(story, builds):
    """Retired while it was red: after three months without a build its incident is withdrawn, without a word."""
    await story.after(builds.verdict(1), builds.verdict(2, "failed", "s"), builds.verdict(3, config="asan"))
    await story.news()
    story.now_ms += branch.IDLE_MS

    looked_at = [await branch.withdraw_idle(story.store, lambda _: story.states, lambda: story.now_ms) for _ in "ab"]

    assert (looked_at, await story.news()) == ([1, 0], [])
    assert [("closed", "withdrawn")] == [(i.state, i.ended_as) for i in await story.incidents()]
    revision = (await story.incidents())[0].revision
    await story.after(builds.verdict(24 * 91, config="asan"))
    assert revision == (await story.incidents())[0].revision


async def test_builds_of_long_ago_are_no_reason_to_call_them_gone(story, builds):
    """A history that is brought in late: its last red builds are as open as they were left."""
    story.now_ms += 10 * branch.IDLE_MS

    await story.after(builds.verdict(1), builds.verdict(2, "failed", "s"))

    assert ["open"] == [incident.state for incident in await story.incidents()]


@pytest.mark.slow
async def test_old_incidents_are_settled_and_the_row_stays_small(story, builds, monkeypatch):
    """A branch that breaks every other build does not grow for ever, and what is open goes on."""
    monkeypatch.setattr(folding, "RECORDS_MAX", 5)
    await story.after(builds.verdict(0, config="asan"), builds.verdict(1, "failed", "old", config="asan"))
    for n in range(0, 40, 2):
        await story.after(builds.verdict(n + 2), builds.verdict(n + 3, "failed", f"s-{n}"))

    (row,) = await story.store.rows(RowQuery("branch", limit=9))
    assert len(row_kinds.read_as(row_kinds.Branch, row).incidents) <= 7
    assert 21 == len(await story.incidents())
    await story.after(builds.verdict(60, config="asan"))
    assert [] == [i.id for i in await story.incidents() if i.state == "open" and i.faces[0].signature == "old"]


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_of_arrival_is_one_break_and_one_fix(story, builds, seed):
    """However builds of three commits overtake each other: one incident, one `opened`, one `fixed`."""
    configs = CONFIGS[:6]
    await story.batch(*(builds.verdict(1, config=config) for config in configs))
    verdicts = [builds.verdict(2, "failed", "s", config=config) for config in configs]
    verdicts += [builds.verdict(3, config=config) for config in configs]
    random.Random(seed).shuffle(verdicts)

    await story.after(*verdicts)

    (incident,) = await story.incidents()
    assert (incident.state, incident.ended_as, len(incident.members)) == ("closed", "fixed", 6)
    news = [kind for kind in await story.news() if kind in ("opened", "fixed", "changed", "reopened")]
    assert news == ["opened", "fixed"]


async def test_what_was_over_before_it_was_sent_opens_nothing(story, builds):
    """A mirror's first look at another CI: red builds of last week are no incident, and nobody is notified."""
    old = {"backfill": True}
    await story.after(builds.verdict(1, **old), builds.verdict(2, "failed", "s", **old))
    await story.after(builds.verdict(3, "failed", "s", config="asan", **old), builds.verdict(4, "failed", "t", **old))

    assert (await story.news(), list(await story.incidents())) == ([], [])


async def test_what_is_still_red_is_an_incident_since_its_first_build_and_no_news(story, builds):
    """A build that shows as it runs what those of last week showed: red since then, so that nobody is notified now."""
    await story.after(builds.verdict(1, backfill=True), builds.verdict(2, "failed", "s", backfill=True))

    assert await (await story.after(builds.verdict(3, "failed", "s"))).news() == []

    (incident,) = await story.incidents()
    assert (incident.state, incident.opening.build_id) == ("open", builds.id(2))
    assert await (await story.after(builds.verdict(4))).news() == []
    (incident,) = await story.incidents()
    assert (incident.state, incident.ended_as) == ("closed", "fixed")


async def test_a_new_break_beside_a_backfilled_one_is_news(story, builds):
    """Another failure, shown by a build as it runs, is reported although the break it belongs to was not."""
    await story.after(builds.verdict(1, backfill=True), builds.verdict(2, "failed", "s", backfill=True))
    await story.news()

    assert await (await story.after(builds.verdict(3, "failed", "t"))).news() == ["changed"]
