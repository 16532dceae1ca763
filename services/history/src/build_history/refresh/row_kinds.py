"""Derived rows: which kinds there are, how each is keyed, listed and read back as its model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from build_protocol.incidents import IncidentState
from build_protocol.model import BuildId, Count, EpochMs, WireModel
from build_protocol.project_config import QuarantinedTest
from pydantic import Field, TypeAdapter

from build_history.builds.fact import Fact, Lane
from build_history.builds.index_keys import digest
from build_history.builds.ownership import OwnershipRow
from build_history.projections.commits import CommitRow
from build_history.projections.config_state import ConfigStates
from build_history.projections.failure_groups import Group
from build_history.projections.identity import Record
from build_history.projections.lanes import LaneState
from build_history.projections.pins import PinLine
from build_history.projections.trends import Day
from build_history.store import Row

Model = TypeVar("Model", bound=WireModel)
Item = TypeVar("Item")


def branch_scope(project: str, branch: str) -> str:
    """What the rows of one branch are listed by."""
    return digest("scope", project, branch)


def lane_scope(lane: Lane) -> str:
    """What the rows of one lane are listed by."""
    return digest("scope", *lane)


def lane_scope_of(state: LaneState) -> str:
    """What the days of this lane are listed by."""
    return lane_scope(_lane_of(state))


def upstream_label(name: str) -> str:
    """What the pins of one upstream, in any project, are listed by."""
    return digest("upstream", name)


def signature_label(signature: str) -> str:
    """What the groups of one signature, in any project, are listed by."""
    return digest("signature", signature)


def staging_label(state: str) -> str:
    """What incidents are listed by that no production config shows."""
    return f"staging_{state}"


class Branch(WireModel):
    """A branch that has coloured builds: the identity of its incidents, and what is still to be published of them.

    Like ownership, and unlike every other row, it is source data: it cannot be counted anew from the facts.
    """

    project: str
    branch: str
    staging: list[str] = Field(default_factory=list, description="Configs in that state when it was folded.")
    silent: list[str] = Field(default_factory=list)
    quarantine: list[QuarantinedTest] = Field(default_factory=list, description="Tests in it when it was folded.")
    since_at: EpochMs = Field(0, description="Builds that started earlier are settled.")
    incidents: list[Record] = Field(default_factory=list, description="In the order in which they were published.")
    outbox: list[IncidentState] = Field(default_factory=list)
    quiet: list[str] = Field(
        default_factory=list, description="Those of the outbox that nobody is notified of: a rebuild found them out."
    )

    @property
    def states(self) -> ConfigStates:
        """What config.yaml had when it was folded."""
        return ConfigStates(frozenset(self.staging), frozenset(self.silent), tuple(self.quarantine))


DUE = "due"
"""What branches are listed by that have something to publish."""


class Reading(WireModel):
    """A build whose tests and steps are to be read from ingest."""

    build_id: BuildId
    tries: Count = 0


class BranchAt(NamedTuple):
    """A branch, and when its newest coloured build started."""

    branch: Branch
    newest_at: int


class DueReading(NamedTuple):
    """A build that is to be read from a time on."""

    fact: Fact
    due_at: int
    tries: int


class PartitionText(NamedTuple):
    """One partition of a lane's result matrix, and when the newest build entered started."""

    lane: Lane
    number: int
    text: str
    newest_at: int


class StatisticsText(NamedTuple):
    """A lane's statistics, and when the newest build entered started."""

    lane: Lane
    text: str
    newest_at: int


class Place(NamedTuple):
    """What a row is found by (the words of its key), ordered by (`rank`) and listed by besides its project."""

    project: str
    words: tuple[str | int, ...]
    rank: int
    scope: str
    label: str = ""


def _json(item: Any) -> str:
    return str(item.to_json())


@dataclass(frozen=True)
class Kind(Generic[Item]):
    """One kind of row: where an item of it stands, and what its body says."""

    name: str
    place: Callable[[Item], Place]
    body: Callable[[Item], str] = _json

    def key(self, *words: str | int) -> str:
        """The key of the row of these words, as `place` orders them."""
        return digest("row", self.name, *map(str, words))

    def row(self, item: Item, version: int) -> Row:
        """The item's row, to be written over this version."""
        place = self.place(item)
        return Row(
            kind=self.name,
            key=self.key(*place.words),
            project=place.project,
            scope=place.scope,
            label=place.label,
            rank=place.rank,
            body=self.body(item),
            version=version,
        )


def _lane_of(item: LaneState | Day) -> Lane:
    return Lane(item.project, item.branch, item.config)


LANE = Kind[LaneState](
    "lane",
    lambda state: Place(
        state.project,
        _lane_of(state),
        state.latest.started_at,
        branch_scope(state.project, state.branch),
        state.colour,
    ),
)
"""Listed by branch; ranked by the newest build's start."""

DAY = Kind[Day]("day", lambda day: Place(day.project, (*_lane_of(day), day.day), day.day, lane_scope(_lane_of(day))))
"""Listed by lane; ranked by day."""

GROUP = Kind[Group](
    "group",
    lambda group: Place(
        group.project,
        (group.project, group.signature),
        group.last_at,
        signature_label(group.signature),
        signature_label(group.signature),
    ),
)
"""Listed by signature over projects; ranked by when it was last seen."""

COMMIT = Kind[CommitRow](
    "commit",
    lambda row: Place(
        row.project,
        (row.project, row.branch, row.info.sha),
        row.rank,
        branch_scope(row.project, row.branch),
        row.info.sha,
    ),
)
"""Listed by branch, found by sha; ranked by its place on the branch."""

INCIDENT = Kind[IncidentState](
    "incident",
    lambda incident: Place(
        incident.project,
        (incident.id,),
        incident.first_started_at,
        branch_scope(incident.project, incident.branch or ""),
        incident.state if incident.is_public else staging_label(incident.state),
    ),
)
"""Listed by branch, by state and by whose business it is; ranked by the start of the opening build."""

OWNERSHIP = Kind[OwnershipRow](
    "ownership",
    lambda row: Place(row.project, (row.incident,), row.first_started_at, digest("scope", row.incident)),
)
"""Source data, as branches are: found by the incident's id, forgotten with it."""

PIN = Kind[PinLine](
    "pin",
    lambda line: Place(
        line.project,
        (line.project, line.branch, line.name),
        max(span.last_at for span in line.spans),
        branch_scope(line.project, line.branch),
        upstream_label(line.name),
    ),
)
"""Listed by the upstream's name over projects; ranked by the newest build."""

BRANCH = Kind[BranchAt](
    "branch",
    lambda at: Place(
        at.branch.project,
        (at.branch.project, at.branch.branch),
        at.newest_at,
        branch_scope(at.branch.project, at.branch.branch),
        DUE if at.branch.outbox else "",
    ),
    lambda at: at.branch.to_json(),
)
"""One per branch: its version guards the branch's incidents and pins while they are refreshed."""

READING = Kind[DueReading](
    "reading",
    lambda due: Place(due.fact.project, (due.fact.id,), due.due_at, lane_scope(due.fact.lane)),
    lambda due: Reading(build_id=due.fact.id, tries=due.tries).to_json(),
)
"""Listed by when it is due."""

PARTITION = Kind[PartitionText](
    "partition",
    lambda partition: Place(
        partition.lane.project, (*partition.lane, partition.number), partition.newest_at, lane_scope(partition.lane)
    ),
    lambda partition: partition.text,
)
"""Found by key; its body is the partition's own text."""

STATISTICS = Kind[StatisticsText](
    "statistics",
    lambda statistics: Place(
        statistics.lane.project,
        statistics.lane,
        statistics.newest_at,
        branch_scope(statistics.lane.project, statistics.lane.branch),
        lane_scope(statistics.lane),
    ),
    lambda statistics: statistics.text,
)
"""Listed by branch; ranked by the newest build entered."""


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
