"""The grid of a branch: commits downwards, configs across, and the range that each red config suspects."""

from collections.abc import Sequence

from build_protocol.messages import BuildStatus
from build_protocol.model import Count, WireModel
from build_protocol.project_config import Project
from pydantic import Field

from build_history.builds.colour import Colour
from build_history.projections.commits import CommitPlace, CommitRow
from build_history.projections.config_state import DeclaredConfig, State, declared_config
from build_history.projections.lanes import LaneState


class Column(WireModel):
    """One config, and where its red begins: after `lastGreen`, at `firstRed`."""

    config: str
    colour: Colour
    state: State = Field("production", description="Of the config; only `production` counts for the branch.")
    latest_status: BuildStatus
    last_green: str | None = Field(None, description="Commit of the last green build; absent = none is known.")
    first_red: str | None = Field(None, description="Commit of the first red build since, while the config is red.")
    red_builds: Count = 0
    green_builds: Count = Field(0, description="Green builds in a row up to the newest.")
    owner: str | None = Field(None, description="As config.yaml names it.")
    tags: list[str] = Field(default_factory=list, description="As config.yaml gives them; `target:riscv64` is an axis.")


class Grid(WireModel):
    """A page of commits, newest first."""

    project: str
    branch: str
    columns: list[Column]
    rows: list[CommitRow]
    next_cursor: str | None = None
    unknown: list[str] = Field(default_factory=list, description="What this page does not know, in sentences.")


def grid_of(
    project: str,
    branch: str,
    rows: Sequence[CommitPlace],
    lanes: Sequence[LaneState],
    next_cursor: str | None,
    *,
    configured: Project | None = None,
) -> Grid:
    """A page of the grid, still without its rows, from the places of its commits and the states of the lanes."""
    file = configured or Project()
    return Grid(
        project=project,
        branch=branch,
        columns=[
            _column(lane, declared_config(file, lane.config)) for lane in sorted(lanes, key=lambda lane: lane.config)
        ],
        rows=[],
        next_cursor=next_cursor,
        unknown=unknown_of(rows),
    )


def unknown_of(rows: Sequence[CommitPlace]) -> list[str]:
    """What a page of commits does not know of their order."""
    orphans = sum(row.info.parents is None for row in rows)
    return [f"the parents of {orphans} of {len(rows)} commits: those stand by time"] if orphans else []


def _column(lane: LaneState, declared: DeclaredConfig) -> Column:
    return Column(
        config=lane.config,
        state=declared.state,
        owner=declared.owner,
        tags=declared.tags,
        colour=lane.colour,
        latest_status=lane.latest.status,
        last_green=lane.last_green.commit if lane.last_green else None,
        first_red=lane.red.first.commit if lane.red else None,
        red_builds=lane.red.builds if lane.red else 0,
        green_builds=lane.green_builds,
    )
