"""Publishing with confirms: in the order of the calls, many in flight, each call answered by what was confirmed."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiormq import Channel
from build_protocol import topology
from pamqp import commands

from chassis.bus.contract import BusUnavailable, Outgoing, PublishFailed
from chassis.bus.rabbit.link import LOST, Link, discard, open_channel

PUBLISH_SECONDS = 30.0
"""A call not confirmed by then failed. Not below two heartbeats: a dead broker is noticed by those."""

STALL_SECONDS = 2.0
PERSISTENT = 2


@dataclass(frozen=True, slots=True)
class _Call:
    exchange: str
    messages: Sequence[Outgoing]
    begun_at: float
    answer: asyncio.Future[None]


class Publisher:
    """One confirming channel on a link, replaced whenever it fails in any way.

    After a refused, returned, late or lost message nobody knows what else the channel would have told. `clock` gives
    seconds, monotonic.
    """

    def __init__(self, link: Link, clock: Callable[[], float] = time.monotonic) -> None:
        self._link = link
        self._clock = clock
        self._calls: deque[_Call] = deque()
        self._has_calls = asyncio.Event()
        self._in_flight: dict[asyncio.Task[None], _Call] = {}
        self._channel: Channel | None = None
        self._sending: asyncio.Task[None] | None = None

    async def publish(self, messages: Sequence[Outgoing], exchange: str = topology.EXCHANGE) -> None:
        """Return once the broker confirmed every message. Raises PublishFailed or BusUnavailable.

        Cancelling the caller does not recall what is on its way.
        """
        if not messages:
            return
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_calls(), name="amqp-publisher")
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._calls.append(_Call(exchange, messages, self._clock(), answer))
        self._has_calls.set()
        await asyncio.shield(answer)

    @property
    def is_stalled(self) -> bool:
        """Whether a call has waited for its confirms longer than a healthy broker takes."""
        oldest = next(iter(self._in_flight.values()), None)
        return oldest is not None and self._clock() - oldest.begun_at > STALL_SECONDS

    async def close(self) -> None:
        """Wait for the confirms of what was sent, then stop."""
        while self._in_flight:
            await asyncio.wait(list(self._in_flight))
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])
            self._sending = None
        self._fail_waiting(BusUnavailable("the bus is closed"))
        await self._discard(self._channel)

    async def _send_calls(self) -> None:
        # One sender for all calls: whatever it waits for, their order stays.
        while True:
            self._has_calls.clear()
            if not self._calls:
                await self._has_calls.wait()
            try:
                channel = await self._open_channel()
            except BusUnavailable as error:
                self._fail_waiting(error)
                continue
            while self._calls and channel is self._channel:
                call = self._calls.popleft()
                task = asyncio.create_task(self._send(channel, call))
                self._in_flight[task] = call
                task.add_done_callback(self._in_flight.pop)

    async def _open_channel(self) -> Channel:
        if self._channel is None or self._channel.is_closed:
            connection = await self._link.connection()
            try:
                async with asyncio.timeout(PUBLISH_SECONDS):
                    self._channel = await open_channel(connection, confirms=True)
            except LOST as error:
                await discard(connection)
                raise BusUnavailable(f"broker: {error or type(error).__name__}") from error
        return self._channel

    async def _send(self, channel: Channel, call: _Call) -> None:
        confirms = [
            asyncio.ensure_future(
                channel.basic_publish(
                    message.body,
                    exchange=call.exchange,
                    routing_key=message.routing_key,
                    properties=_properties(message.headers),
                    mandatory=True,
                    wait=False,
                )
            )
            for message in call.messages
        ]
        _, late = await asyncio.wait(confirms, timeout=PUBLISH_SECONDS)
        for confirm in late:
            confirm.cancel()
        results = await asyncio.gather(*confirms, return_exceptions=True)
        confirmed = 0
        while confirmed < len(results) and isinstance(results[confirmed], commands.Basic.Ack):
            confirmed += 1
        if confirmed == len(results):
            _answer(call, None)
            return
        await self._discard(channel)
        reason = f"no answer in {PUBLISH_SECONDS:g} s" if late else _say(results[confirmed])
        _answer(call, PublishFailed(reason, confirmed))

    async def _discard(self, channel: Channel | None) -> None:
        if channel is not None:
            if channel is self._channel:
                self._channel = None
            await discard(channel)

    def _fail_waiting(self, error: BusUnavailable) -> None:
        while self._calls:
            _answer(self._calls.popleft(), error)


def _answer(call: _Call, error: Exception | None) -> None:
    if call.answer.done():
        return
    if error is None:
        call.answer.set_result(None)
    else:
        call.answer.set_exception(error)
        call.answer.exception()  # retrieved: the caller may have been cancelled


def _properties(headers: Mapping[str, str]) -> commands.Basic.Properties:
    # The driver gives every publish a message id of its own: returns are told apart by it.
    return commands.Basic.Properties(delivery_mode=PERSISTENT, headers=dict(headers))


def _say(result: object) -> str:
    if isinstance(result, asyncio.CancelledError):
        return "the channel was lost"
    return str(result) or type(result).__name__
