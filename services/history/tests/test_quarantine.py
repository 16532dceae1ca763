"""Quarantine: what a known failing test may not do, and what it may never hide."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from build_chassis.projects import Projects
from build_history.builds.fact import with_verdict
from build_history.consumer import record
from build_history.projections.effective import effective
from build_history.projections.incidents import fold
from build_history.projections.quarantine import without_quarantined
from build_history.refresh.config_watch import ConfigWatcher
from build_history.refresh.row_kinds import read_all
from build_history.store.contract import RowQuery
from build_protocol.incidents import IncidentState
from build_protocol.messages import FailureData
from build_protocol.project_config import QuarantinedTest
from pydantic import ValidationError

SLOW, FAST = "MLIR :: python/slow.py", "MLIR :: fast.mlir"
ISSUE = "https://example.com/issues/7"


def entry(builds, test=SLOW, days=0, **fields) -> QuarantinedTest:
    """A test in quarantine until so many days after the day of build 0."""
    day = datetime.fromtimestamp(builds.noon_at / 1000, UTC).date()
    fields = {"owner": "ann@example.com", "issue": ISSUE, "expires": day + timedelta(days=days), **fields}
    return QuarantinedTest(test=test, **fields)


def failed(builds, test, category="lit_test_failure", signature=None) -> FailureData:
    """How a test fails; what is no test's failure is named by what was built."""
    return builds.failure(signature or f"{category}-{test}", category=category, target=test)


def point(builds, n, *failures, **fields):
    """Build n, which failed so, in brief; green without failures."""
    verdict = builds.verdict(n, "failed" if failures else "succeeded", **fields)
    data = verdict.data.model_copy(update={"failures": list(failures), "first_failure": next(iter(failures), None)})
    return with_verdict(None, verdict.model_copy(update={"data": data})).point


def faces(points, *quarantine):
    """The faces of the incidents that these builds open."""
    return [found.signatures for found in fold(effective(without_quarantined(points, quarantine)))]


def test_a_build_that_only_a_quarantined_test_failed_opens_no_incident(builds) -> None:
    """Its lane is as it was: not red, and not proven green either; the next other failure is news as ever."""
    slow, other = failed(builds, SLOW), failed(builds, FAST)
    points = [point(builds, 0), point(builds, 1, slow), point(builds, 2, slow), point(builds, 3, other)]

    assert faces(points[:3]) == [[slow.signature]]
    assert faces(points[:3], entry(builds)) == []
    assert faces(points, entry(builds)) == [[other.signature]]


def test_a_quarantined_test_ends_no_incident(builds) -> None:
    """A build that only it failed proves nothing of what was broken before."""
    points = [point(builds, 1, failed(builds, FAST)), point(builds, 2, failed(builds, SLOW))]
    (found,) = fold(effective(without_quarantined(points, [entry(builds)])))

    assert not found.is_over


@pytest.mark.parametrize(
    "category", ["compile_error", "link_error", "unknown", "out_of_memory", "cmake_configure_error", "missing_header"]
)
def test_a_build_that_failed_otherwise_counts(builds, category) -> None:
    """Whatever the name: only tests are in quarantine, and what else failed is never hidden behind one."""
    slow, other = failed(builds, SLOW), failed(builds, SLOW, category)

    assert faces([point(builds, 1, slow, other)], entry(builds)) == [[other.signature]]
    assert faces([point(builds, 1, other)], entry(builds)) == [[other.signature]]


def test_what_else_a_test_in_quarantine_may_fail_by_is_kept_out_too(builds) -> None:
    """A test that hangs one day and crashes the next is the same test."""
    points = [point(builds, n, failed(builds, SLOW, kind)) for n, kind in enumerate(("timeout", "crash"), start=1)]

    assert faces(points, entry(builds)) == []


def test_a_build_of_which_not_all_is_known_counts(builds) -> None:
    """A cut list of failures, one without a signature, a fact of the time before tests were kept: red as ever."""
    slow = failed(builds, SLOW)
    cut = [failed(builds, SLOW, signature=f"s{n % 3}") for n in range(50)]
    many = [failed(builds, SLOW, signature=f"s{n}") for n in range(20)]
    nameless = slow.model_copy(update={"signature": None})
    old = point(builds, 1, slow).model_copy(update={"failed_tests": ()})

    for red in (point(builds, 1, *cut), point(builds, 1, *many), point(builds, 1, slow, nameless), old):
        assert len(faces([red], entry(builds))) == 1
    assert faces([point(builds, 1, *cut[:49])], entry(builds)) == []


def test_after_its_last_day_a_test_counts_again(builds) -> None:
    """By the day on which the build began, so that what an old build shows stays as it was."""
    slow = failed(builds, SLOW)
    points = [point(builds, 1, slow), point(builds, 11, slow), point(builds, 12, slow)]

    (found,) = fold(effective(without_quarantined(points, [entry(builds)])))
    assert found.opening.build_id == builds.id(12)
    assert faces(points, entry(builds, days=1)) == []


def test_before_its_first_day_a_test_counts(builds) -> None:
    """What broke before the quarantine was written may stay an incident."""
    slow = failed(builds, SLOW)
    held = entry(builds, days=9)
    late = held.model_copy(update={"since": held.expires})

    assert faces([point(builds, 1, slow)], late) == [[slow.signature]]
    assert faces([point(builds, 9 * 24, slow)], late) == []


@pytest.mark.parametrize(
    ("pattern", "test", "is_held"),
    [
        (SLOW, SLOW, True),
        (SLOW, f"{SLOW}x", False),
        ("MLIR :: *", SLOW, True),
        ("*slow*", SLOW, True),
        ("*slow", SLOW, False),
        ("test_a.py::test[x]", "test_a.py::test[x]", True),
        ("test_a.py::test[x]", "test_a.py::testx", False),
        ("test_a.py::test[*]", "test_a.py::test[1-f32]", True),
        ("ab*ba", "aba", False),
        ("a*b*c", "a-c-b", False),
        ("a**c", "abc", True),
    ],
)
def test_only_a_star_stands_for_others(builds, pattern, test, is_held) -> None:
    """Ids have brackets, dots and question marks of their own."""
    assert (faces([point(builds, 1, failed(builds, test))], entry(builds, pattern)) == []) is is_held


def test_a_running_build_that_only_a_quarantined_test_fails_alarms_nobody(builds) -> None:
    """Neither before its end; once another step fails, it does."""
    held = point(builds, 1, failed(builds, SLOW))
    running = held.model_copy(update={"status": "running", "colour": "none", "signatures": ()})
    running = running.model_copy(update={"failing": held.signatures, "failing_at": builds.noon_at})

    assert faces([running]) == [list(held.signatures)]
    assert faces([running], entry(builds)) == []


@pytest.mark.parametrize(
    "fault",
    [
        {"test": "*"},
        {"test": ""},
        {"owner": ""},
        {"issue": "later"},
        {"expires": "some day"},
        {"since": "2026-12-02", "expires": "2026-12-01"},
    ],
)
def test_a_quarantine_without_an_owner_an_issue_or_an_end_is_refused(fault) -> None:
    """Nor may it hold every test there is."""
    whole = {"test": "a", "owner": "ann@example.com", "issue": ISSUE, "expires": "2026-12-01"}
    assert QuarantinedTest.model_validate(whole).expires == date(2026, 12, 1)

    with pytest.raises(ValidationError):
        QuarantinedTest.model_validate({**whole, **fault})
    for name in whole:
        with pytest.raises(ValidationError):
            QuarantinedTest.model_validate({key: value for key, value in whole.items() if key != name})


async def test_a_quarantine_that_is_written_withdraws_its_incident_and_lifted_brings_it_back(store, builds, tmp_path):
    """config.yaml decides as it stands, without a restart; the build and its failure are shown as before."""
    config = tmp_path / "config.yaml"

    def write(quarantine: str) -> None:
        config.write_text(f"projects:\n  p:\n    branch: main\n{quarantine}")

    async def states() -> list[tuple[str, str | None]]:
        rows = await store.rows(RowQuery("incident", labels=["open", "closed"], limit=9))
        return [(state.state, state.ended_as) for state in read_all(IncidentState, rows)]

    write("")
    watcher = ConfigWatcher(store, Projects(config))
    verdict = builds.verdict(1, "failed")
    slow = [failed(builds, SLOW)]
    data = verdict.data.model_copy(update={"failures": slow, "first_failure": slow[0]})
    reports = [builds.verdict(0), verdict.model_copy(update={"data": data})]
    await record(reports, store=store, excluded_configs=watcher.excluded_configs)
    assert await states() == [("open", None)]
    await watcher.step()

    held = entry(builds).model_dump(mode="json", exclude_none=True)
    write(f"    quarantine: {json.dumps([held])}\n")
    assert await watcher.step() == 1
    assert await states() == [("closed", "withdrawn")]
    assert await watcher.step() == 0
    assert (await store.facts([builds.id(1)]))[builds.id(1)].fact.signatures == (slow[0].signature,)

    write("")
    assert await watcher.step() == 1
    assert await states() == [("open", None)]
