"""Wrong clocks: what a machine's clock says moves no colour, incident, list or day kept."""

import json

import pytest
from build_chassis.bus import Delivery
from build_history.consumer import handle, record
from build_history.metrics import Metrics
from build_history.projections.effective import effective
from build_history.projections.lanes import LaneState
from build_history.refresh import row_kinds
from build_history.retention import Retention
from build_history.store import open_store
from build_history.store.contract import RowQuery
from build_protocol.clock import DAY_MS, HOUR_MS
from build_protocol.incidents import IncidentState
from prometheus_client import CollectorRegistry

CLOCKS = {"three days fast": 3 * DAY_MS, "two hours fast": 2 * HOUR_MS, "two hours slow": -2 * HOUR_MS}
YEAR_2000_AT = 946_684_800_000


def skewed(builds, n, skew_ms, *how, earliest_at=0, **fields):
    """The verdict of build n, begun on the hour by the server's clock, its own machine's clock off by so much."""
    true_at = builds.noon_at + n * HOUR_MS
    times = {
        "received_at": true_at,
        "server_started_at": true_at,
        "server_started_earliest_at": earliest_at or true_at,
        "server_ended_at": true_at + HOUR_MS // 2,
        "started_at": max(1, true_at + skew_ms),
        "ended_at": max(1, true_at + HOUR_MS // 2 + skew_ms),
    }
    return builds.verdict(n, *how, **times, **fields)


async def incidents_of(store):
    rows = await store.rows(RowQuery("incident", limit=50, newest_first=False))
    return [row_kinds.read_as(IncidentState, row) for row in rows]


async def lane_of(store):
    (row,) = await store.rows(RowQuery("lane", limit=9))
    return row_kinds.read_as(LaneState, row)


@pytest.mark.parametrize("skew_ms", [*CLOCKS.values(), -99 * 365 * DAY_MS], ids=[*CLOCKS, "1970"])
async def test_a_machine_with_a_wrong_clock_hides_no_break(sqlite_store, builds, skew_ms):
    """Green, green from the wrong clock, two reds: the incident is open, nobody is notified of `fixed`."""
    now_ms = builds.noon_at + 5 * HOUR_MS
    verdicts = [
        skewed(builds, 1, 0),
        skewed(builds, 2, skew_ms),
        *(skewed(builds, n, 0, "failed", "s") for n in (3, 4)),
    ]
    for verdict in verdicts:
        await record([verdict], store=sqlite_store, clock=lambda: now_ms)

    (incident,) = await incidents_of(sqlite_store)

    assert (incident.state, [noted.kind for noted in incident.transitions]) == ("open", ["opened"])
    assert incident.transitions[0].at == builds.noon_at + 3 * HOUR_MS + HOUR_MS // 2
    lane = await lane_of(sqlite_store)
    assert (lane.colour, lane.latest.id, lane.last_green.id) == ("red", builds.id(4), builds.id(2))


@pytest.mark.parametrize("skew_ms", CLOCKS.values(), ids=CLOCKS)
async def test_a_red_of_a_wrong_clock_keeps_no_lane_red(sqlite_store, builds, skew_ms):
    """A red whose machine is ahead, or behind, then a true green: fixed when the green build ended, and green."""
    verdicts = [skewed(builds, 1, 0), skewed(builds, 2, skew_ms, "failed", "s"), skewed(builds, 3, 0)]
    for verdict in verdicts:
        await record([verdict], store=sqlite_store, clock=lambda: builds.noon_at + 9 * HOUR_MS)

    (incident,) = await incidents_of(sqlite_store)

    assert [noted.kind for noted in incident.transitions] == ["opened", "fixed"]
    assert [noted.at for noted in incident.transitions] == [builds.noon_at + n * HOUR_MS + HOUR_MS // 2 for n in (2, 3)]
    assert (await lane_of(sqlite_store)).colour == "green"


async def test_days_are_those_of_the_server(sqlite_store, builds):
    """A build of a machine three days ahead counts on the day on which it began."""
    await record([skewed(builds, 1, 3 * DAY_MS, "failed", "s")], store=sqlite_store)

    (row,) = await sqlite_store.rows(RowQuery("day", limit=9))
    (group,) = await sqlite_store.rows(RowQuery("group", limit=9))

    assert row.rank == builds.noon_at // DAY_MS
    assert group.rank == builds.noon_at + HOUR_MS


async def test_a_running_build_is_placed_by_its_receipt_until_its_verdict_comes(sqlite_store, builds):
    """BUILD_START is dated by its headers; what ingest stored replaces it, whichever arrives first."""
    true_at = builds.noon_at + HOUR_MS
    start = builds.start(1, clock={"wallAt": 5, "bootId": "b", "uptimeMs": 1000}).model_copy(update={"timestamp": 5})
    headers = {"received_at": str(true_at + 2000), "clock": '{"wallAt":9,"bootId":"b","uptimeMs":3000}'}
    await handle([Delivery(1, "k", start.to_json().encode(), headers)], store=sqlite_store)

    (running,) = (await sqlite_store.facts([builds.id(1)])).values()
    await record([skewed(builds, 1, -DAY_MS)], store=sqlite_store)
    await handle([Delivery(2, "k", start.to_json().encode(), {})], store=sqlite_store)
    (ended,) = (await sqlite_store.facts([builds.id(1)])).values()

    assert (running.fact.started_at, running.fact.received_at) == (true_at, true_at + 2000)
    assert (ended.fact.started_at, ended.fact.received_at) == (true_at, true_at)


@pytest.mark.parametrize("how", [("succeeded",), ("failed", "t")])
async def test_a_build_that_may_be_older_neither_repaints_nor_closes(sqlite_store, builds, how):
    """Delivered after a reboot, it began before or after the break's builds: the break goes on as it was."""
    verdicts = [skewed(builds, 1, 0), skewed(builds, 2, 0, "failed", "s")]
    verdicts.append(skewed(builds, 3, 0, *how, earliest_at=builds.noon_at + HOUR_MS // 2, commit=None))
    await record(verdicts, store=sqlite_store, clock=lambda: builds.noon_at + 9 * HOUR_MS)

    (incident,) = await incidents_of(sqlite_store)
    lane = await lane_of(sqlite_store)

    assert (incident.state, [face.signature for face in incident.faces]) == ("open", ["s"])
    assert (lane.colour, lane.latest.id, lane.last_green.id) == ("red", builds.id(3), builds.id(1))


async def test_a_build_that_is_younger_in_any_case_closes(sqlite_store, builds):
    """An interval that begins after the newest red leaves no doubt."""
    verdicts = [skewed(builds, 1, 0), skewed(builds, 2, 0, "failed", "s")]
    verdicts.append(skewed(builds, 4, 0, earliest_at=builds.noon_at + 3 * HOUR_MS))
    await record(verdicts, store=sqlite_store, clock=lambda: builds.noon_at + 9 * HOUR_MS)

    assert (await incidents_of(sqlite_store))[0].ended_as == "fixed"


def test_ancestry_settles_what_the_clocks_cannot(builds):
    """The doubtful build's commit descends from the red one's: it is newer, whenever it was built."""
    red = builds.point(2, "failed", "s")
    doubtful = builds.point(3, started_earliest_at=builds.noon_at, contains=[builds.sha(2)[-12:]])

    assert [point.colour for point in effective([red, doubtful])] == ["red", "green"]
    unrelated = doubtful.model_copy(update={"contains": ()})
    assert [point.colour for point in effective([red, unrelated])] == ["red", "none"]


async def test_machines_at_1970_and_2000_lose_no_build(store, builds):
    """Their verified builds are kept for as long as any other, and then go."""
    wrong = [skewed(builds, 1, -99 * 365 * DAY_MS), skewed(builds, 2, YEAR_2000_AT - builds.noon_at)]
    await record([*wrong, skewed(builds, 3, 0)], store=store)
    ids = [builds.id(n) for n in (1, 2, 3)]
    retention = Retention(store, Metrics(CollectorRegistry()), keep_days=30)

    counts = []
    for now_ms in (builds.noon_at + 30 * DAY_MS, builds.noon_at + 30 * DAY_MS + 2 * HOUR_MS + 1):
        await retention.forget_old(now_ms)
        counts.append(len(await store.facts(ids)))

    assert counts == [3, 1]
    assert (await store.count_facts(), await store.count_facts(builds.noon_at)) == (1, 0)
    assert [row.label for row in await store.rows(RowQuery("commit", limit=9))] == [builds.sha(3)]


async def test_what_was_backfilled_is_kept_from_its_receipt(sqlite_store, builds):
    """A build of years ago, taken from another CI today, stays with its commit; it was never an incident."""
    now_ms = builds.noon_at + 9000 * HOUR_MS
    for n, how in ((1, ()), (2, ("failed", "s")), (3, ())):
        verdict = skewed(builds, n, 0, *how, backfill=True, commits=[builds.commit(n, committed_at=5)])
        data = verdict.data.model_copy(update={"received_at": now_ms})
        await record([verdict.model_copy(update={"data": data})], store=sqlite_store, clock=lambda: now_ms)

    retention = Retention(sqlite_store, Metrics(CollectorRegistry()), keep_days=30)
    kinds = ("commit", "incident", "lane")
    counts = []
    for days in (29, 31):
        await retention.forget_old(now_ms + days * DAY_MS)
        counts.append([len(await sqlite_store.rows(RowQuery(kind, limit=9))) for kind in kinds])

    assert counts == [[3, 0, 1], [0, 0, 1]]


async def test_a_commit_that_a_kept_build_names_stays(sqlite_store, builds):
    """The commit of a forgotten build goes only with the last build that was made of it, or that includes it."""
    old, young = skewed(builds, 1, 0), skewed(builds, 24 * 40, 0, commits=[builds.commit(1)])
    await record([old, young], store=sqlite_store)

    await Retention(sqlite_store, Metrics(CollectorRegistry()), keep_days=30).forget_old(builds.noon_at + 41 * DAY_MS)

    assert len(await sqlite_store.facts([builds.id(1)])) == 0
    assert {row.label for row in await sqlite_store.rows(RowQuery("commit", limit=9))} == {
        builds.sha(1),
        builds.sha(24 * 40),
    }


async def test_wrong_clocks_change_nothing(tmp_path, builds):
    """Thirty builds, each of a machine with another wrong clock: every row is that of right clocks."""
    how = [("failed", f"s{n % 3}") if n % 4 in (2, 3) else () for n in range(30)]
    bodies = []
    for name, step_ms in (("right", 0), ("wrong", 7 * HOUR_MS)):
        store = open_store(f"sqlite:///{tmp_path}/{name}.sqlite")
        await store.open()
        verdicts = [skewed(builds, n, (-1) ** n * n * step_ms, *how[n]) for n in range(30)]
        await record(verdicts, store=store, clock=lambda: builds.noon_at + 99 * HOUR_MS)
        kinds = ("lane", "day", "group", "incident", "commit")
        rows = [row for kind in kinds for row in await store.rows(RowQuery(kind, limit=99))]
        bodies.append({row.key: json.loads(row.body) for row in rows})
        await store.close()

    assert bodies[0] == bodies[1]
    assert len(bodies[0]) > 30
