"""Routes of history: failures, incidents, commits, pins and `/api/history/...`, all for callers of the gateway."""

from fastapi import APIRouter

from build_history.routes import breaks, commits, tests, trends, verdicts
from build_history.routes.dependencies import now_ms

__all__ = ["now_ms", "router"]

router = APIRouter()
for _room in (breaks, commits, tests, trends, verdicts):
    router.include_router(_room.router)
