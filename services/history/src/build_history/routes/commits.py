"""Routes of commits: what became of each, on a branch, in the grid, and of the pins to upstreams."""

from typing import Annotated

from build_chassis.errors import Conflict, Invalid, NotFound
from fastapi import APIRouter, Path, Query, Response

from build_history.projections.commits import CommitPlace, CommitRow, in_order
from build_history.projections.grid import Grid, grid_of, unknown_of
from build_history.projections.pins import leading, matrix
from build_history.refresh import row_kinds
from build_history.routes.dependencies import BranchQuery, Cursor, Limit, Now, ProjectQuery, Reads, sha_prefix
from build_history.routes.raw_json import answer, with_bodies
from build_history.routes.schemas import CommitAnswer, CommitList, CommitSummary, PinList

ROWS = 50
"""Branches whose word on one commit is answered."""

LISTED = 10

router = APIRouter(tags=["history"])


@router.get("/api/commits", response_model_exclude_none=True)
async def list_commits(
    *,
    reads: Reads,
    project: ProjectQuery = None,
    branch: BranchQuery = None,
    q: Annotated[str | None, Query(max_length=64, description="Beginning of a sha, at least 4 digits.")] = None,
    author: Annotated[str | None, Query(max_length=512)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> CommitList:
    """Commits of a project's branch, newest first; or, with `q`, those whose sha begins so in any project."""
    if q is not None:
        known = await reads.commits_like(sha_prefix(q), limit, project)
        return CommitList(
            items=[
                CommitSummary.of(row, reads.excluded_configs(row.project))
                for row in known
                if _matches(row, project, branch, author)
            ]
        )
    if project is None:
        raise Invalid("query.project: name a project, or the beginning of a sha as `q`")
    at = await reads.branch_of(project, branch)
    if at is None:
        return CommitList(items=[], unknown=["the project, or any build of it"])
    page = await reads.commits(project, at, limit, cursor)
    rows = in_order(row_kinds.read_all(CommitRow, page.rows))
    items = [
        CommitSummary.of(row, reads.excluded_configs(project)) for row in rows if _matches(row, None, None, author)
    ]
    return CommitList(items=items, next_cursor=page.next_cursor, unknown=unknown_of(rows))


@router.get("/api/commits/{sha}", response_model_exclude_none=True)
async def get_commit(
    reads: Reads, now: Now, sha: Annotated[str, Path(max_length=64)], project: ProjectQuery = None
) -> CommitAnswer:
    """Does this commit (or beginning of one) pass everywhere? Every config of every branch that knows it answers."""
    prefix = sha_prefix(sha)
    rows = await reads.commits_like(prefix, ROWS + 1, project)
    if not rows:
        raise NotFound("no build and no range of commits names this commit")
    shas = sorted({row.info.sha for row in rows})
    if len(shas) > 1:
        raise Conflict(f"{prefix} begins several commits ({', '.join(shas[:LISTED])}): give more digits")
    if len(rows) > ROWS and shas != [prefix]:
        # Beyond the newest rows there may be another one, whose answer this is not.
        raise Conflict(f"{prefix} begins a commit of many branches, and may begin others: give its whole id")
    return CommitAnswer(sha=rows[0].info.sha, items=[await reads.answer(row, now) for row in rows[:ROWS]])


@router.get("/api/pins", response_model_exclude_none=True)
async def list_pins(
    reads: Reads,
    now: Now,
    name: Annotated[str | None, Query(max_length=512, description="Only this upstream.")] = None,
) -> PinList:
    """Who is pinned to which commit of each upstream, how that goes, and what is safe to bump to."""
    lines = leading(await reads.pin_lines(name))
    names = sorted({line.name for line in lines})
    return PinList(items=[matrix([line for line in lines if line.name == upstream], now) for upstream in names])


@router.get("/api/history/grid", response_model=Grid)
async def get_grid(
    reads: Reads,
    project: Annotated[str, Query(max_length=64)],
    branch: BranchQuery = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Commits x configs of a branch, a page of commits at a time."""
    at = await reads.branch_of(project, branch)
    if at is None:
        empty = Grid(project=project, branch=branch or "", columns=[], rows=[], unknown=["any build of the project"])
        return answer(empty.to_json())
    page = await reads.commits(project, at, limit, cursor)
    lanes = await reads.lanes(project, at)
    places = row_kinds.read_all(CommitPlace, page.rows)
    grid = grid_of(project, at, places, lanes, page.next_cursor, configured=reads.projects.get(project))
    bodies = {row.label: row.body for row in page.rows}
    return answer(with_bodies(grid, "rows", [bodies[place.info.sha] for place in in_order(places)]))


def _matches(row: CommitRow, project: str | None, branch: str | None, author: str | None) -> bool:
    if project not in (None, row.project) or branch not in (None, row.branch):
        return False
    return author is None or author.casefold() in (row.info.author or "").casefold()
