"""Whose a build is: ingest knows, and is asked; what it does not know yet may be known later."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from build_chassis.auth import Principal
from build_chassis.questions import stored_builds
from build_chassis.service_client import JsonClient
from build_protocol.views import StoredBuild

from build_artifacts.artifact import Artifact

ARTIFACTS = Principal(name="artifacts", role="viewer", projects=None, kind="service")


@dataclass(frozen=True, slots=True)
class Owners:
    """Questions to ingest, which may join the peers later; each is answered within a second or not at all."""

    peers: Mapping[str, JsonClient]

    async def of(self, build_ids: Collection[str]) -> dict[str, StoredBuild]:
        """Those of these builds that ingest has stored; none while it does not answer."""
        return await stored_builds(self.peers.get("ingest"), ARTIFACTS, build_ids) or {}


def is_of(artifact: Artifact, build: StoredBuild) -> bool:
    """Whether the artifact's agent is the one that started the build, in this project."""
    return (build.agent, build.project) == (artifact.agent, artifact.project)
