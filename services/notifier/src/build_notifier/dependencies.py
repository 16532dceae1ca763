"""What the routes of notifier stand on: made once by `create_app`, the same for every request."""

from dataclasses import dataclass
from typing import Annotated

from build_protocol.clock import Clock
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from fastapi import Depends, Request

from build_notifier.metrics import Metrics
from build_notifier.settings import Settings
from build_notifier.store import NotifierStore


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The parts of one notifier."""

    settings: Settings
    clock: Clock
    store: NotifierStore
    metrics: Metrics
    webhook_key: EllipticCurvePublicKey | None


async def get_dependencies(request: Request) -> Dependencies:
    """The parts of the service that answers this request."""
    parts: Dependencies = request.app.state.dependencies
    return parts


Needs = Annotated[Dependencies, Depends(get_dependencies)]
"""A route parameter: `async def list_mutes(needs: Needs, ...)`."""
