"""The grid of a branch: commits downwards, configs across, and the range that each red config suspects."""

from collections.abc import Sequence

from build_protocol.messages import BuildStatus
from build_protocol.model import WireModel
from pydantic import Field

from history.colours import Colour
from history.commits import CommitRow, in_order
from history.lanes import LaneState


class Column(WireModel):
    """One config, and where its red begins: after `lastGreen`, at `firstRed`."""

    config: str
    colour: Colour
    latest_status: BuildStatus
    last_green: str | None = Field(None, description="Commit of the last green build; absent = none is known.")
    first_red: str | None = Field(None, description="Commit of the first red build since, while the config is red.")
    red_builds: int = 0


class Grid(WireModel):
    """A page of commits, newest first."""

    project: str
    branch: str
    columns: list[Column]
    rows: list[CommitRow]
    next_cursor: str | None = None
    unknown: list[str] = Field(default_factory=list, description="What this page does not know, in sentences.")


def grid_of(
    project: str, branch: str, rows: Sequence[CommitRow], lanes: Sequence[LaneState], next_cursor: str | None
) -> Grid:
    """A page of the grid from its commit rows and the states of the branch's lanes."""
    orphans = sum(row.info.parents is None for row in rows)
    unknown = [f"the parents of {orphans} of {len(rows)} commits: those stand by time"] if orphans else []
    return Grid(
        project=project,
        branch=branch,
        columns=[_column(lane) for lane in sorted(lanes, key=lambda lane: lane.config)],
        rows=in_order(rows),
        next_cursor=next_cursor,
        unknown=unknown,
    )


def _column(lane: LaneState) -> Column:
    return Column(
        config=lane.config,
        colour=lane.colour,
        latest_status=lane.latest.status,
        last_green=lane.last_green.commit if lane.last_green else None,
        first_red=lane.red.first.commit if lane.red else None,
        red_builds=lane.red.builds if lane.red else 0,
    )
