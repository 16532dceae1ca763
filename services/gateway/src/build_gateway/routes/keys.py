"""API keys: admins create and revoke them; a key's value is answered once."""

from build_chassis.errors import NotFound
from build_protocol.clock import DAY_SECONDS
from build_protocol.model import EpochMs, ProjectName, RequestModel, WireModel
from fastapi import APIRouter
from pydantic import ConfigDict, Field

from build_gateway.caller import Admin
from build_gateway.dependencies import Needs
from build_gateway.store.rows import Key, KeyView, Scope

router = APIRouter(prefix="/api/keys", tags=["keys"])


class NewKeyView(KeyView):
    """A key just created, with its value: shown this once."""

    value: str


class KeyList(WireModel):
    """All keys, newest first."""

    items: list[KeyView]
    next_cursor: str | None = None


def _agent_only() -> list[Scope]:
    return ["agent"]


class Rotation(RequestModel):
    """How long the old key stays good beside the new one."""

    model_config = ConfigDict(extra="forbid")

    overlap_seconds: int = Field(7 * DAY_SECONDS, ge=0, le=90 * DAY_SECONDS)


class NewKey(RequestModel):
    """A key to create; its name is the agent's name."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=128)
    projects: list[ProjectName] | None = Field(None, max_length=1000)
    scopes: list[Scope] = Field(default_factory=_agent_only, min_length=1, max_length=2)
    expires_at: EpochMs | None = None


@router.get("")
async def list_keys(needs: Needs, caller: Admin) -> KeyList:  # noqa: ARG001  the role is the point
    """All keys."""
    keys = [key for key in await needs.store.list_keys() if key.user is None]
    return KeyList(items=[KeyView(**_fields(key)) for key in keys])


@router.post("", status_code=201)
async def create_key(body: NewKey, needs: Needs, caller: Admin) -> NewKeyView:
    """Create a key. A third of one name, while two are good, is refused: 409."""
    key, value = await needs.keys.create(
        body.name,
        created_by=caller.name,
        projects=body.projects,
        scopes=list(dict.fromkeys(body.scopes)),
        expires_at=body.expires_at,
    )
    await needs.audit.note(caller.name, "create key", key.id, f"name {key.name}")
    return NewKeyView(**_fields(key), value=value)


@router.post("/{key_id}/rotate", status_code=201)
async def rotate_key(key_id: str, body: Rotation, needs: Needs, caller: Admin) -> NewKeyView:
    """A new key of the same name, projects and scopes; the old one expires after the overlap."""
    old = await _get(needs, key_id)
    key, value = await needs.keys.rotate(old, created_by=caller.name, overlap_seconds=body.overlap_seconds)
    await needs.audit.note(caller.name, "rotate key", key_id, f"by {key.id}, overlap {body.overlap_seconds} s")
    return NewKeyView(**_fields(key), value=value)


@router.delete("/{key_id}", status_code=204)
async def revoke_key(key_id: str, needs: Needs, caller: Admin) -> None:
    """Revoke a key; its agents' connections close within 5 s. Revoking twice is harmless."""
    await needs.keys.revoke(await _get(needs, key_id))
    await needs.audit.note(caller.name, "revoke key", key_id)


@router.post("/{key_id}/confirm")
async def confirm_key(key_id: str, needs: Needs, caller: Admin) -> KeyView:
    """Let a key that is on hold since a restore be used again. Confirming twice is harmless; a revoked key stays so."""
    key = await needs.keys.confirm(await _get(needs, key_id))
    await needs.audit.note(caller.name, "confirm key", key_id)
    return KeyView(**_fields(key))


async def _get(needs: Needs, key_id: str) -> Key:
    key = await needs.keys.find_by_id(key_id)
    if key is None or key.user is not None:
        raise NotFound(f"no key {key_id[:32]}")
    return key


def _fields(key: Key) -> dict[str, object]:
    return key.model_dump(include=set(KeyView.model_fields))
