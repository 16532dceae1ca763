"""Lanes: the present state of each (project, branch, config), computed from its newest builds."""

from collections.abc import Sequence
from itertools import takewhile

from build_protocol.messages import BuildStatus
from build_protocol.model import BuildId, Count, EpochMs, WireModel
from pydantic import Field

from build_history.builds.colour import Colour
from build_history.builds.fact import Point
from build_history.builds.in_lane import InLane
from build_history.projections.flaky import FlakySign, signs_of
from build_history.projections.regressions import Mark, marks_of
from build_history.projections.trends import Pace, pace_of, quantile

WINDOW = 200
"""A lane's state is computed from this many of its newest builds, its last green and its first red since."""

USUAL_OF = 20
RUNNING_MAX = 10


class BuildRef(WireModel):
    """A build, as far as a list needs to name it."""

    id: BuildId
    commit: str | None = None
    status: BuildStatus
    started_at: EpochMs
    ended_at: EpochMs | None = None


class RedSpell(WireModel):
    """Since when a lane is red: its first red build after the last green one."""

    first: BuildRef
    builds: Count = Field(description="Red builds since; at least this many when not `isExact`.")
    is_exact: bool
    signature: str | None = None


class LaneBrief(InLane):
    """A lane now, in brief; `colour` is the one of its newest build that has one."""

    colour: Colour
    latest: BuildRef
    last_green: BuildRef | None = None
    red: RedSpell | None = None
    green_builds: Count = Field(0, description="Green builds in a row up to the newest; at least, of the newest 200.")
    running: list[BuildRef]
    usual_ms: Count | None = Field(None, description="Median duration of the last 20 succeeded builds.")
    pace: Pace


class LaneState(LaneBrief):
    """What is known of one lane."""

    marks: list[Mark]
    flaky: list[FlakySign]


def state_of(points: Sequence[Point], last_green: Point | None, first_red: Point | None) -> LaneState:
    """The state of a lane from its newest builds (at least one), its last green and the first red after that."""
    ordered = sorted(points, key=lambda point: point.order)
    newest = max(points, key=lambda point: (point.started_at, point.id))
    coloured = [point for point in ordered if point.colour != "none"]
    colour: Colour = coloured[-1].colour if coloured else _older_colour(last_green, first_red)
    timed = [p.duration_ms for p in ordered if p.status == "succeeded" and p.duration_ms is not None]
    return LaneState(
        project=newest.project,
        branch=newest.branch,
        config=newest.config,
        colour=colour,
        latest=ref(newest),
        last_green=ref(last_green) if last_green else None,
        red=_spell(coloured, first_red) if colour == "red" and first_red is not None else None,
        green_builds=sum(1 for _ in takewhile(lambda point: point.colour == "green", reversed(coloured))),
        running=[ref(p) for p in ordered if p.status in ("queued", "running")][-RUNNING_MAX:],
        usual_ms=quantile(timed[-USUAL_OF:], 0.5),
        pace=pace_of(ordered),
        marks=marks_of(ordered),
        flaky=signs_of(ordered),
    )


def ref(point: Point) -> BuildRef:
    """The build of a point, as a list names it."""
    return BuildRef(
        id=point.id, commit=point.commit, status=point.status, started_at=point.started_at, ended_at=point.ended_at
    )


def _older_colour(last_green: Point | None, first_red: Point | None) -> Colour:
    # None of the newest builds has a colour (all lost, cancelled or running): the lane keeps the one it had.
    if first_red is not None:
        return "red"
    return "green" if last_green is not None else "none"


def _spell(coloured: Sequence[Point], first_red: Point) -> RedSpell:
    reds = [point for point in coloured if point.colour == "red" and point.order >= first_red.order]
    is_exact = any(point.id == first_red.id for point in reds)
    return RedSpell(
        first=ref(first_red),
        builds=max(1, len(reds)),
        is_exact=is_exact,
        signature=(reds[-1] if reds else first_red).signatures[0],
    )
