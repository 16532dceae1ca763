"""Publishing with confirms: in the order of the calls, many in flight, each call answered by what was confirmed."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from aiormq import Channel
from build_protocol import topology
from pamqp import commands

from chassis.bus.contract import BusUnavailable, Outgoing, PublishFailed
from chassis.bus.rabbit.link import LOST, Link, discard, open_channel

PUBLISH_SECONDS = 30.0
"""A call not confirmed by then failed. Not below two heartbeats: a dead broker is noticed by those."""

STALL_SECONDS = 2.0
PERSISTENT = 2


class Publisher:
    """One confirming channel on a link, replaced whenever it fails in any way.

    After a refused, returned, late or lost message nobody knows what else the channel would have told. `clock` gives
    seconds, monotonic.
    """

    def __init__(self, link: Link, clock: Callable[[], float] = time.monotonic) -> None:
        self._link = link
        self._clock = clock
        self._waiting: deque[_Call] = deque()
        self._in_flight: dict[_Call, None] = {}
        self._channel: Channel | None = None
        self._sending: asyncio.Task[None] | None = None
        self._discarding: set[asyncio.Task[None]] = set()

    async def publish(self, messages: Sequence[Outgoing], exchange: str = topology.EXCHANGE) -> None:
        """Return once the broker confirmed every message. Raises PublishFailed or BusUnavailable.

        Cancelling the caller does not recall what is on its way.
        """
        if not messages:
            return
        call = _Call(exchange, messages, self._clock())
        if self._channel is not None and not self._channel.is_closed and not self._waiting:
            self._send(self._channel, call)
        else:
            self._waiting.append(call)
            if self._sending is None:
                self._sending = asyncio.create_task(self._send_waiting(), name="amqp-publisher")
        await call.answer

    @property
    def is_stalled(self) -> bool:
        """Whether a call has waited for its confirms longer than a healthy broker takes."""
        oldest = next(iter(self._in_flight), None)
        return oldest is not None and self._clock() - oldest.begun_at > STALL_SECONDS

    async def close(self) -> None:
        """Wait for the confirms of what was sent, then stop."""
        answers = [call.answer for call in self._in_flight]
        if answers:
            await asyncio.wait(answers)
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])
        self._fail_waiting(BusUnavailable("the bus is closed"))
        if self._channel is not None:
            self._discard(self._channel)
        if self._discarding:
            await asyncio.wait(list(self._discarding))

    async def _send_waiting(self) -> None:
        """Send the calls that found no channel; while one waits here, all that follow wait behind it."""
        try:
            while self._waiting:
                channel = await self._open_channel()
                while self._waiting and not channel.is_closed:
                    self._send(channel, self._waiting.popleft())
        except BusUnavailable as error:
            self._fail_waiting(error)
        finally:
            self._sending = None

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

    def _send(self, channel: Channel, call: "_Call") -> None:
        self._in_flight[call] = None
        call.send(channel, lambda failure: self._finish(channel, call, failure))

    def _finish(self, channel: Channel, call: "_Call", failure: PublishFailed | None) -> None:
        del self._in_flight[call]
        if failure is not None:
            self._discard(channel)

    def _discard(self, channel: Channel) -> None:
        if channel is self._channel:
            self._channel = None
        closing = asyncio.create_task(discard(channel))
        self._discarding.add(closing)
        closing.add_done_callback(self._discarding.discard)

    def _fail_waiting(self, error: BusUnavailable) -> None:
        while self._waiting:
            self._waiting.popleft().fail(error)


class _Call:
    """Messages that were given together, and the answer their publisher waits for."""

    def __init__(self, exchange: str, messages: Sequence[Outgoing], begun_at: float) -> None:
        self.begun_at = begun_at
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._exchange = exchange
        self._messages = messages
        self._confirms: list[asyncio.Task[object]] = []
        self._open = len(messages)
        self._is_late = False

    def send(self, channel: Channel, finished: Callable[[PublishFailed | None], None]) -> None:
        """Put every message on the channel; `finished` is called when the fate of each is known, or time is up."""
        deadline = asyncio.get_running_loop().call_later(PUBLISH_SECONDS, self._expire)

        def confirmed(_: asyncio.Task[object]) -> None:
            self._open -= 1
            if self._open == 0:
                deadline.cancel()
                failure = self._failure()
                finished(failure)
                self._tell(failure)

        for message in self._messages:
            confirm: asyncio.Task[object] = asyncio.create_task(
                channel.basic_publish(
                    message.body,
                    exchange=self._exchange,
                    routing_key=message.routing_key,
                    properties=_properties(message.headers),
                    mandatory=True,
                    wait=False,
                )
            )
            confirm.add_done_callback(confirmed)
            self._confirms.append(confirm)

    def fail(self, error: Exception) -> None:
        """Answer without having sent anything."""
        self._tell(error)

    def _expire(self) -> None:
        self._is_late = True
        for confirm in self._confirms:
            confirm.cancel()

    def _failure(self) -> PublishFailed | None:
        errors = [None if confirm.cancelled() else confirm.exception() for confirm in self._confirms]
        for number, (confirm, error) in enumerate(zip(self._confirms, errors, strict=True)):
            if confirm.cancelled():
                return PublishFailed(
                    f"no answer in {PUBLISH_SECONDS:g} s" if self._is_late else "the channel was lost", number
                )
            if error is not None:
                return PublishFailed(str(error) or type(error).__name__, number)
            if not isinstance(confirm.result(), commands.Basic.Ack):
                return PublishFailed(f"answered {confirm.result()!r}", number)
        return None

    def _tell(self, error: Exception | None) -> None:
        if self.answer.done():
            return  # the caller was cancelled
        if error is None:
            self.answer.set_result(None)
        else:
            self.answer.set_exception(error)


def _properties(headers: Mapping[str, str]) -> commands.Basic.Properties:
    # The driver gives every publish a message id of its own: returns are told apart by it.
    return commands.Basic.Properties(delivery_mode=PERSISTENT, headers=dict(headers))
