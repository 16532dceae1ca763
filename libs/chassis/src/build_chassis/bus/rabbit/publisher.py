"""Publishing with confirms: in the order of the calls, many in flight, each call answered by what was confirmed."""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractExchange
from build_protocol import topology

from build_chassis.bus.contract import BusUnavailable, Outgoing, PublishFailed
from build_chassis.bus.rabbit.link import LOST, Link, discard, driven, open_channel
from build_chassis.failpoints import fail_at

log = logging.getLogger(__name__)

PUBLISH_SECONDS = 30.0
"""A call not confirmed by then failed. Not below two heartbeats: a dead broker is noticed by those."""

STALL_SECONDS = 2.0


class Publisher:
    """One confirming channel on a link, replaced whenever it fails in any way.

    After a refused, returned, late or lost message nobody knows what the channel would have confirmed. Messages name
    `user`, whom the broker checks against the connection's. `clock` gives seconds, monotonic.
    """

    def __init__(self, link: Link, user: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._link = link
        self._user = user
        self._clock = clock
        self._waiting: deque[_Call] = deque()
        self._in_flight: dict[_Call, None] = {}
        self._channel: AbstractChannel | None = None
        self._exchanges: dict[str, AbstractExchange] = {}
        self._sending: asyncio.Task[None] | None = None
        self._discarding: set[asyncio.Task[None]] = set()

    async def publish(self, messages: Sequence[Outgoing], exchange: str = topology.EXCHANGE) -> None:
        """Return once the broker confirmed every message. Raises PublishFailed or BusUnavailable.

        Cancelling the caller does not recall what is on its way.
        """
        if not messages:
            return
        call = _Call(exchange, messages, self._user, self._clock())
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
        except Exception as error:
            # Unexpected, and those who wait must get an answer.
            log.exception("fail to send what waits")
            self._fail_waiting(BusUnavailable(f"broker: {error or type(error).__name__}"))
        finally:
            self._sending = None

    async def _open_channel(self) -> AbstractChannel:
        if self._channel is None or self._channel.is_closed:
            connection = await self._link.connection()
            try:
                async with asyncio.timeout(PUBLISH_SECONDS):
                    with driven():
                        channel = await open_channel(connection, confirms=True)
                        self._exchanges = {
                            name: await channel.get_exchange(name, ensure=False)
                            for name in (topology.EXCHANGE, topology.DEAD_EXCHANGE)
                        }
                        self._channel = channel
            except LOST as error:
                await discard(connection)
                raise BusUnavailable(f"broker: {error or type(error).__name__}") from error
        return self._channel

    def _send(self, channel: AbstractChannel, call: "_Call") -> None:
        self._in_flight[call] = None
        call.send(self._exchanges[call.exchange], lambda failure: self._finish(channel, call, failure))

    def _finish(self, channel: AbstractChannel, call: "_Call", failure: PublishFailed | None) -> None:
        del self._in_flight[call]
        if failure is not None:
            self._discard(channel)

    def _discard(self, channel: AbstractChannel) -> None:
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

    def __init__(self, exchange: str, messages: Sequence[Outgoing], user: str, begun_at: float) -> None:
        self.exchange = exchange
        self._user = user
        self.begun_at = begun_at
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._messages = messages
        self._confirms: list[asyncio.Task[object]] = []
        self._open = len(messages)
        self._is_late = False

    def send(self, exchange: AbstractExchange, finished: Callable[[PublishFailed | None], None]) -> None:
        """Put every message on the channel; `finished` is called when the fate of each is known, or time is up."""
        # One timer a call: the driver's `timeout` would be one a message.
        deadline = asyncio.get_running_loop().call_later(PUBLISH_SECONDS, self._expire)

        def confirmed(_: asyncio.Task[object]) -> None:
            fail_at("bus.taken")
            self._open -= 1
            if self._open == 0:
                deadline.cancel()
                failure = self._failure()
                finished(failure)
                self._tell(failure)

        for message in self._messages:
            # The tasks begin, and take the channel's lock, in the order they are made.
            confirm: asyncio.Task[object] = asyncio.create_task(
                exchange.publish(_persistent(message, self._user), message.routing_key, mandatory=True)
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
        return None

    def _tell(self, error: Exception | None) -> None:
        if self.answer.done():
            return  # the caller was cancelled
        if error is None:
            self.answer.set_result(None)
        else:
            self.answer.set_exception(error)


def _persistent(message: Outgoing, user: str) -> Message:
    # The driver distinguishes returned messages by their id, so one published again must not bring its old one.
    return Message(
        message.body,
        headers=dict(message.headers),
        delivery_mode=DeliveryMode.PERSISTENT,
        message_id=secrets.token_hex(16),
        user_id=user,
    )
