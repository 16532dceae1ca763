"""People: admins create, change and disable them; everybody changes the own password."""

from typing import Annotated

from build_chassis.auth import ProjectRole, Role
from build_chassis.errors import Conflict, Forbidden, NotFound
from build_chassis.secret_rules import USER_PASSWORD
from build_protocol.model import ProjectName, RequestModel, WireModel
from fastapi import APIRouter, Path, Request
from pydantic import AfterValidator, ConfigDict, Field

from build_gateway.caller import Admin, LoggedIn, client_address
from build_gateway.dependencies import Needs
from build_gateway.routes.auth import NAME_PATTERN
from build_gateway.store.contract import LastAdmin
from build_gateway.store.rows import User, UserView

router = APIRouter(prefix="/api/users", tags=["users"])
UserName = Annotated[str, Path(pattern=NAME_PATTERN, max_length=128)]
OWN_ACCOUNT = "nobody disables the own account: ask another admin"


def _strong(password: str) -> str:
    if fault := USER_PASSWORD.fault(password):
        raise ValueError(fault)
    return password


NewPassword = Annotated[str, Field(min_length=USER_PASSWORD.least, max_length=1024), AfterValidator(_strong)]


class UserList(WireModel):
    """All people, by name."""

    items: list[UserView]
    next_cursor: str | None = None


class NewUser(RequestModel):
    """A person to create."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=NAME_PATTERN, max_length=128)
    password: NewPassword
    role: Role = "viewer"
    projects: list[ProjectName] | None = Field(None, max_length=1000)
    roles: dict[ProjectName, ProjectRole] = Field(default_factory=dict, max_length=1000)


class UserChange(RequestModel):
    """What changes; absent fields do not. `projects: null` means all projects."""

    model_config = ConfigDict(extra="forbid")

    password: NewPassword | None = None
    role: Role | None = None
    projects: list[ProjectName] | None = Field(None, max_length=1000)
    roles: dict[ProjectName, ProjectRole] | None = Field(None, max_length=1000)
    disabled: bool | None = None


class OwnPassword(RequestModel):
    """A person's own new password, with the old one."""

    model_config = ConfigDict(extra="forbid")

    old_password: str = Field(min_length=1, max_length=1024)
    password: NewPassword


@router.get("")
async def list_users(needs: Needs, caller: Admin) -> UserList:  # noqa: ARG001  the role is the point
    """All people."""
    return UserList(items=[_view(user) for user in await needs.store.list_users()])


@router.post("", status_code=201)
async def create_user(body: NewUser, needs: Needs, caller: Admin) -> UserView:
    """Create a person."""
    user = User(
        name=body.name,
        role=body.role,
        projects=None if body.projects is None else tuple(body.projects),
        roles=dict(body.roles),
        password_hash=await needs.passwords.hash(body.password),
        created_at=needs.clock(),
    )
    if not await needs.store.add_user(user):
        raise Conflict(f"there is a user {body.name} already")
    await needs.audit.note(caller.name, "create user", body.name, f"role {body.role}")
    return _view(user)


@router.put("/me/password", status_code=204)
async def change_own_password(body: OwnPassword, request: Request, needs: Needs, caller: LoggedIn) -> None:
    """Change the own password; every session of the person ends. Wrong old ones are throttled as at log-in."""
    user = await _get(needs, caller.name)
    async with needs.attempts.attempt(caller.name, client_address(request)) as attempt:
        attempt.is_right = await needs.passwords.check(body.old_password, user.password_hash)
    if not attempt.is_right:
        raise Forbidden("the old password is wrong")
    await _change(needs, caller.name, {"password_hash": await needs.passwords.hash(body.password)})
    await needs.audit.note(caller.name, "change password", caller.name)


@router.patch("/{name}")
async def change_user(name: UserName, body: UserChange, needs: Needs, caller: Admin) -> UserView:
    """Change a person's role, projects, password or whether they may log in; their sessions end within 5 s.

    Nobody disables the own account, and one enabled admin with access to all projects always remains: else 409. Giving
    up the own rights is fine while there is another, who can give them back.
    """
    await _get(needs, name)
    if body.disabled and name == caller.name:
        raise Conflict(OWN_ACCOUNT)
    changes = body.model_dump(exclude_unset=True, exclude={"password"})
    if changes.get("projects") is not None:
        changes["projects"] = tuple(changes["projects"])
    changes = {field: value for field, value in changes.items() if value is not None or field == "projects"}
    if body.password is not None:
        changes["password_hash"] = await needs.passwords.hash(body.password)
    changed = await _change(needs, name, changes)
    await needs.audit.note(caller.name, "change user", name, ", ".join(sorted(changes)))
    return _view(changed)


@router.delete("/{name}", status_code=204)
async def disable_user(name: UserName, needs: Needs, caller: Admin) -> None:
    """Disable a person: they can no longer log in; the audit trail keeps what they did."""
    if name == caller.name:
        raise Conflict(OWN_ACCOUNT)
    await _change(needs, name, {"disabled": True})
    await needs.audit.note(caller.name, "disable user", name)


@router.post("/{name}/confirm")
async def confirm_user(name: UserName, needs: Needs, caller: Admin) -> UserView:
    """Let a person who is on hold since a restore log in again. Confirming twice is harmless; disabled stays so."""
    confirmed = await _change(needs, name, {"on_hold": False})
    await needs.audit.note(caller.name, "confirm user", name)
    return _view(confirmed)


async def _get(needs: Needs, name: str) -> User:
    user = await needs.store.find_user(name)
    if user is None:
        raise nobody(name)
    return user


def nobody(name: str) -> NotFound:
    """There is no such person."""
    return NotFound(f"no user {name}")


async def _change(needs: Needs, name: str, changes: dict[str, object]) -> User:
    """The user with these fields changed. Raises NotFound, and Conflict for the last full admin."""
    try:
        changed = await needs.directory.change(name, lambda user: user.model_copy(update=changes))
    except LastAdmin as error:
        raise Conflict(str(error)) from error
    if changed is None:
        raise nobody(name)
    return changed


def _view(user: User) -> UserView:
    return UserView(**user.model_dump(include=set(UserView.model_fields)))
