"""Incidents: what a branch's verdicts are worth telling."""

import random

import pytest
from build_notifier.draft import CLOSED_KEPT
from build_notifier.late import BUILDS_KEPT
from build_notifier.planning.missing import overdue
from build_protocol.project_config import BuildConfig

CONFIGS = [f"config-{n:02}" for n in range(60)]


def test_the_first_build_is_silent(story, builds):
    """A lane's first colour is no news, red or green."""
    assert story.after(builds.verdict(1, "failed", "s"), builds.verdict(1, config="asan")).said() == []


def test_the_fix_of_a_silent_incident_is_silent(story, builds):
    """Nobody heard that it was broken, so nobody hears that it is fixed."""
    assert story.after(builds.verdict(1, "failed", "s"), builds.verdict(2)).said() == []


def test_a_break_is_told_once_however_often_it_repeats(story, builds):
    """Green, then red three times with the same failure: one message."""
    reds = [builds.verdict(n, "failed", "s") for n in (2, 3, 4)]

    assert story.after(builds.verdict(1), *reds).said() == ["opened"]
    assert story.after(builds.verdict(5, "failed", "s")).said() == []


def test_a_failing_step_is_told_before_the_build_ends_and_not_again_after(story, builds):
    """The verdict of the build that already opened the incident is no second news, whatever else failed meanwhile."""
    early = builds.verdict(2, "failed", "s", revision=0, provisional=True)

    assert story.after(builds.verdict(1), early).said() == ["opened"]
    assert story.after(early, builds.verdict(2, "failed", "s", "another")).said() == []
    assert story.after(builds.verdict(3)).said() == ["fixed"]


def test_a_build_that_ends_green_after_all_takes_its_early_alert_back(story, builds):
    """Whoever was told that it breaks is told that it is fine."""
    story.after(builds.verdict(1), builds.verdict(2, "failed", "s", revision=0, provisional=True)).said()

    assert story.after(builds.verdict(2)).said() == ["fixed"]


def test_an_early_alert_that_comes_after_the_verdict_changes_nothing(story, builds):
    """Redelivery may turn the order round."""
    story.after(builds.verdict(1), builds.verdict(2)).said()

    assert story.after(builds.verdict(2, "failed", "s", revision=0, provisional=True)).said() == []


def test_a_fix_is_told_once(story, builds):
    """Red, then green twice: one message."""
    story.after(builds.verdict(1), builds.verdict(2, "failed", "s")).said()

    assert story.after(builds.verdict(3), builds.verdict(4)).said() == ["fixed"]
    assert story.after(builds.verdict(5)).said() == []


def test_a_break_and_its_fix_within_the_quiet_period_are_told_in_order(story, builds):
    """A fast fix does not swallow the break, nor overtake it."""
    assert story.after(builds.verdict(1), builds.verdict(2, "failed", "s"), builds.verdict(3)).said() == [
        "opened",
        "fixed",
    ]


@pytest.mark.parametrize("between", ["lost", "cancelled", "timed_out"])
def test_builds_without_a_colour_say_nothing(story, builds, between):
    """red -> lost -> red is still the same red."""
    story.after(builds.verdict(1), builds.verdict(2, "failed", "s")).said()

    said = story.after(builds.verdict(3, between), builds.verdict(4, "failed", "s")).said()

    assert {"opened", "changed", "fixed"}.isdisjoint(said)


def test_an_infra_failure_is_not_a_break(story, builds):
    """A full disk on the build machine paints nothing red."""
    infra = builds.verdict(2, "failed", first_failure=builds.failure("disk", fault="infra"))

    assert story.after(builds.verdict(1), infra, builds.verdict(3)).said() == []


def test_other_origins_never_have_a_colour(story, builds):
    """A premerge or local build neither breaks nor fixes the branch."""
    story.after(builds.verdict(1))

    assert story.after(builds.verdict(2, "failed", "s", origin="local")).said() == []
    assert story.after(builds.verdict(3, "failed", "s", origin="premerge")).said() == []


def test_sixty_configs_broken_by_one_commit_are_one_incident(story, builds):
    """One message for the break, one for the fix, all configs in it."""
    story.after(*(builds.verdict(1, config=config) for config in CONFIGS))
    story.after(*(builds.verdict(2, "failed", "s", config=config) for config in CONFIGS))

    assert story.said() == ["opened"]
    (incident,) = story.branch.incidents
    assert CONFIGS == incident.red_configs
    assert story.after(*(builds.verdict(3, config=config) for config in CONFIGS)).said() == ["fixed"]


def test_a_fix_waits_for_the_last_config(story, builds):
    """Fifty-nine green configs of sixty are not fixed."""
    story.after(*(builds.verdict(1, config=config) for config in CONFIGS))
    story.after(*(builds.verdict(2, "failed", "s", config=config) for config in CONFIGS)).said()

    assert story.after(*(builds.verdict(3, config=config) for config in CONFIGS[1:])).said() == []
    assert story.after(builds.verdict(3, config=CONFIGS[0])).said() == ["fixed"]


def test_the_quiet_period_is_not_put_off_by_joins(story, builds):
    """The message leaves at its time however many configs still join."""
    story.after(*(builds.verdict(1, config=config) for config in CONFIGS))
    story.after(builds.verdict(2, "failed", "s", config=CONFIGS[0]))
    due_at = story.branch.due_at

    story.after(*(builds.verdict(2, "failed", "s", config=config) for config in CONFIGS[1:]))

    assert due_at == story.branch.due_at


def test_a_join_after_the_message_is_told_under_the_same_key(story, builds):
    """Whoever has been told holds the claim of that key; only a new owner hears."""
    story.after(builds.verdict(1), builds.verdict(1, config="asan"), builds.verdict(2, "failed", "s"))
    (first,) = story.branch.pending
    story.said()

    story.after(builds.verdict(2, "failed", "s", config="asan"))

    (second,) = story.branch.pending
    assert (first.incident, first.key) == (second.incident, second.key)


def test_a_second_signature_is_a_change_of_the_same_incident(story, builds):
    """Still red for another reason: told once, and fixed once."""
    story.after(builds.verdict(1), builds.verdict(2, "failed", "s")).said()

    assert story.after(builds.verdict(3, "failed", "t"), builds.verdict(4, "failed", "t")).said() == ["changed"]
    assert story.after(builds.verdict(5, "failed", "s")).said() == []
    assert story.after(builds.verdict(6)).said() == ["fixed"]


def test_two_breaks_of_different_configs_are_two_incidents(story, builds):
    """What looks different and hits others is another break."""
    story.after(builds.verdict(1), builds.verdict(1, config="asan"))

    said = story.after(builds.verdict(2, "failed", "s"), builds.verdict(2, "failed", "t", config="asan")).said()

    assert said == ["opened", "opened"]
    assert story.after(builds.verdict(3), builds.verdict(3, config="asan")).said() == ["fixed", "fixed"]


def test_an_old_build_repaints_nothing(story, builds):
    """A build that started earlier and ended later says nothing about the branch as it is now."""
    fine = builds.verdict(4)
    story.after(builds.verdict(1), fine)

    assert story.after(builds.verdict(3, "failed", "s", ended_at=fine.data.ended_at + 1)).said() == []
    assert story.branch.incidents == []


def test_a_break_heard_of_after_its_fix_is_told_with_it(story, builds):
    """An outage turned the order round: people hear what they would have heard, once, however often it comes again."""
    late = [builds.verdict(n, "failed", "s") for n in (4, 2, 3)]
    story.after(builds.verdict(1), builds.verdict(5))

    assert story.after(*late).said() == ["opened", "fixed"]
    (incident,) = story.branch.incidents
    assert builds.sha(5) == incident.closing.commit
    before = story.branch
    assert before == story.after(*late, builds.verdict(5)).branch


def test_a_first_build_heard_of_after_its_fix_is_silent(story, builds):
    """It was the lane's first colour, whenever it comes in."""
    assert story.after(builds.verdict(2), builds.verdict(1, "failed", "s")).said() == []


def test_a_break_from_before_what_is_remembered_is_silent(story, builds):
    """Nobody knows any more whether people were told of it."""
    story.after(*(builds.verdict(n) for n in range(1, BUILDS_KEPT + 3)))

    assert story.after(builds.verdict(1, "failed", "s")).said() == []
    assert len(story.branch.lanes["release"].builds) == BUILDS_KEPT


def test_a_break_that_was_judged_green_first_is_not_told_late(story, builds):
    """A higher revision of an older build corrects the record; the branch has long been something else."""
    story.after(builds.verdict(1), builds.verdict(2), builds.verdict(3)).said()

    assert story.after(builds.verdict(2, "failed", "s", revision=2)).said() == []


def test_a_verdict_delivered_twice_counts_once(story, builds):
    """Redelivery, also of older ones, changes nothing at all."""
    verdicts = [builds.verdict(1), builds.verdict(2, "failed", "s"), builds.verdict(3)]
    story.after(*verdicts).said()
    before = story.branch

    story.after(*verdicts, *reversed(verdicts))

    assert before == story.branch


def test_a_late_finish_overrides_lost(story, builds):
    """`lost` was provisional: revision 2 of the build is its true colour."""
    story.after(builds.verdict(1), builds.verdict(2, "lost", provisional=True))

    assert "opened" in story.after(builds.verdict(2, "failed", "s", revision=2)).said()


def test_a_late_red_reopens_a_fix_nobody_was_told_of(story, builds):
    """Config B's build of the broken commit ends after config A's fix: still one message each."""
    story.after(builds.verdict(1), builds.verdict(1, config="asan"), builds.verdict(2, "failed", "s")).said()
    story.after(builds.verdict(3), builds.verdict(2, "failed", "s", config="asan"))

    assert story.said() == []
    assert story.after(builds.verdict(3, config="asan")).said() == ["fixed"]


def test_a_late_red_of_a_fix_already_told_is_silent(story, builds):
    """The slow config's build of the broken commit is old news."""
    story.after(builds.verdict(1), builds.verdict(1, config="asan"), builds.verdict(2, "failed", "s")).said()
    story.after(builds.verdict(3)).said()

    assert story.after(builds.verdict(2, "failed", "s", config="asan")).said() == []
    assert story.after(builds.verdict(3, config="asan")).said() == []


def test_a_config_still_red_after_the_fix_was_told_opens_anew(story, builds):
    """The fix did not fix it there: people who heard `fixed` hear otherwise."""
    story.after(builds.verdict(1), builds.verdict(1, config="asan"), builds.verdict(2, "failed", "s")).said()
    story.after(builds.verdict(3)).said()
    story.after(builds.verdict(2, "failed", "s", config="asan")).said()

    assert story.after(builds.verdict(4, "failed", "s", config="asan")).said() == ["opened"]


def test_the_same_failure_after_a_fix_is_a_new_incident(story, builds):
    """Broken, fixed, broken again: three messages, two incidents."""
    story.after(builds.verdict(1), builds.verdict(2, "failed", "s")).said()
    story.after(builds.verdict(3)).said()

    assert story.after(builds.verdict(4, "failed", "s")).said() == ["opened"]
    assert len({incident.id for incident in story.branch.incidents}) == 2


def test_a_silent_incident_becomes_news_when_a_green_config_breaks(story, builds):
    """A new config was red from its first build; then one that had been green shows the same."""
    story.after(builds.verdict(1, "failed", "s"), builds.verdict(1, config="asan"))
    assert story.said() == []

    assert story.after(builds.verdict(2, "failed", "s", config="asan")).said() == ["opened"]


def test_suspects_are_what_all_configs_suspect(story, builds):
    """The ranges of the configs that broke are intersected; an unknown range narrows nothing."""
    ranges = {"release": builds.commits(4, 3, 2), "asan": builds.commits(5, 4, 3), "tsan": None}
    story.after(*(builds.verdict(1, config=config) for config in ranges))

    story.after(*(builds.verdict(4, "failed", "s", config=config, commits=c) for config, c in ranges.items()))

    (incident,) = story.branch.incidents
    assert [builds.sha(4), builds.sha(3)] == [commit.sha for commit in incident.suspects]


def test_an_unknown_range_stays_unknown(story, builds):
    """No agent sent a range: absent, not empty."""
    story.after(builds.verdict(1), builds.verdict(2, "failed", "s"))

    assert story.branch.incidents[0].suspects is None


def test_a_missing_agent_is_told_once_and_so_is_its_return(story, builds):
    """Two lost builds of one agent: missing once; the next build that ends: returned once."""
    story.after(builds.verdict(1), builds.verdict(2, "lost"), builds.verdict(2, "lost", config="asan"))

    assert story.said() == ["missing"]
    assert story.after(builds.verdict(3), builds.verdict(4)).said() == ["returned"]


def test_an_agent_back_within_the_quiet_period_was_never_missing(story, builds):
    """A late finish right after `lost`: nobody hears of either."""
    story.after(builds.verdict(1), builds.verdict(2, "lost"), builds.verdict(2, revision=2))

    assert story.said() == []


def test_a_config_is_overdue_after_twice_its_cadence(story, builds):
    """Nothing for two cadences: missing, once; the next verdict: returned."""
    configs = {"release": BuildConfig(cadence_minutes=60), "asan": BuildConfig(), "new": BuildConfig(cadence_minutes=1)}
    story.after(builds.verdict(1), builds.verdict(1, config="asan"))

    for hours, expected in ((1.9, []), (2.1, ["missing"]), (3, [])):
        now_ms = story.now_ms + round(hours * builds.hour_ms)
        story.branch = overdue(story.branch, configs, now_ms=now_ms, quiet_ms=0)
        assert expected == [transition.kind for transition in story.branch.pending]
        story.branch = story.branch.without(story.branch.pending)

    assert story.after(builds.verdict(9)).said() == ["returned"]


def test_closed_incidents_are_forgotten_beyond_a_number(story, builds):
    """A branch that breaks every day does not grow for ever."""
    story.after(builds.verdict(0))
    for n in range(1, 2 * CLOSED_KEPT + 20, 2):
        story.after(builds.verdict(n, "failed", "s"), builds.verdict(n + 1)).said()

    assert len(story.branch.incidents) <= CLOSED_KEPT + 1


@pytest.mark.parametrize("seed", range(50))
def test_any_order_of_arrival_tells_of_one_break_and_one_fix(story, builds, seed):
    """However builds of three commits overtake each other: one `opened` and one `fixed`, in this order."""
    configs = CONFIGS[:6]
    story.after(*(builds.verdict(1, config=config) for config in configs))
    verdicts = [builds.verdict(2, "failed", "s", config=config) for config in configs]
    verdicts += [builds.verdict(3, config=config) for config in configs]
    random.Random(seed).shuffle(verdicts)

    story.after(*verdicts)

    assert story.said() == ["opened", "fixed"]
    assert all(lane.colour == "green" for lane in story.branch.lanes.values())
    assert all(not incident.is_open for incident in story.branch.incidents)
