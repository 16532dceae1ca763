"""A branch: what history published of an incident, and what of it waits to be notified of."""

import random

import pytest
from build_notifier.records.branch import CLOSED_KEPT, Branch, apply_incident

QUIET_MS = 30_000


class Story:
    """A branch that reads what history publishes, a second apart."""

    def __init__(self, now_ms):
        self.branch = Branch(project="p", branch="main")
        self.now_ms = now_ms

    def after(self, *messages):
        for message in messages:
            self.now_ms += 1000
            self.branch = apply_incident(self.branch, message, now_ms=self.now_ms, quiet_ms=QUIET_MS)
        return self

    def pending(self):
        return [(transition.kind, transition.key) for transition in self.branch.pending]

    def claimed(self):
        """All of it is claimed."""
        claimed = self.pending()
        self.branch = self.branch.without(self.branch.pending)
        return claimed


@pytest.fixture
def story(builds):
    return Story(builds.noon_at)


def test_news_wait_and_the_rest_does_not(story, broken):
    """A silent incident is copied; nobody is to be notified of it."""
    assert story.after(broken(1, news=False).message()).pending() == []
    assert story.after(broken(2).message()).pending() == [("opened", "opened")]
    assert 2 == len(story.branch.open_subjects("break"))


def test_a_message_again_and_an_older_one_change_nothing(story, broken):
    """Replay and reordering: any message after the newest revision was read."""
    incident = broken()
    messages = [incident.message(), incident.joined("asan").message(), incident.fixed(3).message()]
    story.after(*messages)
    before = story.branch

    assert before == story.after(*messages, *reversed(messages)).branch


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_messages_notes_the_same(story, builds, broken, seed):
    """The last revision carries all transitions: which of them came first makes no difference."""
    incident = broken()
    messages = [incident.message(), incident.changed(3, "t").message(), incident.fixed(4).message()]
    random.Random(seed).shuffle(messages)

    pending = story.after(*messages).pending()

    assert [("changed", "changed:t"), ("fixed", "fixed"), ("opened", "opened")] == sorted(pending)
    assert not story.branch.subjects[0].is_open


def test_a_join_waits_under_the_key_of_the_break(story, broken):
    """Whoever was notified holds the claim of that key; only the owner of the config that joins is notified."""
    incident = broken()
    assert story.after(incident.message()).claimed() == [("opened", "opened")]

    assert story.after(incident.joined("asan").message()).claimed() == [("opened", "opened")]


def test_the_quiet_period_is_not_put_off_by_joins(story, broken):
    """The message leaves at its time however many configs still join."""
    incident = broken()
    due_at = story.after(incident.message()).branch.due_at

    story.after(*(incident.joined(f"config-{n}").message() for n in range(60)))

    assert due_at == story.branch.due_at


def test_a_fix_within_the_quiet_period_hurries_what_it_must_not_overtake(story, broken):
    """Both are due at once, the break first."""
    incident = broken()
    story.after(incident.message(), incident.fixed(3).message())

    assert {story.now_ms} == {transition.due_at for transition in story.branch.pending}
    assert story.pending() == [("opened", "opened"), ("fixed", "fixed")]


@pytest.mark.parametrize("end", ["withdrawn", "merged"])
def test_what_ended_before_anybody_was_notified_is_never_news(story, broken, end):
    """Withdrawn or merged within the quiet period: for people nothing happened."""
    incident = broken()
    story.after(incident.message(), incident.fixed(3, end, news=False).message())

    assert story.pending() == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_goes_on_in_an_incident_that_people_read_as_over_is_still_news(story, broken, order):
    """An override is taken back after the break went on: it is merged, and its own news are the only word of that."""
    first, second = broken(2), broken(3)
    story.after(first.message(), first.fixed(2, "overridden").message(), second.message())
    story.branch = story.branch.without([known for known in story.branch.pending if known.subject == first.id])
    last = [
        first.reopened(3, news=False).absorbing(second).message(),
        second.fixed(3, "merged", news=False, into=first).message(),
    ]

    story.after(*(last[at] for at in order))

    assert [(second.id, "opened")] == [(known.subject, known.key) for known in story.branch.pending]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_goes_on_in_an_incident_that_people_know_is_open_is_no_second_news(story, broken, order):
    """Whichever of the two states is read first."""
    first, second = broken(2), broken(3)
    story.after(first.message(), second.message())
    story.branch = story.branch.without([known for known in story.branch.pending if known.subject == first.id])
    last = [first.absorbing(second).message(), second.fixed(3, "merged", news=False, into=first).message()]

    story.after(*(last[at] for at in order))

    assert story.pending() == []


def test_what_was_withdrawn_unannounced_is_news_if_it_comes_back(story, broken):
    """A build seen to fail, lost, and found again: history believes that people know; they were never notified."""
    incident = broken()
    story.after(incident.message(), incident.fixed(3, "withdrawn", news=False).message())
    story.after(incident.reopened(2).message())

    assert ("opened", "opened") in story.pending()


def test_closed_incidents_are_forgotten_beyond_a_number(story, broken):
    """A branch that breaks every day does not grow for ever."""
    for n in range(1, 2 * CLOSED_KEPT):
        story.after(broken(n).fixed(n + 1).message()).claimed()

    assert len(story.branch.subjects) <= CLOSED_KEPT + 1


def test_a_baseline_notifies_nobody_and_loses_nobody(story, broken):
    """What it tells is known from then on; what waited goes on waiting; what happens after it is news."""
    incident = broken()
    first, joined = incident.message(), incident.joined("asan").message()

    def as_baseline(message):
        return message.model_copy(update={"is_baseline": True})

    assert story.after(as_baseline(first), first).pending() == []
    assert [subject.id for subject in story.branch.open_subjects("break")] == [first.data.id]
    fixed = incident.fixed(3).message()
    assert [kind for kind, _ in story.after(joined, fixed).pending()][-1] == "fixed"

    again = Story(story.now_ms)
    assert again.after(first).pending() == [("opened", "opened")]
    assert again.after(as_baseline(joined), as_baseline(fixed)).pending() == [("opened", "opened")]
