"""What every service's `create_app` begins with and ends in: clock, store, metrics, retention's guard, the lifespan."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypedDict

from build_protocol.clock import Clock
from build_protocol.topology import queue_name
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry

from build_chassis.bus import Bus
from build_chassis.consumer import BatchHandler, consumer_duty
from build_chassis.emf import EmfLines, emf_duty
from build_chassis.health import Health
from build_chassis.measured_bus import measured
from build_chassis.operation_routes import operation_router
from build_chassis.parts import ServiceParts, StoreT
from build_chassis.replay import replay_duty
from build_chassis.retention_guard import RetentionGuard
from build_chassis.server_clock import ServerClock
from build_chassis.service import Lifespan, create_service_app
from build_chassis.service_client import NO_PEERS, Peers
from build_chassis.settings import ServiceSettings
from build_chassis.supervisor import FIRST_TRY_SECONDS, Duty, supervised_lifespan


class Given(TypedDict, Generic[StoreT], total=False):
    """What may be handed to `create_app`; the rest is as the settings say.

    Attributes:
        peers: The other services, by name; without one the service does without.
        store: An own store, which need not be open.
        clock: What time it is, in milliseconds since the Unix epoch.
    """

    peers: Peers
    store: StoreT
    clock: Clock


class ServiceCore(Generic[StoreT]):
    """What no service does without.

    Args:
        settings: What the operator chose.
        bus: The bus, opened and closed by whoever made it; store and peers are closed by the app.
        open_store: Makes the store at a URL.
        given: What is there already.
    """

    def __init__(
        self, settings: ServiceSettings, bus: Bus, open_store: Callable[[str], StoreT], given: Given[StoreT]
    ) -> None:
        self.peers: Peers = given.get("peers", NO_PEERS)
        self.store = given.get("store") or open_store(settings.store_url)
        self.clock: Clock = given.get("clock") or ServerClock()
        self.registry = CollectorRegistry()
        self.bus = measured(bus, self.registry)
        self.guard = RetentionGuard(settings, self.clock, self.store, self.registry)
        self._service = settings.service
        self._shown = (
            [emf_duty(EmfLines(settings.cloudwatch_namespace, settings.service, self.registry, self.clock))]
            if settings.cloudwatch_namespace
            else []
        )

    def consuming(
        self, handle: BatchHandler, prefetch: int, ping: Callable[[], Awaitable[None]] | None = None
    ) -> Sequence[Duty]:
        """The duties of a service with one queue: to consume it, and to take back what an outage set aside.

        Args:
            handle: Answers deliveries in order, all or none.
            prefetch: How many deliveries are fetched and handled together, at most.
            ping: Probes what the handler needs; absent: the store alone.
        """
        health = Health(ping or self.store.ping)
        return (
            consumer_duty(self.bus, queue_name(self._service), handle, prefetch=prefetch, health=health),
            replay_duty(self.bus, self._service, health),
        )

    def lifespan(
        self,
        duties: Sequence[Duty],
        *,
        open_store: Callable[[], Awaitable[None]] | None = None,
        closing: Sequence[Callable[[], Awaitable[object]]] = (),
        first_try_seconds: float = FIRST_TRY_SECONDS,
    ) -> Lifespan:
        """What runs while the app is served: the duties and retention's guard; then all is closed.

        Args:
            duties: What to run once the store is open.
            open_store: Opens the store and what else is needed; it may be called again after it failed.
            closing: What to close before the peers and the store, in order.
            first_try_seconds: How long a start waits for the store, at most.
        """
        return supervised_lifespan(
            self._service,
            (self.guard.duty(), *self._shown, *duties),
            open_store=open_store or self.store.open,
            closing=[*closing, *(peer.close for peer in self.peers.values()), self.store.close],
            first_try_seconds=first_try_seconds,
        )

    def app(self, parts: ServiceParts[Any, Any], routers: Sequence[APIRouter], lifespan: Lifespan) -> FastAPI:
        """The service's app; `/readyz` lists what stopped retention."""
        notices = (lambda: self.guard.reason,)
        routers = [*routers, operation_router(self.guard)]
        return create_service_app(self._service, parts, self.bus, lifespan=lifespan, routers=routers, notices=notices)
