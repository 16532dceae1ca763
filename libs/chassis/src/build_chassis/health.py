"""Health of what a service's messages depend on: whether it takes writes, and since when."""

import logging
import time
from collections.abc import Awaitable, Callable

from build_chassis.errors import StoreUnavailable

log = logging.getLogger(__name__)


class Health:
    """What the consumers of a service know about its dependencies, together.

    Args:
        ping: Returns once the service's store takes a write, or raises StoreUnavailable.
        monotonic: Seconds of a clock that never leaps.
    """

    def __init__(self, ping: Callable[[], Awaitable[object]], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ping = ping
        self._monotonic = monotonic
        self._healthy_since: float | None = None

    async def probe(self) -> None:
        """Return if the store takes a write now.

        Raises:
            StoreUnavailable: It does not, whatever it was that its driver raised.
        """
        try:
            await self._ping()
        except StoreUnavailable:
            self.fail()
            raise
        except Exception as error:
            self.fail()
            log.exception("failed to probe the store")
            raise StoreUnavailable("probe", error) from error
        if self._healthy_since is None:
            self._healthy_since = self._monotonic()

    def fail(self) -> None:
        """Something that messages depend on was away just now."""
        self._healthy_since = None

    def healthy_seconds(self) -> float:
        """For how long every probe has succeeded and nothing was found away; 0 before the first probe."""
        return 0.0 if self._healthy_since is None else self._monotonic() - self._healthy_since
