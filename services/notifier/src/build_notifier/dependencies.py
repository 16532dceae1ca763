"""What the routes of notifier stand on: made once by `create_app`, the same for every request."""

from dataclasses import dataclass
from typing import Annotated

from build_chassis.parts import ServiceParts, dependencies_of
from build_chassis.service_client import Peers
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from fastapi import Depends

from build_notifier.messages.actions import ActionLinks
from build_notifier.metrics import Metrics
from build_notifier.settings import Settings
from build_notifier.store import NotifierStore


@dataclass(frozen=True, slots=True)
class Dependencies(ServiceParts[Settings, NotifierStore]):
    """The parts of one notifier."""

    metrics: Metrics
    links: ActionLinks
    peers: Peers
    webhook_key: EllipticCurvePublicKey | None


Needs = Annotated[Dependencies, Depends(dependencies_of)]
"""A route parameter: `async def list_mutes(needs: Needs, ...)`."""
