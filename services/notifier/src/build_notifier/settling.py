"""Settling: providers that can be asked are asked about messages of which nobody knows whether they were taken."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from build_protocol.clock import DAY_MS, Clock

from build_notifier.channels import Channel
from build_notifier.channels.contract import Searchable, SearchRefused
from build_notifier.metrics import Metrics
from build_notifier.records import notification as steps
from build_notifier.records.notification import Notification
from build_notifier.store import NotificationQuery, NotifierStore

log = logging.getLogger("notifier")

ASK_SECONDS = 60.0
ASKED_AT_ONCE = 5
"""SendGrid answers six such questions a minute."""

LOOKED_AT = 200
FIRST_WAIT_MS = 120_000
"""A provider's feed shows a message that late."""

ASKED_FOR_MS = 3 * DAY_MS
"""So long providers keep what they can be asked about, at least."""


@dataclass
class Settler:
    """Asks about notifications that are `unknown`: each at doubling intervals, for three days."""

    store: NotifierStore
    channels: Mapping[str, Channel]
    metrics: Metrics
    clock: Clock
    _next_at: dict[str, int] = field(default_factory=dict)
    _silent: set[str] = field(default_factory=set)
    """Channels whose provider never answers such questions."""

    async def settle(self) -> None:
        """One round. Repeating it, or two replicas at once, is harmless. Raises StoreUnavailable."""
        now_ms = self.clock()
        listed = await self.store.list_notifications(NotificationQuery(limit=LOOKED_AT, state="unknown"))
        waiting = {each.id: each for each in listed if self._may_ask(each, now_ms)}
        self._next_at = {id_: self._next_at.get(id_, waiting[id_].log[-1].at + FIRST_WAIT_MS) for id_ in waiting}
        due = sorted((at, id_) for id_, at in self._next_at.items() if at <= now_ms)
        for _, id_ in due[:ASKED_AT_ONCE]:
            if not await self._ask(waiting[id_], now_ms):
                self._next_at[id_] = now_ms + max(FIRST_WAIT_MS, 2 * (now_ms - waiting[id_].log[-1].at))

    def _may_ask(self, each: Notification, now_ms: int) -> bool:
        channel = self.channels.get(each.channel)
        is_new = each.created_at > now_ms - ASKED_FOR_MS
        return is_new and isinstance(channel, Searchable) and each.channel not in self._silent

    async def _ask(self, unknown: Notification, now_ms: int) -> bool:
        """Whether the provider has it, and that was written down."""
        channel = self.channels[unknown.channel]
        if unknown.channel in self._silent or not isinstance(channel, Searchable):
            return False
        try:
            found = await channel.find(unknown)
        except SearchRefused as error:
            log.warning("ask about notification %s: %s", unknown.id[:12], error)
            if error.is_final:
                self._silent.add(unknown.channel)
            return False
        if found is None:
            return False
        settled = steps.found(unknown, now_ms, found.state, found.provider_id)
        # Where its events came meanwhile, they are the better evidence.
        if await self.store.put_notification(settled) is not None:
            self.metrics.settled.labels(unknown.channel, found.state).inc()
            log.info("settled notification %s: found at the provider, %s", unknown.id[:12], found.state)
        return True
