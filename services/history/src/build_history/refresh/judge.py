"""Judging: read what history knows around one failure, and have it judged."""

from collections.abc import Collection, Sequence

from build_analysis.verdict import Symptom
from build_protocol.incidents import IncidentState
from build_protocol.messages import FailureData

from build_history.builds.fact import UNCLASSIFIED, Fact, Point
from build_history.builds.index_keys import commit_tag, lane_tag
from build_history.builds.override import Override
from build_history.projections.failure_verdict import Case, Judged, judge
from build_history.refresh import row_kinds
from build_history.store import HistoryStore
from build_history.store.contract import PointQuery, RowQuery

BEFORE_MAX = 40
"""Builds before the failing one that its verdict looks at; further back says little about now."""

SAME_COMMIT_MAX = 200
INCIDENTS_MAX = 200


def case_of(fact: Fact) -> Case:
    """The case a build's failures are."""
    point = fact.point
    return Case(fact.lane, fact.started_at, fact.id, fact.commit, point.pins, fact.commits)


def first_symptom(fact: Fact) -> FailureData:
    """The failure that stands for a failed build: the first one that a person did not call infra."""
    first = next(iter(fact.signatures), UNCLASSIFIED)
    named = [failure for failure in fact.failures if (failure.signature or UNCLASSIFIED) == first]
    return next(iter(named), FailureData(category=UNCLASSIFIED, message="", first_line=0))


async def judge_first(store: HistoryStore, fact: Fact, same_commit: Sequence[Point]) -> Judged:
    """The verdict of a failed build's first failure."""
    symptom = first_symptom(fact)
    override = fact.overrides.get(symptom.signature or UNCLASSIFIED)
    return await judge_case(store, symptom, case_of(fact), same_commit=same_commit, override=override)


async def judge_case(
    store: HistoryStore,
    symptom: Symptom,
    case: Case,
    *,
    base: str | None = None,
    same_commit: Sequence[Point] | None = None,
    other_projects: Collection[str] = (),
    override: Override | None = None,
) -> Judged:
    """The verdict of one failure; a branch that history does not know is judged against the branch `base`."""
    before = await store.points(PointQuery(lane_tag(case.lane), limit=BEFORE_MAX, before_at=case.started_at))
    is_branch_unknown = not any(point.colour != "none" for point in before)
    judged_by = base if is_branch_unknown and base != case.lane.branch else None
    if judged_by is not None:
        case = case._replace(lane=case.lane._replace(branch=judged_by))
        before = await store.points(PointQuery(lane_tag(case.lane), limit=BEFORE_MAX, before_at=case.started_at))
    project, branch, _ = case.lane
    if same_commit is None:
        tag = commit_tag(project, branch, case.commit) if case.commit else None
        same_commit = await store.points(PointQuery(tag, limit=SAME_COMMIT_MAX)) if tag else ()
    incidents: list[IncidentState] = []
    if next((point.colour for point in before if point.colour != "none"), None) != "green":
        # After a green build of this very config an incident of others clears nobody: then they are not asked for.
        scope = row_kinds.branch_scope(project, branch)
        rows = await store.rows(RowQuery("incident", scopes=[scope], labels=["open"], limit=INCIDENTS_MAX))
        incidents = row_kinds.read_all(IncidentState, rows)
    judged = judge(
        symptom,
        case,
        before=before,
        same_commit=same_commit,
        incidents=incidents,
        other_projects=other_projects,
        override=override,
    )
    if judged_by is None:
        return judged
    note = f"no build of the branch is known in this config: judged against {judged_by}"
    return judged.model_copy(update={"evidence": [*judged.evidence, note]})
