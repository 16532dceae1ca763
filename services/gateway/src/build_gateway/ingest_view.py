"""What the gateway asks ingest for its agents: how far builds are stored, and who owns them."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from build_chassis.service_client import JsonClient
from pydantic import BaseModel, TypeAdapter

from build_gateway.questions import ask

BUILDS_PER_QUESTION = 100


class StoredBuild(BaseModel):
    """What ingest holds of a build."""

    stored: int
    verified: bool = False
    agent: str | None = None
    project: str
    status: str | None = None
    complete: bool = False


_stored_builds = TypeAdapter(dict[str, StoredBuild])


@dataclass(frozen=True, slots=True)
class IngestView:
    """Small questions to ingest, each answered within a second or not at all (None): agents never wait for it."""

    client: JsonClient | None

    async def stored(self, build_ids: Sequence[str]) -> dict[str, StoredBuild] | None:
        """What is stored of these builds; those ingest does not know are absent. None: no answer in time."""
        if not build_ids:
            return {}
        chunks = [
            build_ids[first : first + BUILDS_PER_QUESTION] for first in range(0, len(build_ids), BUILDS_PER_QUESTION)
        ]
        answers = await ask(
            self.client,
            *(f"/internal/stored?{urlencode([('build', build_id) for build_id in chunk])}" for chunk in chunks),
        )
        if answers is None:
            return None
        return {
            build_id: build for answer in answers for build_id, build in _stored_builds.validate_python(answer).items()
        }
