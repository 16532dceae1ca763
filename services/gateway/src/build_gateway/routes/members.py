"""Members of a project: who may do what in it, as its maintainers decide."""

from build_chassis.auth import ProjectRole, Role
from build_chassis.errors import Conflict
from build_protocol.model import ProjectName, RequestModel, WireModel
from fastapi import APIRouter
from pydantic import ConfigDict, Field

from build_gateway.caller import Person
from build_gateway.dependencies import Needs
from build_gateway.routes.users import UserName, nobody
from build_gateway.store.rows import User

router = APIRouter(prefix="/api/projects/{project}/members", tags=["projects"])


class Member(WireModel):
    """A person and their role in the project."""

    name: str
    role: Role
    is_own: bool = Field(description="Given for this project to this person, so that its maintainers may take it back.")


class MemberList(WireModel):
    """Who may see the project, by name."""

    items: list[Member]
    next_cursor: str | None = None


class MemberRole(RequestModel):
    """The role that a person gets in the project."""

    model_config = ConfigDict(extra="forbid")

    role: ProjectRole


@router.get("")
async def list_members(project: ProjectName, needs: Needs, caller: Person) -> MemberList:
    """Everybody who may see the project, for its maintainers."""
    caller.require(project, "maintainer")
    members = []
    for user in await needs.store.list_users():
        role = (await needs.directory.principal_now(user)).role_in(project)
        if role is not None and user.may_log_in:
            members.append(Member(name=user.name, role=role, is_own=_has_own(user, project)))
    return MemberList(items=members)


@router.put("/{name}", status_code=204)
async def put_member(project: ProjectName, name: UserName, body: MemberRole, needs: Needs, caller: Person) -> None:
    """Give a person this role in the project; a higher one by a group or for all projects stays what it is."""
    caller.require(project, "maintainer")

    def give(user: User) -> User:
        return _taken(user, project).model_copy(update={"roles": {**user.roles, project: body.role}})

    if await needs.directory.change(name, give, ends_sessions=False) is None:
        raise nobody(name)
    await needs.audit.note(caller.name, "give role", name, f"{body.role} in {project}")


@router.delete("/{name}", status_code=204)
async def remove_member(project: ProjectName, name: UserName, needs: Needs, caller: Person) -> None:
    """Take a person's own role in the project. 409: what they have is by a group, or for all projects."""
    caller.require(project, "maintainer")
    user = await needs.directory.change(name, lambda user: _taken(user, project), ends_sessions=False)
    if user is None:
        raise nobody(name)
    await needs.audit.note(caller.name, "take role", name, project)
    left = (await needs.directory.principal_now(user)).role_in(project)
    if left is not None:
        raise Conflict(f"{name} is {left} in {project} by a group, or in all projects: ask an admin to change that")


def _has_own(user: User, project: str) -> bool:
    return project in user.roles or project in (user.projects or ())


def _taken(user: User, project: str) -> User:
    roles = {name: role for name, role in user.roles.items() if name != project}
    projects = user.projects and tuple(name for name in user.projects if name != project)
    return user.model_copy(update={"roles": roles, "projects": projects})
