"""The retention guard: nothing is deleted by a clock that leapt, nor much of a store at once, until a person agrees.

| what it sees                                            | what follows                                               |
|---------------------------------------------------------|------------------------------------------------------------|
| the wall clock leapt while the service ran              | its time goes on without the leap; retention stops         |
| at the start it is behind what the store has seen last, | its time goes on from what the store has seen, until that  |
| or more than 30 days ahead                              | clock is set to about what is shown; retention stops       |
| it is more than 3 days ahead                            | it is believed; retention stops                            |
| the clock differs from that of the store's server       | retention stops                                            |
| a round would delete an unusual share                   | retention stops                                            |
| CLOCK_CONFIRMED_ON is today, or a person agrees by      | clock and round are right: both go on                      |
| `build-dashboard clock adopt`                           |                                                            |

Time that goes on from what the store has seen may be late, but keeps everything in the order in which it happened.
"""

import logging
from datetime import UTC, date, datetime

from build_protocol.clock import DAY_MS, HOUR_MS, Clock
from prometheus_client import CollectorRegistry, Gauge

from build_chassis.errors import Conflict
from build_chassis.notices import Notice
from build_chassis.server_clock import STEP_MS, ServerClock
from build_chassis.settings import ServiceSettings
from build_chassis.store.contract import NotedTime, Store
from build_chassis.supervisor import Duty

AWAY_MS = 3 * DAY_MS
"""A service that was off for longer asks before it deletes: a weekend passes."""

FAR_MS = 30 * DAY_MS
"""A clock that is further ahead of the store is not believed at all; after a holiday times are right."""

KINDS: tuple[NotedTime, NotedTime] = ("shown", "agreed")

DIFFERS_MS = 5 * 60_000
"""Two servers' clocks that are not looked after differ by less."""

SHARE = 0.25
FEW = 10
"""Rounds come every hour: all of a store at once, or more than this share and more than a few, is no usual one."""

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
        self._has_looked = False
        self._adopted_at: int | None = None
        self._began_in_doubt = False
        self._start_doubt: str | None = None
        self._clock_doubt: str | None = None
        self._round_doubt: str | None = None
        self._reported: str | None = None
        self._held = Gauge(
            f"{self._service}_retention_held", "1 while retention waits for a person, see the log.", registry=registry
        )
        self._leap = Gauge(
            f"{self._service}_clock_leap_seconds", "How far the wall clock is off what is shown.", registry=registry
        )

    @property
    def notice(self) -> Notice | None:
        """Why nothing is deleted, and what to do; None while all is well."""
        doubt = self._clock_doubt or self._round_doubt
        if doubt is None:
            return None
        wall_at = self._wall()
        return Notice(
            kind="retention",
            service=self._service,
            text=f"retention of {self._service} is stopped: {doubt}",
            remedy=f"if {_minute(wall_at)} UTC is the time now, agree by `build-dashboard clock adopt`, or start the "
            f"service with CLOCK_CONFIRMED_ON={_day(wall_at)}; else set the clock",
            clock_at=max(wall_at, 0),
        )

    @property
    def reason(self) -> str | None:
        """The notice in one sentence."""
        return f"{notice.text}; {notice.remedy}" if (notice := self.notice) else None

    def duty(self) -> Duty:
        """What the supervisor runs."""
        return Duty("check the clock", self.look, LOOK_SECONDS)

    async def look(self) -> None:
        """Compare the clock with what the store has seen, and leave the time there. Raises StoreUnavailable."""
        await self._check_clock()
        self._report()

    async def is_clock_right(self) -> bool:
        """Whether anything may be decided by how much time has passed. Raises StoreUnavailable."""
        await self.look()
        return self._clock_doubt is None

    async def allows(self, *, old: int, total: int) -> bool:
        """Whether a round may delete `old` of `total`. Raises StoreUnavailable."""
        await self._check_clock()
        is_much = old > SHARE * total and (old > FEW or old == total)
        is_unusual = is_much and not (self._is_confirmed(self._wall()) or self._is_agreed_lately())
        self._round_doubt = f"a round would delete {old} of {total}" if is_unusual else None
        self._report()
        return self.reason is None

    async def adopt(self, now_at: int) -> None:
        """Go on with the wall clock from now on, and allow the next day's rounds: a person agreed that it is right.

        The service's other replicas follow at their next look. Repeating is harmless.

        Args:
            now_at: What time it is by that person's own clock, in ms since the Unix epoch.

        Raises:
            Conflict: The wall clock shows another time; nothing was changed.
            StoreUnavailable: The store does not answer; repeat it.
        """
        await self._check_clock()
        wall_at = self._wall()
        if abs(wall_at - now_at) > DIFFERS_MS:
            raise Conflict(
                f"the clock of {self._service} is at {_minute(wall_at)} UTC, yours at {_minute(now_at)}",
                remedy="Set the one that is wrong, then agree again.",
            )
        await self._store.note_time("adopted", wall_at)
        await self.look()

    async def _check_clock(self) -> None:
        shown_at, agreed_at = [await self._store.noted_time(kind) for kind in KINDS]
        own_at = await self._store.own_time()
        is_adopted = self._is_adopted(await self._store.noted_time("adopted"))
        self._clock_doubt = self._doubt_of_clock(shown_at, agreed_at, own_at, is_adopted=is_adopted)
        now_ms = self._clock()
        self._leap.set((self._wall() - now_ms) // 1000)
        # Whoever starts next to a clock in doubt goes on from what is noted.
        is_confirmed = is_adopted or self._is_confirmed(self._wall())
        due_ms = 0 if is_confirmed or self._clock_doubt is not None else NOTE_MS
        if shown_at is None or now_ms - shown_at > due_ms or is_confirmed:
            await self._store.note_time("shown", now_ms)
            if self._clock_doubt is None:
                await self._store.note_time("agreed", now_ms)

    def _is_adopted(self, adopted_at: int | None) -> bool:
        """Whether a person agreed to the clock since the last look; what was agreed to before a start is noted."""
        is_new = self._has_looked and adopted_at != self._adopted_at
        self._adopted_at = adopted_at
        return is_new and self._is_agreed_lately()

    def _is_agreed_lately(self) -> bool:
        return self._adopted_at is not None and -STEP_MS <= self._wall() - self._adopted_at <= DAY_MS

    def _doubt_of_clock(
        self, shown_at: int | None, agreed_at: int | None, own_at: int | None, *, is_adopted: bool
    ) -> str | None:
        wall_at = self._wall()
        is_first, self._has_looked = not self._has_looked, True
        if is_adopted or self._is_confirmed(wall_at):
            self._began_in_doubt = False
            self._go_on_from(wall_at)
            self._start_doubt = None
            return None
        if is_first and agreed_at is not None and not _is_near(wall_at, agreed_at):
            off = _offset(wall_at - agreed_at)
            self._start_doubt = f"the clock is {off} its store's last use: it was off for so long, or is wrong"
        if is_first and shown_at is not None and not -STEP_MS <= wall_at - shown_at <= FAR_MS:
            self._began_in_doubt = True
            self._go_on_from(shown_at)
        if self._began_in_doubt and _is_near(wall_at, self._clock()):
            self._began_in_doubt, self._start_doubt = False, None
            self._go_on_from(wall_at)
        if (leap_ms := wall_at - self._clock()) and abs(leap_ms) > STEP_MS:
            since = "what its store has seen" if self._began_in_doubt else "the time since boot"
            return f"the clock is {_offset(leap_ms)} {since}, and is not followed"
        if own_at is not None and abs(wall_at - own_at) > DIFFERS_MS and not self._is_agreed_lately():
            return f"the clock is {_offset(wall_at - own_at)} that of its store's server"
        return self._start_doubt

    def _go_on_from(self, at: int) -> None:
        if isinstance(self._clock, ServerClock):
            self._clock.go_on_from(at)

    def _wall(self) -> int:
        return self._clock.wall() if isinstance(self._clock, ServerClock) else self._clock()

    def _is_confirmed(self, wall_at: int) -> bool:
        return self._confirmed_on is not None and abs((_day(wall_at) - self._confirmed_on).days) <= 1

    def _report(self) -> None:
        reason = self.reason
        self._held.set(reason is not None)
        if reason is not None and self._reported is None:
            log.error("%s", reason)
        if reason is None and self._reported is not None:
            log.info("retention of %s goes on", self._service)
        self._reported = reason


def _is_near(wall_at: int, seen_at: int) -> bool:
    """Whether the wall clock may be right, where it was this late or a little later."""
    return -STEP_MS <= wall_at - seen_at <= AWAY_MS


def _minute(at: int) -> str:
    return _instant(at).strftime("%Y-%m-%d %H:%M")


def _day(at: int) -> date:
    return _instant(at).date()


def _instant(at: int) -> datetime:
    return datetime.fromtimestamp(min(at, 253_402_214_400_000) / 1000, UTC)


def _offset(span_ms: int) -> str:
    days, hours = divmod(abs(span_ms) // HOUR_MS, 24)
    length = f"{days} days {hours} hours" if days else f"{abs(span_ms) // 1000} s"
    return f"{length} {'ahead of' if span_ms > 0 else 'behind'}"
