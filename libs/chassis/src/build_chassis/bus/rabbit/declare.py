"""The topology on a broker: exchanges, queues and bindings, declared so that declaring again changes nothing.

Arguments carry what the promises need; what an operator tunes comes by policy (`deploy/rabbitmq`), and of a number
given twice the broker takes the lower.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed
from aiormq.exceptions import ChannelAccessRefused  # aio-pika raises it, but has no name of its own for it
from build_protocol import topology as names

from build_chassis.bus.rabbit.link import discard, open_channel

log = logging.getLogger(__name__)

PARKING_BYTES = 512 * 1024**2
"""Parked messages are evidence, not work: the oldest make room, so that parking never blocks a queue."""

LOOKS = 1_000_000
"""Who looks at what is set aside takes it and gives it back: from RabbitMQ 4.0 on that drops it after 20 looks."""


async def topology(connection: AbstractConnection) -> None:
    """Declare everything of `build_protocol.topology`, or leave it where only the operator may."""
    for name, kind in (
        (names.EXCHANGE, "topic"),
        (names.LIVE_EXCHANGE, "topic"),
        (names.CONTROL_EXCHANGE, "fanout"),
        (names.DEAD_EXCHANGE, "fanout"),
        (names.RETURNED_EXCHANGE, "direct"),
    ):
        async with _attempt(connection, f"exchange {name}") as channel:
            await channel.declare_exchange(name, kind, durable=True)
    await _declare_queue(connection, names.PARKING_QUEUE, parking_arguments(), names.DEAD_EXCHANGE, ("#",))
    for service in names.SERVICES:
        keys = tuple(queue.name for queue in names.queues_of(service))
        await _declare_queue(
            connection, names.returned_queue(service), returned_arguments(), names.RETURNED_EXCHANGE, keys
        )
    for queue in names.QUEUES:
        await _declare_queue(connection, queue.name, queue_arguments(queue), names.EXCHANGE, queue.bindings)


async def missing_queues(connection: AbstractConnection) -> list[str]:
    """Names of the topology's queues that do not exist."""
    missing = []
    for name in (*set_aside(), *(queue.name for queue in names.QUEUES)):
        channel = await open_channel(connection)
        try:
            await channel.get_queue(name)
        except ChannelNotFoundEntity:
            missing.append(name)
        finally:
            await discard(channel)
    return missing


async def depths(connection: AbstractConnection) -> dict[str, int]:
    """How many messages are ready in each work queue that exists."""
    found = {}
    for queue in names.QUEUES:
        channel = await open_channel(connection)
        try:
            declared = await channel.declare_queue(queue.name, passive=True)
            found[queue.name] = declared.declaration_result.message_count or 0
        except ChannelNotFoundEntity:
            continue  # readiness names it
        finally:
            await discard(channel)
    return found


def set_aside() -> tuple[str, ...]:
    """The queues of messages that are set aside: for good, and until they replay themselves."""
    return (names.PARKING_QUEUE, *map(names.returned_queue, names.SERVICES))


def queue_arguments(queue: names.Queue) -> dict[str, Any]:
    """Arguments of a queue that services consume."""
    return {
        "x-queue-type": "quorum",
        "x-single-active-consumer": queue.single_active,
        "x-delivery-limit": names.DELIVERY_LIMIT,
        # The default would delete the oldest records; this refuses new ones, and the agents keep them.
        "x-overflow": "reject-publish",
        "x-max-length-bytes": names.MAX_QUEUE_BYTES,
        "x-dead-letter-exchange": names.RETURNED_EXCHANGE,
        "x-dead-letter-routing-key": queue.name,
        # The default may lose a message on its way to the dead letters.
        "x-dead-letter-strategy": "at-least-once",
    }


def parking_arguments() -> dict[str, Any]:
    """Arguments of the queue of what waits for a person."""
    return {
        "x-queue-type": "quorum",
        "x-max-length-bytes": PARKING_BYTES,
        "x-delivery-limit": LOOKS,
    }


def returned_arguments() -> dict[str, Any]:
    """Arguments of a queue of what came back too often: work, so that nothing of it makes room for anything."""
    return {
        "x-queue-type": "quorum",
        "x-max-length-bytes": names.MAX_QUEUE_BYTES,
        "x-overflow": "reject-publish",
        "x-delivery-limit": LOOKS,
    }


async def _declare_queue(
    connection: AbstractConnection, name: str, arguments: dict[str, Any], exchange: str, keys: tuple[str, ...]
) -> None:
    async with _attempt(connection, f"queue {name}") as channel:
        await channel.declare_queue(name, durable=True, arguments=arguments)
    async with _attempt(connection, f"bindings of {name}") as channel:
        queue = await channel.get_queue(name, ensure=False)
        for key in keys:
            await queue.bind(exchange, key)


@asynccontextmanager
async def _attempt(connection: AbstractConnection, what: str) -> AsyncIterator[AbstractChannel]:
    """A channel to declare something on, which a refusal closes."""
    channel = await open_channel(connection)
    try:
        yield channel
    except ChannelPreconditionFailed as error:
        # Another release, or the operator, made it otherwise; its messages matter more than our arguments.
        log.warning("kept %s as found: %s", what, error)
    except ChannelAccessRefused:
        log.info("left %s to the operator, who lets us only use it", what)
    finally:
        await discard(channel)
