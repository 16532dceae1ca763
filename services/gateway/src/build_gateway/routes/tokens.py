"""Personal tokens: a person makes, sees and revokes the own ones; admins see and revoke everybody's."""

import re
from typing import Annotated

from build_chassis.auth import Principal
from build_chassis.errors import Forbidden, NotFound
from build_protocol.clock import DAY_SECONDS
from build_protocol.model import EpochMs, ProjectName, RequestModel, WireModel
from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from build_gateway.accounts.directory import password_mark
from build_gateway.caller import LoggedIn, Person
from build_gateway.dependencies import Dependencies, Needs
from build_gateway.store.rows import Key, TokenLevel

router = APIRouter(prefix="/api/tokens", tags=["tokens"])
LONGEST_SECONDS = 366 * DAY_SECONDS
NAME = r"^[^\x00-\x1f\x7f]+$"


class TokenView(WireModel):
    """A personal token without its value; `projects` absent means all that its person may see."""

    id: str
    name: str
    user: str
    level: TokenLevel
    projects: tuple[str, ...] | None = None
    created_at: EpochMs
    expires_at: EpochMs
    revoked_at: EpochMs | None = None
    last_used_at: EpochMs | None = None
    on_hold: bool = False


class NewTokenView(TokenView):
    """A token just created, with its value: shown this once."""

    value: str


class TokenList(WireModel):
    """Tokens, newest first."""

    items: list[TokenView]
    next_cursor: str | None = None


class NewToken(RequestModel):
    """A token to create: it never may more than its person, and `read` only reads."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=128, pattern=NAME)
    level: TokenLevel = "read"
    projects: list[ProjectName] | None = Field(None, max_length=1000)
    expires_in_seconds: int = Field(90 * DAY_SECONDS, ge=60, le=LONGEST_SECONDS)


class TokenGrant(NewToken):
    """A token that a program made and only its person's say-so is missing of: its value never leaves the program."""

    id: str = Field(pattern=r"^[0-9A-Za-z]{8}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class AwaitedToken(RequestModel):
    """The value of a token, shown by the program that has it."""

    model_config = ConfigDict(extra="forbid")

    value: str = Field(min_length=1, max_length=512)


class TokenState(WireModel):
    """Whether a token is good, and whose it is."""

    is_granted: bool
    user: str | None = None


@router.get("")
async def list_tokens(
    needs: Needs, caller: Person, user: Annotated[str | None, Query(max_length=128)] = None
) -> TokenList:
    """The caller's tokens; for admins those of another person, or of everybody for `*`."""
    wanted = user or caller.name
    if wanted != caller.name and not caller.is_full_admin:
        raise Forbidden("these are another person's tokens")
    keys = [key for key in await needs.store.list_keys() if key.user is not None]
    return TokenList(items=[_view(key) for key in keys if wanted in ("*", key.user)])


@router.post("", status_code=201)
async def create_token(body: NewToken, needs: Needs, caller: LoggedIn) -> NewTokenView:
    """Create a token of the caller's; that needs a log-in: no token makes another one."""
    key, value = await _create(needs, caller, body)
    await needs.audit.note(caller.name, "create token", key.id, f"{key.level} {key.name}")
    return NewTokenView(**_view(key).model_dump(), value=value)


@router.post("/grant", status_code=201)
async def grant_token(body: TokenGrant, needs: Needs, caller: LoggedIn) -> TokenView:
    """Make good a token whose value another program has, as `build-dashboard login` asks for; needs a log-in."""
    key, _ = await _create(needs, caller, body, key_id=body.id, sha256=body.sha256)
    await needs.audit.note(caller.name, "grant token", key.id, f"{key.level} {key.name}")
    return _view(key)


@router.post("/awaited")
async def look_at_awaited(body: AwaitedToken, needs: Needs) -> TokenState:
    """Whether this token was granted by now: what a program that waits for it asks."""
    key = await needs.keys.find(body.value)
    is_granted = key is not None and key.user is not None
    return TokenState(is_granted=is_granted, user=key.user if key is not None and is_granted else None)


@router.post("/give-up", status_code=204)
async def give_up_token(body: AwaitedToken, needs: Needs) -> None:
    """Revoke the token that has this value: whoever has it may, so that a leaked one is ended by whoever finds it."""
    key = await needs.keys.find(body.value)
    if key is not None and key.user is not None:
        await needs.keys.revoke(key)
        await needs.directory.end_session(key.user, key.id)
        await needs.audit.note(key.user, "give up token", key.id, key.name)


@router.delete("/{token_id}", status_code=204)
async def revoke_token(token_id: str, needs: Needs, caller: Person) -> None:
    """Revoke a token of the caller's (admins: anybody's): at once here, everywhere within 5 s. Twice is harmless."""
    key = await _get(needs, token_id, caller)
    await needs.keys.revoke(key)
    await needs.directory.end_session(key.user or "", key.id)
    await needs.audit.note(caller.name, "revoke token", key.id, f"of {key.user}")


async def _get(needs: Dependencies, token_id: str, caller: Principal) -> Key:
    key = await needs.keys.find_by_id(token_id) if re.fullmatch(r"\w{1,32}", token_id, re.ASCII) else None
    if key is None or key.user is None or (key.user != caller.name and not caller.is_full_admin):
        raise NotFound(f"no token {token_id[:32]}")
    return key


async def _create(needs: Dependencies, caller: Principal, body: NewToken, **made: str) -> tuple[Key, str]:
    user = await needs.store.find_user(caller.name)
    if user is None:
        raise NotFound(f"no user {caller.name}")
    return await needs.keys.create_personal(
        user.name,
        password=password_mark(user),
        name=body.name,
        level=body.level,
        seconds=body.expires_in_seconds,
        projects=body.projects,
        **made,
    )


def _view(key: Key) -> TokenView:
    return TokenView(**key.model_dump(include=set(TokenView.model_fields)))
