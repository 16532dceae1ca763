"""The first administrator and the first agent's key, put into the accounts before the server starts."""

import secrets
from pathlib import Path

from build_gateway.accounts.directory import ADMIN, new_admin
from build_gateway.accounts.passwords import Passwords
from build_gateway.audit import Audit
from build_gateway.keys import Keys
from build_gateway.store import GatewayStore, open_store
from build_protocol.clock import now_ms
from build_protocol.frames import Revoked

BY = "build-dashboard setup"


async def add_admin(data: Path, password: str | None) -> str | None:
    """User `admin` exists; its password where it is new and was made here. One that is there stays as it is."""
    store = await _open(data)
    try:
        if await store.find_user(ADMIN) is not None:
            return None
        chosen = password or secrets.token_urlsafe(12)
        if not await store.add_user(new_admin(await Passwords().hash(chosen), now_ms())):
            return None
        await Audit(store).note(BY, "create user", ADMIN)
        return None if password else chosen
    finally:
        await store.close()


async def add_key(data: Path, project: str) -> str:
    """A new key for agents of this project; its value, which is nowhere kept."""
    store = await _open(data)
    try:
        keys = Keys(store, _announce)
        key, value = await keys.create("first", created_by=BY, projects=[project], scopes=("agent", "read"))
        await Audit(store).note(BY, "create key", f"{key.id} ({key.name})")
        return value
    finally:
        await store.close()


async def _open(data: Path) -> GatewayStore:
    store = open_store(f"sqlite:///{data / 'gateway.sqlite'}")
    await store.open()
    return store


async def _announce(_: Revoked) -> None:
    """A key that is new is nobody's yet: there is no session to end."""
