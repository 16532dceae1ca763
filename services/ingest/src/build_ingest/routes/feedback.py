"""Feedback: "wrong line?" on a build's failures, and all of it for those who keep the rules."""

from collections.abc import Sequence
from typing import Annotated

from build_chassis.auth import Caller
from build_chassis.errors import Conflict, Forbidden, Invalid
from build_protocol.model import ShortText
from fastapi import APIRouter, Query

from build_ingest.dependencies import Needs
from build_ingest.findings.feedback import Feedback, FeedbackList, Remark, feedback_id, meant_by
from build_ingest.logs.pages import read_page
from build_ingest.routes.access import VisibleBuild

PER_BUILD = 200
TEXT_CHARACTERS = 2000

router = APIRouter(prefix="/api/builds", tags=["builds"])

Cursor = Annotated[str | None, Query(pattern=r"^\d{16}\.[0-9a-f]{32}$", description="`nextCursor` of the page before.")]


@router.post("/{build_id}/failures/feedback", status_code=201, response_model_exclude_none=True)
async def say(remark: Remark, state: VisibleBuild, caller: Caller, needs: Needs) -> Feedback:
    """Name the line that is the right one. Sent again by the same person about the same line, it replaces the note."""
    if caller.kind != "user":
        raise Forbidden("people say this, not keys")
    build = state.build
    if remark.line > build.log_lines:
        raise Invalid(f"line: the log has {build.log_lines} lines")
    known = await needs.store.list_feedback(None, build.id, None, PER_BUILD)
    identity = feedback_id(build.id, caller.name, remark)
    if len(known) == PER_BUILD and identity not in {feedback.id for feedback in known}:
        raise Conflict(f"{PER_BUILD} remarks on one build are enough")
    page = await read_page(needs.texts, state, remark.line, 1)
    feedback = Feedback(
        **dict(remark),
        id=identity,
        build_id=build.id,
        project=build.project,
        by=caller.name,
        at=needs.clock(),
        text="".join(page.lines)[:TEXT_CHARACTERS],
        found=meant_by(remark, (await needs.store.find_failures(build.id)).items),
        rules=state.rules or None,
    )
    await needs.store.keep_feedback(feedback)
    return feedback


@router.get("/{build_id}/failures/feedback", response_model_exclude_none=True)
async def list_of_build(state: VisibleBuild, needs: Needs) -> FeedbackList:
    """People's remarks on this build's failures, newest first."""
    return FeedbackList(items=await needs.store.list_feedback(None, state.build.id, None, PER_BUILD))


@router.get("/failures/feedback", response_model_exclude_none=True)
async def export(
    caller: Caller,
    needs: Needs,
    project: Annotated[Sequence[ShortText], Query(max_length=100)] = (),
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Cursor = None,
) -> FeedbackList:
    """People's remarks on any build, newest first: material for whoever maintains the rules."""
    for name in project:
        if caller.may_see(name):
            caller.require(name, "developer")
    allowed = caller.projects_where("developer")
    if allowed is not None and not allowed:
        raise Forbidden("this needs role developer")
    wanted = frozenset(name for name in project if caller.may(name, "developer")) if project else allowed
    found = await needs.store.list_feedback(wanted, None, cursor, limit + 1)
    return FeedbackList(items=found[:limit], next_cursor=found[limit - 1].place if len(found) > limit else None)
