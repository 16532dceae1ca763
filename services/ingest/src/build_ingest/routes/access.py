"""Access: the build a route is about, if the caller may see it, and which builds a list is of."""

from collections.abc import Collection
from typing import Annotated

from build_chassis.auth import Caller, Principal
from build_protocol.model import BuildId
from fastapi import Depends, Query

from build_ingest.dependencies import Needs
from build_ingest.errors import BuildNotFound
from build_ingest.records.fold import BuildState


async def get_state(build_id: BuildId, caller: Caller, needs: Needs) -> BuildState:
    """The build's state; a build of a project outside the caller's does not exist for them."""
    state = await needs.store.find(build_id)
    if state is None or not caller.may_see(state.build.project):
        raise BuildNotFound(build_id)
    return state


def visible_projects(caller: Principal, wanted: Collection[str]) -> frozenset[str] | None:
    """The projects a list may show: those wanted, else all that the caller may see; None means every project."""
    if not wanted:
        return caller.projects
    return frozenset(project for project in wanted if caller.may_see(project))


VisibleBuild = Annotated[BuildState, Depends(get_state)]

CommitPrefix = Annotated[str | None, Query(pattern=r"^[0-9a-fA-F]{1,64}$", description="A prefix will do.")]
Place = Annotated[str | None, Query(pattern=r"^\d{16}\.[0-9a-f-]{36}$", description="`nextCursor` of the page before.")]
