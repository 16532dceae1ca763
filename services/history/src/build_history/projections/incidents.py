"""Incidents: one break of a branch, however many configs show it.

An incident is (project, branch, failure signature). The first red build that shows it opens it, every config that
shows it too joins it, and it closes once all of them are green again. A build that shows a failure of an open
incident joins that one; only a build that shows none of them opens a new one, under its first failure's signature.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from build_protocol.messages import Commit, FailureData
from build_protocol.model import BuildId, EpochMs, WireModel
from pydantic import Field

from build_history.builds.fact import UNCLASSIFIED, Fact, Point
from build_history.builds.index_keys import digest
from build_history.builds.override import Override

EXPLAINED = ("failure", "suspects", "authors", "override", "unknown")
"""What `explained` says of an incident, beyond what its builds in brief tell."""


class Member(WireModel):
    """A config that shows, or showed, the incident; all times are starts of builds."""

    config: str
    first_build: BuildId
    first_commit: str | None = None
    joined_at: EpochMs
    last_build: BuildId
    last_at: EpochMs
    recovered_at: EpochMs | None = None
    recovered_by: BuildId | None = None


class Incident(WireModel):
    """One break of a branch; `id` names its signature and the build that opened it."""

    id: str
    project: str
    branch: str
    signature: str
    state: Literal["open", "closed"]
    opened_at: EpochMs = Field(description="When the opening build's verdict fell; its start where that is unknown.")
    opened_by: BuildId
    opened_commit: str | None = None
    first_started_at: EpochMs = Field(description="Start of the opening build: the incident's place in the branch.")
    closed_at: EpochMs | None = None
    closed_by: BuildId | None = None
    members: list[Member]
    failure: FailureData | None = Field(None, description="As the opening build showed it.")
    suspects: list[Commit] | None = Field(None, description="Commits any of which may be to blame; absent = unknown.")
    authors: list[str] = Field(default_factory=list, description="Of the suspects.")
    override: Override | None = Field(None, description="A person's word on it, at a build that first showed it.")
    unknown: list[str] = Field(default_factory=list, description="What this answer does not know, in sentences.")


def fold(points: Iterable[Point], earlier: Iterable[Incident] = ()) -> list[Incident]:
    """Every incident these coloured builds of one branch show, oldest first.

    `earlier` are incidents already known: those that older builds opened, and that were open when the first of these
    builds started, go on; what these builds said of them is folded anew.
    """
    ordered = sorted(points, key=lambda point: point.order)
    if not ordered:
        return []
    since = ordered[0].started_at
    running = {
        incident.signature: _Open.before(incident, since) for incident in earlier if _was_open_at(incident, since)
    }
    finished: list[_Open] = []
    for point in ordered:
        if point.colour == "red":
            _show(running, point)
        elif point.colour == "green":
            for incident in list(running.values()):
                incident.recover(point)
                if incident.is_over:
                    finished.append(running.pop(incident.signature))
    return sorted(
        (incident.told() for incident in (*finished, *running.values())),
        key=lambda incident: (incident.first_started_at, incident.id),
    )


def explained(incident: Incident, facts: Sequence[Fact]) -> Incident:
    """The incident with its failure and suspects, from the facts of builds in which its members first showed it."""
    opening = next((fact for fact in facts if fact.id == incident.opened_by), None)
    failure = None
    if opening is not None:
        named = [f for f in opening.failures if (f.signature or UNCLASSIFIED) == incident.signature]
        failure = next(iter(named or opening.failures), None)
    suspects = suspects_of(facts, opening)
    unknown = []
    if suspects is None:
        unknown.append("the suspect commits: no agent sent the commits since the last green build")
    if failure is None:
        unknown.append("the failure itself: analysis found none in the log")
    authors = dict.fromkeys(commit.author for commit in suspects or () if commit.author)
    said = (fact.overrides.get(incident.signature) for fact in facts)
    override = max((kept for kept in said if kept), key=lambda kept: kept.at, default=None)
    told = {"failure": failure, "suspects": suspects, "authors": list(authors), "override": override}
    return incident.model_copy(update={**told, "unknown": unknown})


def suspects_of(facts: Sequence[Fact], opening: Fact | None) -> list[Commit] | None:
    """Commits that every config with a known range suspects; None when no range is known.

    When no commit is in all ranges (two breaks that look alike) the opening build's own range is the answer.
    """
    ranges = [fact.commits for fact in facts if fact.commits]
    if not ranges:
        return None
    shared = set.intersection(*({commit.sha for commit in known} for known in ranges))
    if shared:
        return [commit for commit in min(ranges, key=len) if commit.sha in shared]
    return opening.commits if opening and opening.commits else ranges[0]


@dataclass(slots=True)
class _Open:
    """An incident while it is folded."""

    signature: str
    incident: Incident
    members: dict[str, Member] = field(default_factory=dict)
    closing: Point | None = None

    @classmethod
    def before(cls, incident: Incident, moment_at: int) -> "_Open":
        """The incident as builds that started before this moment left it."""
        members = {}
        for member in incident.members:
            if member.joined_at >= moment_at:
                continue
            undone: dict[str, object] = {}
            if member.recovered_at is not None and member.recovered_at >= moment_at:
                undone |= {"recovered_at": None, "recovered_by": None}
            members[member.config] = member.model_copy(update=undone)
        return cls(incident.signature, incident, members)

    @property
    def is_over(self) -> bool:
        return all(member.recovered_at is not None for member in self.members.values())

    def show(self, point: Point) -> None:
        known = self.members.get(point.config)
        self.members[point.config] = Member(
            config=point.config,
            first_build=known.first_build if known else point.id,
            first_commit=known.first_commit if known else point.commit,
            joined_at=known.joined_at if known else point.started_at,
            last_build=point.id,
            last_at=point.started_at,
        )

    def recover(self, point: Point) -> None:
        member = self.members.get(point.config)
        if member is not None and member.recovered_at is None:
            self.members[point.config] = member.model_copy(
                update={"recovered_at": point.started_at, "recovered_by": point.id}
            )
            self.closing = point

    def told(self) -> Incident:
        over = self.is_over and self.closing is not None
        return self.incident.model_copy(
            update={
                "state": "closed" if over else "open",
                "closed_at": (self.closing.ended_at or self.closing.started_at) if over and self.closing else None,
                "closed_by": self.closing.id if over and self.closing else None,
                "members": sorted(self.members.values(), key=lambda member: (member.joined_at, member.config)),
            }
        )


def _was_open_at(incident: Incident, moment_at: int) -> bool:
    return incident.first_started_at < moment_at and any(
        member.recovered_at is None or member.recovered_at >= moment_at for member in incident.members
    )


def _show(running: dict[str, _Open], point: Point) -> None:
    signatures = point.signatures or (UNCLASSIFIED,)
    shown = [running[signature] for signature in signatures if signature in running]
    if not shown:
        opened = _Open(signatures[0], _opened(point, signatures[0]))
        running[signatures[0]] = opened
        shown = [opened]
    for incident in shown:
        incident.show(point)


def _opened(point: Point, signature: str) -> Incident:
    return Incident(
        id=digest("incident", point.project, point.branch, signature, point.id)[:16],
        project=point.project,
        branch=point.branch,
        signature=signature,
        state="open",
        opened_at=point.ended_at or point.started_at,
        opened_by=point.id,
        opened_commit=point.commit,
        first_started_at=point.started_at,
        members=[],
    )
