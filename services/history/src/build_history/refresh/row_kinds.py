"""Derived rows: which kinds there are, how each is keyed, listed and read back as its model."""

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from build_protocol.incidents import IncidentState
from build_protocol.model import BuildId, Count, EpochMs, WireModel
from pydantic import Field, TypeAdapter

from build_history.builds.fact import Fact, Lane
from build_history.builds.index_keys import digest
from build_history.projections.commits import CommitRow
from build_history.projections.config_state import ConfigStates
from build_history.projections.failure_groups import Group
from build_history.projections.identity import Record
from build_history.projections.lanes import LaneState
from build_history.projections.pins import PinLine
from build_history.projections.trends import Day
from build_history.store import Row

Model = TypeVar("Model", bound=WireModel)


def branch_scope(project: str, branch: str) -> str:
    """What the rows of one branch are listed by."""
    return digest("scope", project, branch)


def lane_scope(lane: Lane) -> str:
    """What the rows of one lane are listed by."""
    return digest("scope", *lane)


def lane_scope_of(state: LaneState) -> str:
    """What the days of this lane are listed by."""
    return lane_scope(Lane(state.project, state.branch, state.config))


def upstream_label(name: str) -> str:
    """What the pins of one upstream, in any project, are listed by."""
    return digest("upstream", name)


def signature_label(signature: str) -> str:
    """What the groups of one signature, in any project, are listed by."""
    return digest("signature", signature)


def lane_row(state: LaneState, version: int) -> Row:
    """Listed by branch; ranked by the newest build's start."""
    key = lane_key(Lane(state.project, state.branch, state.config))
    scope, rank = branch_scope(state.project, state.branch), state.latest.started_at
    return Row("lane", key, state.project, scope, state.colour, rank, state.to_json(), version)


def day_row(day: Day, version: int) -> Row:
    """Listed by lane; ranked by day."""
    lane = Lane(day.project, day.branch, day.config)
    return Row("day", day_key(lane, day.day), day.project, lane_scope(lane), "", day.day, day.to_json(), version)


def group_row(group: Group, version: int) -> Row:
    """Listed by signature over projects; ranked by when it was last seen."""
    label = signature_label(group.signature)
    return Row(
        "group",
        group_key(group.project, group.signature),
        group.project,
        label,
        label,
        group.last_at,
        group.to_json(),
        version,
    )


def commit_row(row: CommitRow, version: int) -> Row:
    """Listed by branch, found by sha; ranked by its place on the branch."""
    key = commit_key(row.project, row.branch, row.info.sha)
    scope = branch_scope(row.project, row.branch)
    return Row("commit", key, row.project, scope, row.info.sha, row.rank, row.to_json(), version)


def incident_row(incident: IncidentState, version: int) -> Row:
    """Listed by branch, by state and by whose business it is; ranked by the start of the opening build."""
    label = incident.state if incident.is_public else staging_label(incident.state)
    return Row(
        "incident",
        incident_key(incident.id),
        incident.project,
        branch_scope(incident.project, incident.branch or ""),
        label,
        incident.first_started_at,
        incident.to_json(),
        version,
    )


def staging_label(state: str) -> str:
    """What incidents are listed by that no production config shows."""
    return f"staging_{state}"


def pin_row(line: PinLine, version: int) -> Row:
    """Listed by the upstream's name over projects; ranked by the newest build."""
    key = pin_key(line.project, line.branch, line.name)
    rank = max(span.last_at for span in line.spans)
    scope, label = branch_scope(line.project, line.branch), upstream_label(line.name)
    return Row("pin", key, line.project, scope, label, rank, line.to_json(), version)


class Branch(WireModel):
    """A branch that has coloured builds: the identity of its incidents, and what is still to be published of them.

    Unlike every other row it is source data: it cannot be counted anew from the facts.
    """

    project: str
    branch: str
    staging: list[str] = Field(default_factory=list, description="Configs in that state when it was folded.")
    silent: list[str] = Field(default_factory=list)
    since_at: EpochMs = Field(0, description="Builds that started earlier are settled.")
    incidents: list[Record] = Field(default_factory=list, description="In the order in which they were published.")
    outbox: list[IncidentState] = Field(default_factory=list)

    @property
    def states(self) -> ConfigStates:
        """What config.yaml said when it was folded."""
        return ConfigStates(frozenset(self.staging), frozenset(self.silent))


DUE = "due"
"""What branches are listed by that have something to publish."""


def branch_row(told: Branch, newest_at: int, version: int) -> Row:
    """One per branch: its version guards the branch's incidents and pins while they are refreshed."""
    key, scope = branch_key(told.project, told.branch), branch_scope(told.project, told.branch)
    label = DUE if told.outbox else ""
    return Row("branch", key, told.project, scope, label, newest_at, told.to_json(), version)


class Reading(WireModel):
    """A build whose tests and steps are to be read from ingest."""

    build_id: BuildId
    tries: Count = 0


def reading_row(fact: Fact, due_at: int, tries: int, version: int) -> Row:
    """Listed by when it is due."""
    body = Reading(build_id=fact.id, tries=tries).to_json()
    return Row("reading", reading_key(fact.id), fact.project, lane_scope(fact.lane), "", due_at, body, version)


def partition_row(lane: Lane, number: int, text: str, newest_at: int, version: int) -> Row:
    """One partition of a lane's result matrix, by key; its body is the partition's own text."""
    return Row("partition", partition_key(lane, number), lane.project, lane_scope(lane), "", newest_at, text, version)


def statistics_row(lane: Lane, text: str, newest_at: int, version: int) -> Row:
    """A lane's statistics, listed by branch; ranked by the newest build entered."""
    scope = branch_scope(lane.project, lane.branch)
    return Row("statistics", statistics_key(lane), lane.project, scope, lane_scope(lane), newest_at, text, version)


def lane_key(lane: Lane) -> str:
    """Key of a lane's state."""
    return digest("row", "lane", *lane)


def day_key(lane: Lane, day: int) -> str:
    """Key of one lane's day."""
    return digest("row", "day", *lane, str(day))


def group_key(project: str, signature: str) -> str:
    """Key of a failure group."""
    return digest("row", "group", project, signature)


def commit_key(project: str, branch: str, sha: str) -> str:
    """Key of a commit on a branch."""
    return digest("row", "commit", project, branch, sha)


def incident_key(incident_id: str) -> str:
    """Key of an incident."""
    return digest("row", "incident", incident_id)


def pin_key(project: str, branch: str, name: str) -> str:
    """Key of a branch's pins to one upstream."""
    return digest("row", "pin", project, branch, name)


def branch_key(project: str, branch: str) -> str:
    """Key of a branch."""
    return digest("row", "branch", project, branch)


def reading_key(build_id: str) -> str:
    """Key of what is to be read of a build."""
    return digest("row", "reading", build_id)


def partition_key(lane: Lane, number: int) -> str:
    """Key of a partition."""
    return digest("row", "partition", *lane, str(number))


def statistics_key(lane: Lane) -> str:
    """Key of a lane's statistics."""
    return digest("row", "statistics", *lane)


def read_as(model: type[Model], row: Row) -> Model:
    """The model a row carries."""
    return model.model_validate_json(row.body)


def read_all(model: type[Model], rows: Sequence[Row]) -> list[Model]:
    """The models of rows, in their order."""
    models: list[Model] = _list_of(model).validate_json(f"[{','.join(row.body for row in rows)}]")
    return models


@cache
def _list_of(model: type[WireModel]) -> TypeAdapter[Any]:
    return TypeAdapter(list[model])  # type: ignore[valid-type]  # a model is chosen at run time
