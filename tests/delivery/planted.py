"""Planted bugs: each breaks one promise on purpose, to show that the checker sees it.

Run as a program it is the embedded system with all of them built in and asleep; the file named by PLANTED_BUG says
which one is awake, so that one process serves them all in turn.
"""

import asyncio
import os
import runpy
import signal
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Bug:
    """One bug: what is wrong, how it is built in, and the failpoint at which its process has to die to show it."""

    name: str
    plant: Callable[[Callable[[], bool]], None]
    fail: str = ""
    is_story: bool = False
    """Whether it takes a green, a red and a green build to show."""
    in_ci: bool = False


def stored_before_confirmed(is_awake: Callable[[], bool]) -> None:
    """The gateway reports stored what it has only just taken from the socket."""
    from build_gateway.agents.pipeline import Pipeline

    submit = Pipeline.submit

    def bad(self: Any, batch: Any) -> None:
        if not is_awake():
            submit(self, batch)
            return
        for build_id, window, run in batch.runs:
            window.store(run.last, None, None)
            self._on_confirmed.__self__._acknowledge(build_id)
        asyncio.get_running_loop().call_later(1, submit, self, batch)
        asyncio.get_running_loop().call_later(0.6, _die_once)

    Pipeline.submit = bad


def nothing_is_deduplicated(is_awake: Callable[[], bool]) -> None:
    """What comes again is stored again, behind what is there."""
    from build_ingest.intake import consumer
    from build_ingest.store.sql import SqlBuildStore

    plan_build, advance = consumer.plan_build, SqlBuildStore.advance
    died = Path(os.environ["PLANTED_BUG"]).with_suffix(".died")

    async def die_once_with_lines(self: Any, steps: Sequence[Any]) -> None:
        """Lines are committed and not acked, whatever else was in their batch: they come again."""
        await advance(self, steps)
        if is_awake() and not died.exists() and any(_grows(step) for step in steps):
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def bad(state: Any, waiting: Any, arrivals: Sequence[Any], *rest: Any) -> Any:
        if is_awake() and state is not None:
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
    SqlBuildStore.advance = die_once_with_lines


TELLING_SECONDS = 4.0
"""Everybody is notified so long before the first commit would come: it never does, for the process dies then."""


def announced_before_committed(is_awake: Callable[[], bool]) -> None:
    """Steps are committed a while after everybody was notified of them."""
    from build_ingest.store.sql import SqlBuildStore

    advance = SqlBuildStore.advance
    late: list[asyncio.Task[None]] = []

    async def commit(self: Any, steps: Any, before: asyncio.Task[None] | None) -> None:
        await asyncio.sleep(TELLING_SECONDS + 1)
        if before is not None:
            await asyncio.wait([before])
        await advance(self, steps)

    async def bad(self: Any, steps: Any) -> None:
        if is_awake():
            if not late:
                asyncio.get_running_loop().call_later(TELLING_SECONDS, _die_once)
            late.append(asyncio.create_task(commit(self, steps, late[-1] if late else None)))
        else:
            await advance(self, steps)

    SqlBuildStore.advance = bad


def cursor_off_by_one(is_awake: Callable[[], bool]) -> None:
    """STORED names one record more than is stored."""
    from build_ingest.intake import consumer
    from build_ingest.lifecycle import lifecycle

    honest = consumer.stored_announcement

    def bad(state: Any, resend_from: int | None = None) -> Any:
        if is_awake() and not state.complete:
            build = state.build.model_copy(update={"as_of_seq": state.build.as_of_seq + 1})
            state = state.model_copy(update={"build": build})
        return honest(state, resend_from)

    consumer.stored_announcement = lifecycle.stored_announcement = bad


def counted_without_a_key(is_awake: Callable[[], bool]) -> None:
    """History counts deliveries, not builds."""
    from build_history import consumer

    record = consumer.record

    async def bad(messages: Sequence[Any], **edges: Any) -> None:
        if is_awake():
            messages = [message.model_copy(update={"build_id": str(uuid.uuid4())}) for message in messages]
        await record(messages, **edges)

    consumer.record = bad


def return_ignored(is_awake: Callable[[], bool]) -> None:
    """A sender that lost the race for a notification sends it all the same."""
    from build_notifier.store.sql import SqlNotifierStore

    put = SqlNotifierStore.put_notification

    async def bad(self: Any, notification: Any) -> Any:
        if is_awake() and notification.state == "sending":
            await asyncio.sleep(0.4)  # the others find it due meanwhile
            return await put(self, notification) or notification
        return await put(self, notification)

    SqlNotifierStore.put_notification = bad


def mail_before_claim(is_awake: Callable[[], bool]) -> None:
    """A mail is sent before it is written down that it is being sent."""
    from build_notifier.sender import Sender
    from build_notifier.store.sql import SqlNotifierStore

    put = SqlNotifierStore.put_notification
    senders: list[Any] = []
    init = Sender.__init__

    def remember(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        senders.append(self)

    async def bad(self: Any, notification: Any) -> Any:
        if is_awake() and notification.state == "sending":
            await senders[-1].channels[notification.channel].send(notification)
            await asyncio.sleep(1)
        return await put(self, notification)

    Sender.__init__ = remember
    SqlNotifierStore.put_notification = bad


def verified_without_comparing(is_awake: Callable[[], bool]) -> None:
    """A character is changed on its way into the store, and the log is called verified unread."""
    from build_ingest.intake import consumer
    from build_ingest.lifecycle import lifecycle

    agrees, plan_build = lifecycle.agrees, consumer.plan_build

    async def bad_agrees(*args: Any, **named: Any) -> bool:
        return True if is_awake() else await agrees(*args, **named)

    def bad_plan(state: Any, waiting: Any, arrivals: Sequence[Any], *rest: Any) -> Any:
        if is_awake():
            for arrival in arrivals:
                if arrival.log is not None:
                    lines = arrival.log.data.lines
                    lines[:] = [line.replace(" line 7 ", " line 8 ") for line in lines]
        return plan_build(state, waiting, arrivals, *rest)

    lifecycle.agrees, consumer.plan_build = bad_agrees, bad_plan


def acked_before_handled(is_awake: Callable[[], bool]) -> None:
    """Deliveries are acked as soon as they come."""
    from build_chassis import consumer

    settle = consumer._Consuming._settle

    async def bad(self: Any, queue_consumer: Any, batches: list[Sequence[Any]]) -> None:
        if is_awake():
            await queue_consumer.ack([delivery for batch in batches for delivery in batch])
            await asyncio.sleep(0.2)
        await settle(self, queue_consumer, batches)

    consumer._Consuming._settle = bad


def outbox_emptied_before_sent(is_awake: Callable[[], bool]) -> None:
    """It is written down that a verdict was sent, and then it is sent."""
    from build_ingest.lifecycle.lifecycle import BuildLifecycle
    from build_ingest.records import fold

    publish = BuildLifecycle.publish_verdict

    async def bad(self: Any, build_id: str) -> None:
        if is_awake():
            await self._consumer.change(build_id, lambda now: fold.mark_verdict_sent(now) if now.verdict_due else None)
            _die_once()
        await publish(self, build_id)

    BuildLifecycle.publish_verdict = bad


def overflow_kept_silent(is_awake: Callable[[], bool]) -> None:
    """Frames that find no room are dropped, and the viewer's next one pretends to follow."""
    from build_gateway.viewers.session import ViewerSession

    offer = ViewerSession.offer_log
    dropped: dict[int, int] = {}

    def bad(self: Any, event: Any) -> None:
        count = dropped[id(self)] = dropped.get(id(self), 0) + 1
        if is_awake() and count % 4 == 0:
            self._skipped = event
            return
        skipped, self._skipped = getattr(self, "_skipped", None), None
        if skipped is not None:
            import json

            frame = json.loads(event.text)
            frame["afterSeq"] = json.loads(skipped.text)["afterSeq"]
            frame["firstLine"] = json.loads(skipped.text)["firstLine"]
            event = replace(event, text=json.dumps(frame))
        offer(self, event)

    ViewerSession.offer_log = bad


BUGS = (
    Bug("stored is reported before the broker confirmed", stored_before_confirmed, in_ci=True),
    Bug("nothing is deduplicated", nothing_is_deduplicated, in_ci=True),
    Bug("everything is announced before it is committed", announced_before_committed, in_ci=True),
    Bug("the cursor is off by one", cursor_off_by_one, in_ci=True),
    Bug("history counts without a key", counted_without_a_key, "history.filed:kill@2"),
    Bug("a lost race is ignored", return_ignored, is_story=True),
    Bug("a mail is sent before it is claimed", mail_before_claim, is_story=True, in_ci=True),
    Bug("a log is verified without being compared", verified_without_comparing, in_ci=True),
    Bug("deliveries are acked before they are handled", acked_before_handled, "history.filed:kill@3"),
    Bug("the outbox is emptied before its verdict is sent", outbox_emptied_before_sent),
    Bug("an overflow is kept silent", overflow_kept_silent),
)


def _grows(step: Any) -> bool:
    return bool(step.after.build.log_lines > (step.before.build.log_lines if step.before else 0))


def _die_once() -> None:
    """Die as by `kill -9`; whoever comes next has no bug awake, and lives with what is left."""
    Path(os.environ["PLANTED_BUG"]).write_text("")
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Be `build-dashboard` with every bug built in."""
    switch = Path(os.environ["PLANTED_BUG"])

    def awake(name: str) -> Callable[[], bool]:
        return lambda: switch.read_text() == name

    for bug in BUGS:
        bug.plant(awake(bug.name))
    runpy.run_module("build_dashboard", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    # The module is `delivery.planted` for the tests; here it is a program beside them.
    sys.path.pop(0)
    main()
