"""What the gateway asks ingest for its agents: how far builds are stored, whose they are, what was last green."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

from build_chassis.auth import Principal
from build_protocol.frames import HelloBuild, LastGreen, LastGreenQuery
from pydantic import BaseModel, TypeAdapter

logger = logging.getLogger("gateway")
ANSWER_SECONDS = 1.0
BUILDS_PER_QUESTION = 100
LAST_GREENS = 20
GATEWAY = Principal(name="gateway", role="admin", projects=None, kind="service")


class JsonClient(Protocol):
    """The part of a ServiceClient that answers small questions."""

    async def get_json(self, path: str, principal: Principal) -> Any:
        """The parsed body of a GET; raises when the peer does not answer with 200."""
        ...


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

    peer: JsonClient | None

    async def stored(self, build_ids: Sequence[str]) -> dict[str, StoredBuild] | None:
        """What is stored of these builds; those ingest does not know are absent. None: no answer in time."""
        if not build_ids:
            return {}
        chunks = [
            build_ids[first : first + BUILDS_PER_QUESTION] for first in range(0, len(build_ids), BUILDS_PER_QUESTION)
        ]
        answers = await self._ask(
            *(f"/internal/stored?{urlencode([('build', build_id) for build_id in chunk])}" for chunk in chunks)
        )
        if answers is None:
            return None
        return {
            build_id: build for answer in answers for build_id, build in _stored_builds.validate_python(answer).items()
        }

    async def last_green(self, builds: Iterable[HelloBuild | LastGreenQuery]) -> list[LastGreen]:
        """The last green commits of these builds' configs, as far as ingest answers in time."""
        wanted = list(dict.fromkeys((build.project, build.branch, build.config or "default") for build in builds))
        questions = [
            f"/internal/last-green?{urlencode({'project': project, 'branch': branch or '', 'config': config})}"
            for project, branch, config in wanted[:LAST_GREENS]
        ]
        answers = await self._ask(*questions) or []
        return [
            LastGreen(project=project, branch=branch, config=config, commit=answer["commit"])
            for (project, branch, config), answer in zip(wanted, answers, strict=False)
            if answer and answer.get("commit")
        ]

    async def _ask(self, *paths: str) -> list[Any] | None:
        if self.peer is None:
            return None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return list(await asyncio.gather(*(self.peer.get_json(path, GATEWAY) for path in paths)))
        except Exception as error:  # noqa: BLE001  whatever ails ingest, an agent is served without its answer
            logger.warning("go on without ingest: %s: %s", type(error).__name__, error)
            return None
