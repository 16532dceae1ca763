"""What both mail channels put on a mail: who it is from, which thread it is in, its content."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from build_chassis.projects import Projects

from build_notifier.channels.contract import Channel, Registration
from build_notifier.messages import render
from build_notifier.messages.actions import ActionLinks, Deed, Permission
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


def mail_of(notification: Notification, sender: str, links: ActionLinks) -> Mail:
    """The mail of this notification; its links act for its recipient, so they are signed now and kept nowhere."""
    message = notification.message
    acts = _acts(notification, links)
    return Mail(
        sender=sender,
        recipient=notification.recipient,
        subject=message.subject,
        plain=render.plain(message, acts),
        html=render.html(message, acts),
        headers=_headers(notification, sender.rpartition("@")[2].strip("> ") or "localhost") | _unsubscribe(acts),
    )


def links_of(settings: Settings) -> ActionLinks:
    """The links that this dashboard signs."""
    return ActionLinks(settings.jwt_secret_key, settings.dashboard_url)


def _acts(notification: Notification, links: ActionLinks) -> Mapping[Deed, str]:
    evidence = notification.message.evidence
    failure = evidence.failure if evidence else None
    permission = Permission(
        recipient=notification.recipient,
        incident=notification.incident,
        project=notification.project,
        branch=notification.branch,
        build_id=notification.build_id,
        signature=failure.signature if failure else None,
    )
    return links.of(permission, notification.created_at)


def _unsubscribe(acts: Mapping[Deed, str]) -> dict[str, str]:
    """RFC 8058: the mail program's own button is one request, without our page between."""
    if "leave" not in acts:
        return {}
    return {"List-Unsubscribe": f"<{acts['leave']}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def _headers(notification: Notification, domain: str) -> dict[str, str]:
    """The thread: an incident's first mail has the incident's own Message-ID, later ones answer it."""
    headers = {"Auto-Submitted": "auto-generated", "X-Build-Dashboard-Project": notification.project}
    root = f"<incident.{notification.incident}@{domain}>"
    if notification.message.kind in _THREAD_BEGINS:
        return headers | {"Message-ID": root}
    own = headers | {"Message-ID": f"<{notification.id[:32]}@{domain}>"}
    return (
        own
        if notification.message.kind in ("digest", "summary", "trial")
        else own | {"In-Reply-To": root, "References": root}
    )
