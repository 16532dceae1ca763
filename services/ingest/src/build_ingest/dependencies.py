"""What the routes of ingest stand on: made once by `create_app`, the same for every request."""

from dataclasses import dataclass
from typing import Annotated

from build_protocol.clock import Clock
from fastapi import Depends, Request

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
    store: BuildStore
    texts: Texts
    recent: ResultsCache
    replica: Replica


async def get_dependencies(request: Request) -> Dependencies:
    """The parts of the service that answers this request."""
    parts: Dependencies = request.app.state.dependencies
    return parts


Needs = Annotated[Dependencies, Depends(get_dependencies)]
"""A route parameter: `async def list_builds(needs: Needs, ...)`."""
