"""What the routes of history stand on: made once by `create_app`, the same for every request."""

from dataclasses import dataclass
from typing import Annotated

from build_chassis.projects import Projects
from build_chassis.service import dependencies_of
from build_protocol.clock import Clock
from fastapi import Depends
from prometheus_client import CollectorRegistry

from build_history.settings import Settings
from build_history.store import HistoryStore
from build_history.test_history.statistics import StatisticsCache


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The parts of one history service."""

    settings: Settings
    clock: Clock
    registry: CollectorRegistry
    store: HistoryStore
    projects: Projects
    statistics: StatisticsCache

    async def ping(self) -> None:
        """Return if the store answers. Raises StoreUnavailable."""
        await self.store.ping()


Needs = Annotated[Dependencies, Depends(dependencies_of)]
"""A route parameter: `async def list_incidents(needs: Needs, ...)`."""
