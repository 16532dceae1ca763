"""The consumer: takes batches of a shard queue, commits what is new in one transaction, then announces it."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from build_chassis.bus import Bus, BusUnavailable, Delivery
from build_chassis.concurrency import in_thread_if_large
from build_chassis.failpoints import fail_at
from build_chassis.store.optimistic import LOST, Lost, update
from build_protocol.ids import shard_of
from build_protocol.topology import LIVE_EXCHANGE
from build_protocol.views import Build

from build_ingest.intake.announcements import (
    Announced,
    RowPace,
    log_announcements,
    row_announcement,
    stored_announcement,
)
from build_ingest.intake.duplicates import find_differing
from build_ingest.intake.leases import Leases
from build_ingest.intake.log_quotas import LogQuotas
from build_ingest.intake.reorder_buffer import ReorderBuffer
from build_ingest.metrics import Metrics
from build_ingest.records import fold
from build_ingest.records.chunk import SMALL_BYTES, Chunk, merge
from build_ingest.records.cut import is_cut
from build_ingest.records.delivery import Decoded, Heartbeat, RecordDelivery, decode, raise_poison
from build_ingest.records.fold import BuildState
from build_ingest.records.plan import Plan, Step, other_bytes, plan_build
from build_ingest.store.contract import BuildStore, Conflict

STATES_KEPT = 2000
"""Builds whose state stays in memory between batches; the store has all of them."""

THREAD_BYTES = 64 * 1024
"""Batches larger than this are planned in a thread, so that the loop answers others meanwhile."""

MERGE_CHUNKS = 64
"""So many small chunks at the end of a build are merged into one."""

log = logging.getLogger("ingest")


class RecordConsumer:
    """What this replica knows of the builds it stores. One batch of a shard at a time; shards side by side."""

    def __init__(
        self,
        store: BuildStore,
        bus: Bus,
        metrics: Metrics,
        clock: Callable[[], float],
        after_commit: Callable[[Step], None],
        *,
        quotas: LogQuotas | None = None,
    ) -> None:
        self._store = store
        self._bus = bus
        self._metrics = metrics
        self._clock = clock
        self._after_commit = after_commit
        self._quotas = quotas
        self._states: OrderedDict[str, BuildState] = OrderedDict()
        self._reorder_buffer = ReorderBuffer()
        self._loose: dict[str, int] = {}
        self._open: dict[str, BuildState] = {}
        self.leases = Leases()
        self.pace = RowPace()

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Store a batch; when it returns, all of it is durable or known to be a repetition. Raises PoisonMessage."""
        started = time.perf_counter()
        size_bytes = sum(len(delivery.body) for delivery in deliveries)
        decoded = await in_thread_if_large(size_bytes, THREAD_BYTES, decode, deliveries)
        fail_at("ingest.decoded")
        plans = await self._commit(decoded, size_bytes)
        fail_at("ingest.committed")
        self._metrics.batch_seconds.observe(time.perf_counter() - started)
        for plan in plans.values():
            await self._announce(plan)
        fail_at("ingest.announced")
        poison = [*decoded.poison, *(reason for plan in plans.values() for reason in plan.poison)]
        poison += await self._compare(plans)
        for build_id, plan in plans.items():
            await self._settle(build_id, plan)
        for heartbeat in decoded.heartbeats:
            await self._receive(heartbeat)
        for build_id in decoded.artifacts:
            await self._announce_artifact(build_id)
        self._metrics.waiting.set(self._reorder_buffer.count)
        raise_poison(poison)

    async def adopt(self, shards: Iterable[int]) -> list[BuildState]:
        """Look after the open builds of shards that became ours; they get a whole lease from now on."""
        states = await self._store.list_open(tuple(shards))
        for state in states:
            self._keep(state)
            self._renew(state)
        return states

    async def catch_up(self, shards: Collection[int]) -> list[BuildState]:
        """Read again the builds of our shards that another replica moved; those that came or moved.

        A replica that was frozen, or that is slow to let go, may commit a batch after we took its shard over.
        """
        stored = await self._store.list_open_revisions(shards)
        ours = {build_id: state.revision for build_id, state in self._open.items() if shard_of(build_id) in shards}
        return await self._refresh(
            build_id for build_id in stored.keys() | ours.keys() if stored.get(build_id) != ours.get(build_id)
        )

    def abandon(self, build_ids: Iterable[str]) -> None:
        """Another replica looks after these builds now."""
        for build_id in build_ids:
            self._states.pop(build_id, None)
            self._open.pop(build_id, None)
            self._reorder_buffer.drop(build_id)
            self._loose.pop(build_id, None)
            self.leases.end(build_id)

    @property
    def open_builds(self) -> Mapping[str, BuildState]:
        """Builds somebody still has to look after, as of their last commit."""
        return self._open

    async def change(self, build_id: str, decide: Callable[[BuildState], BuildState | None]) -> BuildState | None:
        """Change a build's row beside its records: `decide` gets the newest state, and None means leave it.

        Conditional on the revision, so a redelivered or concurrent change is decided again; key build id. Raises
        StoreUnavailable, also while others keep changing the row.
        """

        async def replace() -> BuildState | Lost | None:
            before = await self._state(build_id)
            after = decide(before) if before is not None else None
            if before is None or after is None:
                return None
            if not await self._store.replace(before, after):
                self._states.pop(build_id, None)
                return LOST
            self._keep(after)
            await self.announce(row_announcement(after, []))
            return after

        return await update("ingest", f"build {build_id}", replace)

    async def repeat_heads(self) -> None:
        """Announce again what is stored of open builds, so that a lost announcement or a lost tail is made up for."""
        await self._refresh([build_id for build_id in self._open if self._reorder_buffer.has_hole(build_id)])
        for build_id, state in list(self._open.items()):
            await self.announce(stored_announcement(state, self._resend_from(build_id, state)))

    async def announce(self, announced: Announced) -> None:
        """Best effort: whoever misses it reads the store."""
        try:
            await self._bus.announce(LIVE_EXCHANGE, announced.routing_key, announced.body)
        except BusUnavailable as error:
            log.debug("announcement dropped key=%s reason=%s", announced.routing_key, error)

    async def _commit(self, decoded: Decoded, size_bytes: int) -> dict[str, Plan]:
        async def advance() -> dict[str, Plan] | Lost:
            states = {build_id: await self._state(build_id) for build_id in decoded.records}
            plans = await in_thread_if_large(size_bytes, THREAD_BYTES, self._plan, decoded, states)
            holed = [build_id for build_id, plan in plans.items() if plan.ahead and plan.step is None]
            if await self._refresh(holed):
                return LOST  # what seemed to be missing is stored already, by another replica
            steps = [plan.step for plan in plans.values() if plan.step is not None]
            try:
                if steps:
                    await self._store.advance(steps)
            except Conflict as conflict:
                log.warning("overtaken reason=%s", conflict)
                self._metrics.conflicts.inc()
                for build_id in decoded.records:
                    self._states.pop(build_id, None)
                return LOST
            return plans

        return await update("ingest", f"a batch of {len(decoded.records)} builds", advance)

    def _plan(self, decoded: Decoded, states: Mapping[str, BuildState | None]) -> dict[str, Plan]:
        return {
            build_id: plan_build(
                states[build_id],
                self._reorder_buffer.of(build_id),
                deliveries,
                self._quotas.of(deliveries[0].record.project) if self._quotas else None,
            )
            for build_id, deliveries in decoded.records.items()
        }

    async def _announce(self, plan: Plan) -> None:
        step = plan.step
        if step is None:
            return
        self._keep(step.after)
        self._count(plan.accepted, step)
        for announced in log_announcements(step, plan.accepted):
            await self.announce(announced)
        events = list(dict.fromkeys(delivery.record.type for delivery in plan.accepted))
        row = self.pace.offer(step.after, events, self._clock())
        if row is not None:
            await self.announce(row)

    async def _settle(self, build_id: str, plan: Plan) -> None:
        """Answer the agent, then look after the rest: merges, verification, the verdict."""
        is_new_hole = self._reorder_buffer.keep(build_id, plan.ahead)
        state = plan.step.after if plan.step else self._states.get(build_id)
        if state is not None:
            self._renew(state)
            resend_from = state.applied + 1 if is_new_hole else None
            if plan.step is None and plan.duplicates:
                # Whoever stored them may have died before announcing it.
                await self.announce(row_announcement(state, []))
            await self.announce(stored_announcement(state, resend_from))
        elif is_new_hole:
            await self._ask_from_start(plan)
        if plan.step is not None:
            await self._merge_tail(plan.step)
            self._after_commit(plan.step)

    async def _ask_from_start(self, plan: Plan) -> None:
        """Records came, but not the first: nothing is stored of this build, send it from record 1."""
        record = next(iter(plan.ahead.values())).record
        nothing = BuildState(build=Build(id=record.build_id, project=record.project, status="queued"))
        await self.announce(stored_announcement(nothing, 1))

    async def _compare(self, plans: Mapping[str, Plan]) -> list[str]:
        """Compare repeated records with what is stored; the reasons of those that differ."""
        reasons: list[str] = []
        for build_id, plan in plans.items():
            self._metrics.duplicates.inc(len(plan.duplicates))
            state = self._states.get(build_id)
            whole = [
                delivery for delivery in plan.duplicates if delivery.log is None or not is_cut(state, delivery.seq)
            ]
            differing = await find_differing(self._store, build_id, whole)
            self._metrics.quarantined.inc(len(differing))
            reasons += map(other_bytes, differing)
        return reasons

    async def _receive(self, heartbeat: Heartbeat) -> None:
        build_id = heartbeat.build_id
        state = await self._state(build_id)
        if state is None or state.complete or state.build.agent != heartbeat.agent:
            return
        if self.leases.renew(build_id, self._clock()) or not state.build.connected:
            await self.change(build_id, lambda now: None if now.complete else fold.mark_connected(now, connected=True))

    async def _announce_artifact(self, build_id: str) -> None:
        """Whoever watches the build reads its artifacts again. Nothing is stored here, so repeating is harmless."""
        state = await self._state(build_id)
        if state is not None:
            await self.announce(row_announcement(state, ["ARTIFACT_READY"]))

    async def _merge_tail(self, step: Step) -> None:
        """Merge a build's last chunks once many are small: a build that reports line by line stays compact."""
        build_id = step.after.build.id
        loose = self._loose.get(build_id, 0) + sum(chunk.text_bytes < SMALL_BYTES for chunk in step.chunks)
        self._loose[build_id] = loose
        if loose < MERGE_CHUNKS and not (step.after.complete and loose > 1):
            return
        self._loose[build_id] = 0
        tail = await self._store.read_tail(build_id, 2 * MERGE_CHUNKS)
        small = _small_end(tail)
        if len(small) > 1:
            merged = await asyncio.to_thread(merge, small)
            fail_at("ingest.merging")
            await self._store.compact(merged)

    async def _state(self, build_id: str) -> BuildState | None:
        state = self._states.get(build_id)
        if state is None:
            state = await self._store.load(build_id)
            if state is not None:
                self._keep(state)
        else:
            self._states.move_to_end(build_id)
        return state

    async def _refresh(self, build_ids: Iterable[str]) -> list[BuildState]:
        """Read builds from the store; those of which it has more than we knew, which get a whole lease."""
        newer: list[BuildState] = []
        for build_id in build_ids:
            known = self._states.get(build_id) or self._open.get(build_id)
            state = await self._store.load(build_id)
            if state is not None and (known is None or state.revision > known.revision):
                self._keep(state)
                self._renew(state)
                newer.append(state)
        return newer

    def _keep(self, state: BuildState) -> None:
        build_id = state.build.id
        known = self._states.get(build_id)
        if known is not None and known.revision > state.revision:
            return
        self._states[build_id] = state
        self._states.move_to_end(build_id)
        while len(self._states) > STATES_KEPT:
            self._states.popitem(last=False)
        if state.is_open:
            self._open[build_id] = state
            return
        self._open.pop(build_id, None)
        self._loose.pop(build_id, None)

    def _renew(self, state: BuildState) -> None:
        if state.complete:
            self.leases.end(state.build.id)
        else:
            self.leases.renew(state.build.id, self._clock())

    def _resend_from(self, build_id: str, state: BuildState) -> int | None:
        return state.applied + 1 if self._reorder_buffer.has_hole(build_id) else None

    def _count(self, accepted: Sequence[RecordDelivery], step: Step) -> None:
        before = step.before.build if step.before else None
        after = step.after.build
        self._metrics.lag_seconds.set(max(0.0, time.time() - accepted[-1].record.timestamp / 1000))
        self._metrics.records.inc(len(accepted))
        self._metrics.lines.inc(after.log_lines - (before.log_lines if before else 0))
        self._metrics.log_bytes.inc(after.log_bytes - (before.log_bytes if before else 0))


def _small_end(tail: Sequence[Chunk]) -> list[Chunk]:
    small: list[Chunk] = []
    for chunk in reversed(tail):
        if chunk.text_bytes >= SMALL_BYTES or chunk.is_cold:
            break
        small.insert(0, chunk)
    return small
