"""Notifications: one message to one recipient, and everything that happened to it. Pure.

queued -> sending -> accepted -> delivered        the provider has it; the recipient's server has it
   ^         |----> failed                        refused for good, or given up
   |         |----> unknown                       nobody knows: never sent again, unless its rule must arrive
   `---------'      suppressed                    decided, recorded, not sent: no channel, or muted
"""

from collections.abc import Callable, Collection
from typing import Literal

from build_protocol.model import BuildId, Count, EpochMs, WireModel
from build_protocol.project_config import NotifyOn
from pydantic import Field

from build_notifier.messages.message import Message
from build_notifier.records import ids

RESTORED = "it is of before this dashboard was restored from a backup; who was notified since is not known"
"""Why nobody is notified of it again."""

Rule = NotifyOn | Literal["commit_status", "summary", "trial"]
State = Literal["queued", "sending", "accepted", "delivered", "failed", "unknown", "suppressed"]

LEASE_MS = 120_000
"""A sender that has not settled a notification by then died while sending it."""

EVIDENCE_MS = 600_000
"""A provider's events come within this; then a message that must arrive is sent once more."""

TRIES = 8
FIRST_WAIT_MS = 5_000
MAX_WAIT_MS = 1_800_000
LOG_KEPT = 50


class Entry(WireModel):
    """One line of a notification's delivery log."""

    at: EpochMs
    what: str
    event_id: str | None = Field(
        None, description="The provider's id of its event: an event posted twice is noted once."
    )


class NotificationFacts(WireModel):
    """Whom one message is for, about what, and where it stands."""

    id: str = Field(description="sha256(rule, incident, transition, recipient)")
    project: str
    branch: str | None = None
    rule: Rule
    incident: str
    transition: str
    build_id: BuildId | None = None
    channel: str = Field(description="Its name in `channels.registry`.")
    recipient: str = Field(description="An address; never a secret.")
    state: State = "queued"
    reason: str | None = Field(None, description="Why it stands where it stands.")
    tries: Count = 0
    provider_id: str | None = None
    created_at: EpochMs
    log: list[Entry] = Field([], description="Everything that happened to it, oldest first.")


class Notification(NotificationFacts):
    """The claim on notifying one recipient of one thing, its content, and its delivery log."""

    message: Message
    due_at: EpochMs | None = Field(None, description="When the next step is due; absent when there is none.")
    is_second: bool = Field(False, description="Sent once more because its rule must arrive.")
    version: Count = 0

    def noting(self, at: int, what: str, event_id: str | None = None, **update: object) -> "Notification":
        """The notification changed so, with a line in its log."""
        entry = Entry(at=at, what=what, event_id=event_id)
        return self.model_copy(update={**update, "log": [*self.log, entry][-LOG_KEPT:]})


def claim_on(
    recipient: tuple[str, str],
    rule: Rule,
    incident: str,
    transition: str,
    message: Message,
    *,
    project: str,
    now_ms: int,
    branch: str | None = None,
    build_id: str | None = None,
    due_at: int | None = None,
) -> Notification:
    """A new claim on notifying this recipient (channel, address) of this transition; without `due_at` it is due now."""
    channel, address = recipient
    return Notification(
        id=ids.notification_id(rule, incident, transition, f"{channel}:{address}"),
        project=project,
        branch=branch,
        rule=rule,
        incident=incident,
        transition=transition,
        build_id=build_id,
        channel=channel,
        recipient=address,
        message=message,
        due_at=now_ms if due_at is None else due_at,
        created_at=now_ms,
    )


def take(notification: Notification, now_ms: int, must_arrive: Collection[str]) -> Notification:
    """The next step of a notification that is due: on its way, or, where its sender died, in doubt."""
    if notification.state == "sending":
        return doubted(notification, now_ms, "its sender died while sending", must_arrive)
    what = "sending once more: it must arrive" if notification.state == "unknown" else "sending"
    return notification.noting(
        now_ms,
        what,
        state="sending",
        tries=notification.tries + 1,
        due_at=now_ms + LEASE_MS,
        is_second=notification.is_second or notification.state == "unknown",
    )


def suppressed(notification: Notification, now_ms: int, reason: str) -> Notification:
    """It is kept and shown, and nobody is notified."""
    return notification.noting(now_ms, f"suppressed: {reason}", state="suppressed", reason=reason, due_at=None)


def accepted(notification: Notification, now_ms: int, provider_id: str | None) -> Notification:
    """The provider took it."""
    what = f"accepted as {provider_id}" if provider_id else "accepted"
    return notification.noting(now_ms, what, state="accepted", reason=None, due_at=None, provider_id=provider_id)


def found(notification: Notification, now_ms: int, state: State, provider_id: str | None) -> Notification:
    """The provider was asked about a notification in doubt, and has it."""
    what = f"found at the provider: {state}"
    reason = "the provider could not deliver it" if state == "failed" else None
    return notification.noting(now_ms, what, state=state, reason=reason, due_at=None, provider_id=provider_id)


def refused(notification: Notification, now_ms: int, reason: str) -> Notification:
    """It will never be taken: trying again is pointless."""
    return notification.noting(now_ms, f"failed: {reason}", state="failed", reason=reason, due_at=None)


def postponed(
    notification: Notification, now_ms: int, reason: str, retry_after_ms: int | None, draw: Callable[[], float]
) -> Notification:
    """It was surely not taken: tried again later, and given up after so many tries."""
    if notification.tries >= TRIES:
        return refused(notification, now_ms, f"given up after {notification.tries} tries: {reason}")
    window_ms = min(FIRST_WAIT_MS * 2**notification.tries, MAX_WAIT_MS)
    wait_ms = max(round(window_ms * (0.5 + 0.5 * draw())), min(retry_after_ms or 0, MAX_WAIT_MS))
    return notification.noting(
        now_ms,
        f"to be tried again in {wait_ms // 1000} s: {reason}",
        state="queued",
        reason=reason,
        due_at=now_ms + wait_ms,
    )


def doubted(notification: Notification, now_ms: int, reason: str, must_arrive: Collection[str]) -> Notification:
    """Nobody knows whether it was taken; sent once more, later, only where its rule must arrive."""
    may_resend = notification.rule in must_arrive and not notification.is_second
    due_at = now_ms + EVIDENCE_MS if may_resend else None
    return notification.noting(now_ms, f"unknown: {reason}", state="unknown", reason=reason, due_at=due_at)
