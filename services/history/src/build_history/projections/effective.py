"""Effective colours: in which order a lane's builds count, and which greens prove enough to count. Pure.

Builds count in the order they started, with one exception: where the ancestry of their commits is known it decides, so
that a retry of an old commit never repaints a newer one. A green build that ran far fewer tests than its lane's builds
do (skipped, filtered, none at all) leaves the lane as it was. So does a build of which it is not known whether it began
before or after another one: its machine was restarted before it could report.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from build_history.builds.fact import SHORT_SHA, Lane, Point

LOOKED_BACK = 20
"""Builds of the lane before a green one that tell whether the lane has tests; older ones no longer do."""

TESTED_OF = 5
ENOUGH = 0.5
"""A green build that ran a smaller share of the tests that its lane's builds ran is not green."""


def effective(points: Iterable[Point]) -> list[Point]:
    """The builds in the order in which they count, oldest first; of a green one that proves too little, no colour.

    The builds may be of several lanes: each is put in order by itself, by what its own coloured builds tell, so that
    every page comes to the same order whatever else it looks at.
    """
    lanes: defaultdict[Lane, list[Point]] = defaultdict(list)
    for point in points:
        lanes[point.lane].append(point)
    counted = (point for lane in lanes.values() for point in _proven(_placed(_certain(lane))))
    return sorted(counted, key=lambda point: point.order)


class _Ancestors:
    """Which commits descend from which, as far as the coloured builds of a lane tell."""

    def __init__(self, lane: Iterable[Point]) -> None:
        self._direct: defaultdict[str, list[str]] = defaultdict(list)
        self._of: dict[str, set[str]] = {}
        for point in lane:
            if point.commit is not None and point.colour != "none":
                self._direct[point.commit[-SHORT_SHA:]] += point.contains

    def add_to(self, known: set[str], commit: str) -> None:
        """Add what this commit descends from, where `known` holds of each of its commits all that one descends from."""
        due = list(self._direct.get(commit, ()))
        while due:
            older = due.pop()
            if older not in known:
                known.add(older)
                due += self._direct.get(older, ())

    def of(self, commit: str) -> set[str]:
        """Every commit that this one descends from."""
        if commit not in self._of:
            found: set[str] = set()
            self.add_to(found, commit)
            # Parents that form a ring cannot come from git; a commit is never its own ancestor.
            self._of[commit] = found - {commit}
        return self._of[commit]

    def relate(self, point: Point, other: Point) -> bool:
        """Whether one's commit descends from the other's."""
        one, two = (built.commit[-SHORT_SHA:] if built.commit else "" for built in (point, other))
        return bool(one and two) and (one in self.of(two) or two in self.of(one))


def _certain(lane: Sequence[Point]) -> Sequence[Point]:
    """The lane's builds; one that may have begun before or after another coloured one has no colour.

    Unless the ancestry of their commits tells which is newer.
    """
    if all(point.started_earliest_at is None for point in lane):
        return lane
    ancestors = _Ancestors(lane)
    coloured = [point for point in lane if point.colour != "none" or point.failing]

    def overlaps(point: Point, other: Point) -> bool:
        between = _earliest(point) <= other.started_at and _earliest(other) <= point.started_at
        return other.id != point.id and between and not ancestors.relate(point, other)

    return [
        point.model_copy(update={"colour": "none", "failing": ()})
        if point.started_earliest_at is not None and any(overlaps(point, other) for other in coloured)
        else point
        for point in lane
    ]


def _earliest(point: Point) -> int:
    return point.started_at if point.started_earliest_at is None else point.started_earliest_at


def _placed(lane: Sequence[Point]) -> list[Point]:
    """The lane's builds in order; one whose commit is older than an earlier build's stands right before that build."""
    ancestors = _Ancestors(lane)
    ordered = sorted(lane, key=lambda point: (point.started_at, point.id))
    overtaken: set[str] = set()
    seen: dict[str, Point] = {}
    placed: list[Point] = []
    is_moved = False
    for point in ordered:
        commit = point.commit[-SHORT_SHA:] if point.commit else None
        if commit is not None and commit in overtaken:
            placed.append(_before_descendants(point, commit, seen, ancestors))
            is_moved = True
        else:
            placed.append(point)
        if commit is not None and commit not in seen and point.colour != "none":
            seen[commit] = placed[-1]
            ancestors.add_to(overtaken, commit)
    return sorted(placed, key=lambda point: point.order) if is_moved else placed


def _before_descendants(point: Point, commit: str, seen: Mapping[str, Point], ancestors: _Ancestors) -> Point:
    later = {sha: built for sha, built in seen.items() if commit in ancestors.of(sha)}
    if not later:
        return point  # only commits that form a ring with it
    first_at = min(built.order[0] for built in later.values())
    return point.model_copy(update={"place": (first_at, -len(later))})


def _proven(lane: Sequence[Point]) -> list[Point]:
    """The lane's builds, oldest first; a green one without the tests of those before it has no colour."""
    counted: list[Point] = []
    before: list[int] = []
    for point in lane:
        tests = (point.metrics.tests if point.metrics else None) or 0
        tested = [count for count in before[-LOOKED_BACK:] if count][-TESTED_OF:]
        is_thin = point.colour == "green" and bool(tested) and tests < ENOUGH * median(tested)
        counted.append(point.model_copy(update={"colour": "none"}) if is_thin else point)
        if point.colour != "none":
            before.append(tests)
    return counted
