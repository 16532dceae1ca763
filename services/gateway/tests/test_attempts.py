"""Attempts at passwords: what runs at the same time, from one place and from many."""

import asyncio

import pytest
from build_chassis.errors import RateLimited
from build_gateway.accounts.attempts import (
    FREE_OF_ACCOUNT,
    FREE_OF_ADDRESS,
    FREE_OF_PAIR,
    WAITING,
    Attempts,
    TooManyFailures,
    network_of,
)
from build_gateway.accounts.passwords import PasswordsBusy

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class Guesses:
    """Attempts whose clock stands still, and how many passwords they checked."""

    def __init__(self) -> None:
        self.now = 0.0
        self.attempts = Attempts(lambda: self.now)
        self.checked = 0

    async def guess(self, *, is_right: bool, account: str = "ann", address: str = HERE) -> str:
        """Try one password; hashing it takes a turn of the loop."""
        try:
            async with self.attempts.attempt(account, address) as attempt:
                self.checked += 1
                await asyncio.sleep(0)
                attempt.is_right = is_right
        except RateLimited:
            return "throttled"
        except PasswordsBusy:
            return "busy"
        return "right" if is_right else "wrong"


@pytest.fixture
def guesses() -> Guesses:
    return Guesses()


async def test_guesses_in_parallel_count_as_many(guesses: Guesses) -> None:
    """Of fifty at once five are checked; then the place waits a second, and one more doubles it."""
    answers = await asyncio.gather(*(guesses.guess(is_right=False) for _ in range(50)))

    assert guesses.checked == FREE_OF_PAIR
    assert {"wrong": FREE_OF_PAIR, "throttled": 45} == {kind: answers.count(kind) for kind in set(answers)}
    guesses.now = 1.0
    await asyncio.gather(*(guesses.guess(is_right=False) for _ in range(50)))
    assert guesses.checked == FREE_OF_PAIR + 1
    guesses.now = 2.0
    assert await guesses.guess(is_right=True) == "throttled"


async def test_the_right_password_in_parallel_is_right_every_time(guesses: Guesses) -> None:
    """A script that logs in thirty times at once is no attack."""
    answers = await asyncio.gather(*(guesses.guess(is_right=True) for _ in range(30)))

    assert answers == ["right"] * 30


async def test_the_right_password_from_elsewhere_is_not_kept_out(guesses: Guesses) -> None:
    """Neither by one place's flood nor by many places' one try each, running or ended."""
    flood = [asyncio.create_task(guesses.guess(is_right=False)) for _ in range(40)]
    await asyncio.sleep(0)
    assert await guesses.guess(is_right=True, address=ELSEWHERE) == "right"
    await asyncio.gather(*flood)

    many = (guesses.guess(is_right=False, address=f"198.51.100.{n}") for n in range(2 * FREE_OF_ACCOUNT))
    await asyncio.gather(*many)
    assert await guesses.guess(is_right=True, address=ELSEWHERE) == "right"


async def test_an_account_that_many_places_fail_at_leaves_each_one_try(guesses: Guesses) -> None:
    """A crowd of addresses gets one guess each and then waits; other accounts still have their five."""
    for n in range(FREE_OF_ACCOUNT):
        await guesses.guess(is_right=False, address=f"198.51.100.{n}")

    assert [await guesses.guess(is_right=False, address=ELSEWHERE) for _ in range(2)] == ["wrong", "throttled"]
    bob = [await guesses.guess(is_right=False, account="bob", address=ELSEWHERE) for _ in range(FREE_OF_PAIR)]
    assert bob == ["wrong"] * FREE_OF_PAIR


async def test_a_place_that_tries_many_names_waits_as_a_whole(guesses: Guesses) -> None:
    """Fifty names at once from one address, then none; a client's whole IPv6 network is one place."""
    answers = await asyncio.gather(
        *(guesses.guess(is_right=False, account=f"name-{n}", address=f"2001:db8::{n:x}") for n in range(60))
    )

    assert guesses.checked == FREE_OF_ADDRESS
    assert answers.count("throttled") == 60 - FREE_OF_ADDRESS
    assert await guesses.guess(is_right=True, address="2001:db8::1:2:3:4") == "throttled"
    assert await guesses.guess(is_right=True, address="2001:db8:0:1::1") == "right"


async def test_an_attempt_that_could_not_be_checked_is_no_failure(guesses: Guesses) -> None:
    """A store that is away throttles nobody, and lets those go on who wait."""
    for _ in range(3 * FREE_OF_PAIR):
        with pytest.raises(ConnectionError):
            async with guesses.attempts.attempt("ann", HERE):
                raise ConnectionError

    assert await guesses.guess(is_right=True) == "right"


async def test_those_who_wait_for_results_are_bounded(guesses: Guesses) -> None:
    """Beyond the bound the answer is busy (503), and the rest are decided all the same."""
    answers = await asyncio.gather(*(guesses.guess(is_right=True) for _ in range(FREE_OF_PAIR + WAITING + 10)))

    assert answers.count("busy") == 10
    assert answers.count("right") == FREE_OF_PAIR + WAITING


def test_busy_and_throttled_say_when_to_come_back() -> None:
    """Whole seconds, never 0."""
    assert TooManyFailures(0.2).headers["Retry-After"] == "1"
    assert PasswordsBusy().headers["Retry-After"] == "2"


def test_an_address_written_in_another_way_is_the_same_place() -> None:
    """IPv4 inside IPv6 is IPv4; what is no address stands for itself."""
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert network_of("2001:DB8::7") == network_of("2001:db8:0:0:ffff::1") == "2001:db8::/64"
    assert network_of("unknown") == "unknown"
