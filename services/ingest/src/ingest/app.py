"""The app: ingest's routes, and in its lifespan the store, the shards' consumers and the caretaker."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from build_protocol.ids import shard_of
from build_protocol.topology import ingest_queue
from chassis.bus import Bus
from chassis.consumer import run_consumer
from chassis.errors import StoreUnavailable
from chassis.peers import Neighbour
from chassis.service import create_service_app
from chassis.work import try_open, wait_until_open, working
from fastapi import FastAPI

from ingest.alarm import Alarm
from ingest.analyst import Analyst
from ingest.archive.archivist import Archivist
from ingest.archive.depot import Depot
from ingest.archive.texts import Texts
from ingest.caretaker import Caretaker
from ingest.consumer import Intake
from ingest.fold import BuildState
from ingest.metrics import Metrics
from ingest.plan import Step
from ingest.reanalysis import Reanalysis
from ingest.recent_results import RecentResults
from ingest.retention import Retention
from ingest.routes import ROUTERS
from ingest.settings import Settings
from ingest.shards import BEAT_SECONDS, ShardKeeper
from ingest.store import BuildStore, open_store

log = logging.getLogger("ingest")


def create_app(
    settings: Settings,
    bus: Bus,
    store: BuildStore | None = None,
    clock: Callable[[], float] = time.monotonic,
    *,
    artifacts: Neighbour | None = None,
) -> FastAPI:
    """The service on this bus. The bus is opened and closed by whoever made it; the store is ours.

    Logs are archived at `artifacts`; None keeps them here only.
    """
    builds = store or open_store(settings.store_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        depot = None if artifacts is None else Depot(artifacts)
        app.state.store, app.state.recent = builds, RecentResults(builds)
        is_open = await try_open(builds.open)
        replica = Replica(settings, bus, builds, depot=depot, metrics=Metrics(app.state.registry), clock=clock)
        app.state.replica, app.state.texts = replica, replica.texts
        try:
            async with working("ingest", replica.run(is_open=is_open)):
                yield
        finally:
            if depot is not None:
                await depot.close()
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
        depot: Depot | None,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._prefetch = settings.prefetch
        self._bus = bus
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._keeper = ShardKeeper(store, settings.replica_name)
        self._consumers: dict[int, asyncio.Task[None]] = {}
        self.intake = Intake(store, bus, metrics, clock, self._notice)
        self.analyst = Analyst(store, self.intake, metrics, Alarm(store, bus))
        self.caretaker = Caretaker(store, bus, self.intake, self.analyst, metrics, clock=clock)
        self.depot = depot
        self.texts = Texts(store, depot)
        self.archivist = None
        if depot is not None:
            self.archivist = Archivist(store, self.intake, depot, metrics, lambda: self.shards)
        self.reanalysis = Reanalysis(
            store,
            self.texts,
            self.intake,
            metrics,
            shards=lambda: self.shards,
            judge=self.caretaker.notice,
            days=settings.reanalyse_days,
        )
        self.retention = Retention(store, self.intake, depot, keep_days=settings.keep_days, hot_days=settings.hot_days)

    def _notice(self, step: Step) -> None:
        self.analyst.notice(step)
        self.caretaker.notice(step.after)

    async def run(self, *, is_open: bool) -> None:
        """Work until cancelled, once the store is open; then settle what is in flight and give the shards back."""
        await wait_until_open(self._store.open, is_open=is_open)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_shards())
                tasks.create_task(self.caretaker.run())
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
            self.caretaker.notice(state)

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
