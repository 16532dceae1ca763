"""The directory: refresh tokens as time passes."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from build_chassis.projects import Projects
from build_gateway.accounts.directory import ENDED_SESSIONS, LEEWAY_MS, Directory
from build_gateway.accounts.passwords import Passwords
from build_gateway.accounts.tokens import TokenInvalid, Tokens
from build_gateway.store import open_store
from build_protocol.frames import Revoked
from build_testkit.gateway import PASSWORD
from build_testkit.signing import SECRET


class Clock:
    """Time as the test sets it."""

    def __init__(self) -> None:
        self.seconds = float(int(time.time()))

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
    found = Directory(
        store,
        passwords,
        tokens,
        refresh_seconds=3600,
        session_seconds=7200,
        announce=announce,
        projects=Projects(tmp_path / "config.yaml"),
        clock=clock,
    )
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
    """Its next load has only the spent token; what it gets for it is what got lost, and no second session."""
    first = await log_in(directory)
    lost = await spend(directory, first)
    clock.seconds += LEEWAY_MS / 1000

    again = await spend(directory, first)

    assert again is not None
    assert again == lost
    assert await spend(directory, again) is not None


async def test_a_token_shown_long_after_its_use_ends_the_family(directory: Directory, clock: Clock) -> None:
    """A stolen one is detected by its second use: neither the thief nor the owner has a session left."""
    first = await log_in(directory)
    second = await spend(directory, first)
    clock.seconds += LEEWAY_MS / 1000 + 1

    assert await spend(directory, first) is None
    assert second is not None
    assert await spend(directory, second) is None


async def test_tokens_used_twice_at_once_stay_one_line(directory: Directory, clock: Clock) -> None:
    """However a thief and the owner take turns inside the leeway, both hold the same token; its second use tells."""
    mine = theirs = await log_in(directory)
    for _ in range(3):
        grant, _ = await asyncio.gather(directory.refresh(mine), directory.refresh(theirs))
        assert grant is not None
        mine = theirs = grant.refresh_token
    clock.seconds += LEEWAY_MS / 1000 + 1

    assert await spend(directory, mine) is not None
    clock.seconds += LEEWAY_MS / 1000 + 1
    assert await spend(directory, theirs) is None


async def test_a_stolen_token_that_shows_ends_the_access_tokens_too(directory: Directory, clock: Clock) -> None:
    """What its family was granted is refused at once, not when it expires."""
    grant = await directory.login("admin", PASSWORD)
    other = await directory.login("admin", PASSWORD)
    assert grant is not None
    assert other is not None
    await directory.refresh(grant.refresh_token)
    clock.seconds += LEEWAY_MS / 1000 + 1
    assert await directory.refresh(grant.refresh_token) is None

    with pytest.raises(TokenInvalid):
        await directory.principal(grant.access_token)
    assert (await directory.principal(other.access_token))[0].name == "admin"


async def test_a_log_out_that_meets_a_renewal_ends_it(directory: Directory) -> None:
    """Whichever of the two is faster: afterwards no token of the session renews or opens anything."""
    for _ in range(20):
        grant = await directory.login("admin", PASSWORD)
        assert grant is not None
        renewed, _ = await asyncio.gather(directory.refresh(grant.refresh_token), directory.logout(grant.refresh_token))
        assert await directory.refresh(grant.refresh_token) is None
        for each in (grant, renewed):
            if each is not None:
                assert await directory.refresh(each.refresh_token) is None
                with pytest.raises(TokenInvalid):
                    await directory.principal(each.access_token)


async def test_a_session_ends_however_often_it_is_renewed(directory: Directory, clock: Clock) -> None:
    """The last tokens of it are valid for what is left of it, and not renewed."""
    grant = await directory.login("admin", PASSWORD)
    assert grant is not None
    for _ in range(6):
        clock.seconds += 1150
        grant = await directory.refresh(grant.refresh_token)
        assert grant is not None
    assert (300, 300) == (grant.access_seconds, grant.refresh_seconds)
    assert (await directory.principal(grant.access_token))[0].name == "admin"
    clock.seconds += 300

    assert await directory.refresh(grant.refresh_token) is None
    with pytest.raises(TokenInvalid):
        await directory.principal(grant.access_token)


async def test_a_row_holds_a_bounded_number_of_log_outs(directory: Directory, clock: Clock) -> None:
    """What has expired is dropped; with more in ten minutes than it holds, everything of the person ends."""
    kept = await directory.login("admin", PASSWORD)
    assert kept is not None
    for n in range(ENDED_SESSIONS):
        await directory.end_session("admin", f"session {n}")
    assert (await directory.principal(kept.access_token))[0].name == "admin"
    clock.seconds += 599
    await directory.end_session("admin", "one more")
    with pytest.raises(TokenInvalid):
        await directory.principal(kept.access_token)

    again = await directory.login("admin", PASSWORD)
    assert again is not None
    clock.seconds += 300
    await directory.end_session("admin", "another")
    assert (await directory.principal(again.access_token))[0].name == "admin"
