"""What is published of the interfaces: `/api/openapi.json`, merged of all services, and the WebSocket's documents."""

import asyncio
import logging
from importlib.metadata import version
from typing import Any

from build_chassis.errors import Unavailable
from build_chassis.service_client import JsonClient
from build_protocol.asyncapi import asyncapi, json_schema
from fastapi import APIRouter, Request

from build_gateway.api_description import describe
from build_gateway.caller import Person
from build_gateway.dependencies import Needs
from build_gateway.ingest_view import GATEWAY

logger = logging.getLogger("gateway")
router = APIRouter()
VERSION = version("build-dashboard-server")
ANSWER_SECONDS = 10.0
"""Under load a service is slow to describe its routes, once."""


@router.get("/api/openapi.json", include_in_schema=False)
async def merged_openapi(request: Request, needs: Needs, caller: Person) -> dict[str, Any]:  # noqa: ARG001  any person may
    """One OpenAPI document of every route under `/api/`. 503 while a service does not answer: never a part of them."""
    parts = await asyncio.gather(*(_read(name, client) for name, client in needs.peers.items()))
    described = dict(zip(needs.peers, parts, strict=True))
    if missing := sorted(name for name, part in described.items() if part is None):
        raise Unavailable(f"the API cannot be described without {', '.join(missing)}, which does not answer now")
    return describe(request.app.openapi(), {name: part for name, part in described.items() if part}, VERSION)


@router.get("/api/asyncapi.json", include_in_schema=False)
def websocket_as_asyncapi(caller: Person) -> dict[str, Any]:  # noqa: ARG001  any person may
    """The WebSocket as AsyncAPI 3."""
    return asyncapi()


@router.get("/api/protocol.schema.json", include_in_schema=False)
def frames_as_json_schema(caller: Person) -> dict[str, Any]:  # noqa: ARG001  any person may
    """The frames as JSON Schema."""
    return json_schema()


async def _read(name: str, client: JsonClient) -> dict[str, Any] | None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            description: dict[str, Any] = await client.get_json("/internal/openapi.json", GATEWAY)
    except Exception as error:  # noqa: BLE001  whatever is wrong with a service, the answer names it
        logger.warning("describe the API without %s: %s", name, error)
        return None
    return description
