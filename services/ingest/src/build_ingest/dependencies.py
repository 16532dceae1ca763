"""What the routes of ingest stand on: made once by `create_app`, the same for every request."""

from dataclasses import dataclass
from typing import Annotated

from build_chassis.service import dependencies_of
from build_protocol.clock import Clock
from fastapi import Depends
from prometheus_client import CollectorRegistry

from build_ingest.archive.texts import Texts
from build_ingest.lifecycle.replica import Replica
from build_ingest.settings import Settings
from build_ingest.store import BuildStore
from build_ingest.store.results_cache import ResultsCache


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The parts of one ingest service."""

    settings: Settings
    clock: Clock
    registry: CollectorRegistry
    store: BuildStore
    texts: Texts
    recent: ResultsCache
    replica: Replica

    async def ping(self) -> None:
        """Return if the store answers. Raises StoreUnavailable."""
        await self.store.ping()


Needs = Annotated[Dependencies, Depends(dependencies_of)]
"""A route parameter: `async def list_builds(needs: Needs, ...)`."""
