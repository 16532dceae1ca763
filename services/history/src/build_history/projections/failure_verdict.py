"""Verdicts of failures: whose a red is, from the facts about the builds before it and beside it. Pure.

The rules are `build_analysis.verdict`; here stands what of history they are asked about.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from build_analysis.verdict import History, PastBuild, Symptom, verdict
from build_protocol.incidents import Face, IncidentState, VerdictKind
from build_protocol.messages import Commit, PinAt
from build_protocol.model import BuildId, WireModel
from pydantic import Field, field_validator

from build_history.builds.fact import UNCLASSIFIED, Lane, Point
from build_history.builds.override import Override


class Judged(WireModel):
    """The verdict of one failure and the sentences that say why; `unknown` never reads as harmless."""

    verdict: VerdictKind
    evidence: list[str]
    override: Override | None = Field(None, description="A person's word; it is the verdict.")

    @field_validator("evidence", mode="before")
    @classmethod
    def _one_sentence(cls, value: object) -> object:
        # Rows of earlier releases hold one sentence.
        return [value] if isinstance(value, str) else value


class Case(NamedTuple):
    """The build whose failure is judged, as far as it is known; `range` is what it built since the last green."""

    lane: Lane
    started_at: int
    build_id: BuildId | None = None
    commit: str | None = None
    pins: Sequence[PinAt] = ()
    range: Sequence[Commit] | None = None


def judge(
    symptom: Symptom,
    case: Case,
    *,
    before: Sequence[Point],
    same_commit: Sequence[Point],
    incidents: Collection[IncidentState] = (),
    other_projects: Collection[str] = (),
    override: Override | None = None,
) -> Judged:
    """Judge one failure of a build.

    `before` are the builds of the case's config that started before it, newest first, `same_commit` all builds of its
    commit; `incidents` those open on the branch; `other_projects` those that show the same failure at the same time.
    """
    past = [_past(point, case) for point in before if _tells(point) and point.id != case.build_id]
    twins = [point for point in same_commit if _tells(point) and _is_twin(point, case)]
    ruled = verdict(
        symptom,
        History(
            builds=past,
            same_commit=[_past(point, case) for point in twins],
            open_incidents=frozenset(
                face.signature for i in incidents for face in i.faces if not _may_be_of(face, case, past)
            )
            - {UNCLASSIFIED},
            other_projects_failing=frozenset(other_projects),
        ),
    )
    if override is None:
        return Judged(verdict=ruled.kind, evidence=list(ruled.evidence))
    decision = f"{override.by} decided so" + (f": {override.reason}" if override.reason else "")
    return Judged(verdict=override.verdict, evidence=[decision, *ruled.evidence], override=override)


def _tells(point: Point) -> bool:
    return point.status in ("succeeded", "failed")


def _is_twin(point: Point, case: Case) -> bool:
    """Whether the build is another attempt at the very same sources, in the same config."""
    if point.id == case.build_id or point.config != case.lane.config or point.commit != case.commit:
        return False
    ours, theirs = ({(pin.name, pin.commit) for pin in pins} for pins in (case.pins, point.pins))
    # One commit on another upstream is another build: what a bump breaks is no flake.
    return not ours or not theirs or ours == theirs


def _past(point: Point, case: Case) -> PastBuild:
    return PastBuild(
        build_id=point.id,
        commit=point.commit or "an unknown commit",
        succeeded=point.status == "succeeded",
        signatures=frozenset(point.signatures) - {UNCLASSIFIED},
        fault=point.fault,
        # An earlier attempt at the same commit carries the change under judgement: it clears nobody.
        on_base=case.commit is None or point.commit != case.commit,
    )


def _may_be_of(face: Face, case: Case, past: Iterable[PastBuild]) -> bool:
    """Whether the commits under judgement may have brought this face of an incident."""
    if case.build_id == face.evidence.build_id or case.commit is None:
        return True
    fresh = _fresh_commits(case, past)
    if face.evidence.commit in fresh:
        return True
    # Where nobody knows which commits are suspect, these may be among them.
    return face.suspects is None or not fresh.isdisjoint(commit.sha for commit in face.suspects)


def _fresh_commits(case: Case, past: Iterable[PastBuild]) -> set[str | None]:
    """The commits that this build has and the build before it in its lane had not."""
    known = {build.commit for build in past if build.on_base}
    fresh: set[str | None] = {case.commit}
    for commit in case.range or ():
        if commit.sha in known:
            break
        fresh.add(commit.sha)
    return fresh
