"""What a bus promises, whichever driver carries it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from build_protocol import topology


class BusUnavailable(ConnectionError):
    """The broker cannot be reached now; wait and try again.

    `hint` may be shown to anybody: it names no address, no account and no directory.
    """

    def __init__(self, reason: str, hint: str = "it does not answer") -> None:
        super().__init__(reason)
        self.hint = hint


class PublishFailed(Exception):
    """The broker did not confirm: which messages arrived is unknown.

    `confirmed` messages of the call, from its first on, are confirmed without a hole; publish the others again.
    """

    def __init__(self, reason: str, confirmed: int = 0) -> None:
        super().__init__(f"broker did not confirm: {reason}")
        self.confirmed = confirmed


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A durable message on its way to the exchange `builds`."""

    routing_key: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as handed over by a queue, with its tag; `attempt` counts from 1."""

    tag: int
    routing_key: str
    body: bytes
    headers: Mapping[str, str]
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Announcement:
    """A best-effort message of a live exchange. `missed`: some before this one were dropped.

    Without a body it reports only that: after an outage nothing may follow.
    """

    routing_key: str
    body: bytes
    missed: bool = False


class Consumer(Protocol):
    """One queue, its deliveries in order. Everything fetched must be settled by exactly one of ack, reject, park."""

    async def fetch(self, limit: int) -> Sequence[Delivery]:
        """Wait for at least one delivery, then hand over what is there.

        Args:
            limit: How many deliveries, at most.

        Raises:
            BusUnavailable: The broker cannot be reached; what was not settled is delivered again.
        """
        ...

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Done: never delivered again."""
        ...

    async def reject(self, deliveries: Sequence[Delivery]) -> None:
        """Give deliveries back to the queue, in order; beyond the delivery limit they become dead letters."""
        ...

    async def park(self, delivery: Delivery, reason: str) -> None:
        """Move a delivery to the queue `parking`, confirmed there before it is acked here.

        Args:
            delivery: What no handler can answer.
            reason: Why, for whoever reads the queue.
        """
        ...


class Listener(Protocol):
    """Announcements of one live exchange; bounded: what overflows is dropped, and `missed` reports it."""

    async def bind(self, key: str) -> None:
        """Also receive routing keys that match this topic pattern."""
        ...

    async def unbind(self, key: str) -> None:
        """No longer receive them."""
        ...

    def __aiter__(self) -> AsyncIterator[Announcement]:
        """Announcements as they come; ends when the listener is closed."""
        ...


class Bus(Protocol):
    """A message bus with the topology of `build_protocol.topology` declared."""

    async def open(self) -> None:
        """Connect and declare the topology; an open bus stays as it is.

        A call that fails or is cancelled gives back whatever it got: the next one begins anew.

        Raises:
            BusUnavailable: The broker cannot be reached now; a later try may succeed.
            Unusable: Waiting never changes what was found.
        """
        ...

    async def close(self) -> None:
        """Finish what is in flight and disconnect, an `open` under way included; a closed bus stays as it is."""
        ...

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Publish in order; return once the broker confirmed every message.

        Calls may overlap: their messages leave in the order of the calls.

        Args:
            messages: What to publish to the exchange `builds`.

        Raises:
            PublishFailed: Which messages arrived is unknown, but for the first `confirmed` of them.
            BusUnavailable: The broker cannot be reached now.
        """
        ...

    def consume(self, queue: str, *, prefetch: int = 200) -> AbstractAsyncContextManager[Consumer]:
        """Own a queue's deliveries while the context lasts; what was not settled is delivered again.

        Args:
            queue: The queue's name.
            prefetch: How many deliveries the broker hands over before they are settled, at most.
        """
        ...

    async def announce(self, exchange: str, routing_key: str, body: bytes) -> None:
        """Send a best-effort message to whoever listens now; it is not confirmed, and never waits long.

        Args:
            exchange: `topology.LIVE_EXCHANGE` or `CONTROL_EXCHANGE`.
            routing_key: What listeners' patterns are matched with.
            body: The message.
        """
        ...

    def listen(self, exchange: str, *keys: str, capacity: int = 10_000) -> AbstractAsyncContextManager[Listener]:
        """Receive announcements while the context lasts.

        Args:
            exchange: `topology.LIVE_EXCHANGE` or `CONTROL_EXCHANGE`.
            *keys: Topic patterns of the routing keys to receive.
            capacity: How many announcements wait for the reader; beyond that the oldest are dropped.
        """
        ...

    async def missing(self) -> list[str]:
        """What readiness lacks: `connection`, or names of queues that do not exist; empty when all is there."""
        ...

    @property
    def blocked(self) -> bool:
        """The broker takes no publishes now: it is away, has a memory or disk alarm, or is stuck."""
        ...


EXCHANGES = (topology.EXCHANGE, topology.LIVE_EXCHANGE, topology.CONTROL_EXCHANGE)
