"""Answers: what `/api/...` of this service says beside its rooms' models; times are epoch milliseconds."""

from typing import Literal

from build_protocol.incidents import (
    End,
    Evidence,
    Face,
    IncidentOverride,
    IncidentState,
    Member,
    Transition,
    VerdictKind,
)
from build_protocol.messages import Commit, FailureData
from build_protocol.model import Count, EpochMs, RequestModel, WebUrl, WireModel
from pydantic import Field

from build_history.builds.colour import Colour
from build_history.builds.in_lane import InLane
from build_history.builds.ownership import Ownership
from build_history.builds.proposal import RevertProposal, github_home, propose_revert
from build_history.projections.commits import CommitInfo, CommitRow, ConfigAnswer
from build_history.projections.config_state import DeclaredConfig, Overdue
from build_history.projections.failure_groups import FailureGroup
from build_history.projections.failure_verdict import Judged
from build_history.projections.flaky import FlakySign
from build_history.projections.lanes import LaneBrief, LaneState
from build_history.projections.pins import PinMatrix
from build_history.projections.red_places import RedPlace
from build_history.projections.regressions import Mark
from build_history.projections.slow_steps import StepOverBuilds
from build_history.projections.trends import Day
from build_history.test_history.statistics import TestRun, TestStatistic


class Page(WireModel):
    """Part of a list; `next_cursor` asks for the following page."""

    next_cursor: str | None = None


class FailureGroupNow(FailureGroup):
    """One failure signature over all projects the caller sees, and where it is red now."""

    red_at: list[RedPlace] = Field(description="Branches with an open incident that shows it, the oldest first.")


class FailureGroupList(Page):
    """Failure groups, the last seen first."""

    items: list[FailureGroup]


class IncidentSummary(WireModel):
    """An incident as a list shows it: who is hit is counted, not listed."""

    id: str
    project: str
    branch: str | None = Field(None, description="Absent: its builds name no branch.")
    signature: str = Field(description="The one it was opened with.")
    signatures: list[str] = Field(description="All that it showed.")
    state: Literal["open", "closed"]
    ended_as: End | None = Field(None, description="Absent while it is open; only `fixed` says that it is.")
    opened_at: EpochMs
    opened_by: str
    opened_commit: str | None = None
    closed_at: EpochMs | None = None
    configs: list[str]
    recovered_configs: list[str]
    suspects: list[Commit] | None = Field(None, description="Absent = unknown, never empty.")
    authors: list[str] = Field(description="Of the suspects.")
    failure: FailureData | None = None
    override: IncidentOverride | None = None
    ownership: Ownership | None = Field(None, description="Absent: nobody did anything about it yet.")
    unknown: list[str] = Field(description="What this answer does not know, in sentences.")

    @classmethod
    def of(cls, state: IncidentState, ownership: Ownership | None) -> "IncidentSummary":
        """The summary of an incident."""
        opening = state.opening
        unknown = []
        if state.suspects is None:
            unknown.append("the suspect commits: no agent sent the commits since the last green build")
        if opening.failure is None:
            unknown.append("the failure itself: analysis found none in the log")
        shared = {name: getattr(state, name) for name in cls.model_fields if name in IncidentState.model_fields}
        return cls(
            **shared,
            signature=state.faces[0].signature,
            signatures=[face.signature for face in state.faces],
            opened_by=opening.build_id,
            opened_commit=opening.commit,
            configs=[member.config for member in state.members],
            recovered_configs=[member.config for member in state.members if member.recovered_at is not None],
            authors=list(dict.fromkeys(commit.author for commit in state.suspects or () if commit.author)),
            failure=opening.failure,
            ownership=ownership,
            unknown=unknown,
        )


class Incident(IncidentSummary):
    """An incident with every config it hit, every face it showed and everything that became of it."""

    revision: Count
    first_started_at: EpochMs
    members: list[Member]
    faces: list[Face]
    closing: Evidence | None = None
    merged_into: str | None = None
    absorbed: list[str]
    transitions: list[Transition]
    revert: RevertProposal | None = Field(None, description="Absent unless one commit alone is suspect.")
    repository: WebUrl | None = Field(None, description="Where issues of it are filed, at GitHub.")

    @classmethod
    def of_all(cls, state: IncidentState, ownership: Ownership | None, repo_url: str | None) -> "Incident":
        """All of an incident."""
        summary = IncidentSummary.of(state, ownership)
        fields = {name: getattr(summary, name) for name in IncidentSummary.model_fields}
        added = (cls.model_fields.keys() - fields.keys()) & IncidentState.model_fields.keys()
        return cls(
            **fields,
            **{name: getattr(state, name) for name in added},
            revert=propose_revert(state, repo_url),
            repository=github_home(repo_url),
        )


class IncidentList(Page):
    """Incidents, the latest first."""

    items: list[IncidentSummary]


class JudgedFailure(Judged):
    """The verdict of one failure, as of now."""

    signature: str


class JudgedBuild(WireModel):
    """The verdicts of all failures of one build, the first failure's first."""

    build_id: str
    items: list[JudgedFailure]


class Decision(RequestModel):
    """What a person decides about a failure."""

    verdict: VerdictKind
    reason: str = Field("", max_length=2000)


class CommitSummary(WireModel):
    """A commit of a branch and how many configs built it, by how it went."""

    project: str
    branch: str
    info: CommitInfo
    passed: Count
    failed: Count
    running: Count
    inconclusive: Count
    first_built_at: EpochMs | None = None

    @classmethod
    def of(cls, row: CommitRow, excluded_configs: frozenset[str]) -> "CommitSummary":
        """The summary of a commit, over the configs in production."""
        cells = [cell for cell in row.cells if cell.config not in excluded_configs]
        running = sum(cell.status in ("queued", "running") for cell in cells)
        passed = sum(cell.colour == "green" for cell in cells)
        failed = sum(cell.colour == "red" for cell in cells)
        return cls(
            project=row.project,
            branch=row.branch,
            info=row.info,
            passed=passed,
            failed=failed,
            running=running,
            inconclusive=len(cells) - passed - failed - running,
            first_built_at=row.first_built_at,
        )


class CommitList(Page):
    """Commits of a branch, newest first."""

    items: list[CommitSummary]
    unknown: list[str] = Field(default_factory=list)


class CommitOnBranch(WireModel):
    """One commit on one branch of one project: the answer of every config."""

    project: str
    branch: str
    info: CommitInfo
    configs: list[ConfigAnswer]
    unknown: list[str]


class CommitAnswer(WireModel):
    """Did this commit break something? One entry per project and branch that knows it."""

    sha: str
    items: list[CommitOnBranch]


class PinList(Page):
    """A matrix per upstream."""

    items: list[PinMatrix]


class TestList(Page):
    """Tests, each in each config; `total` is of the question."""

    __test__ = False  # pytest collects classes named Test*

    items: list[TestStatistic]
    total: Count
    unknown: list[str] = Field(default_factory=list)


class TestInConfig(WireModel):
    """One test's runs in one config, newest first."""

    __test__ = False  # pytest collects classes named Test*

    config: str
    runs: list[TestRun]


class TestHistory(WireModel):
    """One test on a branch."""

    __test__ = False  # pytest collects classes named Test*

    name: str
    branch: str
    items: list[TestInConfig]


class Trend(InLane):
    """One lane's days, oldest first; days without a build are absent."""

    days: list[Day]
    marks: list[Mark]


class TrendList(Page):
    """Trends of the lanes asked for."""

    items: list[Trend]
    unknown: list[str] = Field(default_factory=list)


class LaneSummary(LaneBrief):
    """One lane now, and how its recent builds went; only a config in production has a `colour` here."""

    declared: DeclaredConfig = Field(description="What config.yaml says of the config.")
    excluded_colour: Colour | None = Field(None, description="The colour of a config that is not in production.")

    @classmethod
    def of(cls, state: LaneState, declared: DeclaredConfig) -> "LaneSummary":
        """The summary of a lane."""
        fields = {name: getattr(state, name) for name in cls.model_fields if name in LaneState.model_fields}
        if declared.state != "production":
            fields |= {"colour": "none", "excluded_colour": state.colour}
        return cls(**fields, declared=declared)


class Summary(Page):
    """Lanes, and what they come to: of the newest builds of each (at most `window`)."""

    items: list[LaneSummary]
    window: Count = Field(description="At most so many of a lane's newest builds are counted.")
    green: Count
    red: Count
    build_ms: Count
    queue_ms: Count | None = None
    success_rate: float | None = None
    overdue: list[Overdue] = Field(default_factory=list, description="Configs of which a build was expected.")


class LaneMark(InLane):
    """A lasting change of a measure and where."""

    mark: Mark


class StepList(WireModel):
    """Slow steps, the slowest first."""

    items: list[StepOverBuilds]
    unknown: list[str] = Field(default_factory=list)


class RegressionList(Page):
    """Marks, newest first."""

    items: list[LaneMark]


class LaneFlakySign(InLane):
    """A red build that looks flaky and where."""

    sign: FlakySign


class FlakyList(Page):
    """Flaky candidates, newest first."""

    items: list[LaneFlakySign]
