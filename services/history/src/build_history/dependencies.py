"""What the routes of history stand on: made once by `create_app`, the same for every request."""

from dataclasses import dataclass
from typing import Annotated

from build_chassis.bus import Bus
from build_chassis.parts import ServiceParts, dependencies_of
from build_chassis.projects import Projects
from fastapi import Depends

from build_history.refresh.rebuild import Rebuild
from build_history.settings import Settings
from build_history.store import HistoryStore
from build_history.test_history.statistics import StatisticsCache


@dataclass(frozen=True, slots=True)
class Dependencies(ServiceParts[Settings, HistoryStore]):
    """The parts of one history service."""

    projects: Projects
    statistics: StatisticsCache
    bus: Bus
    rebuild: Rebuild | None


Needs = Annotated[Dependencies, Depends(dependencies_of)]
"""A route parameter: `async def list_incidents(needs: Needs, ...)`."""
