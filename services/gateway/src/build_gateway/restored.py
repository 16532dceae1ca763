"""A restored gateway store: nothing that was taken away since its backup comes back by itself."""

import os
from functools import partial

from build_protocol.clock import now_ms

from build_gateway.accounts.directory import ending_tokens
from build_gateway.audit import Audit
from build_gateway.store import GatewayStore
from build_gateway.store.rows import Key, User

NEVER_AT = 2**53 - 1
EXPIRED = "the dashboard was restored from a backup of before this was carried out: order it again"


async def hold_back(store: GatewayStore, *, confirmed: bool) -> tuple[list[str], list[str]]:
    """End all sessions and commands; people and keys wait for an admin unless `confirmed` by somebody.

    Idempotent. Of an open store; `reset_admin` lets user `admin` in.

    Returns:
        The names of the people, and of the keys with their ids, that are on hold now.

    Raises:
        StoreUnavailable: Only a part was done.
    """
    at = now_ms()
    await store.drop_expired_refresh(NEVER_AT)
    people, keys = [], []
    for user in await store.list_users():
        is_held = not confirmed and not user.disabled
        await store.change_user(user.name, partial(_ended, is_held=is_held))
        people += [user.name] * is_held
    for key in await store.list_keys():
        if not key.is_agents:
            # A job gets another one by itself, a person by logging in.
            await store.change_key(key.id, partial(_ended_key, at=at))
            continue
        is_held = not confirmed and key.is_usable(at)
        await store.change_key(key.id, partial(_held, is_held=is_held))
        keys += [f"{key.id} ({key.name})"] * is_held
    while unfinished := await store.list_unfinished():
        for command in unfinished:
            ended = command.model_copy(update={"state": "expired", "detail": EXPIRED, "updated_at": at})
            await store.move_command(ended, [command.state])
    detail = f"on hold: {len(people)} people, {len(keys)} keys"
    await Audit(store).note(f"uid {os.getuid()} on the server", "restore", "gateway", detail)
    return people, keys


def _ended_key(key: Key, *, at: int) -> Key:
    return key.model_copy(update={"revoked_at": key.revoked_at or at})


def _held(key: Key, *, is_held: bool) -> Key:
    return key.model_copy(update={"on_hold": is_held})


def _ended(user: User, *, is_held: bool) -> User:
    return ending_tokens(user.model_copy(update={"on_hold": is_held}))
