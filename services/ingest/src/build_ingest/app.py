"""The app: ingest's routes, and in its lifespan the store, the shards' consumers and the lifecycle."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from build_chassis.bus import Bus
from build_chassis.consumer import run_consumer
from build_chassis.errors import StoreUnavailable
from build_chassis.service import create_service_app
from build_chassis.service_client import JsonServiceClient
from build_chassis.work import try_open, wait_until_open, working
from build_protocol.ids import shard_of
from build_protocol.topology import ingest_queue
from fastapi import FastAPI

from build_ingest.analysis.analyst import Analyst
from build_ingest.analysis.early_alert import EarlyAlert
from build_ingest.analysis.reanalysis import Reanalysis
from build_ingest.archive.archivist import Archivist
from build_ingest.archive.artifacts_client import ArtifactsClient
from build_ingest.archive.texts import Texts
from build_ingest.intake.consumer import RecordConsumer
from build_ingest.lifecycle.lifecycle import BuildLifecycle
from build_ingest.lifecycle.retention import Retention
from build_ingest.lifecycle.shard_claims import BEAT_SECONDS, ShardClaims
from build_ingest.metrics import Metrics
from build_ingest.records.fold import BuildState
from build_ingest.records.plan import Step
from build_ingest.routes import ROUTERS
from build_ingest.routes.results_cache import ResultsCache
from build_ingest.settings import Settings
from build_ingest.store import BuildStore, open_store

log = logging.getLogger("ingest")


def create_app(
    settings: Settings,
    bus: Bus,
    store: BuildStore | None = None,
    clock: Callable[[], float] = time.monotonic,
    *,
    artifacts: JsonServiceClient | None = None,
) -> FastAPI:
    """The service on this bus. The bus is opened and closed by whoever made it; the store is ours.

    Logs are archived at `artifacts`; None keeps them here only.
    """
    builds = store or open_store(settings.store_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        artifacts_client = None if artifacts is None else ArtifactsClient(artifacts)
        app.state.store, app.state.recent = builds, ResultsCache(builds)
        is_open = await try_open(builds.open)
        replica = Replica(
            settings, bus, builds, artifacts_client=artifacts_client, metrics=Metrics(app.state.registry), clock=clock
        )
        app.state.replica, app.state.texts = replica, replica.texts
        try:
            async with working("ingest", replica.run(is_open=is_open)):
                yield
        finally:
            if artifacts_client is not None:
                await artifacts_client.close()
            await builds.close()

    return create_service_app(
        "ingest", settings=settings, bus=bus, lifespan=lifespan, routers=ROUTERS, store_ping=builds.ping
    )


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
        clock: Callable[[], float],
    ) -> None:
        self._prefetch = settings.prefetch
        self._bus = bus
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._keeper = ShardClaims(store, settings.replica_name)
        self._consumers: dict[int, asyncio.Task[None]] = {}
        self.intake = RecordConsumer(store, bus, metrics, clock, self._notice)
        self.analyst = Analyst(store, self.intake, metrics, EarlyAlert(store, bus))
        self.lifecycle = BuildLifecycle(store, bus, self.intake, self.analyst, metrics, clock=clock)
        self.artifacts_client = artifacts_client
        self.texts = Texts(store, artifacts_client)
        self.archivist = None
        if artifacts_client is not None:
            self.archivist = Archivist(store, self.intake, artifacts_client, metrics, lambda: self.shards)
        self.reanalysis = Reanalysis(
            store,
            self.texts,
            self.intake,
            metrics,
            shards=lambda: self.shards,
            judge=self.lifecycle.notice,
            days=settings.reanalyse_days,
        )
        self.retention = Retention(
            store, self.intake, artifacts_client, keep_days=settings.keep_days, hot_days=settings.hot_days
        )

    def _notice(self, step: Step) -> None:
        self.analyst.notice(step)
        self.lifecycle.notice(step.after)

    async def run(self, *, is_open: bool) -> None:
        """Work until cancelled, once the store is open; then settle what is in flight and give the shards back."""
        await wait_until_open(self._store.open, is_open=is_open)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_shards())
                tasks.create_task(self.lifecycle.run())
                tasks.create_task(self.analyst.run())
                tasks.create_task(self.retention.run())
                tasks.create_task(self.reanalysis.run())
                if self.archivist is not None:
                    tasks.create_task(self.archivist.run())
        finally:
            await self._stop(list(self._consumers))
            with suppress(StoreUnavailable):
                await self._keeper.release()

    @property
    def shards(self) -> frozenset[int]:
        """The shards consumed here."""
        return frozenset(self._consumers)

    async def _keep_shards(self) -> None:
        while True:
            try:
                await self._take(await self._keeper.tick(self._clock(), self._stop))
            except StoreUnavailable as error:
                log.warning("shards wait reason=%s", error)
            await asyncio.sleep(BEAT_SECONDS)

    async def _take(self, owned: frozenset[int]) -> None:
        await self._stop([shard for shard, task in self._consumers.items() if shard not in owned or task.done()])
        gained = [shard for shard in sorted(owned) if shard not in self._consumers]
        self._look_after(await self.intake.catch_up(self.shards))
        if gained:
            self._look_after(await self.intake.adopt(gained))
        for shard in gained:
            self._consumers[shard] = asyncio.create_task(self._consume(shard), name=ingest_queue(shard))
        if gained:
            log.info("consuming shards=%s", sorted(self._consumers))
        self._metrics.shards.set(len(self._consumers))

    def _look_after(self, states: list[BuildState]) -> None:
        self.analyst.adopt(states)
        for state in states:
            self.lifecycle.notice(state)

    async def _consume(self, shard: int) -> None:
        await run_consumer(
            self._bus,
            ingest_queue(shard),
            self.intake.handle,
            prefetch=self._prefetch,
            wait_for_store=self._store.ping,
        )

    async def _stop(self, shards: list[int]) -> None:
        stopping = [self._consumers.pop(shard) for shard in shards if shard in self._consumers]
        for task in stopping:
            task.cancel()
        await asyncio.gather(*stopping, return_exceptions=True)
        left = [build_id for build_id in self.intake.open_builds if shard_of(build_id) in shards]
        self.intake.abandon(left)
        self.analyst.abandon(left)
