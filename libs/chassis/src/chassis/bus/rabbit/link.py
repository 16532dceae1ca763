"""One connection to the broker, kept: made again with jittered back-off whenever it is lost."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import aiormq
from aiormq import Channel, Connection
from aiormq.exceptions import AMQPError, ChannelInvalidStateError

from chassis.backoff import Backoff
from chassis.bus.contract import BusUnavailable

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
WAIT_SECONDS = 1.0
"""Whoever needs the connection while it is away waits this long before being told so."""

CLOSE_SECONDS = 5.0
HEARTBEAT_SECONDS = 15

LOST = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError, asyncio.InvalidStateError, RuntimeError)
"""What the driver raises when a connection or channel is not there (any more)."""

Prepare = Callable[[Connection], Awaitable[None]]


class Link:
    """A connection in one role (`publish`, `consume`); `prepare` runs on every new one before it is used."""

    def __init__(self, url: str, role: str, prepare: Prepare | None = None) -> None:
        self._url = _with_defaults(url, role)
        self._role = role
        self._prepare = prepare
        self._connection: Connection | None = None
        self._is_up = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, then keep connected; raises BusUnavailable when the first try fails."""
        if self._keeping is not None:
            return
        try:
            connection = await self._connect()
        except LOST as error:
            raise BusUnavailable(f"broker: {error or type(error).__name__}") from error
        self._use(connection)
        self._keeping = asyncio.create_task(self._keep(connection), name=f"amqp-{self._role}")

    async def close(self) -> None:
        """Disconnect for good."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
            await asyncio.wait([keeping])

    async def connection(self) -> Connection:
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
        """Whether the broker has told this connection that it takes no publishes now."""
        return self._connection is not None and not _is_ready(self._connection)

    def _use(self, connection: Connection) -> None:
        self._connection = connection
        self._is_up.set()

    async def _keep(self, connection: Connection) -> None:
        backoff = Backoff()
        while True:
            try:
                with suppress(*LOST):
                    await connection.closing
            finally:
                self._is_up.clear()
                self._connection = None
                await discard(connection)
            log.warning("lost the broker (%s)", self._role)
            connection = await self._reconnect(backoff)
            self._use(connection)
            log.info("reached the broker again (%s)", self._role)

    async def _reconnect(self, backoff: Backoff) -> Connection:
        backoff.reset()
        while True:
            await asyncio.sleep(backoff.next_seconds())
            try:
                return await self._connect()
            except LOST as error:
                log.warning("waiting for the broker (%s): %s", self._role, error or type(error).__name__)

    async def _connect(self) -> Connection:
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await aiormq.connect(self._url)
            try:
                if self._prepare is not None:
                    await self._prepare(connection)
            except BaseException:
                await discard(connection)
                raise
            return connection


async def open_channel(connection: Connection, *, confirms: bool = False) -> Channel:
    """A new channel; with confirms, a message no queue takes raises too."""
    return cast("Channel", await connection.channel(publisher_confirms=confirms, on_return_raises=confirms))


async def discard(resource: Connection | Channel) -> None:
    """Close a connection or channel, in any state, without waiting long."""
    with suppress(*LOST, asyncio.CancelledError):
        await resource.close(timeout=CLOSE_SECONDS)


def _is_ready(connection: Connection) -> bool:
    """Whether `ready()` would return at once: the driver tells of a blocked connection in no other public way."""
    waiting = connection.ready().__await__()
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
