"""RabbitMQ's place in the simulation: the embedded bus as a server of its own, reached over the network.

What a broker does (confirm, redeliver, count, park) is the product's own embedded bus; what a connection does to it
(late, lost, reset, an answer that never arrives) is here.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from pathlib import Path
from typing import Any, TypeVar

from build_chassis.bus.announcements import Mailbox, Patterns
from build_chassis.bus.contract import (
    Announcement,
    Bus,
    BusUnavailable,
    Consumer,
    Delivery,
    Listener,
    Outgoing,
    Parked,
    PublishFailed,
)
from build_chassis.bus.embedded import EmbeddedBus
from build_protocol import topology
from simulation.machine import Process
from simulation.network import Network, Order, Unreachable, here
from typing_extensions import override

T = TypeVar("T")
SILENT_SECONDS = 30.0
"""Two heartbeats of 15 s: then a connection is taken for dead."""


class BrokerNode:
    """The broker: lives on a machine of its own, and dies there."""

    def __init__(self, network: Network, path: Path) -> None:
        self.network = network
        self.path = path
        self.process: Process | None = None
        self.core: EmbeddedBus | None = None
        self.listeners: list[RemoteListener] = []
        network.on_heal.append(self._heal)

    async def run(self) -> None:
        """Serve until killed."""
        process = here()
        core = EmbeddedBus(self.path)
        await core.open()
        writer = core._writer
        process.on_end.append(lambda: self._ended(process))
        assert writer is not None
        self.core, self.process = core, process
        try:
            await asyncio.Event().wait()
        finally:
            await core.close()

    def living(self) -> Process | None:
        """Its process, while it serves."""
        return self.process if self.process is not None and self.process.is_alive else None

    def announce(self, exchange: str, key: str, body: bytes) -> None:
        """Hand an announcement to whoever listens, however late it comes there."""
        process = self.living()
        if process is None:
            return
        for listener in self.listeners:
            listener.offer(self.network, process.machine.name, exchange, key, body)

    def _ended(self, process: Process) -> None:
        if self.process is process:
            self.process = self.core = None
            for listener in self.listeners:
                listener.has_missed = True

    def _heal(self) -> None:
        process = self.living()
        if process is not None:
            for listener in self.listeners:
                listener.heal(self.network, process.machine.name)


class RemoteBus(Bus):
    """One process's connection to the broker."""

    def __init__(self, node: BrokerNode) -> None:
        self._node = node
        self._network = node.network
        self._order = Order()
        self._mine = here()
        self._is_open = False

    @override
    async def open(self) -> None:
        await self._ask(lambda core: _nothing())
        self._is_open = True

    @override
    async def close(self) -> None:
        self._is_open = False

    @override
    async def publish(self, messages: Sequence[Outgoing]) -> None:
        try:
            await self._call(lambda core: core.publish(messages), self._order)
        except Unreachable as error:
            if error.is_sent:
                raise PublishFailed(str(error)) from error
            raise BusUnavailable(str(error)) from error

    @asynccontextmanager
    @override
    async def consume(self, queue: str, *, prefetch: int = 200) -> AsyncIterator["RemoteConsumer"]:
        consumer = RemoteConsumer(self, queue, prefetch)
        await consumer.enter()
        try:
            yield consumer
        finally:
            consumer.leave()

    @override
    async def announce(self, exchange: str, routing_key: str, body: bytes) -> None:
        broker = self._node.living()
        if broker is None or not self._network.passes(self._mine.machine.name, broker.machine.name):
            return
        delay = self._order.delay(self._network.loop.now, self._network.delay(self._mine.machine.name, "broker"))
        self._network.loop.call_later(delay, self._node.announce, exchange, routing_key, body, context=Context())

    @asynccontextmanager
    @override
    async def listen(self, exchange: str, *keys: str, capacity: int = 10_000) -> AsyncIterator["RemoteListener"]:
        if not self._is_open or self._node.living() is None:
            raise BusUnavailable("connection refused")
        listener = RemoteListener(self._mine, exchange, keys, capacity)
        self._node.listeners.append(listener)
        self._mine.on_end.append(lambda: self._forget(listener))
        try:
            yield listener
        finally:
            self._forget(listener)

    def _forget(self, listener: "RemoteListener") -> None:
        if listener in self._node.listeners:
            self._node.listeners.remove(listener)

    @override
    async def parked(self) -> list[Parked]:
        return await self._ask(lambda core: core.parked())

    @override
    async def count_parked(self) -> int:
        return await self._ask(lambda core: core.count_parked())

    @override
    async def depths(self) -> Mapping[str, int]:
        return await self._ask(lambda core: core.depths())

    @override
    async def replay_parked(self, ids: Collection[str]) -> int:
        return await self._ask(lambda core: core.replay_parked(ids))

    @override
    async def drop_parked(self, ids: Collection[str]) -> int:
        return await self._ask(lambda core: core.drop_parked(ids))

    @override
    async def replay_returned(self, service: str) -> int:
        return await self._ask(lambda core: core.replay_returned(service))

    @override
    async def probe(self) -> None:
        await self._ask(lambda core: core.probe())

    @override
    async def missing(self) -> list[str]:
        return [] if self._is_connected else ["connection"]

    @property
    @override
    def blocked(self) -> bool:
        core = self._node.core
        return not self._is_connected or core is None or core.blocked

    @property
    def _is_connected(self) -> bool:
        broker = self._node.living()
        if not self._is_open or broker is None:
            return False
        mine, other = self._mine.machine.name, broker.machine.name
        return self._network.passes(mine, other) and self._network.passes(other, mine)

    async def _ask(self, what: Callable[[EmbeddedBus], Awaitable[T]]) -> T:
        try:
            return await self._call(what, None)
        except Unreachable as error:
            raise BusUnavailable(str(error)) from error

    async def _call(self, what: Callable[[EmbeddedBus], Awaitable[T]], order: Order | None) -> T:
        def work() -> Awaitable[T]:
            core = self._node.core
            if core is None:
                raise BusUnavailable("the broker is starting")
            return what(core)

        return await self._network.call(self._mine, self._node.living, work, silent_seconds=SILENT_SECONDS, order=order)


class RemoteConsumer(Consumer):
    """A consumer over a connection: when that breaks, the broker gives back what was not settled."""

    def __init__(self, bus: RemoteBus, queue: str, prefetch: int) -> None:
        self._bus = bus
        self._queue = queue
        self._prefetch = prefetch
        self._context: Any = None
        self._at_broker: Any = None
        self._broker: Process | None = None
        self._running: set[asyncio.Task[Any]] = set()

    async def enter(self) -> None:
        """Begin to consume."""
        self._broker = self._bus._node.living()

        async def enter(core: EmbeddedBus) -> None:
            context = core.consume(self._queue, prefetch=self._prefetch)
            self._at_broker = await context.__aenter__()
            self._context = context

        await self._bus._ask(enter)
        self._bus._mine.on_end.append(self.leave)
        self._bus._network.on_cut.append(self._cut)

    def leave(self) -> None:
        """End it: the broker notices at once, or by its heartbeat."""
        if self._bus._mine.on_end.count(self.leave):
            self._bus._mine.on_end.remove(self.leave)
        if self._cut in self._bus._network.on_cut:
            self._bus._network.on_cut.remove(self._cut)
        context, self._context = self._context, None
        broker = self._broker
        if context is not None and broker is not None and broker.is_alive:
            broker.spawn(_leave(context, list(self._running)))

    @override
    async def fetch(self, limit: int) -> Sequence[Delivery]:
        return await self._do(lambda: self._at_broker.fetch(limit))

    @override
    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        await self._do(lambda: self._at_broker.ack(deliveries))

    @override
    async def reject(self, deliveries: Sequence[Delivery]) -> None:
        await self._do(lambda: self._at_broker.reject(deliveries))

    @override
    async def park(self, delivery: Delivery, reason: str) -> None:
        try:
            await self._do(lambda: self._at_broker.park(delivery, reason))
        except BusUnavailable as error:
            raise PublishFailed(str(error)) from error

    async def _do(self, what: Callable[[], Awaitable[T]]) -> T:
        broker = self._broker
        if self._context is None or broker is None or self._bus._node.process is not broker:
            raise BusUnavailable("the connection to the broker was lost")

        async def work() -> T:
            task = asyncio.current_task()
            assert task is not None
            self._running.add(task)
            try:
                return await what()
            finally:
                self._running.discard(task)

        try:
            return await self._bus._network.call(self._bus._mine, lambda: broker, work, silent_seconds=SILENT_SECONDS)
        except Unreachable as error:
            self.leave()
            raise BusUnavailable(str(error)) from error

    def _cut(self, one: str, other: str) -> None:
        broker = self._broker
        if broker is not None and {one, other} == {self._bus._mine.machine.name, broker.machine.name}:
            self._bus._network.loop.call_later(SILENT_SECONDS, self._look, context=Context())

    def _look(self) -> None:
        if self._context is not None and not self._bus._is_connected:
            self.leave()
            if self._bus._mine.is_alive and self._broker is not None:
                _lose_all(self._broker, self._bus._mine)


class RemoteListener(Listener):
    """Announcements as they arrive over the network."""

    def __init__(self, process: Process, exchange: str, keys: Sequence[str], capacity: int) -> None:
        self.has_missed = False
        self._process = process
        self._exchange = exchange
        self._patterns = Patterns(keys, takes_all=exchange == topology.CONTROL_EXCHANGE)
        self._mailbox = Mailbox(capacity)
        self._order = Order()

    @override
    async def bind(self, key: str) -> None:
        self._patterns.add(key)

    @override
    async def unbind(self, key: str) -> None:
        self._patterns.discard(key)

    def __aiter__(self) -> AsyncIterator[Any]:
        return aiter(self._mailbox)

    def offer(self, network: Network, broker: str, exchange: str, key: str, body: bytes) -> None:
        """Send it on its way, where it is bound."""
        if exchange != self._exchange or not self._patterns.match(key):
            return
        name = self._process.machine.name
        if not network.passes(broker, name):
            self.has_missed = True
            return
        if self.has_missed:
            self.heal(network, broker)
        delay = self._order.delay(network.loop.now, network.delay(broker, name))
        network.loop.call_later(delay, self._mailbox.put, Announcement(key, body), context=Context())

    def heal(self, network: Network, broker: str) -> None:
        """After an outage the reader is notified that it missed something."""
        if self.has_missed and network.passes(broker, self._process.machine.name):
            self.has_missed = False
            self._mailbox.miss()


async def _leave(context: Any, running: list[asyncio.Task[Any]]) -> None:
    for task in running:
        task.cancel()
    await context.__aexit__(None, None, None)


async def _nothing() -> None:
    return


def _lose_all(broker: Process, mine: Process) -> None:
    """The heartbeat has found a connection dead: whoever waits for an answer over it learns so."""
    for notice in list(broker.on_end):
        if getattr(notice, "caller", None) is mine:
            notice()
