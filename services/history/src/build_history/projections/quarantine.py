"""Quarantine: tests that are known to fail open no incident while their time lasts. Pure.

| a red build's failures                     | the branch                                     |
|--------------------------------------------|------------------------------------------------|
| all of tests in quarantine                 | as if it had no colour: neither red nor green  |
| some of tests in quarantine                | red, without the signatures of those tests     |
| not all known (cut, unclassified)          | red as ever: something else may have failed it |

Whether a test is in quarantine is asked for the day on which its build began, so that what a build shows does not
change with the clock: builds after the last day count again, those before stay as they were.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime

from build_protocol.project_config import QuarantinedTest

from build_history.builds.fact import Point


def without_quarantined(points: Iterable[Point], quarantine: Sequence[QuarantinedTest]) -> Iterator[Point]:
    """The builds as they count for incidents, in their order."""
    for point in points:
        yield _counted(point, quarantine) if quarantine and point.is_red else point


def _counted(point: Point, quarantine: Sequence[QuarantinedTest]) -> Point:
    began_on = datetime.fromtimestamp(point.started_at / 1000, UTC).date()
    held = [entry for entry in quarantine if _holds(entry, began_on)]
    shown = point.signatures or point.failing
    if not held or len(point.failed_tests) != len(shown):
        return point
    others = tuple(
        signature
        for signature, test in zip(shown, point.failed_tests, strict=True)
        if not (test and any(_names(entry.test, test) for entry in held))
    )
    if len(others) == len(shown):
        return point
    if not others:
        return point.model_copy(update={"colour": "none", "signatures": (), "failing": ()})
    return point.model_copy(update={"signatures" if point.signatures else "failing": others})


def _holds(entry: QuarantinedTest, day: date) -> bool:
    return day <= entry.expires and (entry.since is None or entry.since <= day)


def _names(pattern: str, test: str) -> bool:
    """Whether this is the test; `*` stands for any characters, all else for itself, as ids have brackets in them."""
    first, *others = pattern.split("*")
    if not others:
        return test == first
    if not test.startswith(first):
        return False
    at = len(first)
    for part in others[:-1]:
        found = test.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(test) - at >= len(others[-1]) and test.endswith(others[-1])
