"""What the routes of artifacts stand on: made once by `create_app`, the same for every request."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from build_chassis.parts import ServiceParts, dependencies_of
from build_chassis.projects import Projects
from fastapi import Depends
from typing_extensions import override

from build_artifacts.consumer import ArtifactConsumer
from build_artifacts.downloads import Downloads
from build_artifacts.metrics import Metrics
from build_artifacts.objects import Objects
from build_artifacts.relay import Relay
from build_artifacts.settings import Settings
from build_artifacts.store import ArtifactStore
from build_artifacts.upload_planner import UploadPlanner


@dataclass(frozen=True, slots=True)
class Dependencies(ServiceParts[Settings, ArtifactStore]):
    """The parts of one artifacts service."""

    projects: Projects
    metrics: Metrics
    objects: Objects
    upload_planner: UploadPlanner
    downloads: Downloads
    relay: Relay
    consumer: ArtifactConsumer

    @property
    @override
    def pings(self) -> Mapping[str, Callable[[], Awaitable[object]]]:
        return {"store": self.store.ping, "objects": self.objects.ping}


Needs = Annotated[Dependencies, Depends(dependencies_of)]
"""A route parameter: `async def list_artifacts(needs: Needs, ...)`."""
