"""How often each address may ask without a login."""

import time
from collections import OrderedDict

from build_chassis.errors import RateLimited

from build_gateway.accounts.attempts import network_of
from build_gateway.rate import Rate

ADDRESSES_MAX = 10_000


class VisitorRates:
    """How often each address may ask, the least recently seen forgotten first."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._rates: OrderedDict[str, Rate] = OrderedDict()

    def take(self, address: str) -> None:
        """One more request of this address. Raises RateLimited."""
        network = network_of(address)
        rate = self._rates.setdefault(network, Rate(self._per_second))
        self._rates.move_to_end(network)
        if len(self._rates) > ADDRESSES_MAX:
            self._rates.popitem(last=False)
        if not rate.take(time.monotonic()):
            raise RateLimited("too many requests without a login from here", {"Retry-After": "1"})
