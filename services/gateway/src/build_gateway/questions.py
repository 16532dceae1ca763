"""Small questions to other services, each answered within a second or not at all: agents never wait for one."""

import asyncio
import logging
from typing import Any

from build_chassis.auth import Principal
from build_chassis.service_client import JsonClient

logger = logging.getLogger("gateway")
ANSWER_SECONDS = 1.0
GATEWAY = Principal(name="gateway", role="admin", projects=None, kind="service")


async def ask(client: JsonClient | None, *paths: str) -> list[Any] | None:
    """The answers to all of these, asked at once; None when they did not come in time, or there is no such service."""
    if client is None:
        return None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return list(await asyncio.gather(*(client.get_json(path, GATEWAY) for path in paths)))
    except Exception as error:  # noqa: BLE001  whatever is wrong there, an agent is served without its answer
        logger.warning("go on without %s: %s: %s", paths[0].partition("?")[0], type(error).__name__, error)
        return None
