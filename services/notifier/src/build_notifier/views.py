"""What people are shown of notifications and mutes."""

from build_protocol.model import Count, EpochMs, WireModel
from pydantic import Field

from build_notifier.channels.registry import label
from build_notifier.messages import render
from build_notifier.records.mutes import Mute
from build_notifier.records.notification import Notification, NotificationFacts


class NotificationRow(NotificationFacts):
    """One message to one recipient, and where it stands."""

    channel_label: str = Field(description="What pages call the channel.")
    subject: str
    next_try_at: EpochMs | None = None

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
    facts: dict[str, object] = {name: getattr(notification, name) for name in NotificationFacts.model_fields}
    return facts | {
        "channel_label": label(notification.channel),
        "subject": notification.message.subject,
        "next_try_at": notification.due_at if notification.state == "queued" else None,
    }
