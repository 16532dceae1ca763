"""What is set aside on the broker: looked at without taking it, replayed to its own queue, parked or dropped."""

import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from build_protocol import topology

from build_chassis.bus.contract import (
    DELIVERY_LIMIT_EXCEEDED,
    MAX_REPLAYS,
    PARKED_LISTED,
    REPLAYED_IN_VAIN,
    BusUnavailable,
    Outgoing,
    Parked,
    replayed,
    replays_of,
)
from build_chassis.bus.rabbit.declare import set_aside
from build_chassis.bus.rabbit.link import LOST, Link, discard, driven, open_channel
from build_chassis.bus.rabbit.publisher import Publisher

_QUEUE, _REASON, _ATTEMPTS, _AT = "parked-from", "parked-reason", "parked-attempts", "parked-at"


def parked_headers(queue: str, reason: str, attempts: int) -> dict[str, str]:
    """What a message carries into the queue `parking`."""
    return {_QUEUE: queue, _REASON: reason, _ATTEMPTS: str(attempts), _AT: str(int(time.time() * 1000))}


def text_headers(message: AbstractIncomingMessage) -> dict[str, str]:
    """The headers that the publisher set; the broker's own are of other types, or begin with `x-`."""
    return {
        name: value for name, value in message.headers.items() if isinstance(value, str) and not name.startswith("x-")
    }


class Parking:
    """The queues of messages that are set aside. Whoever looks takes them for that long, and gives them back."""

    def __init__(self, link: Link, publisher: Publisher) -> None:
        self._link = link
        self._publisher = publisher

    async def list(self) -> list[Parked]:
        """Every message that is set aside; raises BusUnavailable."""
        found: list[Parked] = []
        async with self._channel() as channel:
            for queue in set_aside():
                found += [parked for parked, _ in await _take(channel, queue)]
        return sorted(found, key=lambda parked: parked.parked_at)

    async def count(self) -> int:
        """How many there are; raises BusUnavailable."""
        counted = 0
        for name in set_aside():
            async with self._channel() as channel:
                queue = await channel.declare_queue(name, passive=True)
                counted += queue.declaration_result.message_count or 0
        return counted

    async def replay(self, ids: Collection[str]) -> int:
        """Put these back to their queues; raises BusUnavailable or PublishFailed."""
        return await self._move(set_aside(), ids, self._replay)

    async def drop(self, ids: Collection[str]) -> int:
        """Delete these; raises BusUnavailable."""
        return await self._move(set_aside(), ids, _nothing)

    async def replay_returned(self, service: str) -> int:
        """Put back what came back too often, or park it for good; raises BusUnavailable or PublishFailed."""
        return await self._move((topology.returned_queue(service),), None, self._replay_or_park)

    async def _move(self, queues: Sequence[str], ids: Collection[str] | None, move: Any) -> int:
        moved = 0
        async with self._channel() as channel:
            for queue in queues:
                for parked, message in await _take(channel, queue):
                    if ids is None or parked.id in ids:
                        await move(parked)  # confirmed before it is settled here: a crash leaves two, never none
                        await message.ack()
                        moved += 1
        return moved

    async def _replay(self, parked: Parked) -> None:
        await self._publisher.publish([replayed(parked.message, parked.queue)])

    async def _replay_or_park(self, parked: Parked) -> None:
        if parked.replays < MAX_REPLAYS:
            await self._replay(parked)
            return
        message = parked.message
        headers = {**message.headers, **parked_headers(parked.queue, REPLAYED_IN_VAIN, parked.attempts)}
        final = Outgoing(message.routing_key, message.body, headers)
        await self._publisher.publish([final], exchange=topology.DEAD_EXCHANGE)

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[AbstractChannel]:
        """A channel that gives back what was taken on it and not settled."""
        connection = await self._link.connection()
        try:
            with driven():
                channel = await open_channel(connection)
                try:
                    yield channel
                finally:
                    await discard(channel)
        except LOST as error:
            raise BusUnavailable(f"broker: {error or type(error).__name__}") from error


async def _nothing(parked: Parked) -> None:
    """Dropping is acking."""


async def _take(channel: AbstractChannel, name: str) -> list[tuple[Parked, AbstractIncomingMessage]]:
    queue = await channel.get_queue(name, ensure=False)
    taken = []
    for _ in range(PARKED_LISTED):
        message = await queue.get(no_ack=False, fail=False)
        if message is None:
            break
        taken.append((_parked(message, name), message))
    return taken


def _parked(message: AbstractIncomingMessage, found_in: str) -> Parked:
    headers = text_headers(message)
    id_ = (message.message_id or "")[:12]
    if _QUEUE in headers:
        queue, reason = headers.pop(_QUEUE), headers.pop(_REASON, "")
        attempts, at = int(headers.pop(_ATTEMPTS, "0")), int(headers.pop(_AT, "0"))
        key = message.routing_key or ""
    else:
        death = _death(message.headers)
        queue, reason, attempts = str(death.get("queue", "")), DELIVERY_LIMIT_EXCEEDED, topology.DELIVERY_LIMIT + 1
        died = death.get("time")
        at = int(died.timestamp() * 1000) if isinstance(died, datetime) else 0
        key = str(next(iter(death.get("routing-keys") or ()), message.routing_key or ""))
    original = Outgoing(topology.original_key(key), message.body, headers)
    is_final = found_in == topology.PARKING_QUEUE
    return Parked(id_, queue, original, reason, attempts, at, replays_of(headers), is_final=is_final)


def _death(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where and when the broker set the message aside, the last time."""
    deaths = headers.get("x-death")
    last = deaths[0] if isinstance(deaths, list) and deaths else {}
    return last if isinstance(last, Mapping) else {}
