"""The operator's files: they say what the code declares, and suffice for services without rights."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from build_chassis.bus import Outgoing
from build_chassis.bus.rabbit import RabbitBus
from build_chassis.bus.rabbit.definitions import definitions
from build_protocol import topology
from build_testkit.rabbitmq import Broker, wipe

FILE = Path(__file__).parents[3] / "deploy" / "rabbitmq" / "definitions.json"


def test_the_definitions_file_is_current() -> None:
    """Made anew it is the same: `python -m build_chassis.bus.rabbit.definitions > deploy/rabbitmq/definitions.json`."""
    assert json.loads(FILE.read_text()) == definitions()


@pytest.fixture
def ingest_url(rabbitmq: Broker) -> Iterator[str]:
    """A user with the rights the README gives ingest, on a broker that has only the definitions."""
    asyncio.run(wipe(rabbitmq.url))
    rabbitmq.control("import_definitions", str(FILE))
    rabbitmq.control("add_user", "ingest", "secret")
    rabbitmq.control("set_permissions", "ingest", "^$", r"^builds(\.live|\.dead)?$", r"^ingest\.(\d+|returned)$")
    yield rabbitmq.url.replace("guest:guest", "ingest:secret")
    rabbitmq.control("delete_user", "ingest")
    rabbitmq.control("clear_policy", "work")
    rabbitmq.control("clear_policy", "parking")


@pytest.mark.rabbitmq
async def test_a_service_needs_no_right_to_declare(ingest_url: str) -> None:
    """With the definitions imported ingest opens, is ready, consumes, publishes its verdicts, parks and announces."""
    bus = RabbitBus(ingest_url)
    await bus.open()
    assert await bus.missing() == []
    await bus.publish([Outgoing("2.BUILD_LOG.p", b"poison"), Outgoing("2.BUILD_VERDICT.p", b"verdict")])
    async with bus.consume(topology.ingest_queue(2)) as consumer:
        (poison,) = await asyncio.wait_for(consumer.fetch(1), 10)
        await consumer.park(poison, "a test")
    await bus.announce(topology.LIVE_EXCHANGE, "build.p.1", b"{}")
    await bus.close()
