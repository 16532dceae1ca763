"""Whose a build is: ingest knows, and is asked; what it does not know yet may be known later."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from build_chassis.auth import Principal
from build_chassis.service_client import JsonClient, ServiceRefused, ServiceUnavailable
from pydantic import BaseModel, TypeAdapter

from build_artifacts.artifact import Artifact

log = logging.getLogger("artifacts")

ANSWER_SECONDS = 1.0
ARTIFACTS = Principal(name="artifacts", role="viewer", projects=None, kind="service")


class Owner(BaseModel):
    """The agent that started a build, and the project it did so in."""

    agent: str | None
    project: str

    def has(self, artifact: Artifact) -> bool:
        """Whether the artifact's agent is this one, in this project."""
        return (self.agent, self.project) == (artifact.agent, artifact.project)


_owners = TypeAdapter(dict[str, Owner])


@dataclass(frozen=True, slots=True)
class Owners:
    """Questions to ingest, which may join the peers later; each is answered within a second or not at all."""

    peers: Mapping[str, JsonClient]

    async def of(self, build_ids: Collection[str]) -> dict[str, Owner]:
        """The owners of those of these builds that ingest has stored; none while it does not answer."""
        client = self.peers.get("ingest")
        if client is None or not build_ids:
            return {}
        question = f"/internal/stored?{urlencode([('build', build_id) for build_id in build_ids])}"
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return _owners.validate_python(await client.get_json(question, ARTIFACTS))
        except (ServiceUnavailable, ServiceRefused, TimeoutError) as error:
            log.warning("do not know whose %d builds are: %s: %s", len(build_ids), type(error).__name__, error)
            return {}
