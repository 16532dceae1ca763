"""Routes of an incident's ownership: who is on it, who is to repair it, notes and links."""

from collections.abc import Callable
from typing import Annotated

from build_chassis.auth import Caller
from build_chassis.errors import Conflict
from build_protocol.incidents import IncidentState
from build_protocol.model import RequestModel, ShortText, WebUrl
from fastapi import APIRouter, Path, Query
from pydantic import Field

from build_history.builds.ownership import LinkKind, Ownership, TooMuch
from build_history.refresh.ownership import change_ownership
from build_history.routes.dependencies import Now, Reads, found
from build_history.routes.reader import Reader

router = APIRouter(prefix="/api/incidents/{incident_id}", tags=["incidents"])

IncidentPath = Annotated[str, Path(max_length=64, description="The incident; of a merged one, where it went.")]


class Assignment(RequestModel):
    """Who is to repair an incident."""

    assignee: ShortText | None = Field(None, description="A person's name or mail address; absent: nobody.")


class NewNote(RequestModel):
    """What to write down."""

    text: str = Field(min_length=1, max_length=4000)


class NewLink(RequestModel):
    """What to link."""

    kind: LinkKind = "other"
    url: WebUrl


@router.put("/acknowledgement", response_model_exclude_none=True)
async def acknowledge(reads: Reads, caller: Caller, now: Now, incident_id: IncidentPath) -> Ownership:
    """Be on it: everybody sees so, and nobody else is called. Whoever was before is relieved."""
    return await _change(reads, incident_id, lambda owned: owned.acknowledged(caller.name, now), is_open=True)


@router.delete("/acknowledgement", response_model_exclude_none=True)
async def release(reads: Reads, caller: Caller, now: Now, incident_id: IncidentPath) -> Ownership:
    """Nobody is on it any more."""
    return await _change(reads, incident_id, lambda owned: owned.released(caller.name, now))


@router.put("/assignee", response_model_exclude_none=True)
async def assign(reads: Reads, caller: Caller, now: Now, incident_id: IncidentPath, wanted: Assignment) -> Ownership:
    """Say who is to repair it."""
    return await _change(reads, incident_id, lambda owned: owned.assigned(wanted.assignee, caller.name, now))


@router.post("/notes", status_code=201, response_model_exclude_none=True)
async def add_note(reads: Reads, caller: Caller, now: Now, incident_id: IncidentPath, note: NewNote) -> Ownership:
    """Write something down, for whoever looks at it next; the same text twice is one note."""
    return await _change(reads, incident_id, lambda owned: owned.noted(note.text, caller.name, now))


@router.post("/links", status_code=201, response_model_exclude_none=True)
async def add_link(reads: Reads, caller: Caller, now: Now, incident_id: IncidentPath, link: NewLink) -> Ownership:
    """Link an issue, the change that reverts its cause, or anything else; the same address twice is one link."""
    return await _change(reads, incident_id, lambda owned: owned.linked(link.kind, link.url, caller.name, now))


@router.delete("/links", response_model_exclude_none=True)
async def remove_link(
    reads: Reads, caller: Caller, now: Now, incident_id: IncidentPath, url: Annotated[str, Query(max_length=2048)]
) -> Ownership:
    """Remove a link."""
    return await _change(reads, incident_id, lambda owned: owned.unlinked(url, caller.name, now))


async def _change(
    reads: Reader, incident_id: str, change: Callable[[Ownership], Ownership], *, is_open: bool = False
) -> Ownership:
    state = found(await _standing(reads, incident_id), "incident")
    reads.caller.require(state.project, "developer")
    if is_open and state.state != "open":
        raise Conflict(f"the incident is closed ({state.ended_as}): nobody need be on it")
    try:
        return await change_ownership(reads.store, state, change)
    except TooMuch as error:
        raise Conflict(str(error)) from error


async def _standing(reads: Reader, incident_id: str) -> IncidentState | None:
    """The incident; of one that was merged, the one it went on in."""
    seen: set[str] = set()
    state = await reads.incident(incident_id)
    while state is not None and state.merged_into is not None and state.id not in seen:
        seen.add(state.id)
        state = await reads.incident(state.merged_into) or state
    return state
