"""What a service's app is made of: the parts all services have; each service's own `Dependencies` add to them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from build_protocol.clock import Clock
from fastapi import Request
from prometheus_client import CollectorRegistry

from build_chassis.settings import ServiceSettings
from build_chassis.store.contract import Store

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)
StoreT = TypeVar("StoreT", bound=Store)


@dataclass(frozen=True, slots=True)
class ServiceParts(Generic[SettingsT, StoreT]):
    """Made once by `create_app`, the same for every request.

    Attributes:
        settings: What the operator chose.
        clock: What time it is, in milliseconds since the Unix epoch.
        registry: The app's own metrics: five apps may share one process.
        store: The service's own data.
    """

    settings: SettingsT
    clock: Clock
    registry: CollectorRegistry
    store: StoreT

    @property
    def pings(self) -> Mapping[str, Callable[[], Awaitable[object]]]:
        """All that the service keeps data in, by the names that `/readyz` gives it.

        Each returns if it takes a write, and raises StoreUnavailable if it does not.
        """
        return {"store": self.store.ping}

    async def ping(self) -> None:
        """Return if all that the service keeps data in takes a write.

        Raises:
            StoreUnavailable: It does not.
        """
        for ask in self.pings.values():
            await ask()


async def dependencies_of(request: Request) -> Any:
    """The parts of the app that answers this request; a service annotates them with its own class."""
    return request.app.state.dependencies
