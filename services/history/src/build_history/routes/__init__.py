"""Routes of history: failures, incidents, commits, pins and `/api/history/...`, all for callers of the gateway."""

from collections.abc import Sequence

from fastapi import APIRouter

from build_history.routes import breaks, commits, gates, internal, ownership, rebuild, tests, trends, verdicts
from build_history.settings import Settings

__all__ = ["routers"]


def routers(_: Settings) -> Sequence[APIRouter]:
    """Every route of the service."""
    return (
        breaks.router,
        commits.router,
        gates.router,
        internal.router,
        ownership.router,
        rebuild.router,
        tests.router,
        trends.router,
        verdicts.router,
    )
