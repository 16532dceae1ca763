"""Routes of ingest: builds and their logs for people, what is stored for the gateway."""

from collections.abc import Sequence

from fastapi import APIRouter

from build_ingest.routes import builds, feedback, internal, logs
from build_ingest.settings import Settings

__all__ = ["routers"]


def routers(_: Settings) -> Sequence[APIRouter]:
    """Every route of the service."""
    return builds.router, feedback.router, logs.router, internal.router
