"""SMTP: mails to a real server on this machine."""

from collections.abc import Callable

import pytest
from build_testkit.mailbox import Mailbox

from build_notifier.channels.contract import NotSent
from build_notifier.channels.smtp import Server, SmtpChannel
from build_notifier.records.notification import Notification

Claim = Callable[..., Notification]


async def test_smtp_takes_a_mail_with_both_parts_in_its_thread(
    smtp: SmtpChannel, mailbox: Mailbox, claim: Claim
) -> None:
    """Plain text and HTML; the incident's Message-ID first, later mails answer it."""
    first = await smtp.send(claim(1))
    await smtp.send(claim(2, kind="fixed", rule="fixed"))

    broken, fixed = mailbox.messages
    assert (broken["To"], broken["From"]) == ("team@example.com", "Builds <builds@example.com>")
    assert [part.get_content_type() for part in broken.iter_parts()] == ["text/plain", "text/html"]
    plain = broken.get_body(("plain",))
    assert plain is not None
    assert "a.cpp:7: error s" in plain.get_content()
    assert first == broken["Message-ID"] == fixed["In-Reply-To"] == fixed["References"]
    assert first == "<incident.incident-1@example.com>"
    assert fixed["Message-ID"] != first


@pytest.mark.parametrize(
    ("stage", "reply", "permanent", "ambiguous"),
    [
        ("rcpt", "550 no such user", True, False),
        ("rcpt", "451 greylisted", False, False),
        ("data", "554 spam", True, False),
        ("data", "452 full", False, False),
        ("data", "hang", False, True),
        ("data", "cut", False, True),
    ],
)
async def test_smtp_shows_whether_trying_again_helps(
    smtp: SmtpChannel, mailbox: Mailbox, claim: Claim, stage: str, *, reply: str, permanent: bool, ambiguous: bool
) -> None:
    """5yz: for good. 4yz: for now. No answer after DATA: nobody knows."""
    setattr(mailbox, stage, reply)

    with pytest.raises(NotSent) as caught:
        await smtp.send(claim(1))

    assert (permanent, ambiguous) == (caught.value.permanent, caught.value.ambiguous)


async def test_smtp_that_is_down_took_nothing(claim: Claim) -> None:
    """A refused connection is neither permanent nor ambiguous."""
    with pytest.raises(NotSent) as caught:
        await SmtpChannel(Server("127.0.0.1", 9, use_tls=False), "b@example.com").send(claim(1))

    assert (caught.value.permanent, caught.value.ambiguous) == (False, False)


async def test_smtp_never_falls_back_to_plain_text(mailbox: Mailbox, claim: Claim, smtp: SmtpChannel) -> None:
    """Asked for STARTTLS and not offered: nothing is sent, least of all the password."""
    server = Server("127.0.0.1", mailbox.port, "ann", "secret", use_tls=True)

    with pytest.raises(NotSent):
        await SmtpChannel(server, "b@example.com", send_seconds=1).send(claim(1))

    assert mailbox.messages == []
