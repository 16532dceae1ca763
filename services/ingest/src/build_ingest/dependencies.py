"""What the routes of ingest stand on: made once by `create_app`, the same for every request."""

from dataclasses import dataclass
from typing import Annotated

from build_chassis.parts import ServiceParts, dependencies_of
from fastapi import Depends

from build_ingest.archive.texts import Texts
from build_ingest.lifecycle.replica import Replica
from build_ingest.logs.news import LogNewsReader
from build_ingest.logs.search_many import LogsSearch
from build_ingest.settings import Settings
from build_ingest.store import BuildStore
from build_ingest.store.results_cache import ResultsCache


@dataclass(frozen=True, slots=True)
class Dependencies(ServiceParts[Settings, BuildStore]):
    """The parts of one ingest service."""

    texts: Texts
    log_news: LogNewsReader
    logs_search: LogsSearch
    recent: ResultsCache
    replica: Replica


Needs = Annotated[Dependencies, Depends(dependencies_of)]
"""A route parameter: `async def list_builds(needs: Needs, ...)`."""
