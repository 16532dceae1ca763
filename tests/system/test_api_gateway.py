"""An API Gateway before two gateways: builds arrive whole and once, whatever it cuts, throttles and lets overtake."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from build_testkit.apart import run_apart
from build_testkit.api_gateway import ApiGateway, api_gateway
from build_testkit.aws_account import aws_account
from build_testkit.stack import Stack, separate_stack

pytestmark = [
    pytest.mark.slow,
    pytest.mark.rabbitmq,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not os.environ.get("FULL"), reason="FULL=1: an AWS of ours, five services and two gateways"),
]
SECRET = "shown-by-integrations-and-by-gateways"
TABLE = "connections"
BUILDS, GATEWAYS = 4, ("gateway", "gateway-2")
SCRIPT = """
import os, sys, time
n = 0
while not os.path.exists(sys.argv[1]):
    n += 1
    print("build", sys.argv[2], "line", n, "x" * (n % 300), flush=True)
    time.sleep(0.02)
"""


@contextmanager
def system(directory: Path, amqp_url: str, account: str, management_url: str) -> Iterator[Stack]:
    """Five services, two gateways of which each says where the other reaches it."""
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    front = {
        "AWS_ENDPOINT_URL_DYNAMODB": account,
        "GATEWAY_APIGATEWAY_URL": management_url,
        "GATEWAY_APIGATEWAY_SECRET": SECRET,
        "GATEWAY_APIGATEWAY_TABLE": TABLE,
    }
    with separate_stack(directory, amqp_url, gateways=2, extra=credentials | front) as stack:
        for name in GATEWAYS:
            process = stack.processes[name]
            own = {"GATEWAY_APIGATEWAY_OWN_URL": f"http://127.0.0.1:{process.port}"}
            process.environment = dict(process.environment) | own
            process.restart()
        yield stack


def make_table(account: str) -> None:
    boto3.client(
        "dynamodb", endpoint_url=account, region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t"
    ).create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "connection_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "connection_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def test_nothing_is_lost_or_doubled(tmp_path: Path, amqp_url: str) -> None:
    """Forced disconnects, a third of posts throttled, requests that overtake each other, both gateways killed."""
    run_apart(deliver(tmp_path, amqp_url))


async def deliver(directory: Path, amqp_url: str) -> None:
    with aws_account() as account:
        make_table(account)
        async with api_gateway(SECRET) as api:
            api.is_reordering, api.throttles_every, api.loses_disconnects = True, 3, True
            running = system(directory, amqp_url, account, api.management_url)
            stack = await asyncio.to_thread(running.__enter__)
            try:
                api.targets = [f"http://127.0.0.1:{stack.processes[name].port}" for name in GATEWAYS]
                printed = await disturb(stack, api, directory)
                await asyncio.to_thread(check, stack, printed)
            finally:
                await asyncio.to_thread(running.__exit__, None, None, None)


async def disturb(stack: Stack, api: ApiGateway, directory: Path) -> list[bytes]:
    """What builds printed while everything happened to their connections."""
    agents = [await start(stack, api, directory, number) for number in range(BUILDS)]
    outputs = [asyncio.create_task(agent.communicate()) for agent in agents]
    await until(lambda: api.routed["build_update"] > 50)
    for round_ in range(6):
        before = api.routed["build_update"]
        await until(lambda before=before: api.routed["build_update"] > before + 20)
        if round_ in (2, 4):
            name = GATEWAYS[round_ // 2 - 1]
            await asyncio.to_thread(stack.processes[name].restart, signal.SIGKILL)
        else:
            assert await api.cut()
            await until(lambda: bool(api.connected))
    (directory / "end").touch()
    async with asyncio.timeout(240):
        printed = [(await output)[0] for output in outputs]
    assert [0] * BUILDS == [agent.returncode for agent in agents]
    assert api.refused_posts[429] > 10
    assert min(api.answered[target] for target in api.targets) > 50
    return printed


async def start(stack: Stack, api: ApiGateway, directory: Path, number: int) -> asyncio.subprocess.Process:
    command = stack.agent_command(
        f"fronted-{number}",
        sys.executable,
        "-c",
        SCRIPT,
        str(directory / "end"),
        str(number),
        options=("--wait", "200"),
    )
    here = {"WS_ENDPOINT": api.url, "BUILD_DASHBOARD_SPOOL": str(directory / f"spool-{number}")}
    return await asyncio.create_subprocess_exec(
        *command, env=stack.agent_environment | here, stdout=asyncio.subprocess.PIPE
    )


async def until(condition: Any) -> None:
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110  counters have no event
            await asyncio.sleep(0.02)


def check(stack: Stack, printed: list[bytes]) -> None:
    """Each log is what its build printed, byte for byte."""
    total = 0
    for number, output in enumerate(printed):
        (build,) = stack.get(f"/api/builds?project=fronted-{number}")["items"]
        log = stack.get_bytes(f"/api/builds/{build['id']}/logs?format=text")
        assert output == log
        assert len(output.splitlines()) == build["logLines"] > 100
        total += build["logLines"]
    print(f"{total} lines of {len(printed)} builds: none lost, none twice")
