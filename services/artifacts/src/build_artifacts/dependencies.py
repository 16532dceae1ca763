"""What the routes of artifacts stand on: made once by `create_app`, the same for every request."""

from dataclasses import dataclass
from typing import Annotated

from build_chassis.projects import Projects
from build_chassis.service import dependencies_of
from build_protocol.clock import Clock
from fastapi import Depends
from prometheus_client import CollectorRegistry

from build_artifacts.consumer import ArtifactConsumer
from build_artifacts.downloads import Downloads
from build_artifacts.metrics import Metrics
from build_artifacts.objects import Objects
from build_artifacts.relay import Relay
from build_artifacts.settings import Settings
from build_artifacts.store import ArtifactStore
from build_artifacts.upload_planner import UploadPlanner


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The parts of one artifacts service."""

    settings: Settings
    clock: Clock
    registry: CollectorRegistry
    projects: Projects
    metrics: Metrics
    store: ArtifactStore
    objects: Objects
    upload_planner: UploadPlanner
    downloads: Downloads
    relay: Relay
    consumer: ArtifactConsumer

    async def ping(self) -> None:
        """Return if store and objects answer. Raises StoreUnavailable."""
        await self.store.ping()
        await self.objects.ping()


Needs = Annotated[Dependencies, Depends(dependencies_of)]
"""A route parameter: `async def list_artifacts(needs: Needs, ...)`."""
