"""API keys of agents: `bmk_<id>_<32 random bytes>_<crc>`, shown once, stored as a SHA-256."""

import hashlib
import logging
import secrets
import string
import time
import zlib
from collections.abc import Awaitable, Callable, Sequence

from build_chassis.secret_rules import API_KEY
from build_protocol.frames import Revoked

from build_gateway.store.contract import GatewayStore
from build_gateway.store.rows import Key, Scope

logger = logging.getLogger("gateway")
PREFIX = "bmk"
SHORTEST = API_KEY.least
LONGEST = 512
TOUCH_SECONDS = 60
_BASE62 = string.digits + string.ascii_lowercase + string.ascii_uppercase


class KeyTooShort(ValueError):
    """A key chosen by a person must be hard to guess."""

    def __init__(self) -> None:
        super().__init__(f"an API key has {SHORTEST} to {LONGEST} characters")


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

    async def create(
        self,
        name: str,
        *,
        created_by: str,
        projects: Sequence[str] | None = None,
        scopes: Sequence[Scope] = ("agent",),
        expires_at: int | None = None,
    ) -> tuple[Key, str]:
        """A new key and its value, which is nowhere kept. Two keys of one name are one agent: rotate that way."""
        key_id = _random_base62(8)
        value = new_value(key_id)
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
        await self._store.add_key(key)
        return key, value

    async def ensure_key(self, value: str, name: str, projects: Sequence[str] | None = None) -> Key:
        """The key with exactly this value, added where it is not known; a known one stays as it is, revoked as well.

        Idempotent by value: another value is another key. Raises KeyTooShort.
        """
        if not SHORTEST <= len(value) <= LONGEST:
            raise KeyTooShort
        key = Key(
            id=_random_base62(8),
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
        """The usable key with this value. Its hash is looked up, so timing reveals nothing about near misses."""
        if not SHORTEST <= len(value) <= LONGEST:
            return None
        key = await self._store.find_key(_sha256(value))
        now_ms = self._now_ms()
        if key is None or not key.is_usable(now_ms):
            return None
        if key.last_used_at is None or now_ms - key.last_used_at > TOUCH_SECONDS * 1000:
            # Only this one column: a revocation written meanwhile must stand.
            await self._store.touch_key(key.id, now_ms)
        return key

    async def find_by_id(self, key_id: str) -> Key | None:
        """The key, usable or not."""
        return next((key for key in await self._store.list_keys() if key.id == key_id), None)

    async def revoke(self, key: Key) -> Key:
        """End the key; sessions that use it close within 5 s."""
        if key.revoked_at is None:
            key = key.model_copy(update={"revoked_at": self._now_ms()})
            await self._store.save_key(key)
        await self._announce(Revoked(key_id=key.id))
        return key

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def new_value(key_id: str) -> str:
    """A fresh key value whose prefix and checksum let scanners find leaked keys."""
    stem = f"{PREFIX}_{key_id}_{_base62(int.from_bytes(secrets.token_bytes(32), 'big'), 43)}"
    return f"{stem}_{_base62(zlib.crc32(stem.encode()), 6)}"


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))


def _random_base62(width: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(width))


def _sha256(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
