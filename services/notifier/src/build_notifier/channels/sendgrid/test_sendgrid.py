"""SendGrid: what each of its answers becomes, at a real HTTP server that speaks its API."""

from collections.abc import Callable
from typing import Any

import pytest
from build_testkit.sendgrid import KEY, SendGridServer

from build_notifier.channels.sendgrid import SendGridChannel
from build_notifier.records.notification import Notification
from build_notifier.store import NotifierStore

Claim = Callable[..., Notification]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (202, ("accepted", 1, 1)),
        (400, ("failed", 1, 0)),
        (401, ("failed", 1, 0)),
        (413, ("failed", 1, 0)),
        (429, ("accepted", 2, 1)),
        (500, ("unknown", 1, 0)),
        ("cut", ("unknown", 1, 1)),
        ("slow", ("unknown", 1, 1)),
    ],
)
async def test_every_answer_of_sendgrid_ends_in_a_state(
    office: Callable[..., Any],
    claim: Claim,
    clock: Any,
    sendgrid: SendGridServer,
    *,
    answer: int | str,
    outcome: tuple[str, int, int],
) -> None:
    """State, requests, mails taken: at most one mail, whatever the server answers or does not answer."""
    sendgrid.answers, sendgrid.headers = [answer], {"Retry-After": "60"} if answer == 429 else {}
    sender = office(SendGridChannel(KEY, "builds@example.com", sendgrid.url, socket_seconds=0.5))
    await sender.store.claim([claim(1)])

    await sender.post_next()
    clock.move(59)
    assert not await sender.post_next()
    clock.move(1)
    await sender.post_next()

    assert outcome == ((await sender.stored(claim(1))).state, sendgrid.requests, len(sendgrid.mails))


async def test_a_wrong_key_is_refused_for_good_and_logged(
    office: Callable[..., Any], sqlite_store: NotifierStore, claim: Claim, sendgrid: SendGridServer
) -> None:
    """SendGrid's own answer is in the delivery log."""
    sender = office(SendGridChannel("SG.wrong", "builds@example.com", sendgrid.url))
    await sqlite_store.claim([claim(1)])

    await sender.post_next()

    known = await sender.stored(claim(1))
    assert known.state == "failed"
    assert "401" in known.reason
    assert "answered 401" in known.reason


async def test_a_server_that_is_down_is_waited_for(
    office: Callable[..., Any], sqlite_store: NotifierStore, claim: Claim, clock: Any, sendgrid: SendGridServer
) -> None:
    """A refused connection took nothing: the mail leaves once the server is back."""
    sender = office(SendGridChannel(KEY, "builds@example.com", "http://127.0.0.1:9"))
    await sqlite_store.claim([claim(1)])

    await sender.post_next()

    assert (await sender.stored(claim(1))).state == "queued"
    clock.move(60)
    await office(SendGridChannel(KEY, "builds@example.com", sendgrid.url)).post_next()
    assert len(sendgrid.mails) == 1
