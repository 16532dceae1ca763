"""What both mail channels put on a mail: who it is from, which thread it is in, its content."""

from collections.abc import Callable
from dataclasses import dataclass

from build_chassis.projects import Projects

from build_notifier.channels.contract import Channel, Registration
from build_notifier.messages import render
from build_notifier.records.notification import Notification
from build_notifier.settings import Settings

MAIL = "mail"

_THREAD_BEGINS = frozenset({"opened", "missing"})


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, whoever carries it."""

    sender: str
    recipient: str
    subject: str
    plain: str
    html: str
    headers: dict[str, str]


def registration(opens: Callable[[Settings, Projects], Channel | None]) -> Registration:
    """The registration of a channel that carries mails; of several that can be opened the first registered does."""
    return Registration(
        name=MAIL,
        label="mail",
        audience="people",
        open=opens,
        lacking="set SECRET_API_KEY (SendGrid) or NOTIFIER_SMTP_HOST, and NOTIFICATION_EMAIL",
    )


def mail_of(notification: Notification, sender: str) -> Mail:
    """The mail of this notification."""
    message = notification.message
    return Mail(
        sender=sender,
        recipient=notification.recipient,
        subject=message.subject,
        plain=render.plain(message),
        html=render.html(message),
        headers=_headers(notification, sender.rpartition("@")[2].strip("> ") or "localhost"),
    )


def _headers(notification: Notification, domain: str) -> dict[str, str]:
    """The thread: an incident's first mail has the incident's own Message-ID, later ones answer it."""
    headers = {"Auto-Submitted": "auto-generated", "X-Build-Dashboard-Project": notification.project}
    root = f"<incident.{notification.incident}@{domain}>"
    if notification.message.kind in _THREAD_BEGINS:
        return headers | {"Message-ID": root}
    own = headers | {"Message-ID": f"<{notification.id[:32]}@{domain}>"}
    return (
        own if notification.message.kind in ("digest", "summary") else own | {"In-Reply-To": root, "References": root}
    )
