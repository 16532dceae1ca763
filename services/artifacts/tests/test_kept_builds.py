"""Which builds' artifacts expire."""

from build_artifacts.kept_builds import BuildNote, KeptBuild, beyond, judged
from build_protocol.ids import new_build_id
from build_protocol.messages import BuildVerdict, BuildVerdictData

NOW_AT = 1_700_000_000_000
DAY_MS = 86_400_000


def kept_builds(*builds):
    """Newest first: (age in days, good or bad, full or empty, judged or running)."""
    return [
        KeptBuild(
            note=BuildNote(
                build_id=str(at),
                lane="l",
                is_good="good" in facts,
                at=NOW_AT - days * DAY_MS,
                revision=0 if "running" in facts else 1,
            ),
            is_full="empty" not in facts,
        )
        for at, (days, facts) in enumerate(builds)
    ]


def going(builds, keep_days=90, keep_builds=50):
    return [
        note.build_id
        for note in beyond(kept_builds(*builds), now_ms=NOW_AT, keep_days=keep_days, keep_builds=keep_builds)
    ]


def test_the_last_good_build_outlives_age_and_count():
    """However old and however many red ones followed."""
    assert going([(91, "bad"), (92, "good"), (93, "good")]) == ["0", "2"]
    assert going([(1, "bad"), (2, "bad"), (3, "good"), (4, "good")], keep_builds=1) == ["1", "3"]


def test_the_days_count_from_the_receipt_and_the_order_is_the_servers():
    """A build of 1970 by its machine's clock, and one taken from another CI years late, are kept from their receipt."""
    data = {"status": "failed", "revision": 1, "received_at": NOW_AT - DAY_MS, "started_at": 5, "ended_at": 9}
    late = [{**data, "server_started_at": at, "server_ended_at": at} for at in (NOW_AT - DAY_MS, NOW_AT - 999 * DAY_MS)]
    verdicts = [
        BuildVerdict(build_id=new_build_id(1), project="p", timestamp=9, data=BuildVerdictData(**fields))
        for fields in late
    ]
    notes = [judged(verdict) for verdict in verdicts]

    assert [note.at for note in notes] == [NOW_AT - DAY_MS, NOW_AT - 999 * DAY_MS]
    lane = [KeptBuild(note=note, is_full=True) for note in notes]
    assert beyond(lane, now_ms=NOW_AT, keep_days=90, keep_builds=50) == []
    assert beyond(lane, now_ms=NOW_AT + 90 * DAY_MS, keep_days=90, keep_builds=50) == notes


def test_builds_without_artifacts_count_for_nothing():
    """They take no place, are no last good build, and their notes expire by age."""
    assert going([(1, "good empty"), (2, "bad"), (3, "good"), (4, "bad"), (99, "bad empty")], keep_builds=1) == [
        "3",
        "4",
    ]


def test_running_builds_expire_by_age_only():
    """A build without a verdict is in no lane, so its lane cannot be full."""
    assert going([(1, "running"), (2, "running"), (91, "running")], keep_builds=1) == ["2"]
