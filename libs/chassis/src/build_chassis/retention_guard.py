"""The retention guard: nothing is deleted by a clock that leapt, nor much of a store at once, until a person agrees.

| what it sees                                            | what follows                                               |
|---------------------------------------------------------|------------------------------------------------------------|
| the wall clock leapt while the service ran              | its time goes on without the leap; retention stops         |
| the service starts days after its store was last in use | it may have been off, or the clock is ahead: it stops      |
| the clock is behind what the store has seen             | it stops                                                   |
| the clock differs from that of the store's server       | it stops                                                   |
| a round would delete an unusual share                   | it stops                                                   |
| CLOCK_CONFIRMED_ON is today                             | the clock and the round are right: it goes on              |
"""

import logging
from datetime import UTC, date, datetime

from build_protocol.clock import DAY_MS, HOUR_MS, Clock
from prometheus_client import CollectorRegistry, Gauge

from build_chassis.server_clock import STEP_MS, ServerClock
from build_chassis.settings import ServiceSettings
from build_chassis.store.contract import Store
from build_chassis.supervisor import Duty

AWAY_MS = 3 * DAY_MS
"""A service that was off for longer asks: a weekend passes."""

DIFFERS_MS = 5 * 60_000
"""Two servers' clocks that are not looked after differ by less."""

SHARE = 0.25
FEW = 10
"""Rounds come every hour: more than this share of a store at once, and more than a few, is no usual one."""

LOOK_SECONDS = 60.0
NOTE_MS = 10 * 60_000
"""The time in the store is as old at most: an idle service seldom writes."""

log = logging.getLogger(__name__)


class RetentionGuard:
    """Decides for one service, from its clock, the last time its store has seen, and what a round would delete."""

    def __init__(self, settings: ServiceSettings, clock: Clock, store: Store, registry: CollectorRegistry) -> None:
        self._service = settings.service
        self._confirmed_on = settings.clock_confirmed_on
        self._clock = clock
        self._store = store
        self._clock_doubt: str | None = None
        self._round_doubt: str | None = None
        self._reported: str | None = None
        self._held = Gauge(
            f"{self._service}_retention_held", "1 while retention waits for a person, see the log.", registry=registry
        )
        self._leap = Gauge(
            f"{self._service}_clock_leap_seconds",
            "How far the wall clock leapt and was not followed.",
            registry=registry,
        )

    @property
    def reason(self) -> str | None:
        """Why nothing is deleted, and what to do; None while all is well."""
        doubt = self._clock_doubt or self._round_doubt
        if doubt is None:
            return None
        today = _day(self._clock())
        return (
            f"retention of {self._service} is stopped: {doubt}; if the date is right, start the service with "
            f"CLOCK_CONFIRMED_ON={today} (today's date, UTC), else set the clock"
        )

    def duty(self) -> Duty:
        """What the supervisor runs."""
        return Duty("check the clock", self.look, LOOK_SECONDS)

    async def look(self) -> None:
        """Compare the clock with what the store has seen, and leave the time there. Raises StoreUnavailable."""
        await self._is_clock_right()
        self._report()

    async def is_clock_right(self) -> bool:
        """Whether anything may be decided by how much time has passed. Raises StoreUnavailable."""
        await self.look()
        return self._clock_doubt is None

    async def allows(self, *, old: int, total: int) -> bool:
        """Whether a round may delete `old` of `total`. Raises StoreUnavailable."""
        await self._is_clock_right()
        is_unusual = old > FEW and old > SHARE * total and not self._is_confirmed(self._clock())
        self._round_doubt = f"a round would delete {old} of {total}" if is_unusual else None
        self._report()
        return self.reason is None

    async def _is_clock_right(self) -> None:
        seen_at, own_at = await self._store.newest_time(), await self._store.own_time()
        now_ms = self._clock()
        leap_ms = 0
        if isinstance(self._clock, ServerClock) and (leap_ms := self._clock.leap_ms):
            there_ms = now_ms + leap_ms
            # A clock that was wrong from the start is set right: the store knows what time it may be.
            is_set_right = self._clock_doubt is not None and _doubt_of(there_ms, seen_at, own_at) is None
            if is_set_right or self._is_confirmed(there_ms):
                self._clock.adopt()
                now_ms, leap_ms = there_ms, 0
        self._leap.set(leap_ms / 1000)
        if leap_ms:
            self._clock_doubt = f"the clock leapt {_span(leap_ms)} the time since boot and is not followed"
            return
        is_confirmed = self._is_confirmed(now_ms)
        self._clock_doubt = None if is_confirmed else _doubt_of(now_ms, seen_at, own_at)
        is_due = seen_at is None or now_ms - seen_at > NOTE_MS
        if self._clock_doubt is None and (is_confirmed or is_due):
            await self._store.note_time(now_ms)

    def _is_confirmed(self, now_ms: int) -> bool:
        return self._confirmed_on is not None and abs((_day(now_ms) - self._confirmed_on).days) <= 1

    def _report(self) -> None:
        reason = self.reason
        self._held.set(reason is not None)
        if reason is not None and self._reported is None:
            log.error("%s", reason)
        if reason is None and self._reported is not None:
            log.info("retention of %s goes on", self._service)
        self._reported = reason


def _doubt_of(now_ms: int, seen_at: int | None, own_at: int | None) -> str | None:
    if own_at is not None and abs(now_ms - own_at) > DIFFERS_MS:
        return f"the clock is {_span(now_ms - own_at)} that of its store's server"
    if seen_at is None:
        return None
    if now_ms - seen_at > AWAY_MS:
        return f"its store was last in use {_length(now_ms - seen_at)} ago, or the clock is ahead"
    if seen_at - now_ms > STEP_MS:
        return f"the clock is {_length(seen_at - now_ms)} behind what its store has seen"
    return None


def _day(at: int) -> date:
    return datetime.fromtimestamp(min(at, 253_402_214_400_000) / 1000, UTC).date()


def _span(span_ms: int) -> str:
    return f"{_length(abs(span_ms))} {'ahead of' if span_ms > 0 else 'behind'}"


def _length(span_ms: int) -> str:
    days, hours = divmod(span_ms // HOUR_MS, 24)
    return f"{days} days {hours} hours" if days else f"{span_ms // 1000} s"
