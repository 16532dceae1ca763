"""The operator's files: what the code declares, and each service's user with the least rights that suffice."""

import asyncio
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import aio_pika
import pytest
from aio_pika.exceptions import ChannelPreconditionFailed
from aiormq.exceptions import AMQPError, ChannelAccessRefused
from build_chassis.bus import Outgoing
from build_chassis.bus.contract import BusUnavailable, PublishFailed
from build_chassis.bus.rabbit import RabbitBus
from build_chassis.bus.rabbit.definitions import definitions, passwords_of, template
from build_chassis.bus.rabbit.rights import RIGHTS, fault_of, user_of
from build_protocol import topology
from build_testkit.rabbitmq import Broker, wipe

ROOT = Path(__file__).parents[3]
FILE = ROOT / "deploy" / "rabbitmq" / "definitions.json"
TYPES = [*topology.INGEST_TYPES, "BUILD_VERDICT", "BUILD_FAILING", "INCIDENT_CHANGED"]


def test_the_definitions_file_is_current() -> None:
    """Made anew it is the same: `python -m build_chassis.bus.rabbit.definitions > deploy/rabbitmq/definitions.json`.

    With `--template` the one with users, for docker-compose.
    """
    assert json.loads(FILE.read_text()) == definitions()
    assert json.loads(FILE.with_name("definitions.template.json").read_text()) == template()


def test_passwords_are_given_for_all_services_or_none() -> None:
    """One that is missing is named: its service would not connect."""
    environment = {f"RABBITMQ_{name.upper()}_PASSWORD": "x" for name in RIGHTS}
    assert passwords_of(environment) == dict.fromkeys(RIGHTS, "x")
    assert passwords_of({}) == {}
    del environment["RABBITMQ_HISTORY_PASSWORD"]
    with pytest.raises(ValueError, match="RABBITMQ_HISTORY_PASSWORD"):
        passwords_of(environment)


def test_a_message_is_its_publishers_word() -> None:
    """With a user for each service nothing is believed of another; with one for all the broker cannot tell."""
    for kind in TYPES:
        (publisher,) = [service for service, kinds in topology.PUBLISHED.items() if kind in kinds]
        for user in (*RIGHTS, "guest", None):
            fault = fault_of("ingest", f"2.{kind}.some.project", user)
            assert (fault is None) == (user == publisher), (kind, user)
            assert fault_of("dashboard", f"2.{kind}.p", user) is None
    assert [user_of(url) for url in ("amqp://a%40b:c@host/", "amqp://host/")] == ["a@b", "guest"]


@pytest.fixture(scope="module")
def urls(rabbitmq: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A URL for each service's user, on a broker that has the definitions and nothing else."""
    asyncio.run(wipe(rabbitmq.url))
    passwords = {name: secrets.token_hex(16) for name in RIGHTS}
    file = tmp_path_factory.mktemp("definitions") / "definitions.json"
    file.write_text(json.dumps(definitions(passwords)))
    rabbitmq.control("import_definitions", str(file))
    yield {name: rabbitmq.url.replace("guest:guest", f"{name}:{password}") for name, password in passwords.items()}
    for name in RIGHTS:
        rabbitmq.control("delete_user", name)
    for policy in ("work", "parking"):
        rabbitmq.control("clear_policy", policy)


async def _leave(_: object) -> None:
    """Settle nothing: the broker has it back with the channel."""


@pytest.mark.rabbitmq
async def test_each_service_publishes_its_own_types_and_no_others(urls: dict[str, str]) -> None:
    """Every service times every type: its own are confirmed, all others refused by the broker."""
    for service, url in urls.items():
        bus = RabbitBus(url)
        await bus.open()
        assert await bus.missing() == []
        for kind in TYPES:
            message = Outgoing(f"2.{kind}.some.project", b"{}")
            if kind in topology.PUBLISHED[service]:
                await bus.publish([message])
            else:
                with pytest.raises((PublishFailed, BusUnavailable)):
                    await bus.publish([message])
        await bus.close()


@pytest.mark.rabbitmq
async def test_a_service_replays_to_its_own_queues_and_the_gateway_to_all(urls: dict[str, str]) -> None:
    """To no other's: a replayed message is believed again."""
    for service, url in urls.items():
        bus = RabbitBus(url)
        await bus.open()
        for queue in topology.QUEUES[-3:]:
            message = Outgoing(topology.replay_key(queue.name, "2.BUILD_VERDICT.p"), b"{}")
            if service in {"gateway", queue.name.split(".")[0]}:
                await bus.publish([message])
            else:
                with pytest.raises((PublishFailed, BusUnavailable)):
                    await bus.publish([message])
        await bus.close()
    assert fault_of("history", "replay.history.builds.2.BUILD_VERDICT.p", "ingest") == "replayed by ingest"


@pytest.mark.rabbitmq
async def test_each_service_reads_its_own_queues_and_no_others(urls: dict[str, str]) -> None:
    """Every service times every queue; what is set aside is read by its service and, for admins, by the gateway."""
    aside = {topology.PARKING_QUEUE, *map(topology.returned_queue, topology.SERVICES)}
    for service, url in urls.items():
        connection = await aio_pika.connect(url)
        own = {topology.returned_queue(service), *(queue.name for queue in topology.queues_of(service))}
        own |= aside if service == "gateway" else set()
        for name in (*aside, *(queue.name for queue in topology.QUEUES)):
            channel = await connection.channel()
            queue = await channel.get_queue(name, ensure=False)
            if name in own:
                await queue.cancel(await queue.consume(_leave))
            else:
                with pytest.raises(ChannelAccessRefused):
                    await queue.consume(_leave)
        await connection.close()


@pytest.mark.rabbitmq
async def test_nobody_publishes_in_anothers_name(urls: dict[str, str]) -> None:
    """The broker refuses a message that names another user than its connection's; so does it live ones and controls."""
    for service in ("ingest", "notifier"):
        connection = await aio_pika.connect(urls[service])
        channel = await connection.channel(publisher_confirms=True)
        exchange = await channel.get_exchange(topology.EXCHANGE, ensure=False)
        forged = aio_pika.Message(b"{}", headers={"agent": "ci-1"}, user_id="gateway")
        with pytest.raises((ChannelPreconditionFailed, ChannelAccessRefused, AMQPError)):
            await exchange.publish(forged, "2.BUILD_VERDICT.p")
        await connection.close()
    for service, exchange_name, key in (
        ("notifier", topology.LIVE_EXCHANGE, "build.p.1"),
        ("history", topology.CONTROL_EXCHANGE, "revoked"),
        ("ingest", topology.CONTROL_EXCHANGE, "revoked"),
        ("gateway", topology.LIVE_EXCHANGE, "build.p.1"),
    ):
        connection = await aio_pika.connect(urls[service])
        channel = await connection.channel(publisher_confirms=True)
        exchange = await channel.get_exchange(exchange_name, ensure=False)
        with pytest.raises(AMQPError):
            await exchange.publish(aio_pika.Message(b"{}"), key)
        await connection.close()


@pytest.mark.rabbitmq
async def test_a_record_that_is_not_the_gateways_is_parked(urls: dict[str, str], rabbitmq: Broker) -> None:
    """Also of an account with every right: the neighbours arrive, the forged one is evidence with its reason."""
    forger, gateway, ingest = RabbitBus(rabbitmq.url), RabbitBus(urls["gateway"]), RabbitBus(urls["ingest"])
    for bus in (forger, gateway, ingest):
        await bus.open()
    await gateway.publish([Outgoing("3.BUILD_LOG.p", b"first", {"agent": "ci-1"})])
    await forger.publish([Outgoing("3.BUILD_LOG.p", b"forged", {"agent": "ci-1"})])
    await gateway.publish([Outgoing("3.BUILD_LOG.p", b"second", {"agent": "ci-1"})])
    got: list[bytes] = []
    async with ingest.consume(topology.ingest_queue(3)) as consumer, asyncio.timeout(10):
        while len(got) < 2:
            deliveries = await consumer.fetch(10)
            got += [delivery.body for delivery in deliveries]
            await consumer.ack(deliveries)
    async with forger.consume(topology.PARKING_QUEUE) as parked, asyncio.timeout(10):
        (evidence,) = await parked.fetch(1)
        await parked.ack([evidence])
    for bus in (forger, gateway, ingest):
        await bus.close()

    assert got == [b"first", b"second"]
    assert evidence.body == b"forged"
    assert evidence.headers["parked-reason"] == "published by user guest, not by gateway"


@pytest.mark.rabbitmq
async def test_the_gateway_listens_and_announces_with_its_rights(urls: dict[str, str]) -> None:
    """Ingest announces what is stored, the gateway receives it and announces controls to every gateway."""
    gateway, ingest = RabbitBus(urls["gateway"]), RabbitBus(urls["ingest"])
    await gateway.open()
    await ingest.open()
    async with (
        gateway.listen(topology.LIVE_EXCHANGE, "build.#") as live,
        gateway.listen(topology.CONTROL_EXCHANGE, "#") as control,
        asyncio.timeout(10),
    ):
        await ingest.announce(topology.LIVE_EXCHANGE, "build.p.1", b"{}")
        await gateway.announce(topology.CONTROL_EXCHANGE, "revoked", b"{}")
        keys = [(await anext(aiter(listener))).routing_key for listener in (live, control)]
    await gateway.close()
    await ingest.close()

    assert keys == ["build.p.1", "revoked"]
