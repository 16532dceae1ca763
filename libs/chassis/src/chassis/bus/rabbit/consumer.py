"""Consuming one queue on a channel of its own; messages wait here in the order the broker sent them."""

import asyncio
from collections import deque
from collections.abc import Sequence

from aiormq import Channel, Connection
from aiormq.abc import DeliveredMessage
from build_protocol import topology

from chassis.bus.contract import BusUnavailable, Delivery, Outgoing
from chassis.bus.rabbit.link import LOST, discard, open_channel
from chassis.bus.rabbit.publisher import Publisher

ATTEMPTS_HEADER = "x-delivery-count"
START_SECONDS = 10.0


class RabbitConsumer:
    """A Consumer on RabbitMQ; tags are the channel's delivery tags, so they die with it."""

    def __init__(self, connection: Connection, queue: str, prefetch: int, publisher: Publisher) -> None:
        self._connection = connection
        self._queue = queue
        self._prefetch = prefetch
        self._publisher = publisher
        self._channel: Channel | None = None
        self._consumer_tag: str | None = None
        self._buffer: deque[Delivery] = deque()
        self._unsettled: dict[int, None] = {}
        self._changed = asyncio.Event()
        self._lost_by: str | None = None

    async def start(self) -> None:
        """Begin to receive; raises BusUnavailable."""
        try:
            async with asyncio.timeout(START_SECONDS):
                self._channel = await open_channel(self._connection)
                self._channel.closing.add_done_callback(lambda _: self._lose("the channel was closed"))
                self._channel.on_consumer_cancel_callbacks.add(lambda _: self._lose("the broker ended the consumer"))
                await self._channel.basic_qos(prefetch_count=self._prefetch)
                await self._consume(self._channel)
        except LOST as error:
            raise BusUnavailable(f"queue {self._queue}: {error or type(error).__name__}") from error

    async def stop(self) -> None:
        """Leave; the broker delivers again what is not settled."""
        if self._channel is not None:
            await discard(self._channel)

    async def fetch(self, limit: int) -> Sequence[Delivery]:
        """Wait for at least one delivery, then hand over what is there, at most `limit`. Raises BusUnavailable."""
        channel = self._open_channel()
        try:
            if self._consumer_tag is None:
                await self._consume(channel)
        except LOST as error:
            raise BusUnavailable(f"queue {self._queue}: {error}") from error
        while not self._buffer:
            self._changed.clear()
            await self._changed.wait()
            self._open_channel()
        deliveries = [self._buffer.popleft() for _ in range(min(limit, len(self._buffer)))]
        self._unsettled.update(dict.fromkeys(delivery.tag for delivery in deliveries))
        return deliveries

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Done: never delivered again. Raises BusUnavailable when the deliveries went back already."""
        channel = self._open_channel()
        tags = sorted(delivery.tag for delivery in deliveries if delivery.tag in self._unsettled)
        if not tags:
            return
        # `multiple` settles everything up to the tag, so it must not reach over what others still work on.
        is_prefix = sum(tag <= tags[-1] for tag in self._unsettled) == len(tags)
        try:
            for tag in tags[-1:] if is_prefix else tags:
                await channel.basic_ack(tag, multiple=is_prefix)
        except LOST as error:
            raise BusUnavailable(f"queue {self._queue}: {error}") from error
        self._release(tags)

    async def reject(self, deliveries: Sequence[Delivery]) -> None:
        """Back to the queue in order, and everything behind them too; counts toward the delivery limit."""
        channel = self._open_channel()
        tags = sorted(delivery.tag for delivery in deliveries if delivery.tag in self._unsettled)
        try:
            if self._consumer_tag is not None:
                # While we still consumed, the broker would send the first again behind what waits here.
                tag, self._consumer_tag = self._consumer_tag, None
                await channel.basic_cancel(tag)
            waiting = [delivery.tag for delivery in self._buffer]
            self._buffer.clear()
            for tag_back in (*tags, *waiting):
                # reject, not nack: from RabbitMQ 4.3 on only reject counts.
                await channel.basic_reject(tag_back, requeue=True, wait=False)
        except LOST as error:
            raise BusUnavailable(f"queue {self._queue}: {error}") from error
        self._release(tags)

    async def park(self, delivery: Delivery, reason: str) -> None:
        """Copy to the queue `parking` with the reason, confirmed, then ack."""
        headers = {**delivery.headers, "parked-from": self._queue, "parked-reason": reason}
        await self._publisher.publish(
            [Outgoing(delivery.routing_key, delivery.body, headers)], exchange=topology.DEAD_EXCHANGE
        )
        await self.ack([delivery])

    async def _consume(self, channel: Channel) -> None:
        started = await channel.basic_consume(self._queue, self._receive)
        self._consumer_tag = started.consumer_tag

    async def _receive(self, message: DeliveredMessage) -> None:
        # The driver runs this in a task per message, begun in the broker's order: it must not wait for anything.
        headers = message.header.properties.headers or {}
        attempts = headers.get(ATTEMPTS_HEADER, 0)
        self._buffer.append(
            Delivery(
                tag=message.delivery_tag or 0,
                routing_key=message.routing_key or "",
                body=message.body,
                headers={name: value for name, value in headers.items() if isinstance(value, str)},
                attempt=1 + (attempts if isinstance(attempts, int) else 0),
            )
        )
        self._changed.set()

    def _release(self, tags: Sequence[int]) -> None:
        for tag in tags:
            self._unsettled.pop(tag, None)

    def _lose(self, reason: str) -> None:
        self._lost_by = self._lost_by or reason
        self._changed.set()

    def _open_channel(self) -> Channel:
        if self._channel is None or self._lost_by is not None:
            raise BusUnavailable(f"queue {self._queue}: {self._lost_by or 'not started'}")
        return self._channel
