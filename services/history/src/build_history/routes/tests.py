"""Routes of tests: how each test goes over the newest builds of a branch's configs, and one test's runs."""

from typing import Annotated

from build_chassis.errors import NotFound
from build_chassis.pagination import BadCursor
from fastapi import APIRouter, Query

from build_history.routes.dependencies import BranchQuery, ConfigQuery, Limit, Reads
from build_history.routes.schemas import TestHistory, TestList
from build_history.test_history.statistics import Order

router = APIRouter(prefix="/api/tests", tags=["history"])


@router.get("", response_model_exclude_none=True)
async def list_tests(
    *,
    reads: Reads,
    project: Annotated[str, Query(max_length=64)],
    branch: BranchQuery = None,
    config: ConfigQuery = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of a name, in any case.")] = None,
    sort: Annotated[Order, Query(description="`flaky` and `failing` list only tests that ever were.")] = "name",
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(max_length=16, description="`nextCursor` of the page before.")] = None,
) -> TestList:
    """Tests of a branch, each in each config: pass rate, flakiness, median seconds, the last build that failed."""
    at = await reads.branch_of(project, branch)
    if at is None:
        return TestList(items=[], total=0, unknown=["the project, or any build of it"])
    return await reads.tests(project, at, config, q, sort, first=_place(cursor), count=limit)


@router.get("/history", response_model_exclude_none=True)
async def get_test_history(
    *,
    reads: Reads,
    project: Annotated[str, Query(max_length=64)],
    name: Annotated[str, Query(min_length=1, max_length=4096)],
    branch: BranchQuery = None,
    config: ConfigQuery = None,
) -> TestHistory:
    """One test's outcome and seconds in each build that ran it, per config, newest first."""
    at = await reads.branch_of(project, branch)
    items = await reads.test_runs(project, at, config, name) if at is not None else []
    if not items:
        raise NotFound("no such test in the newest builds")
    return TestHistory(name=name, branch=at or "", items=items)


PLACE_DIGITS = 9


def _place(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= PLACE_DIGITS):
        raise BadCursor
    return int(cursor)
