"""Ingest as a process of its own, killed again and again."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from build_chassis.auth import Principal, mint_internal
from build_chassis.bus import Outgoing, open_bus
from build_testkit.signing import SECRET
from build_testkit.stack import free_port

pytestmark = [pytest.mark.rabbitmq, pytest.mark.slow]

LIVES = 2


@asynccontextmanager
async def ingest_process(environment: dict[str, str], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "build_ingest", env=environment, stdout=output, stderr=output, cwd=log.parent
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_kill_minus_nine_loses_and_repeats_nothing(tmp_path: Path, amqp_url: str, reporter) -> None:
    """A build whose ingest is killed in its midst, several times, is stored whole and verified, and judged."""
    port = free_port()
    environment = {
        **os.environ,
        "AMQP_URL": amqp_url,
        "JWT_SECRET_KEY": SECRET,
        "INGEST_STORE_URL": f"sqlite:///{tmp_path}/ingest.sqlite",
        "INGEST_PORT": str(port),
    }
    bus = open_bus(amqp_url)
    await bus.open()

    async def say(*records) -> None:
        deliveries = [reporter.delivery(record) for record in records]
        await bus.publish([Outgoing(each.routing_key, each.body, each.headers) for each in deliveries])

    async def detail() -> dict:
        token = mint_internal(Principal("ana", "viewer", None), "ingest", SECRET)
        try:
            answer = await client.get(f"/api/builds/{reporter.id}", headers={"Authorization": f"Bearer {token}"})
        except httpx.TransportError:
            return {}
        return answer.json() if answer.status_code == 200 else {}

    async def until(fact) -> dict:
        async with asyncio.timeout(45):
            while not fact(known := await detail()):  # noqa: ASYNC110  another process is waited for
                await asyncio.sleep(0.02)
        return known

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        await say(reporter.start())
        for life in range(LIVES):
            for number in range(40):
                await say(reporter.log([f"{life}.{number}.{line} " + "x" * 80 for line in range(40)]))
            async with ingest_process(environment, tmp_path / "build_ingest.logs.pages"):
                # Killed as soon as this life stored anything: most often in the middle of a batch.
                await until(lambda known, life=life: known.get("asOfSeq", 0) > life * 40)
        await say(reporter.complete())
        async with ingest_process(environment, tmp_path / "build_ingest.logs.pages"):
            known = await until(lambda known: known.get("verified"))
            # A build is verified first and judged then: the process has to live until its verdict is out.
            async with bus.consume("notifier.builds") as notifier:
                verdicts = await asyncio.wait_for(notifier.fetch(10), 45)
                await notifier.ack(verdicts)
    await bus.close()

    assert known["logLines"] == len(reporter.lines) == LIVES * 1600
    assert {b'"succeeded"' in verdict.body for verdict in verdicts} == {True}
