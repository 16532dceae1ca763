"""Passwords: argon2id behind a semaphore, and the same work for names that do not exist."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from build_chassis.errors import Unavailable

PARALLEL = 2
WAITING = 64


class PasswordsBusy(Unavailable):
    """Too many passwords wait to be hashed already."""

    def __init__(self) -> None:
        super().__init__("too many logins at once: try again", {"Retry-After": "2"})


class Passwords:
    """Hashes and checks passwords in threads, two at a time: each takes 19 MiB and tens of milliseconds."""

    def __init__(self, *, time_cost: int = 2, memory_kib: int = 19 * 1024) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1)
        self._slots = asyncio.Semaphore(PARALLEL)
        self._waiting = 0
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """The password's argon2id hash. Raises PasswordsBusy."""
        async with self.slot():
            return await asyncio.to_thread(self._hasher.hash, password)

    async def check(self, password: str, password_hash: str | None) -> bool:
        """Whether the password is right; None (no such user) takes as long and is never right. Raises PasswordsBusy."""
        async with self.slot():
            is_right = await asyncio.to_thread(self._verify, password, password_hash or self._nobody)
        # Without a hash it was checked against nobody's, so that it takes as long.
        return is_right and bool(password_hash)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """A place among the two that work at a time, waited for. Raises PasswordsBusy."""
        if self._waiting >= WAITING:
            raise PasswordsBusy
        self._waiting += 1
        try:
            async with self._slots:
                yield
        finally:
            self._waiting -= 1

    def _verify(self, password: str, password_hash: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
