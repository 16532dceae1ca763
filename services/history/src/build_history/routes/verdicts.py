"""Routes of verdicts: whose a failure is, also while its build runs, and a person's override of it."""

from typing import Annotated, NamedTuple

from build_chassis.auth import Caller
from build_chassis.errors import NotFound
from build_protocol.messages import Fault
from fastapi import APIRouter, Path, Query

from build_history.builds.fact import UNCLASSIFIED, Fact, Lane
from build_history.builds.override import Override
from build_history.projections.failure_verdict import Case
from build_history.refresh.judge import case_of, judge_case
from build_history.refresh.override import NoSuchFailure, decide
from build_history.routes.dependencies import Now, Reads, found
from build_history.routes.reader import Reader
from build_history.routes.schemas import Decision, JudgedBuild, JudgedFailure

router = APIRouter(prefix="/api/history", tags=["history"])

BuildPath = Annotated[str, Path(max_length=64)]
SignaturePath = Annotated[str, Path(max_length=512, description="`unclassified` where analysis could not name it.")]


class _Symptom(NamedTuple):
    """A failure as the caller names it: history may not know the build yet."""

    category: str
    signature: str | None
    fault: Fault | None


@router.get("/verdict", response_model_exclude_none=True)
async def get_verdict(
    *,
    reads: Reads,
    now: Now,
    project: Annotated[str, Query(max_length=64)],
    branch: Annotated[str | None, Query(max_length=512)] = None,
    config: Annotated[str, Query(max_length=512)] = "default",
    commit: Annotated[str | None, Query(max_length=64)] = None,
    build_id: Annotated[str | None, Query(alias="buildId", max_length=64)] = None,
    signature: Annotated[str | None, Query(max_length=512)] = None,
    category: Annotated[str, Query(max_length=512)] = UNCLASSIFIED,
    fault: Annotated[Fault | None, Query()] = None,
) -> JudgedFailure:
    """Whose one failure is, judged now: ask as soon as a failing step shows, the build may still run."""
    if not reads.caller.may_see(project):
        raise NotFound("no such project")
    named = signature or UNCLASSIFIED
    fact = await reads.fact(build_id) if build_id else None
    if fact is not None and fact.project == project:
        case = case_of(fact)
    else:
        fact, case = None, Case(Lane(project, branch or "", config), now, build_id, commit)
    symptom = _Symptom(category, None if named == UNCLASSIFIED else named, fault)
    return await _judged(reads, symptom, case, fact)


@router.get("/verdicts/{build_id}", response_model_exclude_none=True)
async def list_verdicts(reads: Reads, build_id: BuildPath) -> JudgedBuild:
    """The verdict of every failure of an ended build, as of now."""
    fact = found(await reads.fact(build_id), "build")
    symptoms = {f.signature or UNCLASSIFIED: _Symptom(f.category, f.signature, f.fault) for f in fact.failures}
    if fact.status == "failed" and not symptoms:
        symptoms[UNCLASSIFIED] = _Symptom(UNCLASSIFIED, None, None)
    items = [await _judged(reads, symptom, case_of(fact), fact) for symptom in symptoms.values()]
    return JudgedBuild(build_id=build_id, items=items)


@router.put("/verdicts/{build_id}/{signature}", response_model_exclude_none=True)
async def put_override(
    *, reads: Reads, caller: Caller, now: Now, build_id: BuildPath, signature: SignaturePath, decision: Decision
) -> Override:
    """Decide whose a failure is; kept with your name above the rules'. `infra` takes the build's colour away."""
    override = Override(verdict=decision.verdict, reason=decision.reason, by=caller.name, at=now)
    await _decide(reads, now, build_id, signature, override)
    return override


@router.delete("/verdicts/{build_id}/{signature}", status_code=204)
async def delete_override(reads: Reads, now: Now, build_id: BuildPath, signature: SignaturePath) -> None:
    """Forget the override of a failure: the rules' verdict holds again."""
    await _decide(reads, now, build_id, signature, None)


async def _judged(reads: Reader, symptom: _Symptom, case: Case, fact: Fact | None) -> JudgedFailure:
    named = symptom.signature or UNCLASSIFIED
    base = await reads.base_of(case.lane.project)
    judged = await judge_case(
        reads.store,
        symptom,
        case,
        base=base,
        other_projects=await reads.projects_failing_alike(named, case),
        override=fact.overrides.get(named) if fact else None,
    )
    return JudgedFailure(signature=named, **dict(judged))


async def _decide(reads: Reader, now: int, build_id: str, signature: str, override: Override | None) -> None:
    fact = found(await reads.fact(build_id), "build: history keeps builds of origin ci")
    reads.caller.require(fact.project, "developer")
    try:
        await decide(reads.store, build_id, signature, override, reads.states, clock=lambda: now)
    except NoSuchFailure as error:
        raise NotFound(str(error)) from error
