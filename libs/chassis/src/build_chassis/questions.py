"""Small questions to other services, each answered within a second or not at all: nobody waits for one."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import urlencode

from build_protocol.views import StoredBuild
from pydantic import TypeAdapter

from build_chassis.auth import Principal
from build_chassis.service_client import JsonClient

logger = logging.getLogger(__name__)
ANSWER_SECONDS = 1.0
BUILDS_PER_QUESTION = 100

_stored_builds = TypeAdapter(dict[str, StoredBuild])


async def ask(client: JsonClient | None, principal: Principal, paths: Sequence[str]) -> list[Any] | None:
    """Ask a service several things at once.

    Args:
        client: The service; None where there is none.
        principal: Who asks.
        paths: What is asked, each with its query.

    Returns:
        The parsed answers; None when they did not come in time, or there is no such service.
    """
    if client is None:
        return None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return list(await asyncio.gather(*(client.get_json(path, principal) for path in paths)))
    except Exception as error:  # noqa: BLE001  whatever is wrong there, who asks goes on without the answer
        logger.warning("go on without %s: %s: %s", paths[0].partition("?")[0], type(error).__name__, error)
        return None


async def stored_builds(
    ingest: JsonClient | None, principal: Principal, build_ids: Collection[str]
) -> dict[str, StoredBuild] | None:
    """What ingest has stored of builds, and whose they are.

    Args:
        ingest: The service; None where there is none.
        principal: Who asks.
        build_ids: The builds.

    Returns:
        Those that ingest knows, by id; None when it did not answer in time.
    """
    if not build_ids:
        return {}
    asked = [("build", build_id) for build_id in build_ids]
    chunks = [asked[first : first + BUILDS_PER_QUESTION] for first in range(0, len(asked), BUILDS_PER_QUESTION)]
    answers = await ask(ingest, principal, [f"/internal/stored?{urlencode(chunk)}" for chunk in chunks])
    if answers is None:
        return None
    return {build_id: build for each in answers for build_id, build in _stored_builds.validate_python(each).items()}
