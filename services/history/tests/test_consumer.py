"""Recording: the same history comes out, however the messages arrive and whoever dies on the way."""

import asyncio
import json
import random

import pytest
from build_chassis.errors import StoreUnavailable
from build_history.consumer import record
from build_history.metrics import Metrics
from build_history.retention import Retention
from build_history.store import open_store
from build_history.store.contract import RowQuery
from prometheus_client import CollectorRegistry

ARRIVAL = ("id", "revision", "transitions", "absorbed")
"""What of an incident is decided as its builds arrive: everything else follows from the facts alone."""

KINDS = ("lane", "day", "group", "commit", "incident", "pin")


def month_of(builds, seed=5):
    """Messages of 72 builds in three configs: breaks, fixes, a lost build that finishes late, retries."""
    dice = random.Random(seed)
    messages = []
    for n in range(1, 25):
        for config in ("release", "asan", "gcc"):
            fields = {"config": config, "commits": [builds.commit(k) for k in range(n, max(0, n - 3), -1)]}
            fields["pins"] = [{"name": "llvm", "commit": builds.sha(900 + n // 8)}]
            how = dice.choice([(), (), ("failed", f"sig-{n // 6}"), ("failed", f"sig-{n // 6}", "other"), ("lost",)])
            messages += [builds.start(n, **fields), builds.verdict(n, *how, **fields)]
            if how == ("lost",):
                messages.append(builds.verdict(n, "failed", f"sig-{n // 6}", revision=2, **fields))
    return messages


async def rows_of(store):
    """Every derived row, without what says when something was judged."""
    found = {}
    for kind in KINDS:
        for row in await store.rows(RowQuery(kind, limit=5000)):
            body = json.loads(row.body)
            if kind == "commit":
                body["cells"] = [{k: v for k, v in cell.items() if k != "judged"} for cell in body.get("cells", ())]
            if kind != "incident":
                found[kind, row.key] = (row.rank, row.label, body)
            elif body.get("endedAs") not in ("merged", "withdrawn"):
                shown = {name: fields for name, fields in body.items() if name not in ARRIVAL}
                found[kind, body["faces"][0]["evidence"]["buildId"]] = (row.rank, row.label, shown)
    return found


async def recorded(tmp_path, name, batches):
    store = open_store(f"sqlite:///{tmp_path}/{name}.sqlite")
    await store.open()
    for batch in batches:
        await record(batch, store=store)
    found = await rows_of(store)
    await store.close()
    return found


def cut(messages, size):
    return [messages[at : at + size] for at in range(0, len(messages), size)]


async def test_order_repetition_and_batches_make_no_difference(tmp_path, builds):
    """In order and once, or shuffled with a third of it repeated, in batches of 1 to 60: the same rows."""
    messages = month_of(builds)
    shuffled = [*messages, *messages[::3]]
    random.Random(1).shuffle(shuffled)

    in_order = await recorded(tmp_path, "in-order", cut(messages, 60))
    at_random = await recorded(tmp_path, "at-random", cut(shuffled, 37))

    assert {kind for kind, _ in in_order} == set(KINDS)
    assert in_order == at_random


async def test_one_at_a_time_gives_the_same_rows(tmp_path, builds):
    """The consumer may see messages alone or by the hundred."""
    messages = month_of(builds)[:40]

    assert await recorded(tmp_path, "all", [messages]) == await recorded(tmp_path, "each", cut(messages, 1))


async def test_a_crash_between_fact_and_rows_heals_with_the_redelivery(sqlite_store, tmp_path, builds):
    """Whichever write the store dies at, the redelivered batch brings every row up to date."""
    messages = month_of(builds)[:60]
    whole = await recorded(tmp_path, "whole", [messages])

    class Dying:
        """The store, until its nth write."""

        def __init__(self, writes):
            self.left = writes

        def __getattr__(self, name):
            method = getattr(sqlite_store, name)
            if name not in ("put_facts", "put_rows", "drop_rows", "settle"):
                return method

            async def write(*args):
                self.left -= 1
                if self.left < 0:
                    raise StoreUnavailable("history", "gone")
                return await method(*args)

            return write

    deaths = 0
    for writes in range(40):
        try:
            await record(messages, store=Dying(writes))
        except StoreUnavailable:
            deaths += 1
        else:
            break

    assert deaths > 3
    assert whole == await rows_of(sqlite_store)
    stored = await sqlite_store.facts([message.build_id for message in messages])
    assert not any(fact.stale for fact in stored.values())


async def test_two_replicas_together_tell_what_one_would(store, tmp_path, builds):
    """Replicas that record the two halves of every build at the same time leave the rows of one that saw all."""
    messages = month_of(builds)[:90]
    whole = await recorded(tmp_path, "whole", [messages])

    async def replica(own):
        for batch in cut(own, 9):
            while True:
                try:
                    await record(batch, store=store)
                except StoreUnavailable:  # contended: the bus delivers it again
                    await asyncio.sleep(0)
                else:
                    break

    await asyncio.gather(replica(messages[::2]), replica(messages[1::2]))

    assert whole == await rows_of(store)


async def test_sixty_configs_broken_and_fixed_are_one_incident(sqlite_store, builds):
    """Stored as the verdicts come, a few at a time: one incident, opened once, 60 configs, closed by the last green."""
    configs = [f"config-{n}" for n in range(60)]
    for n, how in enumerate([(), ("failed", "s"), ()]):
        for batch in cut([builds.verdict(n, *how, config=config) for config in configs], 7):
            await record(batch, store=sqlite_store)

    (row,) = await sqlite_store.rows(RowQuery("incident", limit=10))
    incident = json.loads(row.body)

    assert (incident["state"], len(incident["members"])) == ("closed", 60)


@pytest.mark.parametrize("origin", ["local", "premerge"])
async def test_builds_of_a_person_never_enter_history(sqlite_store, builds, origin):
    """Only origin ci is recorded."""
    messages = [builds.start(1, origin=origin), builds.verdict(1, "failed", "s", origin=origin)]

    await record(messages, store=sqlite_store)

    assert await sqlite_store.facts([builds.id(1)]) == {}
    assert await rows_of(sqlite_store) == {}


async def test_retention_forgets_builds_and_keeps_what_was_counted(sqlite_store, builds):
    """After keep_days the fact and its commit row go; days and groups stay."""
    await record([builds.verdict(0, "failed", "s"), builds.verdict(24 * 40, config="new")], store=sqlite_store)

    retention = Retention(sqlite_store, Metrics(CollectorRegistry()), keep_days=30)
    may_be_more = await retention.forget_old(builds.noon_at + 24 * 41 * builds.hour_ms)

    assert not may_be_more
    assert [builds.id(24 * 40, "new")] == list(await sqlite_store.facts([builds.id(0), builds.id(24 * 40, "new")]))
    assert len(await sqlite_store.rows(RowQuery("day", limit=9))) == 2
    assert len(await sqlite_store.rows(RowQuery("group", limit=9))) == 1
    assert [builds.sha(24 * 40)] == [row.label for row in await sqlite_store.rows(RowQuery("commit", limit=9))]
