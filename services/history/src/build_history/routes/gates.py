"""Route of gates: may this commit be released, or bumped to, and what hinders."""

from typing import Annotated

from build_chassis.errors import Conflict, NotFound
from build_protocol.project_config import Gate
from fastapi import APIRouter, Path, Query

from build_history.projections.commits import CommitRow, in_order
from build_history.projections.gate import GateAnswer, gate_of
from build_history.refresh import row_kinds
from build_history.routes.dependencies import BranchQuery, Now, Reads, found, sha_prefix
from build_history.routes.reader import Reader

KNOWN_COMMITS = 200
"""So many of a branch's newest commits are looked at."""

router = APIRouter(tags=["history"])


@router.get("/api/history/gates/{gate}", response_model_exclude_none=True)
async def get_gate(
    *,
    reads: Reads,
    now: Now,
    gate: Annotated[Gate, Path(description="As config.yaml's `gates` name it.")],
    project: Annotated[str, Query(max_length=64)],
    branch: BranchQuery = None,
    commit: Annotated[
        str | None, Query(max_length=64, description="A commit, or at least 4 digits of its beginning.")
    ] = None,
) -> GateAnswer:
    """May the newest commit of a branch, or the one named, be released (bumped to)? If not: what hinders, by config.

    Without `branch` it is the one that config.yaml names, else the project's most lately built one.
    """
    found(project if reads.caller.may_see(project) else None, "project")
    at = branch or await reads.base_of(project)
    page = await reads.commits(project, at, KNOWN_COMMITS, None) if at is not None else None
    ordered = in_order(row_kinds.read_all(CommitRow, page.rows)) if page is not None else []
    row = ordered[0] if ordered else None
    if commit is not None:
        row = await _named(reads, project, at, sha_prefix(commit))
    if row is None or at is None:
        unknown = ["the project, or any build of it"]
        return GateAnswer(project=project, branch=at or "", gate=gate, state="unknown", configs=[], unknown=unknown)
    file = reads.projects.get(project)
    answered = await reads.answer(row, now)
    lanes = await reads.lanes(project, at)
    overdue = await reads.overdue(lanes, project, now)
    return gate_of(gate, row, answered.configs, ordered, lanes=lanes, overdue=overdue, configured=file)


async def _named(reads: Reader, project: str, branch: str | None, prefix: str) -> CommitRow:
    named = [row for row in await reads.commits_like(prefix, KNOWN_COMMITS, project) if branch in (None, row.branch)]
    if not named:
        raise NotFound("no build and no range of commits of this branch names this commit")
    if len({row.info.sha for row in named}) > 1:
        raise Conflict(f"{prefix} begins several commits: give more digits")
    return named[0]
