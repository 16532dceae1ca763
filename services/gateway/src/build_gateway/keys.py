"""Keys of agents (`bmk_<id>_<32 random bytes>_<crc>`) and tokens of people (`bmp_...`): shown once, stored hashed."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from build_chassis.errors import Conflict, Unavailable
from build_chassis.secret_rules import API_KEY
from build_protocol.credentials import KEY_PREFIX, TOKEN_PREFIX, new_id, new_value
from build_protocol.frames import Revoked

from build_gateway.store.contract import GatewayStore
from build_gateway.store.rows import Key, Scope, TokenLevel

logger = logging.getLogger("gateway")
SHORTEST = API_KEY.least
LONGEST = 512
TOUCH_SECONDS = 60
TOKENS = 50
"""So many good tokens a person has at most."""

ALIVE = 2
"""So many keys of one name, which are one agent, are good at a time: the old one and the new one of a rotation."""


class KeyTooShort(ValueError):
    """A key chosen by a person must be hard to guess."""

    def __init__(self) -> None:
        super().__init__(f"an API key has {SHORTEST} to {LONGEST} characters")


class KeyOnHold(Unavailable):
    """The key may be right: whoever shows it tries again, and gets in once an admin has confirmed it."""

    def __init__(self, key: Key) -> None:
        super().__init__(
            f"key {key.id} ({key.name}) is on hold since this dashboard was restored from a backup",
            remedy="ask an admin to confirm it, `build-dashboard keys confirm`, or to revoke it; then try again.",
        )


class TooManyAlive(Conflict):
    """An agent whose key is being rotated has the old one and the new one, and no third."""

    def __init__(self, name: str, alive: Sequence[Key]) -> None:
        ids = " and ".join(key.id for key in alive)
        super().__init__(
            f"{name} has {len(alive)} keys already: {ids}",
            remedy="revoke the one that nothing uses any more (see when each was last used), then try again.",
        )


class Keys:
    """Makes, finds and revokes keys."""

    def __init__(
        self,
        store: GatewayStore,
        announce: Callable[[Revoked], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._announce = announce
        self._clock = clock
        self._creating = asyncio.Lock()

    async def create(
        self,
        name: str,
        *,
        created_by: str,
        projects: Sequence[str] | None = None,
        scopes: Sequence[Scope] = ("agent",),
        expires_at: int | None = None,
    ) -> tuple[Key, str]:
        """A new key and its value, which is nowhere kept. Keys of one name are one agent.

        Raises TooManyAlive.
        """
        key_id = new_id()
        value = new_value(KEY_PREFIX, key_id)
        key = Key(
            id=key_id,
            name=name,
            sha256=_sha256(value),
            scopes=tuple(scopes),
            projects=None if projects is None else tuple(projects),
            created_by=created_by,
            created_at=self._now_ms(),
            expires_at=expires_at,
        )
        async with self._creating:
            await self._check_alive(name)
            await self._store.add_key(key)
        return key, value

    async def rotate(self, old: Key, *, created_by: str, overlap_seconds: int) -> tuple[Key, str]:
        """A key of the same name, projects and scopes in place of `old`, which expires after the overlap at the latest.

        Its own life is as long as that of `old` was. Raises TooManyAlive, and Conflict where `old` is no longer good.
        """
        now = self._now_ms()
        if not old.is_agents:
            raise Conflict(f"key {old.id} is a job's, which gets the next one by itself, or a person's")
        if not old.is_usable(now):
            raise Conflict(f"key {old.id} was revoked or has expired: create a new one instead")
        life = None if old.expires_at is None else old.expires_at - old.created_at
        key, value = await self.create(
            old.name,
            created_by=created_by,
            projects=old.projects,
            scopes=old.scopes,
            expires_at=None if life is None else now + life,
        )
        until = now + overlap_seconds * 1000
        await self._store.change_key(old.id, lambda now: now.model_copy(update={"expires_at": _sooner(now, until)}))
        return key, value

    async def lend(self, name: str, *, projects: Sequence[str], subject: str, seconds: int) -> tuple[Key, str]:
        """A key of agent `name` for one job of a CI, which calls it `subject`; good for so many seconds."""
        key_id, now = new_id(), self._now_ms()
        value = new_value(KEY_PREFIX, key_id)
        key = Key(
            id=key_id,
            name=name,
            sha256=_sha256(value),
            projects=tuple(projects),
            created_by="config.yaml",
            created_at=now,
            expires_at=now + seconds * 1000,
            subject=subject,
        )
        await self._store.add_key(key)
        return key, value

    async def create_personal(
        self,
        user: str,
        *,
        password: str,
        name: str,
        level: TokenLevel,
        seconds: int,
        projects: Sequence[str] | None = None,
        key_id: str | None = None,
        sha256: str | None = None,
    ) -> tuple[Key, str]:
        """A token of a person, and its value; that is empty where a `sha256` is given, of a value that others have.

        Args:
            user: The person.
            password: The mark of the password that is in force.
            name: For people.
            level: What it may.
            seconds: How long it is good.
            projects: It is limited to these.
            key_id: Its id, where somebody else made the value.
            sha256: Of that value.

        Raises:
            Conflict: The person has too many, or this one was there before.
        """
        now, value = self._now_ms(), ""
        alive = [key for key in await self._store.list_keys() if key.user == user and key.is_usable(now)]
        if len(alive) >= TOKENS:
            raise Conflict(f"{user} has {TOKENS} tokens already", remedy="revoke some of them, then try again.")
        key_id = key_id or new_id()
        if sha256 is None:
            value = new_value(TOKEN_PREFIX, key_id)
            sha256 = _sha256(value)
        key = Key(
            id=key_id,
            name=name,
            sha256=sha256,
            scopes=(),
            projects=None if projects is None else tuple(projects),
            created_by=user,
            created_at=now,
            expires_at=now + seconds * 1000,
            user=user,
            level=level,
            password=password,
        )
        if not await self._store.add_key(key):
            raise Conflict("this token was granted before, or its id is taken", remedy="begin the log-in again.")
        return key, value

    async def ensure_key(self, value: str, name: str, projects: Sequence[str] | None = None) -> Key:
        """The key with exactly this value, added where it is not known; a known one stays as it is, revoked as well.

        Idempotent by value: another value is another key. Raises KeyTooShort.
        """
        if not SHORTEST <= len(value) <= LONGEST:
            raise KeyTooShort
        key = Key(
            id=new_id(),
            name=name,
            sha256=_sha256(value),
            scopes=("agent", "read"),
            projects=None if projects is None else tuple(projects),
            created_by="environment",
            created_at=self._now_ms(),
        )
        if await self._store.add_key(key):
            logger.info("add key %s (%s) of %s", key.id, name, API_KEY.name)
            return key
        known = await self._store.find_key(key.sha256)
        if known is None:
            return await self.ensure_key(value, name, projects)  # its id was taken, by a chance of 1 in 10^14
        if not known.is_usable(self._now_ms()):
            logger.warning(
                "%s has the value of key %s (%s), which %s and stays so: agents that show it are refused; "
                "create another (`build-dashboard keys add NAME`) and give them its value",
                API_KEY.name,
                known.id,
                known.name,
                "has expired" if known.revoked_at is None else "was revoked",
            )
        return known

    async def find(self, value: str) -> Key | None:
        """The usable key with this value. Its hash is looked up, so timing reveals nothing about near misses.

        Raises KeyOnHold.
        """
        if not SHORTEST <= len(value) <= LONGEST:
            return None
        key = await self._store.find_key(_sha256(value))
        now_ms = self._now_ms()
        if key is None or not key.is_usable(now_ms):
            return None
        if key.on_hold:
            raise KeyOnHold(key)
        await self.touch(key)
        return key

    async def touch(self, key: Key) -> None:
        """Note that the key is in use, a minute's precision."""
        now_ms = self._now_ms()
        if key.last_used_at is None or now_ms - key.last_used_at > TOUCH_SECONDS * 1000:
            # Only this one column: a revocation written meanwhile must stand.
            await self._store.touch_key(key.id, now_ms)

    async def find_by_id(self, key_id: str) -> Key | None:
        """The key, usable or not."""
        return next((key for key in await self._store.list_keys() if key.id == key_id), None)

    async def confirm(self, key: Key) -> Key:
        """Let a key that is on hold be used again; repeating changes nothing."""
        changed = await self._store.change_key(key.id, lambda now: now.model_copy(update={"on_hold": False}))
        return changed or key

    async def revoke(self, key: Key) -> Key:
        """End the key; sessions that use it close within 5 s."""
        at = self._now_ms()
        changed = await self._store.change_key(
            key.id, lambda now: now.model_copy(update={"revoked_at": now.revoked_at or at})
        )
        await self._announce(Revoked(key_id=key.id))
        return changed or key

    async def _check_alive(self, name: str) -> None:
        now_ms = self._now_ms()
        keys = await self._store.list_keys()
        alive = [key for key in keys if key.name == name and key.is_agents and key.is_usable(now_ms)]
        if len(alive) >= ALIVE:
            raise TooManyAlive(name, alive)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _sooner(key: Key, at: int) -> int:
    return at if key.expires_at is None else min(at, key.expires_at)


def _sha256(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
