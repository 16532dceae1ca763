"""Facts: the same fact comes out, in whatever order and however often a build's messages arrive."""

from itertools import permutations

from build_history.builds.fact import UNCLASSIFIED, Fact, with_start, with_verdict


def merged(*messages):
    fact = None
    for message in messages:
        fact = with_start(fact, message) if message.type == "BUILD_START" else with_verdict(fact, message)
    return fact


def test_any_order_and_any_repetition_give_the_same_fact(builds):
    """Start, provisional verdict and final verdict, in each order and each sent twice, merge into one fact."""
    start = builds.start(1, commit_subject="fix it", commits=[builds.commit(1)])
    lost = builds.verdict(1, "lost", provisional=True)
    final = builds.verdict(1, "failed", "sig", revision=2)

    facts = {merged(*order, *order).to_json() for order in permutations([start, lost, final])}

    assert len(facts) == 1
    fact = Fact.model_validate_json(facts.pop())
    assert (fact.status, fact.revision, fact.commit_subject) == ("failed", 2, "fix it")
    assert [builds.sha(1)] == [commit.sha for commit in fact.commits or ()]


def test_an_older_revision_changes_nothing(builds):
    """Revision 1 after revision 2 is history."""
    fact = with_verdict(None, builds.verdict(1, revision=2))

    assert fact is with_verdict(fact, builds.verdict(1, "failed", "sig", revision=1))


def test_an_unknown_range_stays_unknown(builds):
    """No commits reported is None; a verdict that repeats none does not erase what the start reported."""
    assert merged(builds.start(1)).commits is None
    fact = merged(builds.start(1, commits=[builds.commit(1)]), builds.verdict(1, commits=None))
    assert [builds.sha(1)] == [commit.sha for commit in fact.commits or ()]


def test_a_commit_named_late_is_known_by_its_verdict(builds):
    """An agent on a busy machine reports its commit after the start; the verdict repeats what was reported."""
    fact = merged(builds.start(1), builds.verdict(1, commit_subject="fix it", commit_author="Ada"))

    assert (fact.commit_subject, fact.commit_author) == ("fix it", "Ada")


def test_a_failure_without_a_name_is_unclassified(builds):
    """A failed build that analysis could not explain is red under a name of its own, never without one."""
    assert with_verdict(None, builds.verdict(1, "failed")).signatures == (UNCLASSIFIED,)
    assert with_verdict(None, builds.verdict(1, "cancelled")).signatures == ()


def test_the_first_failure_stands_in_front(builds):
    """The first failure's signature leads, wherever the list has it."""
    verdict = builds.verdict(1, "failed", "b", "a")
    verdict = verdict.model_copy(
        update={"data": verdict.data.model_copy(update={"first_failure": builds.failure("a")})}
    )

    assert with_verdict(None, verdict).signatures == ("a", "b")


def test_queue_time_is_known_only_when_reported(builds):
    """A build announced as queued waited from then to its start; any other waited nobody knows how long."""
    queued = merged(builds.start(1, status="queued"), builds.verdict(1, started_at=builds.noon_at + 2 * builds.hour_ms))

    assert builds.hour_ms == queued.point.queue_ms
    assert merged(builds.start(1), builds.verdict(1)).point.queue_ms is None


def test_only_ci_builds_of_code_have_a_colour(builds):
    """Succeeded is green and failed is red; lost, cancelled, timed out, infra and local builds have none."""
    colours = {
        status: merged(builds.verdict(1, status)).point.colour
        for status in ("succeeded", "failed", "lost", "cancelled", "timed_out")
    }

    assert colours == {
        "succeeded": "green",
        "failed": "red",
        "lost": "none",
        "cancelled": "none",
        "timed_out": "none",
    }
    infra = builds.verdict(1, "failed", first_failure=builds.failure("disk", fault="infra"))
    assert merged(infra).point.colour == "none"
    assert merged(builds.verdict(1, origin="local")).point.colour == "none"


def test_a_build_that_its_source_calls_infra_has_no_colour(builds) -> None:
    """Another CI knows that its machine failed: whatever the log shows, the build is nobody's red."""
    for signatures in ((), ("sig",)):
        fact = with_verdict(None, builds.verdict(1, "failed", *signatures, fault="infra"))
        silent = with_verdict(None, builds.verdict(1, "failed", *signatures))

        assert ("none", "infra") == (fact.point.colour, fact.fault)
        assert silent.point.colour == "red"
