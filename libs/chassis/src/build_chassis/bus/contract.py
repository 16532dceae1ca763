"""What a bus promises, whichever driver carries it."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from build_protocol import topology

DELIVERY_LIMIT_EXCEEDED = "delivery limit exceeded"
"""The reason of what the bus itself set aside, by count: no handler ever judged it."""

REPLAYED_IN_VAIN = f"{DELIVERY_LIMIT_EXCEEDED} again after every replay"
MAX_REPLAYS = 3
"""So often a message that came back too often replays itself; then a person has to look."""

PARKED_LISTED = 1_000
DEPTH_COUNTED = 20_000
"""A queue with more is long, however many there are: counting must not keep others waiting."""
REPLAYS_HEADER = "replays"


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


@dataclass(frozen=True, slots=True)
class Parked:
    """A message that is set aside.

    Attributes:
        id: Its name for `replay_parked` and `drop_parked`.
        queue: The queue it was set aside from.
        message: What was published, with its first routing key.
        reason: Why it was set aside.
        attempts: How often it came back to its queue, where that is known.
        parked_at: When, in milliseconds since the Unix epoch.
        replays: How often it was replayed before.
        is_final: Whether it waits for a person; else it replays itself once its dependencies have been healthy.
    """

    id: str
    queue: str
    message: Outgoing
    reason: str
    attempts: int
    parked_at: int
    replays: int
    is_final: bool


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

    async def parked(self) -> list[Parked]:
        """What is set aside, oldest first, at most `PARKED_LISTED` of each queue.

        Raises:
            BusUnavailable: The broker cannot be reached now.
        """
        ...

    async def count_parked(self) -> int:
        """How many messages are set aside. Raises BusUnavailable."""
        ...

    async def depths(self) -> Mapping[str, int]:
        """How many messages wait in each work queue, not handed over yet, at most `DEPTH_COUNTED`.

        Raises:
            BusUnavailable: The broker cannot be reached now.
        """
        ...

    async def replay_parked(self, ids: Collection[str]) -> int:
        """Put messages that are set aside back to the end of their queues, and only there; how many there were.

        Raises:
            BusUnavailable: The broker cannot be reached now.
            PublishFailed: Some may have been put back; none is lost.
        """
        ...

    async def drop_parked(self, ids: Collection[str]) -> int:
        """Delete messages that are set aside, for good; how many there were. Raises BusUnavailable."""
        ...

    async def replay_returned(self, service: str) -> int:
        """Replay what came back too often to a service; what was replayed `MAX_REPLAYS` times is parked for good.

        Args:
            service: Whose queues; what it depends on has been healthy for long enough.

        Returns:
            How many messages were moved.

        Raises:
            BusUnavailable: The broker cannot be reached now.
            PublishFailed: Some may have been moved; none is lost.
        """
        ...

    async def probe(self) -> None:
        """Return if the bus takes a write, as far as that can be seen without one that somebody would receive.

        Raises:
            BusUnavailable: It does not; its hint says why.
        """
        ...

    async def missing(self) -> list[str]:
        """What readiness lacks: `connection`, or names of queues that do not exist; empty when all is there."""
        ...

    @property
    def blocked(self) -> bool:
        """The broker takes no publishes now: it is away, has a memory or disk alarm, or is stuck."""
        ...


def replayed(message: Outgoing, queue: str) -> Outgoing:
    """The message as it goes back to one queue, one replay older."""
    headers = {**message.headers, REPLAYS_HEADER: str(replays_of(message.headers) + 1)}
    return Outgoing(topology.replay_key(queue, message.routing_key), message.body, headers)


def replays_of(headers: Mapping[str, str]) -> int:
    """How often a message with these headers was replayed."""
    count = headers.get(REPLAYS_HEADER, "0")
    return int(count) if count.isdecimal() else 0


EXCHANGES = (topology.EXCHANGE, topology.LIVE_EXCHANGE, topology.CONTROL_EXCHANGE)
