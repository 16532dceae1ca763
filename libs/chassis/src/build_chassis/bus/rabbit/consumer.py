"""Consuming one queue on a channel of its own; messages wait here in the order the broker sent them."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from build_protocol import topology
from typing_extensions import override

from build_chassis.bus.contract import BusUnavailable, Consumer, Delivery, Outgoing, PublishFailed
from build_chassis.bus.rabbit.link import LOST, discard, driven, open_channel
from build_chassis.bus.rabbit.parking import parked_headers, text_headers
from build_chassis.bus.rabbit.publisher import Publisher
from build_chassis.bus.rabbit.rights import fault_of
from build_chassis.failpoints import fail_at

log = logging.getLogger(__name__)

ATTEMPTS_HEADER = "x-delivery-count"
START_SECONDS = 10.0


class RabbitConsumer(Consumer):
    """A Consumer on RabbitMQ; tags are the channel's delivery tags, so they die with it.

    What another service than its publisher sent (`rights.fault_of`, for reader `user`) is parked and never handed over.
    """

    def __init__(
        self, connection: AbstractConnection, queue: str, prefetch: int, *, publisher: Publisher, user: str
    ) -> None:
        self._connection = connection
        self._queue = queue
        self._prefetch = prefetch
        self._publisher = publisher
        self._user = user
        self._channel: AbstractChannel | None = None
        self._consumed: AbstractQueue | None = None
        self._consumer_tag: str | None = None
        self._buffer: deque[AbstractIncomingMessage] = deque()
        self._unsettled: dict[int, AbstractIncomingMessage] = {}
        self._changed = asyncio.Event()
        self._lost_by: str | None = None

    async def start(self) -> None:
        """Begin to receive; raises BusUnavailable."""
        try:
            async with asyncio.timeout(START_SECONDS):
                with driven():
                    self._channel = await open_channel(self._connection)
                    self._channel.close_callbacks.add(lambda *_: self._lose("the channel was closed"))
                    # Only the layer below shows that the broker ended a consumer, as it does when its queue is deleted.
                    below = await self._channel.get_underlay_channel()
                    below.on_consumer_cancel_callbacks.add(lambda _: self._lose("the broker ended the consumer"))
                    await self._channel.set_qos(prefetch_count=self._prefetch)
                    self._consumed = await self._channel.get_queue(self._queue, ensure=False)
                    self._consumer_tag = await self._consumed.consume(self._receive)
        except LOST as error:
            raise BusUnavailable(f"queue {self._queue}: {error or type(error).__name__}") from error

    async def stop(self) -> None:
        """Leave; the broker delivers again what is not settled."""
        if self._channel is not None:
            await discard(self._channel)

    @override
    async def fetch(self, limit: int) -> Sequence[Delivery]:
        queue = self._open_queue()
        try:
            if self._consumer_tag is None:
                with driven():
                    self._consumer_tag = await queue.consume(self._receive)
        except LOST as error:
            raise BusUnavailable(f"queue {self._queue}: {error}") from error
        while True:
            while not self._buffer:
                self._changed.clear()
                await self._changed.wait()
                self._open_queue()
            believed = await self._believed([self._buffer.popleft() for _ in range(min(limit, len(self._buffer)))])
            if believed:
                return believed

    async def _believed(self, messages: Sequence[AbstractIncomingMessage]) -> list[Delivery]:
        deliveries = [_delivery(message) for message in messages]
        self._unsettled.update((delivery.tag, message) for delivery, message in zip(deliveries, messages, strict=True))
        believed = []
        for delivery, message in zip(deliveries, messages, strict=True):
            fault = fault_of(self._user, message.routing_key or "", message.user_id)
            if fault is None:
                believed.append(delivery)
            else:
                log.warning("park a message of %s: %s", delivery.routing_key, fault)
                try:
                    await self.park(delivery, fault)
                except PublishFailed as error:
                    raise BusUnavailable(f"queue {self._queue}: {error}") from error
        return believed

    @override
    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        self._open_queue()
        messages = self._unsettled_of(deliveries)
        if not messages:
            return
        # `multiple` settles everything up to the tag, so it must not reach over what others still work on.
        last = messages[-1].delivery_tag or 0
        is_prefix = sum(tag <= last for tag in self._unsettled) == len(messages)
        try:
            with driven():
                for message in messages[-1:] if is_prefix else messages:
                    await message.ack(multiple=is_prefix)
        except LOST as error:
            raise BusUnavailable(f"queue {self._queue}: {error}") from error
        self._release(messages)

    @override
    async def reject(self, deliveries: Sequence[Delivery]) -> None:
        queue = self._open_queue()
        messages = self._unsettled_of(deliveries)
        try:
            with driven():
                if self._consumer_tag is not None:
                    # While we still consumed, the broker would send the first again behind what waits here.
                    tag, self._consumer_tag = self._consumer_tag, None
                    await queue.cancel(tag)
                # reject, not nack: from RabbitMQ 4.3 on only reject counts.
                for message in messages:
                    await message.reject(requeue=True)
                while self._buffer:
                    await self._buffer.popleft().reject(requeue=True)
        except LOST as error:
            raise BusUnavailable(f"queue {self._queue}: {error}") from error
        self._release(messages)

    @override
    async def park(self, delivery: Delivery, reason: str) -> None:
        self._open_queue()  # parked on a lost channel it could not be acked, and would be parked once more
        headers = {**delivery.headers, **parked_headers(self._queue, reason, delivery.attempt - 1)}
        await self._publisher.publish(
            [Outgoing(delivery.routing_key, delivery.body, headers)], exchange=topology.DEAD_EXCHANGE
        )
        fail_at("bus.parked")
        await self.ack([delivery])

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        # The driver runs this in a task per message, begun in the broker's order: it must not wait for anything.
        self._buffer.append(message)
        self._changed.set()

    def _unsettled_of(self, deliveries: Sequence[Delivery]) -> list[AbstractIncomingMessage]:
        tags = sorted(delivery.tag for delivery in deliveries)
        return [self._unsettled[tag] for tag in tags if tag in self._unsettled]

    def _release(self, messages: Sequence[AbstractIncomingMessage]) -> None:
        for message in messages:
            self._unsettled.pop(message.delivery_tag or 0, None)

    def _lose(self, reason: str) -> None:
        self._lost_by = self._lost_by or reason
        self._changed.set()

    def _open_queue(self) -> AbstractQueue:
        if self._consumed is None or self._lost_by is not None:
            raise BusUnavailable(f"queue {self._queue}: {self._lost_by or 'not started'}")
        return self._consumed


def _delivery(message: AbstractIncomingMessage) -> Delivery:
    attempts = message.headers.get(ATTEMPTS_HEADER, 0)
    return Delivery(
        tag=message.delivery_tag or 0,
        routing_key=topology.original_key(message.routing_key or ""),
        body=message.body,
        headers=text_headers(message),
        attempt=1 + (attempts if isinstance(attempts, int) else 0),
    )
