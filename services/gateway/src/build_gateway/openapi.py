"""`/api/openapi.json`: the gateway's own description merged with those of the services behind it."""

import asyncio
import logging
from typing import Any

from build_chassis.service_client import JsonClient
from fastapi import APIRouter, Request

from build_gateway.caller import Person
from build_gateway.dependencies import Needs
from build_gateway.questions import GATEWAY

logger = logging.getLogger("gateway")
router = APIRouter()
ANSWER_SECONDS = 2.0


@router.get("/api/openapi.json", include_in_schema=False)
async def merged_openapi(request: Request, needs: Needs, caller: Person) -> dict[str, Any]:  # noqa: ARG001  any person may
    """One OpenAPI document of every route under `/api/`; a service that does not answer is left out."""
    parts = await asyncio.gather(*(_read(name, client) for name, client in needs.peers.items()))
    return merge(request.app.openapi(), *(part for part in parts if part))


def merge(own: dict[str, Any], *parts: dict[str, Any]) -> dict[str, Any]:
    """The first description with the `/api/` paths and the components of the others; what comes first wins a name."""
    merged = {**own, "paths": dict(own.get("paths", {}))}
    components = {kind: dict(named) for kind, named in own.get("components", {}).items()}
    for part in parts:
        for path, operations in part.get("paths", {}).items():
            if path.startswith("/api/"):
                merged["paths"].setdefault(path, operations)
        for kind, named in part.get("components", {}).items():
            components[kind] = {**named, **components.get(kind, {})}
    merged["paths"] = {path: operations for path, operations in merged["paths"].items() if path.startswith("/api/")}
    merged["components"] = components
    return merged


async def _read(name: str, client: JsonClient) -> dict[str, Any] | None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            description: dict[str, Any] = await client.get_json("/internal/openapi.json", GATEWAY)
    except Exception as error:  # noqa: BLE001  whatever is wrong with a service, the others are described
        logger.warning("describe the API without %s: %s", name, error)
        return None
    return description
