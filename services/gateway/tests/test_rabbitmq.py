"""Two gateways on one RabbitMQ: what is stored reaches the viewers of both, records arrive through both."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from build_chassis.bus import Bus, open_bus
from build_gateway.accounts.passwords import Passwords
from build_gateway.app import create_app
from build_gateway.settings import Settings
from build_protocol.ids import shard_of
from build_protocol.topology import ingest_queue
from build_testkit.gateway import (
    BUILD,
    KEY,
    PASSWORD,
    Gateway,
    IngestClient,
    hello,
    log_in,
    receive,
    record,
    say,
    serving,
)
from build_testkit.rabbitmq import Broker, wipe
from build_testkit.signing import SECRET

pytestmark = pytest.mark.rabbitmq


async def start(stack: AsyncExitStack, folder: Path, url: str) -> Gateway:
    bus: Bus = open_bus(url)
    await bus.open()
    stack.push_async_callback(bus.close)
    settings = Settings(
        store_url=f"sqlite:///{folder}/gateway.sqlite", jwt_secret_key=SECRET, admin_password=PASSWORD, api_key=KEY
    )
    ingest = IngestClient()
    app = create_app(
        settings,
        bus,
        peers={"ingest": ingest},
        passwords=Passwords(time_cost=1, memory_kib=64),
    )
    return Gateway(app, bus, ingest, await stack.enter_async_context(serving(app, settings)))


async def test_two_gateways_serve_as_one(rabbitmq: Broker, tmp_path: Path) -> None:
    """Both pages show the build, its agent may change the gateway in the middle, revocation reaches both."""
    await wipe(rabbitmq.url)
    async with AsyncExitStack() as stack:
        here = await start(stack, tmp_path, rabbitmq.url)
        there = await start(stack, tmp_path, rabbitmq.url)
        near = await stack.enter_async_context(here.viewer())
        far = await stack.enter_async_context(there.viewer())
        for gateway, socket in ((here, near), (there, far)):
            await log_in(gateway, socket, buildIds=[BUILD])

        async with here.agent() as agent:
            await hello(agent)
            await say(agent, type="RECORDS", records=[record(1, "BUILD_START"), record(2)])
            await receive(agent, "ACK", confirmed=2)
            await there.announce_stored(2)
            await receive(agent, "ACK", stored=2)
        async with there.agent() as agent:
            await hello(agent)
            await say(agent, type="RECORDS", records=[record(3)])
            await receive(agent, "ACK", confirmed=3)

        await here.announce_build(1)
        await here.announce_log(3, "a line")
        for socket in (near, far):
            assert (await receive(socket, "BUILD"))["build"]["id"] == BUILD
            assert (await receive(socket, "LOG"))["lines"] == ["a line"]

        async with here.bus.consume(ingest_queue(shard_of(BUILD))) as consumer:
            seqs: list[int] = []
            while len(seqs) < 3:
                deliveries = await consumer.fetch(10)
                seqs += [json.loads(delivery.body)["seq"] for delivery in deliveries]
                await consumer.ack(deliveries)
            assert seqs == [1, 2, 3]


async def test_a_broker_restart_pauses_agents_and_loses_nothing(rabbitmq: Broker, tmp_path: Path) -> None:
    """Records sent while the broker is down are confirmed once it is back, without a reconnect of the agent."""
    await wipe(rabbitmq.url)
    async with AsyncExitStack() as stack:
        gateway = await start(stack, tmp_path, rabbitmq.url)
        async with gateway.agent() as agent:
            await hello(agent)
            await say(agent, type="RECORDS", records=[record(1, "BUILD_START")])
            await receive(agent, "ACK", confirmed=1)
            rabbitmq.stop()
            await say(agent, type="RECORDS", records=[record(2)])
            await receive(agent, "ACK", windowBytes=0)
            await (await agent.ping())
            rabbitmq.start()
            while (await receive(agent, "ACK", seconds=60))["confirmed"] < 2:
                pass
