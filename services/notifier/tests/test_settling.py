"""Mails in doubt: what the provider has of them is found out, what it has not is never sent twice."""

from dataclasses import dataclass
from typing import Any

import pytest
from build_notifier.channels.contract import NotSent
from build_notifier.channels.sendgrid import SendGridChannel
from build_notifier.metrics import Metrics
from build_notifier.records.notification import LEASE_MS
from build_notifier.settling import ASKED_AT_ONCE, ASKED_FOR_MS, FIRST_WAIT_MS, Settler
from build_testkit.sendgrid import KEY
from prometheus_client import CollectorRegistry

SENDS = 28
KILLS = 12


class Killed(BaseException):
    """The process ends here: nothing that would tidy up runs."""


class Mortal(SendGridChannel):
    """SendGrid's channel in a process that is killed just before, or just after, some of its sends."""

    def __init__(self, url):
        super().__init__(KEY, "builds@example.com", url, socket_seconds=1)
        self.sends = 0

    async def send(self, notification):
        self.sends += 1
        is_killed = self.sends <= 2 * KILLS and self.sends % 2 == 0
        if is_killed and self.sends % 4 == 0:
            raise Killed
        provider_id = await super().send(notification)
        if is_killed:
            raise Killed
        return provider_id


@dataclass
class Bench:
    """A store with claims, senders and settlers on it, a clock, and SendGrid."""

    store: Any
    office: Any
    clock: Any
    sendgrid: Any

    def settler(self, channel):
        return Settler(self.store, {"mail": channel}, Metrics(CollectorRegistry()), self.clock)

    def channel(self):
        return SendGridChannel(KEY, "builds@example.com", self.sendgrid.url, socket_seconds=0.2)


@pytest.fixture
def bench(office, sqlite_store, clock, sendgrid):
    return Bench(sqlite_store, office, clock, sendgrid)


async def states(store, claims):
    found = await store.notifications([claim.id for claim in claims])
    return [found[claim.id].state for claim in claims]


async def test_a_notifier_killed_around_its_sends_leaves_only_what_nobody_has_in_doubt(bench, claim):
    """12 kills around 28 sends: nothing twice, all that was taken is shown, and only the six others are unknown."""
    channel = Mortal(bench.sendgrid.url)
    sender, settler = bench.office(channel), bench.settler(channel)
    claims = [claim(number) for number in range(SENDS)]
    await bench.store.claim(claims)

    kills = 0
    is_going_on = True
    while is_going_on:
        try:
            is_going_on = await sender.post_next()
        except Killed:
            kills += 1
            sender = bench.office(channel)
    bench.clock.move(LEASE_MS // 1000)
    while await sender.post_next():
        pass
    assert (KILLS, 16) == (kills, (await states(bench.store, claims)).count("accepted"))
    assert KILLS == (await states(bench.store, claims)).count("unknown")
    for _ in range(10):
        bench.clock.move(FIRST_WAIT_MS // 1000)
        await settler.settle()
        assert not await sender.post_next()

    taken = [mail["custom_args"]["notification_id"] for mail in bench.sendgrid.mails]
    assert len(taken) == len(set(taken)) == SENDS - KILLS // 2
    after = await states(bench.store, claims)
    assert {"accepted": 16, "delivered": 6, "unknown": 6} == {state: after.count(state) for state in set(after)}
    assert {each.id for each, state in zip(claims, after, strict=True) if state != "unknown"} == set(taken)


@pytest.mark.parametrize(
    ("status", "state"), [("processed", "accepted"), ("delivered", "delivered"), ("not_delivered", "failed")]
)
async def test_what_the_provider_says_is_what_is_shown(bench, claim, status, state):
    """With its id and a line in the delivery log; once it is settled nobody asks again."""
    channel = bench.channel()
    bench.sendgrid.answers, bench.sendgrid.found_status = ["cut"], status
    await bench.store.claim([claim(1)])
    await bench.office(channel).post_next()
    settler = bench.settler(channel)
    await settler.settle()
    assert 0 == bench.sendgrid.searches  # the feed is late

    for _ in range(3):
        bench.clock.move(FIRST_WAIT_MS // 1000)
        await settler.settle()

    known = (await bench.store.notifications([claim(1).id]))[claim(1).id]
    assert (state, "sg-1.recv", 1) == (known.state, known.provider_id, bench.sendgrid.searches)
    assert f"found at the provider: {state}" == known.log[-1].what


async def test_an_account_without_the_feed_is_asked_once(bench, claim):
    """403 ends the questions of this process; a rate limit or an outage only this round's."""
    channel = bench.channel()
    claims = [claim(number) for number in range(ASKED_AT_ONCE + 3)]
    bench.sendgrid.answers = ["cut"] * len(claims)
    await bench.store.claim(claims)
    sender = bench.office(channel)
    while await sender.post_next():
        pass
    settler = bench.settler(channel)
    bench.clock.move(FIRST_WAIT_MS // 1000)
    bench.sendgrid.search_status = 429
    await settler.settle()
    assert ASKED_AT_ONCE == bench.sendgrid.searches
    bench.sendgrid.search_status = 403
    for _ in range(5):
        bench.clock.move(3600)
        await settler.settle()

    assert ASKED_AT_ONCE + 1 == bench.sendgrid.searches
    assert {"unknown"} == set(await states(bench.store, claims))


async def test_channels_that_cannot_be_asked_and_old_mails_are_left(bench, claim):
    """A mail server cannot be asked; and after three days the provider has forgotten."""

    class Deaf:
        async def send(self, notification):
            raise NotSent("cut", ambiguous=True)

        async def close(self):
            pass

    await bench.store.claim([claim(1)])
    await bench.office(Deaf()).post_next()
    bench.clock.move(FIRST_WAIT_MS // 1000)
    await bench.settler(Deaf()).settle()
    bench.clock.move(ASKED_FOR_MS // 1000)
    await bench.settler(bench.channel()).settle()
    assert (["unknown"], 0) == (await states(bench.store, [claim(1)]), bench.sendgrid.searches)
