"""Parked messages, as an admin sees them: by REST and by the command line."""

import asyncio

from build_chassis.bus import Outgoing
from build_dashboard.cli.commands import app
from build_testkit.gateway import BUILD, PASSWORD, Gateway
from typer.testing import CliRunner

from .conftest import StartGateway

QUEUE, KEY = "history.builds", "3.BUILD_VERDICT.torch-mlir"


async def park(gateway: Gateway, *bodies: str) -> None:
    await gateway.bus.publish([Outgoing(KEY, body.encode(), {"build_id": BUILD}) for body in bodies])
    async with gateway.bus.consume(QUEUE) as consumer:
        for delivery in await consumer.fetch(len(bodies)):
            await consumer.park(delivery, "PoisonMessage: cannot be read")


async def waiting(gateway: Gateway) -> list[str]:
    async with gateway.bus.consume(QUEUE) as consumer, asyncio.timeout(5):
        deliveries = await consumer.fetch(10)
        await consumer.ack(deliveries)
        return [delivery.body.decode() for delivery in deliveries]


async def test_an_admin_looks_replays_and_drops(gateway: Gateway) -> None:
    """Each message is named, shown whole, put back to its queue, or deleted; an unknown one is 404."""
    await park(gateway, "one", "two", "three")

    items = (await gateway.as_admin("GET", "/api/parking")).json()["items"]
    assert [(item["queue"], item["type"], item["project"], item["buildId"]) for item in items] == [
        (QUEUE, "BUILD_VERDICT", "torch-mlir", BUILD)
    ] * 3
    assert (items[0]["reason"], items[0]["isFinal"]) == ("PoisonMessage: cannot be read", True)
    one, two, _ = (item["id"] for item in items)
    assert (await gateway.as_admin("GET", f"/api/parking/{two}")).json()["body"] == "two"

    assert (await gateway.as_admin("POST", f"/api/parking/{one}/replay")).json() == {"replayed": 1}
    assert await waiting(gateway) == ["one"]
    assert (await gateway.as_admin("DELETE", f"/api/parking/{two}")).status_code == 204
    for method, path in (("GET", two), ("DELETE", two), ("POST", f"{two}/replay")):
        assert (await gateway.as_admin(method, f"/api/parking/{path}")).status_code == 404
    assert (await gateway.as_admin("POST", "/api/parking/all/replay")).json() == {"replayed": 1}
    assert await waiting(gateway) == ["three"]


async def test_what_cannot_be_reached_is_503(gateway: Gateway) -> None:
    """Not an empty list, which would read as: all is well."""
    await gateway.as_admin("GET", "/api/parking")
    await gateway.bus.close()
    assert (await gateway.as_admin("GET", "/api/parking")).status_code == 503
    await gateway.bus.open()


async def test_the_number_of_parked_messages_is_a_metric(gateway: Gateway, start_gateway: StartGateway) -> None:
    """What an alert is made of; a gateway that starts counts at once."""
    await park(gateway, "one", "two")
    registry = (await start_gateway()).app.state.dependencies.registry
    async with asyncio.timeout(5):
        while registry.get_sample_value("parked_messages") != 2:  # noqa: ASYNC110  a gauge has no event
            await asyncio.sleep(0.02)


async def _command(gateway: Gateway, *arguments: str) -> str:
    environment = {"BUILD_DASHBOARD_URL": gateway.url, "BUILD_DASHBOARD_ADMIN_PASSWORD": PASSWORD}
    invoke = CliRunner(env=environment).invoke
    return (await asyncio.to_thread(invoke, app, ["parking", *arguments])).output


async def test_the_command_line_does_the_same(gateway: Gateway) -> None:
    """`parking list`, `show`, `replay` and `drop`."""
    await park(gateway, "one", "two", "three")
    listed = (await _command(gateway, "list")).splitlines()
    assert [line.split("  ")[-1].split(": ", 1)[-1] for line in listed] == ["PoisonMessage: cannot be read"] * 3
    one, two, three = (line.split()[0] for line in listed)

    assert (await _command(gateway, "show", one)).endswith("\n\none\n")
    assert await _command(gateway, "drop", two) == f"dropped {two}\n"
    assert f"no parked message {two}" in await _command(gateway, "drop", two)
    assert await _command(gateway, "replay", one, three) == "replayed 2\n"
    assert await waiting(gateway) == ["one", "three"]
    assert "give --all" in await _command(gateway, "replay")
