"""Incidents on the wire: one break of a branch, and everything that became of it.

history alone decides them and publishes INCIDENT_CHANGED; every other service acts on what it reads there.
"""

from typing import Literal

from pydantic import Field

from build_protocol.messages import Commit, FailureData, Message
from build_protocol.model import BuildId, Count, EpochMs, ProjectName, ShortText, Text, WireModel

End = Literal["fixed", "overridden", "merged", "withdrawn"]
"""Why an incident is closed. Only `fixed` says that the branch is green again.

`overridden`: a person called its failures infra. `merged`: it turned out to be part of another one. `withdrawn`:
its builds no longer count (a verdict without a colour, a changed config.yaml, retention).
"""

VerdictKind = Literal["new", "already_red", "flaky", "infra", "unknown"]
"""Whose a failure is; `unknown` never reads as harmless."""

TransitionKind = Literal["opened", "joined", "changed", "reopened", "fixed", "overridden", "merged", "withdrawn"]


class Evidence(WireModel):
    """The build that a transition points at."""

    build_id: BuildId
    config: ShortText
    started_at: EpochMs
    ended_at: EpochMs | None = Field(None, description="Absent while the build still runs.")
    duration_ms: Count | None = None
    commit: str | None = None
    agent: ShortText | None = None
    exit_code: int | None = None
    error: Text | None = Field(None, description="What its agent or ingest says went wrong, beside the log.")
    log_lines: Count = 0
    failure: FailureData | None = None


class Face(WireModel):
    """One signature of an incident: the first build that showed it, and whom it suspects."""

    signature: ShortText
    evidence: Evidence
    suspects: list[Commit] | None = Field(None, description="Commits any of which may be to blame; absent = unknown.")


class Member(WireModel):
    """A config that shows, or showed, the incident; all instants are starts of builds."""

    config: ShortText
    state: Literal["production", "staging"] = "production"
    first_build: BuildId
    first_commit: str | None = None
    joined_at: EpochMs
    last_build: BuildId = Field(description="Its newest red build.")
    last_red_at: EpochMs
    recovered_at: EpochMs | None = None
    recovered_by: BuildId | None = None
    is_news: bool = Field(
        True, description="False: the config's first build ever was red, or it was sent as `backfill`."
    )


class Transition(WireModel):
    """One change of an incident; (incident, key) names it for ever."""

    key: ShortText
    kind: TransitionKind
    at: EpochMs = Field(description="When the build that caused it ended; by then a person's word was given.")
    news: bool = Field(description="Whether people are notified of it.")
    build_id: BuildId
    config: ShortText


class IncidentOverride(WireModel):
    """A person's word on the incident's failure."""

    verdict: VerdictKind
    reason: ShortText = ""
    by: ShortText
    at: EpochMs


class IncidentState(WireModel):
    """One break of a branch as it stands; a greater `revision` replaces a lesser one."""

    id: ShortText = Field(description="Given once, when the incident was first published.")
    project: ProjectName
    branch: ShortText | None = Field(None, description="Absent: its builds name no branch.")
    revision: Count
    state: Literal["open", "closed"] = "open"
    ended_as: End | None = Field(None, description="Absent while it is open.")
    opened_at: EpochMs = Field(description="When the opening build ended, or was seen to fail.")
    first_started_at: EpochMs = Field(description="Start of the opening build: the incident's place in the branch.")
    closed_at: EpochMs | None = None
    faces: list[Face] = Field(min_length=1, description="Its signatures, the one it was opened with first.")
    members: list[Member]
    suspects: list[Commit] | None = Field(None, description="Those of its first face; absent = unknown.")
    closing: Evidence | None = Field(None, description="The green build that ended it.")
    override: IncidentOverride | None = None
    merged_into: ShortText | None = None
    absorbed: list[ShortText] = Field(default_factory=list, description="Incidents that were merged into it.")
    transitions: list[Transition] = Field(default_factory=list, description="All of them, oldest first.")

    @property
    def opening(self) -> Evidence:
        """The build that opened it."""
        return self.faces[0].evidence

    @property
    def is_public(self) -> bool:
        """Whether a production config shows it; an incident of staging configs is their owners' business."""
        return any(member.state == "production" for member in self.members)

    @property
    def red_configs(self) -> list[str]:
        """Configs that have not recovered, as they joined."""
        return [member.config for member in self.members if member.recovered_at is None]


class IncidentChanged(Message):
    """What history decided of an incident; key (incident id, revision). `buildId` is the opening build."""

    type: Literal["INCIDENT_CHANGED"] = "INCIDENT_CHANGED"
    is_baseline: bool = Field(False, description="Published again as it stands: nobody is notified of it.")
    data: IncidentState
