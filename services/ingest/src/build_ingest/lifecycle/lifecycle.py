"""The lifecycle: what happens to builds without a message: silence, verification, verdicts, heads.

Every duty is one step that tests call; the supervisor calls them at their times.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from build_chassis.bus import Bus, BusUnavailable
from build_chassis.errors import StoreUnavailable
from build_chassis.failpoints import fail_at
from build_chassis.supervisor import Duty
from build_protocol.clock import Clock, now_ms
from build_protocol.limits import HEADS_SECONDS

from build_ingest.analysis.analyst import Analyst
from build_ingest.intake.announcements import ROW_SECONDS, stored_announcement
from build_ingest.intake.consumer import RecordConsumer
from build_ingest.lifecycle.verification import agrees
from build_ingest.metrics import Metrics
from build_ingest.records import fold
from build_ingest.records.fold import BuildState
from build_ingest.records.verdict import is_final, outgoing, verdict_of
from build_ingest.store.contract import BuildStore

JUDGE_SECONDS = 5.0
OUTBOX_SECONDS = 5.0
"""The outbox is looked through this often, for what an earlier attempt could not publish."""

log = logging.getLogger("ingest")


class BuildLifecycle:
    """Looks after the open builds of this replica's shards."""

    def __init__(
        self,
        store: BuildStore,
        bus: Bus,
        consumer: RecordConsumer,
        analyst: Analyst,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        now: Clock = now_ms,
    ) -> None:
        self._store = store
        self._bus = bus
        self._consumer = consumer
        self._analyst = analyst
        self._metrics = metrics
        self._clock = clock
        self._now = now
        self._due = asyncio.Event()

    def notice(self, state: BuildState) -> None:
        """A build just changed: wake up when there is something to verify or to publish."""
        if state.verdict_due or state.verification == "due":
            self._due.set()

    def duties(self) -> Sequence[Duty]:
        """What the supervisor runs."""
        return (
            Duty("judge silent agents", self.judge_silence, JUDGE_SECONDS, rests_first=True),
            Duty("repeat heads", self._consumer.repeat_heads, HEADS_SECONDS, rests_first=True),
            Duty("announce held rows", self.announce_held_rows, ROW_SECONDS, rests_first=True),
            Duty("verify builds and publish verdicts", self.settle_due, OUTBOX_SECONDS, wake=self._due),
        )

    async def judge_silence(self) -> None:
        """Show the badge of silent agents, and judge builds lost whose lease ran out."""
        leases = self._consumer.leases
        now = self._clock()
        if not await self._is_reachable():
            leases.hold(now)
            return
        for build_id, silence in leases.judge(now):
            try:
                after = await self._consumer.change(build_id, self._lost if silence == "lost" else _disconnected)
            except StoreUnavailable:
                leases.renew(build_id, now)
                raise
            if after is not None:
                log.warning("%s build_id=%s agent=%s", silence, build_id, after.build.agent)
                self.notice(after)

    def _lost(self, state: BuildState) -> BuildState | None:
        if state.complete or state.build.status == "lost":
            return None
        return fold.lose(state, self._now())

    async def _is_reachable(self) -> bool:
        """Whether signs of life reach us: without bus or store the silence is ours, and nobody is judged."""
        try:
            await self._store.ping()
            return not await self._bus.missing()
        except (StoreUnavailable, BusUnavailable):
            return False

    async def announce_held_rows(self) -> None:
        """Announce rows that were held back."""
        for announced in self._consumer.pace.due(self._clock()):
            await self._consumer.announce(announced)

    async def settle_due(self) -> None:
        """Verify ended builds, then publish decided verdicts.

        A verdict waits until its log is analysed; the agent, which waits for the verification, need not.
        """
        for state in list(self._consumer.open_builds.values()):
            if state.verification == "due":
                await self.verify(state.build.id)
        due = [state for state in self._consumer.open_builds.values() if state.verdict_due]
        for state in due:
            await self.publish_verdict(state.build.id)

    async def publish_verdict(self, build_id: str) -> None:
        """Empty a build's outbox; key (build id, verdict revision), so publishing twice is harmless."""
        state = self._consumer.open_builds.get(build_id)
        start = await self._store.find_start(build_id)
        if state is None or start is None or not state.verdict_due:
            return
        if is_final(state):
            failures = await self._analyst.judge(state)
            judged = self._consumer.open_builds.get(build_id, state)
            if judged.verdict_revision != state.verdict_revision:
                return  # judged anew meanwhile: that verdict is due
            verdict = verdict_of(judged, start, failures)
            fail_at("ingest.judged")
            await self._bus.publish([outgoing(verdict, state)])
            fail_at("ingest.verdict_sent")
            self._metrics.judged(verdict)
        revision = state.verdict_revision
        await self._consumer.change(
            build_id, lambda now: fold.mark_verdict_sent(now) if now.verdict_revision == revision else None
        )

    async def verify(self, build_id: str) -> None:
        """Compare the stored log with the agent's totals and announce the result; repeating finds the same."""
        state = self._consumer.open_builds[build_id]
        if state.totals is None:
            return
        found = await agrees(self._store, build_id, state.applied, state.totals, is_cut=state.cut is not None)
        fail_at("ingest.compared")
        if not found:
            self._metrics.unverified.inc()
        after = await self._consumer.change(build_id, lambda now: fold.mark_verified(now, agrees=found))
        if after is not None:
            await self._consumer.announce(stored_announcement(after))


def _disconnected(state: BuildState) -> BuildState | None:
    return None if state.complete or not state.build.connected else fold.mark_connected(state, connected=False)
