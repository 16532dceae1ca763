"""Index keys: under which tags a fact is found again, and which derived rows it touches.

Tags and keys are digests, so that names of any length and any characters make short, equal index entries in every
store.
"""

from hashlib import blake2b
from typing import NamedTuple

from build_history.builds.fact import Fact, Lane, Point

EVERY = "0" * 32
"""The tag of every fact, found by start."""


class Touched(NamedTuple):
    """A derived row that a fact has part in: its kind and the words that name it."""

    kind: str
    words: tuple[str, ...]


def digest(*words: str) -> str:
    """32 hex digits that stand for these words, in this order."""
    return blake2b("\x1f".join(words).encode(), digest_size=16).hexdigest()


def lane_tag(lane: Lane) -> str:
    """All builds of a lane."""
    return digest("lane", *lane)


def colour_tag(lane: Lane, colour: str) -> str:
    """The green, or the red, builds of a lane."""
    return digest("colour", *lane, colour)


def coloured_tag(project: str, branch: str) -> str:
    """The builds of a branch that have a colour, or run and will be red."""
    return digest("coloured", project, branch)


def commit_tag(project: str, branch: str, sha: str) -> str:
    """The builds of exactly this commit on this branch."""
    return digest("commit", project, branch, sha)


def includes_tag(project: str, branch: str, sha: str) -> str:
    """The builds whose range since the last green names this commit."""
    return digest("includes", project, branch, sha)


def day_tag(lane: Lane, day: int) -> str:
    """The builds of a lane that started on this day (UTC)."""
    return digest("day", *lane, str(day))


def failure_tag(project: str, signature: str, day: int) -> str:
    """The builds of a project that started on this day and show this failure."""
    return digest("failure", project, signature, str(day))


def tags_of(fact: Fact) -> frozenset[str]:
    """Every tag the fact is filed under."""
    point, lane = fact.point, fact.lane
    tags = {EVERY, lane_tag(lane), day_tag(lane, point.day)}
    if point.colour != "none":
        tags.add(colour_tag(lane, point.colour))
    if point.colour != "none" or point.failing:
        tags.add(coloured_tag(lane.project, lane.branch))
    if fact.commit is not None:
        tags.add(commit_tag(lane.project, lane.branch, fact.commit))
    tags |= {includes_tag(lane.project, lane.branch, commit.sha) for commit in fact.commits or ()}
    tags |= {failure_tag(lane.project, signature, point.day) for signature in point.signatures}
    return frozenset(tags)


def touched_by(fact: Fact) -> frozenset[Touched]:
    """Every derived row that must be looked at again when this fact appears, changes or goes."""
    point: Point = fact.point
    lane = fact.lane
    day = str(point.day)
    touched = {Touched("lane", lane), Touched("day", (*lane, day)), Touched("range", (fact.id,))}
    if fact.revision:
        touched.add(Touched("reading", (fact.id,)))
    if point.colour != "none" or point.failing:
        touched.add(Touched("branch", lane[:2]))
    if fact.commit is not None:
        touched.add(Touched("commit", (*lane[:2], fact.commit)))
    touched |= {Touched("group", (lane.project, signature, day)) for signature in point.signatures}
    return frozenset(touched)
