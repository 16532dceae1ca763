"""Groups of people: admins make them, say what they may do, and who is in them."""

from typing import Annotated

from build_chassis.auth import ProjectRole, Role
from build_chassis.errors import Conflict, NotFound
from build_protocol.model import ProjectName, RequestModel, WireModel
from fastapi import APIRouter, Path
from pydantic import ConfigDict, Field

from build_gateway.caller import Admin
from build_gateway.dependencies import Dependencies, Needs
from build_gateway.routes.users import UserName, nobody
from build_gateway.store.rows import Group, User

router = APIRouter(prefix="/api/groups", tags=["users"])
GroupName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@+:-]*$", max_length=128)]
GROUPS_MAX = 200
"""So many groups has a person at most."""


class GroupView(Group):
    """A group and who is in it."""

    members: list[str]


class GroupList(WireModel):
    """All groups, by name."""

    items: list[GroupView]
    next_cursor: str | None = None


class GroupRights(RequestModel):
    """What the members of a group may do; `projects` absent means all."""

    model_config = ConfigDict(extra="forbid")

    role: Role = "viewer"
    projects: list[ProjectName] | None = Field(None, max_length=1000)
    roles: dict[ProjectName, ProjectRole] = Field(default_factory=dict, max_length=1000)


@router.get("")
async def list_groups(needs: Needs, caller: Admin) -> GroupList:  # noqa: ARG001  the role is the point
    """All groups with their members."""
    people = await needs.store.list_users()
    return GroupList(items=[_view(group, people) for group in await needs.store.list_groups()])


@router.put("/{name}")
async def put_group(name: GroupName, body: GroupRights, needs: Needs, caller: Admin) -> GroupView:
    """Make a group, or change what it may; tokens and sockets of its members with other rights end within 5 s."""
    known = {group.name: group for group in await needs.store.list_groups()}
    group = Group(
        name=name,
        role=body.role,
        projects=None if body.projects is None else tuple(body.projects),
        roles=dict(body.roles),
        created_at=known[name].created_at if name in known else needs.clock(),
    )
    await needs.directory.put_group(group)
    await needs.audit.note(caller.name, "change group", name, f"role {body.role}")
    return _view(group, await needs.store.list_users())


@router.delete("/{name}", status_code=204)
async def delete_group(name: GroupName, needs: Needs, caller: Admin) -> None:
    """Delete a group: it gives nothing any more, and nobody is in it."""
    members = [user.name for user in await needs.store.list_users() if name in user.groups]
    if not await needs.directory.drop_group(name):
        raise NotFound(f"no group {name}")
    for member in members:
        await needs.directory.change(member, lambda user: _without(user, name), ends_sessions=False)
    await needs.audit.note(caller.name, "delete group", name)


@router.put("/{name}/members/{user}", status_code=204)
async def add_member(name: GroupName, user: UserName, needs: Needs, caller: Admin) -> None:
    """Put a person into a group. Repeating changes nothing."""
    if name not in {group.name for group in await needs.store.list_groups()}:
        raise NotFound(f"no group {name}")
    await _ours(needs, user)
    await needs.directory.change(user, lambda person: _within(person, name), ends_sessions=False)
    await needs.audit.note(caller.name, "join group", user, name)


@router.delete("/{name}/members/{user}", status_code=204)
async def remove_member(name: GroupName, user: UserName, needs: Needs, caller: Admin) -> None:
    """Take a person out of a group. Repeating changes nothing."""
    await _ours(needs, user)
    await needs.directory.change(user, lambda person: _without(person, name), ends_sessions=False)
    await needs.audit.note(caller.name, "leave group", user, name)


async def _ours(needs: Dependencies, name: str) -> None:
    """Raises NotFound; Conflict where the provider decides: a change here would last until it is asked again."""
    user = await needs.store.find_user(name)
    if user is None:
        raise nobody(name)
    if user.identity:
        raise Conflict(f"{name}'s groups are those of the single sign-on: change them at the provider")


def _within(user: User, group: str) -> User:
    return user.model_copy(update={"groups": tuple(dict.fromkeys((*user.groups, group)))[:GROUPS_MAX]})


def _without(user: User, group: str) -> User:
    return user.model_copy(update={"groups": tuple(each for each in user.groups if each != group)})


def _view(group: Group, people: list[User]) -> GroupView:
    return GroupView(**group.model_dump(), members=[user.name for user in people if group.name in user.groups])
