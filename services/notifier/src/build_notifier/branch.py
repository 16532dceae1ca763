"""What notifier knows of one branch: its lanes, its incidents, and the transitions nobody has been told of yet.

All three are one row, replaced as a whole: a transition is on record exactly when the change it tells of is.
"""

from typing import Literal

from build_protocol.messages import BuildVerdict, Commit, FailureData
from build_protocol.model import BuildId, Count, EpochMs, WireModel
from pydantic import Field

from build_notifier import ids
from build_notifier.colours import Colour, Place, place_of

TransitionKind = Literal["opened", "changed", "fixed", "missing", "returned"]


class Evidence(WireModel):
    """The build a transition points at, as its verdict told it."""

    build_id: BuildId
    config: str
    started_at: EpochMs
    ended_at: EpochMs | None = None
    duration_ms: Count | None = None
    commit: str | None = None
    agent: str | None = None
    exit_code: int | None = None
    error: str | None = None
    log_lines: Count = 0
    failure: FailureData | None = None

    @classmethod
    def of(cls, verdict: BuildVerdict) -> "Evidence":
        """What the verdict says."""
        data = verdict.data
        return cls(
            build_id=verdict.build_id,
            config=data.config,
            started_at=place_of(verdict).started_at,
            ended_at=data.ended_at,
            duration_ms=data.duration_ms,
            commit=data.commit,
            agent=data.agent,
            exit_code=data.exit_code,
            error=data.error,
            log_lines=data.log_lines,
            failure=data.first_failure or next(iter(data.failures), None),
        )


class Coloured(WireModel):
    """A build that had a colour."""

    colour: Colour
    place: Place
    evidence: Evidence


class Lane(WireModel):
    """One config of the branch: its last coloured builds, in the order they started; the newest verdict of any kind."""

    builds: list[Coloured] = Field(default_factory=list)
    last: Place
    heard_at: EpochMs = Field(description="When the newest verdict came in, by our clock.")

    @property
    def newest(self) -> Coloured | None:
        """The build whose colour is the lane's."""
        return self.builds[-1] if self.builds else None

    @property
    def colour(self) -> Colour | None:
        """The lane's colour; None before the first coloured build."""
        return self.newest.colour if self.newest else None


class Member(WireModel):
    """A config that shows, or showed, an incident, and the build in which it first did."""

    config: str
    build_id: BuildId
    is_recovered: bool = False


class Incident(WireModel):
    """One break of the branch however many configs show it, or one agent (or config) that went silent."""

    id: str
    kind: Literal["break", "missing"] = "break"
    signatures: list[str] = Field(description="The one it was opened with first, then those it changed to.")
    is_open: bool = True
    is_told: bool = Field(False, description="False: a first build was red, which is no news to anybody.")
    opened_at: EpochMs
    opening: Evidence
    members: dict[str, Member] = Field(default_factory=dict)
    suspects: list[Commit] | None = Field(None, description="Commits any of which may be to blame; absent = unknown.")
    closed_at: EpochMs | None = None
    closing: Evidence | None = None

    @property
    def is_over(self) -> bool:
        """Whether every config that showed it has recovered."""
        return all(member.is_recovered for member in self.members.values())

    @property
    def red_configs(self) -> list[str]:
        """Configs that have not recovered, as they joined."""
        return [member.config for member in self.members.values() if not member.is_recovered]


class Transition(WireModel):
    """One change of an incident that people may be told of; (incident, key) is its identity for ever."""

    kind: TransitionKind
    incident: str
    key: str
    since_at: EpochMs
    due_at: EpochMs = Field(description="Until then more configs may join the message.")
    evidence: Evidence


class Branch(WireModel):
    """The row of one branch."""

    project: str
    branch: str
    lanes: dict[str, Lane] = Field(default_factory=dict)
    incidents: list[Incident] = Field(default_factory=list, description="Open ones and the last closed ones.")
    pending: list[Transition] = Field(default_factory=list)
    touched_at: EpochMs = 0

    @property
    def key(self) -> str:
        """The row's key."""
        return ids.branch_key(self.project, self.branch)

    @property
    def due_at(self) -> int | None:
        """When the first pending transition is due; None when nothing is."""
        return min((transition.due_at for transition in self.pending), default=None)

    def incident(self, incident_id: str) -> Incident:
        """The incident of this id; a pending transition's is always there."""
        return next(incident for incident in self.incidents if incident.id == incident_id)

    def without(self, transitions: list[Transition]) -> "Branch":
        """The branch with these transitions told; one that was due anew meanwhile stays."""
        return self.model_copy(update={"pending": [kept for kept in self.pending if kept not in transitions]})
