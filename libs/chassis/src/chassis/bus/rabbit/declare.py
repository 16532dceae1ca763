"""The topology on a broker: exchanges, queues and bindings, declared so that declaring again changes nothing.

Arguments carry what the promises need; what an operator tunes comes by policy (`deploy/rabbitmq`), and of a number
given twice the broker takes the lower.
"""

import logging
from typing import Any

from aiormq import Connection
from aiormq.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed
from build_protocol import topology as names

from chassis.bus.rabbit.link import discard, open_channel

log = logging.getLogger(__name__)

PARKING_BYTES = 512 * 1024**2
"""Parked messages are evidence, not work: the oldest make room, so that parking never blocks a queue."""


async def topology(connection: Connection) -> None:
    """Declare everything of `build_protocol.topology`."""
    channel = await open_channel(connection)
    await channel.exchange_declare(names.EXCHANGE, exchange_type="topic", durable=True)
    await channel.exchange_declare(names.LIVE_EXCHANGE, exchange_type="topic", durable=True)
    await channel.exchange_declare(names.CONTROL_EXCHANGE, exchange_type="fanout", durable=True)
    await channel.exchange_declare(names.DEAD_EXCHANGE, exchange_type="fanout", durable=True)
    await discard(channel)
    await _declare_queue(connection, names.PARKING_QUEUE, _parking_arguments())
    await _bind(connection, names.PARKING_QUEUE, names.DEAD_EXCHANGE, ("#",))
    for queue in names.QUEUES:
        await _declare_queue(connection, queue.name, _arguments(queue))
        await _bind(connection, queue.name, names.EXCHANGE, queue.bindings)


async def missing_queues(connection: Connection) -> list[str]:
    """Names of the topology's queues that do not exist."""
    missing = []
    for name in (names.PARKING_QUEUE, *(queue.name for queue in names.QUEUES)):
        channel = await open_channel(connection)
        try:
            await channel.queue_declare(name, passive=True)
        except ChannelNotFoundEntity:
            missing.append(name)
        finally:
            await discard(channel)
    return missing


def _arguments(queue: names.Queue) -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",
        "x-single-active-consumer": queue.single_active,
        "x-delivery-limit": names.DELIVERY_LIMIT,
        # The default would delete the oldest records; this refuses new ones, and the agents keep them.
        "x-overflow": "reject-publish",
        "x-max-length-bytes": names.MAX_QUEUE_BYTES,
        "x-dead-letter-exchange": names.DEAD_EXCHANGE,
        # The default may lose a message on its way to the dead letters.
        "x-dead-letter-strategy": "at-least-once",
    }


def _parking_arguments() -> dict[str, Any]:
    return {"x-queue-type": "quorum", "x-max-length-bytes": PARKING_BYTES}


async def _declare_queue(connection: Connection, name: str, arguments: dict[str, Any]) -> None:
    channel = await open_channel(connection)
    try:
        await channel.queue_declare(name, durable=True, arguments=arguments)
    except ChannelPreconditionFailed as error:
        # It was made by another release; its messages matter more than our arguments.
        log.warning("kept queue %s as it is: %s", name, error)
    finally:
        await discard(channel)


async def _bind(connection: Connection, queue: str, exchange: str, keys: tuple[str, ...]) -> None:
    channel = await open_channel(connection)
    for key in keys:
        await channel.queue_bind(queue, exchange, routing_key=key)
    await discard(channel)
