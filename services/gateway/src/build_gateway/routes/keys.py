"""API keys: admins create and revoke them; a key's value is answered once."""

from build_chassis.errors import NotFound
from build_protocol.model import EpochMs, ProjectName, RequestModel, WireModel
from fastapi import APIRouter
from pydantic import ConfigDict, Field

from build_gateway.caller import Admin
from build_gateway.dependencies import Needs
from build_gateway.store.rows import Key, Scope

router = APIRouter(prefix="/api/keys", tags=["keys"])


class KeyView(WireModel):
    """A key without its value; `projects` absent means all."""

    id: str
    name: str
    scopes: list[Scope]
    projects: list[str] | None = None
    created_by: str
    created_at: EpochMs
    expires_at: EpochMs | None = None
    revoked_at: EpochMs | None = None
    last_used_at: EpochMs | None = None


class NewKeyView(KeyView):
    """A key just created, with its value: shown this once."""

    value: str


class KeyList(WireModel):
    """All keys, newest first."""

    items: list[KeyView]
    next_cursor: str | None = None


def _agent_only() -> list[Scope]:
    return ["agent"]


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
    return KeyList(items=[KeyView(**_fields(key)) for key in await needs.store.list_keys()])


@router.post("", status_code=201)
async def create_key(body: NewKey, needs: Needs, caller: Admin) -> NewKeyView:
    """Create a key."""
    key, value = await needs.keys.create(
        body.name,
        created_by=caller.name,
        projects=body.projects,
        scopes=list(dict.fromkeys(body.scopes)),
        expires_at=body.expires_at,
    )
    await needs.audit.note(caller.name, "create key", key.id, f"name {key.name}")
    return NewKeyView(**_fields(key), value=value)


@router.delete("/{key_id}", status_code=204)
async def revoke_key(key_id: str, needs: Needs, caller: Admin) -> None:
    """Revoke a key; its agents' connections close within 5 s. Revoking twice is harmless."""
    key = await needs.keys.find_by_id(key_id)
    if key is None:
        raise NotFound(f"no key {key_id[:32]}")
    await needs.keys.revoke(key)
    await needs.audit.note(caller.name, "revoke key", key_id)


def _fields(key: Key) -> dict[str, object]:
    fields = key.model_dump(exclude={"sha256"})
    fields["projects"] = None if key.projects is None else list(key.projects)
    fields["scopes"] = list(key.scopes)
    return fields
