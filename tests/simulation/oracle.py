"""What the dashboard is to show and to send, from what really happened.

Written from the rules in DESIGN; imports nothing of the product.

A lane has the colour of its last start among succeeded and failed builds. A red that is not its lane's first colour
joins every open incident of its branch that failed in the same words; where there is none it is another face of the
one its lane is red in, or else opens one. An incident goes on while any of its lanes is red, and is closed by the green
that leaves none. People are notified once of each opening and of each end.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Lane = tuple[str, str, str]
Colour = Literal["green", "red", "none"]


@dataclass(frozen=True)
class Went:
    """A build as it went: when it really began, and how it ended. `is_certain`: whether its place can be known."""

    name: str
    lane: Lane
    began_at: float
    status: str
    is_certain: bool = True
    build_id: str = ""
    failure: str = ""
    """In which words it failed."""


@dataclass
class Break:
    """One incident."""

    branch: tuple[str, str]
    opened_by: Went
    lanes: set[Lane] = field(default_factory=set)
    red: set[Lane] = field(default_factory=set)
    failures: set[str] = field(default_factory=set)
    closed_by: Went | None = None


@dataclass(frozen=True)
class Truth:
    """Everything that follows."""

    colours: dict[Lane, Colour]
    breaks: list[Break]
    uncertain: frozenset[Lane]
    """Lanes with a build whose place, or colour, the dashboard cannot know."""


def truth_of(builds: Iterable[Went]) -> Truth:
    """What follows from these builds, in the order in which they began."""
    ordered = sorted(builds, key=lambda build: build.began_at)
    colours: dict[Lane, Colour] = {build.lane: "none" for build in ordered}
    breaks: list[Break] = []
    for build in ordered:
        if build.status not in ("succeeded", "failed"):
            continue
        before, colour = colours[build.lane], "green" if build.status == "succeeded" else "red"
        colours[build.lane] = "green" if colour == "green" else "red"
        known = [one for one in breaks if one.branch == build.lane[:2] and one.closed_by is None]
        if colour == "green":
            for one in known:
                _recover(one, build)
        elif before != "none":
            joined = [one for one in known if build.failure in one.failures]
            joined = joined or [one for one in known if build.lane in one.red][:1]
            if not joined:
                joined = [Break(build.lane[:2], build)]
                breaks += joined
            for one in joined:
                one.lanes.add(build.lane)
                one.red.add(build.lane)
                one.failures.add(build.failure)
    return Truth(colours, breaks, frozenset(build.lane for build in ordered if not build.is_certain))


def _recover(one: Break, build: Went) -> None:
    if build.lane in one.red:
        one.red.discard(build.lane)
        if not one.red:
            one.closed_by = build
