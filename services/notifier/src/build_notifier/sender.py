"""Sending: claims that are due are sent, each try written down before it begins.

The row says `sending` before a channel is asked. Whoever finds it so after its lease knows that its sender died
somewhere between asking and writing down the answer: such a message is `unknown`, and is not sent again by itself.
"""

import logging
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import KW_ONLY, dataclass

from build_chassis.failpoints import fail_at
from build_chassis.store.optimistic import LOST, Lost, update
from build_protocol.clock import Clock

from build_notifier.channels import Channel, NotApplicable, NotSent
from build_notifier.channels.registry import BY_NAME, lacking
from build_notifier.messages.context import Contexts
from build_notifier.metrics import Metrics
from build_notifier.records import notification as steps
from build_notifier.records.notification import Notification
from build_notifier.store import NotifierStore

log = logging.getLogger("notifier")

JUDGED_WITHIN_MS = 60_000
"""A failure that history has not judged by then is shown as one of which nobody can tell."""

LOOKED_AT = 20
"""Due rows a sender looks at; several senders take different ones."""


@dataclass
class Sender:
    """Sends what is due."""

    store: NotifierStore
    channels: Mapping[str, Channel]
    must_arrive: Collection[str]
    contexts: Contexts
    _: KW_ONLY
    metrics: Metrics
    clock: Clock
    draw: Callable[[], float] = random.random

    async def is_something_due(self) -> bool:
        """Whether a notification's next step is due."""
        return bool(await self.store.due_notifications(self.clock(), 1))

    async def post_next(self) -> bool:
        """Take one notification that is due through its next step; False when nothing was due."""
        for due in await self.store.due_notifications(self.clock(), LOOKED_AT):
            channel = self.channels.get(due.channel)
            if due.created_at < (await self.store.noted_time("restored") or 0):
                return await self._suppress(due, steps.RESTORED)
            if channel is None:
                return await self._suppress(due, lacking(due.channel))
            taken = await self.store.put_notification(steps.take(due, self.clock(), self.must_arrive))
            if taken is None:
                continue  # another sender was faster
            if taken.state == "sending":
                fail_at("notifier.sending")
                outcome = await self._try(channel, taken)
                fail_at("notifier.sent")
                await self._settle(taken, outcome)
            else:
                self._count(taken)
            return True
        return False

    async def _try(self, channel: Channel, taken: Notification) -> Notification:
        """What became of one try."""
        try:
            with self.metrics.send_seconds.labels(taken.channel).time():
                provider_id = await channel.send(await self._judged(taken))
        except NotApplicable as error:
            return steps.suppressed(taken, self.clock(), str(error))
        except NotSent as error:
            return self._after(taken, error)
        except Exception:
            # Whatever went wrong in a channel, the provider may have been asked.
            log.exception("failed to send notification %s", taken.id, extra={"build_id": taken.build_id})
            return steps.doubted(taken, self.clock(), "an unforeseen error, see the log", self.must_arrive)
        return steps.accepted(taken, self.clock(), provider_id)

    async def _judged(self, taken: Notification) -> Notification:
        """With the verdict of its build's failure, where its channel shows it; raises NotSent while there is none."""
        message = taken.message
        known = BY_NAME.get(taken.channel)
        if known is None or not known.is_judged or message.succeeded or message.evidence is None:
            return taken
        context = await self.contexts.judged(
            message.evidence, taken.project, taken.branch, is_premerge=message.is_premerge
        )
        if context.verdict is None and self.clock() - taken.created_at < JUDGED_WITHIN_MS:
            raise NotSent("history has not judged it yet")
        return taken.model_copy(update={"message": message.model_copy(update={"context": context})})

    def _after(self, taken: Notification, error: NotSent) -> Notification:
        now_ms, reason = self.clock(), str(error)
        if error.permanent:
            return steps.refused(taken, now_ms, reason)
        if error.ambiguous:
            return steps.doubted(taken, now_ms, reason, self.must_arrive)
        retry_after_ms = None if error.retry_after_seconds is None else round(error.retry_after_seconds * 1000)
        return steps.postponed(taken, now_ms, reason, retry_after_ms, self.draw)

    async def _settle(self, taken: Notification, outcome: Notification) -> None:
        """Write the outcome down; what the provider's events reported meanwhile is the better evidence and stays."""
        newest = outcome

        async def write() -> Lost | None:
            nonlocal newest
            if await self.store.put_notification(newest) is not None:
                self._count(newest)
                return None
            known = (await self.store.notifications([taken.id])).get(taken.id)
            if known is None or known.state not in ("sending", "unknown"):
                return None
            newest = newest.model_copy(update={"version": known.version})
            return LOST

        await update("notifier", f"notification {taken.id}", write)

    async def _suppress(self, due: Notification, reason: str) -> bool:
        suppressed = steps.suppressed(due, self.clock(), reason)
        if await self.store.put_notification(suppressed) is not None:
            self._count(suppressed)
        return True

    def _count(self, notification: Notification) -> None:
        self.metrics.settled.labels(notification.channel, notification.state).inc()
        if notification.state == "unknown":
            self.metrics.unknown.inc()
        log.info(
            "settled notification %s by %s: %s",
            notification.id[:12],
            notification.channel,
            notification.reason or notification.state,
            extra={"build_id": notification.build_id, "state": notification.state},
        )
