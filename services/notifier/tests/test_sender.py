"""Sending: a message leaves once, and whatever becomes of it is written down."""

import asyncio

import pytest
from build_notifier.channels import NotApplicable, NotSent
from build_notifier.messages.context import BuildContext
from build_notifier.records.notification import EVIDENCE_MS, LEASE_MS, RESTORED, TRIES


class Scripted:
    """A channel that answers by a script: an error is raised, anything else is the provider's id."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.sent = []
        self.verdicts = []

    async def send(self, notification):
        self.sent.append(notification.id)
        self.verdicts.append(notification.message.context.verdict)
        answer = self.answers.pop(0) if self.answers else "id"
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self):
        pass


async def test_what_is_accepted_is_sent_once(office, sqlite_store, claim):
    """Accepted, with the provider's id and every step in the log; never due again."""
    channel = Scripted("sg-1")
    sender = office(channel)
    await sqlite_store.claim([claim(1)])

    assert [True, False] == [await sender.post_next(), await sender.post_next()]

    known = await sender.stored(claim(1))
    assert ("accepted", "sg-1", 1) == (known.state, known.provider_id, known.tries)
    assert ["sending", "accepted as sg-1"] == [entry.what for entry in known.log]
    assert channel.sent == [known.id]


async def test_a_permanent_refusal_is_final(office, sqlite_store, claim, clock):
    """Trying again is pointless, so nobody does."""
    channel = Scripted(NotSent("no such mailbox", permanent=True))
    sender = office(channel)
    await sqlite_store.claim([claim(1)])
    await sender.post_next()
    clock.move(10 * 86400)

    assert not await sender.post_next()

    known = await sender.stored(claim(1))
    assert ("failed", "no such mailbox") == (known.state, known.reason)


async def test_what_was_surely_not_taken_is_tried_again_with_growing_waits(office, sqlite_store, claim, clock):
    """Waits double; the message leaves when the provider is back."""
    channel = Scripted(NotSent("refused"), NotSent("refused"))
    sender = office(channel)
    await sqlite_store.claim([claim(1)])
    waits = []
    for _ in range(2):
        await sender.post_next()
        known = await sender.stored(claim(1))
        waits.append(known.due_at - clock.ms)
        clock.ms = known.due_at - 1
        assert not await sender.post_next()
        clock.ms += 1
    await sender.post_next()

    assert waits == [7_500, 15_000]
    assert (await sender.stored(claim(1))).state == "accepted"


async def test_a_wait_asked_for_is_honoured(office, sqlite_store, claim, clock):
    """`Retry-After: 90` is 90 seconds, whatever our own back-off is."""
    sender = office(Scripted(NotSent("429", retry_after_seconds=90)))
    await sqlite_store.claim([claim(1)])

    await sender.post_next()

    assert (await sender.stored(claim(1))).due_at == clock.ms + 90_000


async def test_tries_end(office, sqlite_store, claim, clock):
    """A provider that is away for good is given up, visibly."""
    channel = Scripted(*[NotSent("away") for _ in range(2 * TRIES)])
    sender = office(channel)
    await sqlite_store.claim([claim(1)])
    for _ in range(2 * TRIES):
        await sender.post_next()
        clock.move(3600)

    known = await sender.stored(claim(1))
    assert len(channel.sent) == TRIES
    assert ("failed", f"given up after {TRIES} tries: away") == (known.state, known.reason)


@pytest.mark.parametrize("error", [NotSent("timeout", ambiguous=True), RuntimeError("a bug")])
async def test_what_may_have_been_taken_is_unknown_and_not_sent_again(office, sqlite_store, claim, clock, error):
    """The ambiguous window has a name, a counter, and one message in it."""
    channel = Scripted(error)
    sender = office(channel)
    await sqlite_store.claim([claim(1)])
    await sender.post_next()
    clock.move(10 * 86400)

    assert not await sender.post_next()

    assert (await sender.stored(claim(1))).state == "unknown"
    assert len(channel.sent) == 1
    assert sender.metrics.unknown._value.get() == 1


async def test_what_must_arrive_is_sent_once_more_without_evidence(office, sqlite_store, claim, clock):
    """After the time in which evidence comes: a second and last time."""
    channel = Scripted(NotSent("timeout", ambiguous=True), NotSent("timeout", ambiguous=True))
    sender = office(channel, must_arrive={"broken"})
    await sqlite_store.claim([claim(1)])
    for _ in range(4):
        await sender.post_next()
        clock.move(EVIDENCE_MS / 1000)

    known = await sender.stored(claim(1))
    assert (2, "unknown", True) == (len(channel.sent), known.state, known.is_second)


async def test_a_sender_that_died_leaves_unknown(office, sqlite_store, claim, clock):
    """kill -9 between asking and writing down: found by its lease, counted, not sent again."""
    never = asyncio.get_running_loop().create_future()

    class Dying(Scripted):
        async def send(self, notification):
            self.sent.append(notification.id)
            await never

    channel = Scripted()
    sender = office(channel)
    dying = asyncio.create_task(office(Dying()).post_next())
    await sqlite_store.claim([claim(1)])
    while (await sender.stored(claim(1))).state != "sending":
        await asyncio.sleep(0.005)
        if dying.done():
            dying = asyncio.create_task(office(Dying()).post_next())
    dying.cancel()

    assert not await sender.post_next()
    clock.move(LEASE_MS / 1000)
    assert await sender.post_next()

    assert (await sender.stored(claim(1))).state == "unknown"
    assert channel.sent == []


async def test_many_senders_send_each_message_once(office, sqlite_store, claim):
    """Twenty messages, four senders at a time: twenty sends."""
    channel = Scripted()
    await sqlite_store.claim([claim(n) for n in range(20)])

    async def work():
        sender = office(channel)
        while await sender.post_next():
            pass

    await asyncio.gather(*(work() for _ in range(4)))

    assert sorted(claim(n).id for n in range(20)) == sorted(channel.sent)


async def test_without_a_channel_it_is_recorded_what_would_have_been_sent(office, sqlite_store, claim):
    """Suppressed, and why, with its whole message."""
    await sqlite_store.claim([claim(1)])

    sender = office(None)
    assert await sender.post_next()

    known = await sender.stored(claim(1))
    assert known.state == "suppressed"
    assert known.reason.startswith("no channel configured")


async def test_a_message_that_applies_to_nobody_is_no_failure(office, sqlite_store, claim):
    """Nobody to notify after all."""
    await sqlite_store.claim([claim(1)])

    sender = office(Scripted(NotApplicable("no pull request has it")))

    await sender.post_next()

    assert (await sender.stored(claim(1))).state == "suppressed"


async def test_evidence_that_came_meanwhile_stays(office, sqlite_store, claim):
    """The provider's event overtakes the end of a slow send that fails: the mail was taken."""

    class Overtaken(Scripted):
        async def send(self, notification):
            await sqlite_store.put_notification(notification.noting(1, "event", state="delivered", due_at=None))
            raise NotSent("timeout", ambiguous=True)

    await sqlite_store.claim([claim(1)])

    sender = office(Overtaken())

    await sender.post_next()

    assert (await sender.stored(claim(1))).state == "delivered"


async def test_what_a_backup_had_decided_is_not_sent_by_whoever_restores_it(office, sqlite_store, claim, clock):
    """It may have been sent since; it is shown with the reason. What is decided after the restore is sent."""
    channel = Scripted()
    sender = office(channel)
    await sqlite_store.claim([claim(1), claim(2, channel="gone")])
    clock.move(60)
    await sqlite_store.note_time("restored", clock.ms)
    await sqlite_store.claim([claim(3, created_at=clock.ms)])

    while await sender.post_next():
        pass

    assert channel.sent == [claim(3).id]
    for known in [await sender.stored(claim(1)), await sender.stored(claim(2))]:
        assert ("suppressed", RESTORED) == (known.state, known.reason)


class Judging:
    """History as the sender asks it: each answer is a verdict, or None while it has none."""

    def __init__(self, *verdicts):
        self.verdicts = list(verdicts)
        self.asked = []

    async def judged(self, evidence, project, branch, *, is_premerge):
        self.asked.append((project, branch, is_premerge))
        return BuildContext(verdict=self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0])


def check_of(claim, **fields):
    message = claim().message.model_copy(update={"kind": "status", "succeeded": False, **fields})
    return claim(1, channel="github_check", message=message)


async def test_a_check_run_waits_for_its_verdict(office, sqlite_store, claim, clock):
    """History may read of the build after us: it is asked again until it has judged, and then sent once."""
    channel, history = Scripted("7"), Judging(None, "flaky")
    sender = office(channel, name="github_check", contexts=history)
    await sqlite_store.claim([check_of(claim, is_premerge=True)])

    await sender.post_next()
    assert [] == channel.sent
    clock.ms = (await sender.stored(claim(1))).due_at
    await sender.post_next()

    assert ["flaky"] == channel.verdicts
    assert [("p", "main", True)] * 2 == history.asked


async def test_a_verdict_that_does_not_come_is_not_waited_for(office, sqlite_store, claim, clock):
    """Without history it leaves after a moment, and shows that nobody can tell: it blocks nothing."""
    channel = Scripted("7")
    sender = office(channel, name="github_check")
    await sqlite_store.claim([check_of(claim)])
    while (claimed := await sender.stored(claim(1))).state == "queued":
        clock.ms = claimed.due_at
        await sender.post_next()

    assert [None] == channel.verdicts
    assert clock.ms - claimed.created_at < 120_000
    assert (await sender.stored(claim(1))).state == "accepted"


async def test_a_build_that_passed_is_not_judged(office, sqlite_store, claim):
    """There is nothing to ask about."""
    channel, history = Scripted("7"), Judging("new")
    sender = office(channel, name="github_check", contexts=history)
    await sqlite_store.claim([check_of(claim, succeeded=True)])
    await sender.post_next()

    assert ([None], []) == (channel.verdicts, history.asked)
