"""Attempts at people's passwords: how many an address may make, at one account and at all of them.

Nobody is kept out by what others do elsewhere: the wait is that of an account *from an address*, and of an address. An
account that many addresses fail at leaves each of them one free attempt instead of five.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from build_chassis.errors import RateLimited

from build_gateway.accounts.passwords import PasswordsBusy
from build_gateway.accounts.throttle import Throttle

FREE_OF_PAIR = 5
FREE_OF_PAIR_UNDER_ATTACK = 1
FREE_OF_ADDRESS = 50
"""An address may stand for a whole company."""
FREE_OF_ACCOUNT = 25
"""Failures from everywhere after which an account is taken to be under attack."""
WAITING = 64
_IPV6_NETWORK = 64
"""One customer's share of IPv6 addresses, in bits: whoever has one has all of it."""


class TooManyFailures(RateLimited):
    """This account from this address, or this address, must wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "too many wrong passwords from here: wait, then try again", {"Retry-After": str(math.ceil(seconds))}
        )


@dataclass(slots=True)
class Attempt:
    """One attempt; whoever checks the password says that it was right."""

    is_right: bool = False


class Attempts:
    """Admits attempts: of N that run at the same time each counts as a failure until it is known to be none."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pairs = Throttle(FREE_OF_PAIR)
        self._addresses = Throttle(FREE_OF_ADDRESS)
        self._accounts = Throttle(FREE_OF_ACCOUNT)
        self._ended = asyncio.Event()
        self._waiting = 0

    @asynccontextmanager
    async def attempt(self, account: str, address: str) -> AsyncIterator[Attempt]:
        """Admit one attempt, or wait for those that run; an error inside counts neither as right nor as wrong.

        Args:
            account: The name that is tried, known or not.
            address: Of the client, as the outermost trusted proxy saw it.

        Raises:
            TooManyFailures: There were so many wrong ones that the next must wait.
            PasswordsBusy: Too many wait for each other already.
        """
        address = network_of(address)
        pair = f"{account}\n{address}"
        await self._admit(account, address, pair)
        self._pairs.began(pair)
        self._addresses.began(address)
        attempt = Attempt()
        try:
            yield attempt
            if attempt.is_right:
                self._pairs.succeeded(pair)
            else:
                now = self._clock()
                self._pairs.failed(pair, now)
                self._addresses.failed(address, now)
                self._accounts.failed(account, now)
        finally:
            self._pairs.ended(pair)
            self._addresses.ended(address)
            self._ended.set()
            self._ended = asyncio.Event()

    async def _admit(self, account: str, address: str, pair: str) -> None:
        while True:
            now = self._clock()
            is_attacked = self._accounts.count(account, now) >= FREE_OF_ACCOUNT
            free = FREE_OF_PAIR_UNDER_ATTACK if is_attacked else FREE_OF_PAIR
            seconds = max(self._pairs.wait_seconds(pair, now, free), self._addresses.wait_seconds(address, now))
            if seconds > 0:
                raise TooManyFailures(seconds)
            if not (self._pairs.is_crowded(pair, now, free) or self._addresses.is_crowded(address, now)):
                return
            if self._waiting >= WAITING:
                raise PasswordsBusy
            self._waiting += 1
            try:
                await self._ended.wait()
            finally:
                self._waiting -= 1


def network_of(address: str) -> str:
    """The address that is throttled: of IPv6 the network of 64 bits, for one client can use all of it."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if isinstance(known, IPv6Address):
        return str(known.ipv4_mapped or ip_network((int(known), _IPV6_NETWORK), strict=False))
    return str(known)
