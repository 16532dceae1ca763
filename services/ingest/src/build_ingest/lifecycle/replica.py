"""The replica: this process's share of the work: its shards' consumers, and the care of their builds."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from build_chassis.backoff import Backoff
from build_chassis.bus import Bus
from build_chassis.consumer import run_consumer
from build_chassis.errors import StoreUnavailable
from build_chassis.health import Health
from build_chassis.projects import Projects
from build_chassis.replay import replay_duty
from build_chassis.retention_guard import RetentionGuard
from build_chassis.supervisor import Duty
from build_protocol.clock import HOUR_SECONDS, Clock
from build_protocol.ids import shard_of
from build_protocol.topology import ingest_queue

from build_ingest.analysis.analyst import Analyst
from build_ingest.analysis.early_alert import EarlyAlert
from build_ingest.analysis.reanalysis import Reanalysis
from build_ingest.archive.archivist import Archivist
from build_ingest.archive.artifacts_client import ArtifactsClient
from build_ingest.archive.texts import Texts
from build_ingest.intake.consumer import RecordConsumer
from build_ingest.intake.log_quotas import LOOK_SECONDS as QUOTA_SECONDS
from build_ingest.intake.log_quotas import LogQuotas
from build_ingest.lifecycle.lifecycle import BuildLifecycle
from build_ingest.lifecycle.retention import Retention
from build_ingest.lifecycle.shard_claims import BEAT_SECONDS, ShardClaims
from build_ingest.metrics import Metrics
from build_ingest.records.fold import BuildState
from build_ingest.records.plan import Step
from build_ingest.settings import Settings
from build_ingest.store import BuildStore

log = logging.getLogger("ingest")


class Replica:
    """This process's share of the work: its shards' consumers, and the care of their builds."""

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        store: BuildStore,
        *,
        artifacts_client: ArtifactsClient | None,
        metrics: Metrics,
        clock: Clock,
        guard: RetentionGuard | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prefetch = settings.prefetch
        self._bus = bus
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._monotonic = monotonic
        self._health = Health(store.ping, monotonic)
        self._claims = ShardClaims(store, settings.replica_name)
        self._consumer_tasks: dict[int, asyncio.Task[None]] = {}
        self._quotas = LogQuotas(store, Projects(Path(settings.config_path)))
        self.consumer = RecordConsumer(store, bus, metrics, monotonic, self._notice, quotas=self._quotas)
        self.analyst = Analyst(store, self.consumer, metrics, EarlyAlert(store, bus, clock))
        self.lifecycle = BuildLifecycle(store, bus, self.consumer, self.analyst, metrics, clock=monotonic, now=clock)
        self.artifacts_client = artifacts_client
        self.texts = Texts(store, artifacts_client)
        self.archivist = None
        if artifacts_client is not None:
            self.archivist = Archivist(store, self.consumer, artifacts_client, metrics, lambda: self.shards)
        self.reanalysis = Reanalysis(
            store,
            self.texts,
            self.consumer,
            metrics,
            self.analyst.green_logs,
            shards=lambda: self.shards,
            judge=self.lifecycle.notice,
            days=settings.reanalyse_days,
            clock=clock,
        )
        self.retention = Retention(
            store,
            self.consumer,
            artifacts_client,
            keep_days=settings.keep_days,
            hot_days=settings.hot_days,
            guard=guard,
        )

    def _notice(self, step: Step) -> None:
        self.analyst.notice(step)
        self.lifecycle.notice(step.after)

    def duties(self) -> Sequence[Duty]:
        """What the supervisor runs."""
        return (
            # Others take our shards when our beats stop: a store that is back is beaten at once.
            Duty("keep shards", self._keep_shards, BEAT_SECONDS, backoff=partial(Backoff, max_seconds=BEAT_SECONDS)),
            replay_duty(self._bus, "ingest", self._health),
            *self.lifecycle.duties(),
            *self.analyst.duties(),
            *self.reanalysis.duties(),
            *(self.archivist.duties() if self.archivist is not None else ()),
            Duty("look at quotas", self._quotas.look, QUOTA_SECONDS),
            Duty("forget old builds", self._forget_old, HOUR_SECONDS, rests_first=True),
            Duty("drop archived text", self._cool_old, HOUR_SECONDS, rests_first=True),
        )

    async def stop(self) -> None:
        """Settle what is in flight and give the shards back, after the duties' end."""
        await self._stop(list(self._consumer_tasks))
        with suppress(StoreUnavailable):
            await self._claims.release()

    @property
    def shards(self) -> frozenset[int]:
        """The shards consumed here."""
        return frozenset(self._consumer_tasks)

    async def _keep_shards(self) -> None:
        await self._take(await self._claims.tick(self._monotonic(), self._stop))

    async def _forget_old(self) -> None:
        await self.retention.forget_old(self._clock())

    async def _cool_old(self) -> None:
        await self.retention.cool_old(self._clock())

    async def _take(self, owned: frozenset[int]) -> None:
        await self._stop([shard for shard, task in self._consumer_tasks.items() if shard not in owned or task.done()])
        gained = [shard for shard in sorted(owned) if shard not in self._consumer_tasks]
        self._look_after(await self.consumer.catch_up(self.shards))
        if gained:
            self._look_after(await self.consumer.adopt(gained))
        for shard in gained:
            self._consumer_tasks[shard] = asyncio.create_task(self._consume(shard), name=ingest_queue(shard))
        if gained:
            log.info("consuming shards=%s", sorted(self._consumer_tasks))
        self._metrics.shards.set(len(self._consumer_tasks))

    def _look_after(self, states: list[BuildState]) -> None:
        self.analyst.adopt(states)
        for state in states:
            self.lifecycle.notice(state)

    async def _consume(self, shard: int) -> None:
        await run_consumer(
            self._bus,
            ingest_queue(shard),
            self.consumer.handle,
            prefetch=self._prefetch,
            health=self._health,
        )

    async def _stop(self, shards: list[int]) -> None:
        stopping = [self._consumer_tasks.pop(shard) for shard in shards if shard in self._consumer_tasks]
        for task in stopping:
            task.cancel()
        await asyncio.gather(*stopping, return_exceptions=True)
        left = [build_id for build_id in self.consumer.open_builds if shard_of(build_id) in shards]
        self.consumer.abandon(left)
        self.analyst.abandon(left)
