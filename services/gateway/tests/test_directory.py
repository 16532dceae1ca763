"""The directory: refresh tokens as time passes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from build_gateway.accounts.directory import LEEWAY_MS, Directory
from build_gateway.accounts.passwords import Passwords
from build_gateway.accounts.tokens import Tokens
from build_gateway.store import open_store
from build_protocol.frames import Revoked
from build_testkit.gateway import PASSWORD
from build_testkit.signing import SECRET


class Clock:
    """Time as the test sets it."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def directory(tmp_path: Path, clock: Clock) -> AsyncIterator[Directory]:
    """People in a store of their own, and a clock that stands still."""

    async def announce(revoked: Revoked) -> None:
        """Nobody listens."""

    store = open_store(f"sqlite:///{tmp_path}/gateway.sqlite")
    await store.open()
    passwords = Passwords(time_cost=1, memory_kib=64)
    tokens = Tokens(SECRET, "HS256", 600, clock)
    found = Directory(store, passwords, tokens, refresh_seconds=3600, announce=announce, clock=clock)
    await found.ensure_admin(PASSWORD)
    yield found
    await store.close()


async def spend(directory: Directory, token: str) -> str | None:
    grant = await directory.refresh(token)
    return None if grant is None else grant.refresh_token


async def log_in(directory: Directory) -> str:
    grant = await directory.login("admin", PASSWORD)
    assert grant is not None
    return grant.refresh_token


async def test_a_page_that_was_left_before_the_answer_came_stays_signed_in(directory: Directory, clock: Clock) -> None:
    """Its next load has only the spent token; what it gets for it is as valid as what got lost."""
    first = await log_in(directory)
    lost = await spend(directory, first)
    clock.seconds += LEEWAY_MS / 1000

    again = await spend(directory, first)

    assert again not in (None, lost)
    assert await spend(directory, again) is not None


async def test_a_token_shown_long_after_its_use_ends_the_family(directory: Directory, clock: Clock) -> None:
    """A stolen one is detected by its second use: neither the thief nor the owner has a session left."""
    first = await log_in(directory)
    second = await spend(directory, first)
    clock.seconds += LEEWAY_MS / 1000 + 1

    assert await spend(directory, first) is None
    assert second is not None
    assert await spend(directory, second) is None
