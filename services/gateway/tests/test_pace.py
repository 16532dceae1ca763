"""The pace: rows at once when idle, merged when they come too fast."""

import json

from build_gateway.viewers.events import BuildEvent
from build_gateway.viewers.pace import LONGEST_SECONDS, SHORTEST_SECONDS, Pace


def row(revision: int, *events: str, build_id: str = "a") -> BuildEvent:
    text = json.dumps({"type": "BUILD", "events": list(events), "build": {"revision": revision}})
    return BuildEvent(build_id, "p", revision, frozenset(events), text)


def test_an_idle_build_is_never_delayed() -> None:
    """The first row goes out at once."""
    assert Pace().offer(row(1, "BUILD_START"), now=5.0) is not None


def test_rows_that_come_too_fast_become_the_newest_with_all_their_types() -> None:
    """Three rows within the interval are shown as two, and none of the types is lost."""
    pace = Pace()
    pace.offer(row(1, "BUILD_START"), now=0.0)

    assert pace.offer(row(2, "BUILD_LOG"), now=0.001) is None
    assert pace.offer(row(3, "BUILD_COMPLETE"), now=0.002) is None
    assert pace.due(now=0.003) == []
    (held,) = pace.due(now=SHORTEST_SECONDS)

    assert held.revision == 3
    assert json.loads(held.text)["events"] == ["BUILD_COMPLETE", "BUILD_LOG"]
    assert pace.next_at() is None


def test_a_large_audience_of_many_builds_is_shown_rows_less_often() -> None:
    """The interval grows with viewers times busy builds, to a bound."""
    pace = Pace()
    for number in range(100):
        pace.offer(row(1, "BUILD_START", build_id=str(number)), now=0.0)
    pace.adapt(viewers=200, now=0.1)

    assert pace.offer(row(2, "BUILD_LOG", build_id="1"), now=LONGEST_SECONDS / 2) is None
    assert pace.next_at() == LONGEST_SECONDS


def test_quiet_builds_are_forgotten() -> None:
    """A build seen long ago costs no memory and no interval."""
    pace = Pace()
    for number in range(100):
        pace.offer(row(1, "BUILD_START", build_id=str(number)), now=0.0)
    pace.adapt(viewers=200, now=3600.0)
    pace.offer(row(2, "BUILD_LOG", build_id="1"), now=3600.0)

    assert pace.offer(row(3, "BUILD_LOG", build_id="1"), now=3600.0 + 2 * SHORTEST_SECONDS) is not None
