"""Missing agents and overdue configs: silence that people are notified of, and its end."""

import pytest
from build_notifier.planning.missing import note_verdict, overdue
from build_notifier.records.branch import IDLE_MS, Branch
from build_protocol.project_config import BuildConfig

QUIET_MS = 30_000


class Story:
    """A branch that lives through verdicts, a second apart."""

    def __init__(self, now_ms):
        self.branch = Branch(project="p", branch="main")
        self.now_ms = now_ms

    def after(self, *verdicts):
        """The same story after these verdicts came in."""
        for verdict in verdicts:
            self.now_ms += 1000
            self.branch = note_verdict(self.branch, verdict, now_ms=self.now_ms, quiet_ms=QUIET_MS)
        return self

    def claimed(self):
        """What is due after the quiet period, claimed once."""
        self.now_ms += QUIET_MS
        due = sorted((known for known in self.branch.pending if known.due_at <= self.now_ms), key=lambda k: k.due_at)
        self.branch = self.branch.without(due)
        return [transition.kind for transition in due]


@pytest.fixture
def story(builds):
    return Story(builds.noon_at)


def test_a_missing_agent_is_news_once_and_so_is_its_return(story, builds):
    """Two lost builds of one agent: missing once; the next build that ends: returned once."""
    story.after(builds.verdict(1), builds.verdict(2, "lost"), builds.verdict(2, "lost", config="asan"))

    assert story.claimed() == ["missing"]
    assert story.after(builds.verdict(3), builds.verdict(4)).claimed() == ["returned"]


def test_an_agent_back_within_the_quiet_period_was_never_missing(story, builds):
    """A late finish right after `lost`: nobody is notified of either."""
    story.after(builds.verdict(1), builds.verdict(2, "lost"), builds.verdict(2, revision=2))

    assert story.claimed() == []


def test_a_repeated_or_overtaken_verdict_changes_nothing(story, builds):
    """Redelivery, in any order, is no return."""
    verdicts = [builds.verdict(1), builds.verdict(2, "lost")]
    before = story.after(*verdicts).branch

    assert before == story.after(*verdicts, *reversed(verdicts)).branch


def test_a_config_is_overdue_after_twice_its_cadence(story, builds):
    """Nothing for two cadences: missing, once; the next verdict: returned."""
    configs = {"release": BuildConfig(cadence_minutes=60), "asan": BuildConfig(), "new": BuildConfig(cadence_minutes=1)}
    story.after(builds.verdict(1), builds.verdict(1, config="asan"))

    for hours, expected in ((1.9, []), (2.1, ["missing"]), (3, [])):
        now_ms = story.now_ms + round(hours * builds.hour_ms)
        story.branch = overdue(story.branch, configs, now_ms=now_ms, quiet_ms=0)
        assert expected == [transition.kind for transition in story.branch.pending]
        story.branch = story.branch.without(story.branch.pending)

    assert story.after(builds.verdict(9)).claimed() == ["returned"]


def test_what_is_gone_for_months_is_missed_no_longer(story, builds):
    """A retired machine: its silence ends without a message."""
    story.after(builds.verdict(1, "lost", agent="old"), builds.verdict(1, config="asan")).claimed()
    story.now_ms += IDLE_MS + 1

    assert story.after(builds.verdict(2, config="asan")).claimed() == []
    assert story.branch.open_subjects("missing") == []
