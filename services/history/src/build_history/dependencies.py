"""What the routes of history stand on: made once by `create_app`, the same for every request."""

from dataclasses import dataclass
from typing import Annotated

from build_chassis.projects import Projects
from build_protocol.clock import Clock
from fastapi import Depends, Request

from build_history.settings import Settings
from build_history.store import HistoryStore
from build_history.test_history.statistics import StatisticsCache


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The parts of one history service."""

    settings: Settings
    clock: Clock
    store: HistoryStore
    projects: Projects
    statistics: StatisticsCache


async def get_dependencies(request: Request) -> Dependencies:
    """The parts of the service that answers this request."""
    parts: Dependencies = request.app.state.dependencies
    return parts


Needs = Annotated[Dependencies, Depends(get_dependencies)]
"""A route parameter: `async def list_incidents(needs: Needs, ...)`."""
