"""Planted bugs: each breaks one promise at a named function of the product, and the simulation must find it.

The first five are defects that the product once had.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Bug:
    """One bug, and where it shows.

    Attributes:
        name: What is wrong.
        plant: Builds it in.
        embedded: In which system it is looked for; either where None.
        seed: Where the search begins.
    """

    name: str
    plant: Callable[[], None]
    embedded: bool | None = None
    seed: int = 1


def retention_by_agents_clock() -> None:
    """1. Retention orders by the agent's own start, and has no guard."""
    from build_chassis.retention_guard import RetentionGuard
    from build_ingest.lifecycle import replica
    from build_ingest.store.sql import SqlBuildStore

    async def always(self: Any, **_: Any) -> bool:
        return True

    RetentionGuard.allows = always
    forgettable = SqlBuildStore.list_forgettable

    async def by_start(self: Any, before_at: int, limit: int) -> Any:
        found = await forgettable(self, 1 << 52, 1000)
        return [state for state in found if (state.build.started_at or 0) < before_at and not state.is_open][:limit]

    SqlBuildStore.list_forgettable = by_start
    replica.HOUR_SECONDS = 60


def order_by_agents_clock() -> None:
    """2. A build's place is its agent's wall clock."""
    from build_protocol import start_time

    honest = start_time.start_time_of

    def by_wall(start: Any, receipt: Any) -> Any:
        found = honest(start, receipt)
        return found.model_copy(
            update={"server_started_at": start.timestamp, "server_started_earliest_at": start.timestamp}
        )

    _everywhere(honest, by_wall)


def outage_counts() -> None:
    """3. A store that takes no writes counts toward the delivery limit."""
    from build_chassis import consumer
    from build_chassis.bus import embedded

    settle = consumer._Consuming._settle

    async def bad(self: Any, queue_consumer: Any, batches: list[Sequence[Any]]) -> None:
        left = [delivery for batch in batches for delivery in batch]
        try:
            await settle(self, queue_consumer, batches)
        except consumer._Away as error:
            await queue_consumer.reject(left)
            raise consumer._HandlerFailed from error

    consumer._Consuming._settle = bad
    init = embedded.EmbeddedBus.__init__

    def low(self: Any, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **(options | {"delivery_limit": 10}))

    embedded.EmbeddedBus.__init__ = low


def first_opening_is_the_only_one() -> None:
    """4. A store that cannot be opened at once is never opened."""
    from build_chassis import supervisor

    async def never(open_store: Any, *, is_open: bool) -> None:
        if not is_open:
            await asyncio.Event().wait()

    supervisor.wait_until_open = never


def full_disk_ends_the_build() -> None:
    """5. What a full disk refused is dropped without a word."""
    from build_dashboard.recording import log_recorder

    append = log_recorder.LogRecorder._append

    def bad(self: Any, records: list[bytes]) -> bool:
        done = append(self, records)
        if not done:
            self._recorder.seq -= len(self._pending)
            self._pending = []
        return True

    log_recorder.LogRecorder._append = bad


def commands_never_end() -> None:
    """7. An order to cancel a build that is over stays as it was."""
    from build_gateway import commands

    commands.ended = lambda *_, **__: None
    acked = commands.Commands.acked

    async def only_accepted(self: Any, agent: str, ack: Any) -> None:
        if ack.state == "accepted":
            await acked(self, agent, ack)

    commands.Commands.acked = only_accepted


def stored_before_confirmed() -> None:
    """The gateway reports stored what it has only just taken from the socket."""
    from build_gateway.agents.pipeline import Pipeline

    submit = Pipeline.submit

    def bad(self: Any, batch: Any) -> None:
        for build_id, window, run in batch.runs:
            window.store(run.last, None, None)
            self._on_confirmed.__self__._acknowledge(build_id)
        submit(self, batch)

    Pipeline.submit = bad


def acked_before_handled() -> None:
    """Deliveries are acked as soon as they come."""
    from build_chassis import consumer

    settle = consumer._Consuming._settle

    async def bad(self: Any, queue_consumer: Any, batches: list[Sequence[Any]]) -> None:
        await queue_consumer.ack([delivery for batch in batches for delivery in batch])
        await asyncio.sleep(0.05)
        await settle(self, queue_consumer, batches)

    consumer._Consuming._settle = bad


def outbox_emptied_before_sent() -> None:
    """It is written down that a verdict was sent, and then it is sent."""
    from build_ingest.lifecycle.lifecycle import BuildLifecycle
    from build_ingest.records import fold

    publish = BuildLifecycle.publish_verdict

    async def bad(self: Any, build_id: str) -> None:
        state = self._consumer.open_builds.get(build_id)
        await self._consumer.change(build_id, lambda now: fold.mark_verdict_sent(now) if now.verdict_due else None)
        await asyncio.sleep(2)
        if state is not None:
            self._consumer.open_builds[build_id] = state
        await publish(self, build_id)

    BuildLifecycle.publish_verdict = bad


def nothing_is_deduplicated() -> None:
    """What comes again is stored again, behind what is there."""
    from build_ingest.intake import consumer

    plan_build = consumer.plan_build

    def bad(state: Any, waiting: Any, arrivals: Sequence[Any], *rest: Any) -> Any:
        if state is not None:
            following = state.applied + 1
            again = []
            for arrival in arrivals:
                is_repeat = arrival.seq <= state.applied and arrival.log is not None
                record = arrival.record.model_copy(update={"seq": following}) if is_repeat else arrival.record
                following += is_repeat
                again.append(replace(arrival, record=record))
            arrivals = again
        return plan_build(state, waiting, arrivals, *rest)

    consumer.plan_build = bad


def mail_before_claim() -> None:
    """A mail is sent before it is written down that it is being sent."""
    from build_notifier.sender import Sender
    from build_notifier.store.sql import SqlNotifierStore

    put, init = SqlNotifierStore.put_notification, Sender.__init__
    senders: list[Any] = []

    def remember(self: Any, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **options)
        senders.append(self)

    async def bad(self: Any, notification: Any) -> Any:
        if notification.state == "sending":
            await senders[-1].channels[notification.channel].send(notification)
        return await put(self, notification)

    Sender.__init__, SqlNotifierStore.put_notification = remember, bad


def spool_is_not_synced() -> None:
    """Records are sent before they are on the disk."""
    from build_dashboard.recording import spool

    spool._sync = lambda fd: None


def session_goes_on_where_it_was() -> None:
    """After a reconnect the agent goes on behind what it sent, whether it arrived or not."""
    from build_dashboard.delivery.session import Session

    welcome = Session.welcome

    def bad(self: Any, frame: Any) -> None:
        sent = {build_id: build.sent for build_id, build in self.builds.items()}
        welcome(self, frame)
        for build_id, build in self.builds.items():
            build.sent = build.stored = max(build.sent, sent.get(build_id, 0))

    Session.welcome = bad


def lost_is_for_ever() -> None:
    """A build that was judged lost stays so, even once its agent reports the end."""
    from build_ingest.records import fold

    honest = fold.fold

    def bad(state: Any, *arguments: Any, **options: Any) -> Any:
        after = honest(state, *arguments, **options)
        if state is not None and state.build.status == "lost" and after is not None:
            return after.model_copy(update={"build": after.build.model_copy(update={"status": "lost"})})
        return after

    _everywhere(honest, bad)


def shards_are_never_given_up() -> None:
    """The shards of a replica that died are nobody's."""
    from build_ingest.lifecycle import shard_claims

    shard_claims.DEAD_SECONDS = 1e9


BUGS = (
    Bug("retention goes by the agent's clock", retention_by_agents_clock),
    Bug("a build's place is its agent's clock", order_by_agents_clock),
    Bug("an outage counts against messages", outage_counts),
    Bug("a store that does not open at once is never opened", first_opening_is_the_only_one),
    Bug("what a full disk refused is dropped", full_disk_ends_the_build),
    Bug("commands never end", commands_never_end),
    Bug("stored is reported before it is", stored_before_confirmed),
    Bug("deliveries are acked before they are handled", acked_before_handled),
    Bug("the outbox is emptied before its verdict is sent", outbox_emptied_before_sent),
    Bug("nothing is deduplicated", nothing_is_deduplicated),
    Bug("a mail is sent before it is claimed", mail_before_claim),
    Bug("the spool is not synced", spool_is_not_synced),
    Bug("a session goes on where it was", session_goes_on_where_it_was),
    Bug("lost is for ever", lost_is_for_ever),
    Bug("shards of the dead are nobody's", shards_are_never_given_up, embedded=False),
)


def _everywhere(honest: Any, bad: Any) -> None:
    """Put it wherever a module of the product imported it."""
    for name, module in list(sys.modules.items()):
        if name.startswith("build_"):
            for attribute, value in list(vars(module).items()):
                if value is honest:
                    setattr(module, attribute, bad)
