"""What the routes of notifier stand on: made once by `create_app`, the same for every request."""

from dataclasses import dataclass
from typing import Annotated

from build_chassis.service import dependencies_of
from build_protocol.clock import Clock
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from fastapi import Depends
from prometheus_client import CollectorRegistry

from build_notifier.metrics import Metrics
from build_notifier.settings import Settings
from build_notifier.store import NotifierStore


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The parts of one notifier."""

    settings: Settings
    clock: Clock
    registry: CollectorRegistry
    store: NotifierStore
    metrics: Metrics
    webhook_key: EllipticCurvePublicKey | None

    async def ping(self) -> None:
        """Return if the store answers. Raises StoreUnavailable."""
        await self.store.ping()


Needs = Annotated[Dependencies, Depends(dependencies_of)]
"""A route parameter: `async def list_mutes(needs: Needs, ...)`."""
