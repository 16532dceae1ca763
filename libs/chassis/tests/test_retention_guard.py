"""The server's clock and the retention guard: a leap is not followed, and deletes nothing."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest
from build_chassis.errors import Conflict
from build_chassis.retention_guard import AWAY_MS, FAR_MS, FEW, NOTE_MS, RetentionGuard
from build_chassis.server_clock import STEP_MS, ServerClock
from build_chassis.settings import ServiceSettings
from build_chassis.store.mongo_store import MongoStore
from build_chassis.store.sql_store import SqlStore
from build_protocol.clock import DAY_MS, HOUR_MS, now_ms
from build_testkit.signing import SECRET
from prometheus_client import CollectorRegistry
from sqlalchemy import MetaData

NOON_AT = 1_780_000_000_000 // DAY_MS * DAY_MS + 12 * HOUR_MS
LEAP_MS = 400 * DAY_MS


class Machine:
    """A machine whose wall clock tests set; its steady clock only runs."""

    def __init__(self) -> None:
        self.wall_at = NOON_AT
        self.up_ms = 5000

    def pass_time(self, span_ms: int) -> None:
        self.wall_at += span_ms
        self.up_ms += span_ms

    def clock(self) -> ServerClock:
        return ServerClock(lambda: self.wall_at, lambda: self.up_ms)


class Things(MongoStore):
    async def _prepare(self) -> None:
        await self._database.things.create_index("name")


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[SqlStore | MongoStore]:
    opened = Things(store_url) if store_url.startswith("mongodb") else SqlStore(store_url, MetaData())
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite_store() -> AsyncIterator[SqlStore]:
    opened = SqlStore("sqlite://", MetaData())
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def machine() -> Machine:
    return Machine()


class Elsewhere:
    """A store on a server of its own, whose clock tests set."""

    def __init__(self) -> None:
        self.noted: dict[str, int] = {}
        self.now_at = NOON_AT

    async def noted_time(self, kind: str) -> int | None:
        return self.noted.get(kind)

    async def own_time(self) -> int | None:
        return self.now_at

    async def note_time(self, kind: str, at: int) -> None:
        self.noted[kind] = at


def guard_of(store, clock, confirmed_on: date | None = None) -> RetentionGuard:
    settings = ServiceSettings(service="history", jwt_secret_key=SECRET, clock_confirmed_on=confirmed_on)
    return RetentionGuard(settings, clock, store, CollectorRegistry())


def day_of(at: int) -> date:
    return datetime.fromtimestamp(at / 1000, UTC).date()


async def test_a_store_remembers_when_it_was_in_use(store) -> None:
    """The time noted last, through a new opening; before the first there is none."""
    assert await store.noted_time("shown") is None
    for at in (NOON_AT, NOON_AT + 5, NOON_AT - LEAP_MS):
        await store.note_time("shown", at)
        await store.open()
        assert (await store.noted_time("shown"), await store.noted_time("agreed")) == (at, None)


def test_corrections_are_followed_and_leaps_are_not(machine: Machine) -> None:
    """Seconds up or down, as time servers correct; days are passed over until they are adopted, or taken back."""
    clock = machine.clock()
    for step_ms in (900, -1800, STEP_MS, -STEP_MS):
        machine.wall_at += step_ms
        assert (clock(), clock.leap_ms) == (machine.wall_at, 0)
    for leap_ms in (LEAP_MS, -LEAP_MS, 2 * HOUR_MS):
        machine.wall_at += leap_ms
        machine.pass_time(1000)
        assert (clock(), clock.leap_ms) == (machine.wall_at - leap_ms, leap_ms)
        machine.wall_at -= leap_ms
        assert clock.leap_ms == 0
    machine.wall_at += LEAP_MS
    clock.go_on_from(machine.wall_at)
    assert (clock(), clock.leap_ms) == (machine.wall_at, 0)


async def test_a_leap_stops_retention_and_says_what_to_do(sqlite_store, machine: Machine, caplog) -> None:
    """The server ran a minute at +400 days: nothing may be deleted, one line says why, and it goes on by itself."""
    registry = CollectorRegistry()
    settings = ServiceSettings(service="history", jwt_secret_key=SECRET)
    guard = RetentionGuard(settings, machine.clock(), sqlite_store, registry)
    assert await guard.allows(old=1, total=100)
    machine.wall_at += LEAP_MS
    for _ in range(3):
        machine.pass_time(20_000)
        assert not await guard.allows(old=1, total=100)
        assert not await guard.is_clock_right()

    assert guard.reason is not None
    assert "the clock is 400 days 0 hours ahead of the time since boot" in guard.reason
    assert f"CLOCK_CONFIRMED_ON={day_of(machine.wall_at)}" in guard.reason
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert registry.get_sample_value("history_retention_held") == 1
    assert registry.get_sample_value("history_clock_leap_seconds") == LEAP_MS / 1000
    machine.wall_at -= LEAP_MS
    assert await guard.allows(old=1, total=100)
    assert guard.reason is None
    assert registry.get_sample_value("history_retention_held") == 0


@pytest.mark.parametrize("leap_ms", [LEAP_MS, FAR_MS + 1, -LEAP_MS, -2 * HOUR_MS])
async def test_a_clock_that_is_far_off_at_the_start_is_not_believed(sqlite_store, machine, leap_ms) -> None:
    """Time goes on from what the store has seen, through restarts, until a person agrees to the clock."""
    await guard_of(sqlite_store, machine.clock()).look()
    machine.wall_at += leap_ms

    shown = [NOON_AT]
    for _ in range(3):
        clock = machine.clock()
        restarted = guard_of(sqlite_store, clock)
        for _ in range(3):
            assert not await restarted.allows(old=1, total=100)
            shown.append(clock())
            machine.pass_time(60_000)
    assert shown == sorted(shown)
    assert shown[-1] <= NOON_AT + 9 * 60_000

    agreed = machine.clock()
    assert await guard_of(sqlite_store, agreed, day_of(machine.wall_at)).allows(old=1, total=100)
    assert agreed() == machine.wall_at
    assert await guard_of(sqlite_store, machine.clock()).is_clock_right()


@pytest.mark.parametrize("off_ms", [AWAY_MS + 1, FAR_MS])
async def test_after_a_holiday_times_are_right_and_nothing_is_deleted_unasked(sqlite_store, machine, off_ms) -> None:
    """A server that was off for days shows the time; only a person lets retention go on, not another start."""
    await guard_of(sqlite_store, machine.clock()).look()
    machine.wall_at += off_ms

    for _ in range(40):
        clock = machine.clock()
        restarted = guard_of(sqlite_store, clock)
        assert not await restarted.allows(old=1, total=100)
        machine.pass_time(DAY_MS)
        assert not await restarted.allows(old=1, total=100)
        assert clock() == machine.wall_at

    assert await guard_of(sqlite_store, machine.clock(), day_of(machine.wall_at)).allows(old=1, total=100)
    assert await guard_of(sqlite_store, machine.clock()).is_clock_right()


@pytest.mark.parametrize("skew_ms", [LEAP_MS, -HOUR_MS])
async def test_a_clock_that_differs_from_the_database_servers_is_in_doubt(machine: Machine, skew_ms: int) -> None:
    """Even at the first start of all; the two agree within minutes, or a person says which is right."""
    elsewhere = Elsewhere()
    machine.wall_at += skew_ms

    assert not await guard_of(elsewhere, machine.clock()).allows(old=1, total=100)
    assert "agreed" not in elsewhere.noted
    assert await guard_of(elsewhere, machine.clock(), day_of(machine.wall_at)).allows(old=1, total=100)
    machine.wall_at -= skew_ms - 200_000
    elsewhere.noted.clear()
    assert await guard_of(elsewhere, machine.clock()).allows(old=1, total=100)


async def test_a_database_server_names_its_time(store, store_url: str) -> None:
    """As the machine that all of this runs on; a file has none of its own."""
    own_at = await store.own_time()

    assert own_at is None if store_url.startswith("sqlite") else abs(own_at - now_ms()) < 60_000


@pytest.mark.parametrize("leap_ms", [2 * HOUR_MS, DAY_MS, -2 * HOUR_MS])
async def test_a_leap_of_hours_is_not_followed_either(sqlite_store, machine: Machine, leap_ms: int) -> None:
    """However often it is looked at: only a person, or the clock that goes back, ends it."""
    clock = machine.clock()
    guard = guard_of(sqlite_store, clock)
    await guard.look()
    machine.wall_at += leap_ms
    for _ in range(20):
        machine.pass_time(NOTE_MS)
        assert not await guard.is_clock_right()

    assert clock() == machine.wall_at - leap_ms
    assert abs(await sqlite_store.noted_time("shown") - clock()) <= NOTE_MS


async def test_yesterdays_agreement_is_none(sqlite_store, machine: Machine) -> None:
    """A date that stays in the environment allows nothing a week later."""
    await guard_of(sqlite_store, machine.clock()).look()
    agreed_on = day_of(machine.wall_at)
    machine.wall_at += 7 * DAY_MS

    assert not await guard_of(sqlite_store, machine.clock(), agreed_on).is_clock_right()


async def test_a_machine_that_booted_without_a_time_is_set_right(sqlite_store, machine: Machine) -> None:
    """It began at 1970 and is set a minute later: that leap leads to what the store knows, and is followed."""
    await guard_of(sqlite_store, machine.clock()).look()
    right_at, machine.wall_at = machine.wall_at, 7
    clock = machine.clock()
    guard = guard_of(sqlite_store, clock)
    assert not await guard.is_clock_right()
    machine.pass_time(60_000)
    machine.wall_at = right_at + 90_000

    assert await guard.is_clock_right()
    assert clock() == machine.wall_at


async def test_a_machine_that_sleeps_for_a_week_is_not_asked(sqlite_store, machine: Machine) -> None:
    """The time since boot counts its sleep: the wall clock was right all along."""
    clock = machine.clock()
    guard = guard_of(sqlite_store, clock)
    await guard.look()
    machine.pass_time(7 * DAY_MS)

    assert await guard.is_clock_right()
    assert clock() == machine.wall_at


async def test_a_day_off_and_a_weekend_off_pass(sqlite_store, machine: Machine) -> None:
    """Nobody is asked after a usual stop."""
    for off_ms in (HOUR_MS, DAY_MS, AWAY_MS):
        await guard_of(sqlite_store, machine.clock()).look()
        machine.wall_at += off_ms
        assert await guard_of(sqlite_store, machine.clock()).is_clock_right()


@pytest.mark.parametrize(
    ("old", "total", "is_allowed"),
    [
        (0, 0, True),
        (1, 1, False),
        (FEW, FEW + 1, True),
        (FEW + 1, FEW + 2, False),
        (25, 100, True),
        (26, 100, False),
        (5000, 50_000, True),
    ],
)
async def test_a_round_that_would_delete_much_waits_for_a_person(sqlite_store, machine, old, total, is_allowed) -> None:
    """A quarter of a store is no hour's worth; who shortened the days on purpose confirms it."""
    guard = guard_of(sqlite_store, machine.clock())

    assert await guard.allows(old=old, total=total) == is_allowed
    assert (guard.reason is None) == is_allowed
    assert await guard.is_clock_right()
    assert await guard_of(sqlite_store, machine.clock(), day_of(NOON_AT)).allows(old=old, total=total)


async def test_an_idle_service_seldom_writes(sqlite_store, machine: Machine) -> None:
    """The store is written to every ten minutes, not at every look."""
    guard = guard_of(sqlite_store, machine.clock())
    noted = set()
    for _ in range(40):
        machine.pass_time(NOTE_MS // 10)
        await guard.look()
        noted.add(await sqlite_store.noted_time("shown"))

    assert len(noted) == 4


@pytest.mark.parametrize("leap_ms", [LEAP_MS, 2 * HOUR_MS, -2 * HOUR_MS])
async def test_a_person_agrees_to_the_clock_of_a_running_service(sqlite_store, machine: Machine, leap_ms: int) -> None:
    """Every replica follows without a restart, goes on from there, and a later leap is not agreed to."""
    clocks = [machine.clock(), machine.clock()]
    first, second = guards = [guard_of(sqlite_store, clock) for clock in clocks]
    for guard in guards:
        await guard.look()
    machine.wall_at += leap_ms
    for guard in guards:
        assert not await guard.is_clock_right()

    for _ in range(2):
        await first.adopt(machine.wall_at + 200_000)
    machine.pass_time(60_000)
    for guard, clock in zip(guards, clocks, strict=True):
        assert await guard.is_clock_right()
        assert clock() == machine.wall_at
    assert await second.allows(old=30, total=100)

    restarted = guard_of(sqlite_store, machine.clock())
    assert await restarted.is_clock_right()
    machine.wall_at += HOUR_MS
    for guard in (*guards, restarted):
        assert not await guard.is_clock_right()
    machine.wall_at -= HOUR_MS
    machine.pass_time(DAY_MS + 1)
    assert not await second.allows(old=30, total=100)


async def test_a_clock_that_shows_another_time_than_the_persons_is_not_adopted(sqlite_store, machine) -> None:
    """A leap is never agreed to by mistake: both times are named, nothing changes."""
    guard = guard_of(sqlite_store, machine.clock())
    await guard.look()
    right_at, machine.wall_at = machine.wall_at, machine.wall_at + LEAP_MS

    with pytest.raises(Conflict, match=r"history is at 2027-07-02 12:00 UTC, yours at 2026-05-28 12:00") as refused:
        await guard.adopt(right_at)

    assert "Set the one that is wrong" in refused.value.remedy
    assert not await guard.is_clock_right()


async def test_a_machine_that_booted_without_a_time_is_adopted_before_it_is_set(sqlite_store, machine) -> None:
    """Not followed back when its clock leaps to what the store knew: that is a leap again."""
    await guard_of(sqlite_store, machine.clock()).look()
    machine.wall_at -= 3 * HOUR_MS
    guard = guard_of(sqlite_store, machine.clock())
    assert not await guard.is_clock_right()

    await guard.adopt(machine.wall_at)
    assert await guard.is_clock_right()
    machine.wall_at += 3 * HOUR_MS
    assert not await guard.is_clock_right()


async def test_a_person_says_that_the_servers_clock_is_right_and_the_databases_is_not(machine: Machine) -> None:
    """For a day, as it says of a round; then it is asked again, as long as they differ."""
    elsewhere = Elsewhere()
    machine.wall_at += HOUR_MS
    guard = guard_of(elsewhere, machine.clock())
    assert not await guard.is_clock_right()

    await guard.adopt(machine.wall_at)
    for is_right in (True, False):
        assert await guard.is_clock_right() == is_right
        machine.pass_time(DAY_MS + 1)


async def test_a_notice_says_what_the_clock_shows(sqlite_store, machine: Machine) -> None:
    """The page compares it with the person's own."""
    guard = guard_of(sqlite_store, machine.clock())
    await guard.look()
    assert guard.notice is None
    machine.wall_at += LEAP_MS
    await guard.look()

    assert guard.notice is not None
    assert (guard.notice.kind, guard.notice.service, guard.notice.clock_at) == ("retention", "history", machine.wall_at)
    assert "clock adopt" in guard.notice.remedy
