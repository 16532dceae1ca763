"""One connection to the broker, kept: made again with jittered back-off whenever it is lost."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelClosed, ChannelInvalidStateError

from build_chassis.backoff import Backoff
from build_chassis.bus.contract import BusUnavailable
from build_chassis.vital import vital

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
WAIT_SECONDS = 1.0
"""Whoever needs the connection while it is away waits this long before it fails."""

CLOSE_SECONDS = 5.0
HEARTBEAT_SECONDS = 15

LOST = (
    AMQPError,
    ChannelInvalidStateError,
    OSError,
    EOFError,
    TimeoutError,
    asyncio.InvalidStateError,
    RuntimeError,
    StopAsyncIteration,
)
"""What the driver raises when a connection or channel is not there (any more)."""

Prepare = Callable[[AbstractConnection], Awaitable[None]]


class Link:
    """A connection in one role (`publish`, `consume`); `prepare` runs on every new one before it is used."""

    def __init__(self, url: str, role: str, prepare: Prepare | None = None) -> None:
        self._url = _with_defaults(url, role)
        self._role = role
        self._prepare = prepare
        self._connection: AbstractConnection | None = None
        self._is_up = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, then keep connected; raises BusUnavailable when the first try fails."""
        if self._keeping is not None:
            return
        try:
            connection = await self._connect()
        except Exception as error:  # as below: an unexpected error of a first try is followed by another
            raise BusUnavailable(f"broker: {error or type(error).__name__}") from error
        self._use(connection)
        self._keeping = vital(asyncio.create_task(self._keep(connection), name=f"amqp-{self._role}"))

    async def close(self) -> None:
        """Disconnect for good."""
        keeping, self._keeping = self._keeping, None
        if keeping is None:
            return
        keeping.cancel()
        await asyncio.wait([keeping])
        connection, self._connection = self._connection, None
        if connection is not None:  # a task that is cancelled before its first step closes nothing
            self._is_up.clear()
            await discard(connection)

    async def connection(self) -> AbstractConnection:
        """The connection, waited for a moment; raises BusUnavailable."""
        if self._connection is None:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await self._is_up.wait()
            except TimeoutError:
                raise BusUnavailable(f"no connection to the broker ({self._role})") from None
        if self._connection is None:
            raise BusUnavailable(f"no connection to the broker ({self._role})")
        return self._connection

    @property
    def is_open(self) -> bool:
        """Whether there is a connection now."""
        return self._connection is not None

    @property
    def is_blocked(self) -> bool:
        """Whether the broker has notified this connection that it takes no publishes now."""
        return self._connection is not None and not _is_ready(self._connection)

    def _use(self, connection: AbstractConnection) -> None:
        self._connection = connection
        self._is_up.set()

    async def _keep(self, connection: AbstractConnection) -> None:
        backoff = Backoff()
        while True:
            try:
                await _lost(connection)
            finally:
                self._is_up.clear()
                self._connection = None
                await discard(connection)
            log.warning("lost the broker (%s)", self._role)
            connection = await self._reconnect(backoff)
            self._use(connection)
            log.info("reached the broker again (%s)", self._role)

    async def _reconnect(self, backoff: Backoff) -> AbstractConnection:
        backoff.reset()
        while True:
            await asyncio.sleep(backoff.next_seconds())
            try:
                return await self._connect()
            except Exception as error:  # noqa: BLE001  whatever the driver finds to raise: to give up would be for ever
                log.warning("waiting for the broker (%s): %s", self._role, error or type(error).__name__)

    async def _connect(self) -> AbstractConnection:
        # The driver loses a connection that is made in the moment its caller is cancelled: it is let go on instead,
        # and what it makes is closed. It ends within CONNECT_SECONDS.
        connecting = asyncio.create_task(self._dial(), name=f"amqp-{self._role}-connect")
        try:
            connection = await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(_discard_made)
            raise
        try:
            if self._prepare is not None:
                async with asyncio.timeout(CONNECT_SECONDS):
                    with driven():
                        await self._prepare(connection)
        except BaseException:
            await discard(connection)
            raise
        return connection

    async def _dial(self) -> AbstractConnection:
        async with asyncio.timeout(CONNECT_SECONDS):
            with driven():
                return await aio_pika.connect(self._url)


_discarding: set[asyncio.Task[None]] = set()


def _discard_made(connecting: asyncio.Task[AbstractConnection]) -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        discarding = asyncio.create_task(discard(connecting.result()))
        _discarding.add(discarding)
        discarding.add_done_callback(_discarding.discard)


@contextmanager
def driven() -> Iterator[None]:
    """Waits for the driver. When a connection breaks it cancels whoever waits: that becomes a ConnectionError.

    A cancellation that somebody ordered stays one. Else a task would end, silently, for a fault of the network.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ConnectionError("the driver gave up waiting") from error


async def open_channel(connection: AbstractConnection, *, confirms: bool = False) -> AbstractChannel:
    """A new channel; with confirms, a message no queue takes raises too. Waits as long as the connection is blocked."""
    with driven():
        return await connection.channel(publisher_confirms=confirms, on_return_raises=confirms)


async def discard(resource: AbstractConnection | AbstractChannel) -> None:
    """Close a connection or channel, in any state, without waiting long. Who is cancelled meanwhile stays cancelled."""
    with suppress(*LOST):
        async with asyncio.timeout(CLOSE_SECONDS):
            with driven():
                # The reason is what those get who still wait for something on it.
                await resource.close(ChannelClosed(None, "discarded"))


async def _lost(connection: AbstractConnection) -> None:
    """Return once the connection is lost; its `closed()` reports only being closed by us."""
    is_lost = asyncio.Event()
    connection.close_callbacks.add(lambda *_: is_lost.set())
    if connection.connected.is_set():
        await is_lost.wait()


def _is_ready(connection: AbstractConnection) -> bool:
    """Whether the transport's `ready()` would return at once: the driver reports an alarm in no other way."""
    if connection.transport is None:
        return True
    waiting = connection.transport.ready().__await__()
    try:
        next(waiting)
    except StopIteration:
        return True
    waiting.close()
    return False


def _with_defaults(url: str, role: str) -> str:
    parts = urlsplit(url)
    query = {"heartbeat": str(HEARTBEAT_SECONDS), "name": f"build-dashboard {role}", **dict(parse_qsl(parts.query))}
    return urlunsplit(parts._replace(query=urlencode(query)))
