"""What people are shown of notifications and mutes."""

from build_protocol.model import Count, EpochMs, WireModel
from pydantic import Field

from build_notifier.channels.registry import label
from build_notifier.messages import render
from build_notifier.records.mutes import Mute
from build_notifier.records.notification import Entry, Notification, Rule, State


class NotificationRow(WireModel):
    """One message to one recipient, and where it stands."""

    id: str
    project: str
    branch: str | None = None
    rule: Rule
    incident: str
    transition: str
    build_id: str | None = None
    channel: str
    channel_label: str = Field(description="What pages call the channel.")
    recipient: str
    subject: str
    state: State
    reason: str | None = None
    tries: Count
    next_try_at: EpochMs | None = None
    provider_id: str | None = None
    created_at: EpochMs
    log: list[Entry] = Field(description="Everything that happened to it, oldest first.")

    @classmethod
    def of(cls, notification: Notification) -> "NotificationRow":
        """The row of a notification."""
        return cls(**_facts(notification))


class NotificationDetail(NotificationRow):
    """A notification with its text."""

    text: str = Field(description="As its plain text part has it.")

    @classmethod
    def of(cls, notification: Notification) -> "NotificationDetail":
        """A notification, whole."""
        return cls(**_facts(notification), text=render.plain(notification.message))


class NotificationList(WireModel):
    """A page of notifications, newest first."""

    items: list[NotificationRow]
    next_cursor: str | None = None


class MuteList(WireModel):
    """Mutes, those that end last first."""

    items: list[Mute]


class WebhookResult(WireModel):
    """How many events of a webhook's request were about notifications of ours."""

    events: Count


def _facts(notification: Notification) -> dict[str, object]:
    shared = set(NotificationRow.model_fields) & set(Notification.model_fields)
    facts: dict[str, object] = {name: getattr(notification, name) for name in shared}
    return facts | {
        "channel_label": label(notification.channel),
        "subject": notification.message.subject,
        "next_try_at": notification.due_at if notification.state == "queued" else None,
    }
