"""A broker that fails or stalls: windows shut, nothing is lost, nothing is published out of order for long."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import pytest
from build_chassis.bus import BusUnavailable, Outgoing, PublishFailed
from build_gateway.agents.pipeline import Batch, Pipeline
from build_gateway.agents.valve import STALL_SECONDS, Valve
from build_testkit.gateway import BUILD, Gateway, closed_with, hello, receive, record, say
from websockets.exceptions import ConnectionClosed

Step = Callable[[Sequence[Outgoing]], Awaitable[None]]


class ShakyBus:
    """A bus whose next publishes fail as listed in `failures`; keeps what arrived."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.arrived: list[bytes] = []
        self.blocked = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        await self.gate.wait()
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, PublishFailed):
            self.arrived += [message.body for message in messages[: failure.confirmed]]
        if failure is not None:
            raise failure
        self.arrived += [message.body for message in messages]


def batch(*bodies: bytes) -> Batch:
    return Batch([Outgoing("0.BUILD_LOG.p", body) for body in bodies], (), sum(map(len, bodies)))


def valve(bus: ShakyBus, clock: Callable[[], float] = lambda: 0.0) -> Valve:
    return Valve(bus, window_bytes=1000, total_bytes=4000, smallest_bytes=100, clock=clock)  # type: ignore[arg-type]  # the part of a Bus it uses


async def test_what_was_not_confirmed_is_published_again_in_order() -> None:
    """A publish that failed in the middle goes on after its confirmed part, before everything submitted later."""
    bus = ShakyBus()
    bus.failures = [PublishFailed("nack", confirmed=1), PublishFailed("nack"), BusUnavailable("gone")]
    confirmed: list[Batch] = []
    done = asyncio.Event()

    def confirm(each: Batch) -> None:
        confirmed.append(each)
        if len(confirmed) == 4:
            done.set()

    pipeline = Pipeline(bus, valve(bus), confirm)  # type: ignore[arg-type]  # as above
    batches = [batch(b"1", b"2"), batch(b"3"), batch(b"4"), batch(b"5")]
    for each in batches[:3]:
        pipeline.submit(each)
    await asyncio.sleep(0)
    pipeline.submit(batches[3])

    async with asyncio.timeout(5):
        await done.wait()

    assert batches == confirmed
    assert bus.arrived == [b"1", b"2", b"3", b"4", b"5"]
    assert pipeline.unconfirmed_bytes == 0


async def test_the_valve_is_shut_while_publishes_fail_and_opens_after() -> None:
    """Every session is notified both times."""
    bus = ShakyBus()
    bus.failures = [BusUnavailable("gone")]
    shared = valve(bus)
    windows: list[int] = []
    opened = asyncio.Event()

    def on_change() -> None:
        windows.append(shared.window())
        if shared.is_open:
            opened.set()

    shared.join(on_change)
    pipeline = Pipeline(bus, shared, lambda _: None)  # type: ignore[arg-type]  # as above
    pipeline.submit(batch(b"1"))
    async with asyncio.timeout(5):
        await opened.wait()

    assert windows == [0, 1000]


async def test_the_valve_is_shut_by_an_alarm_a_stall_and_a_full_house() -> None:
    """A blocked broker, a publish that takes too long, too many bytes in flight: window 0; else a fair share."""
    now = 0.0
    bus = ShakyBus()
    shared = valve(bus, lambda: now)
    for _ in range(8):
        shared.join(lambda: None)
    assert shared.window() == 500

    bus.blocked = True
    assert shared.window() == 0
    bus.blocked = False
    shared.started("publish", 10)
    now = STALL_SECONDS + 0.1
    assert shared.window() == 0
    shared.ended("publish", 10)
    shared.started("large", 4000)
    assert shared.window() == 0
    shared.ended("large", 4000)
    assert shared.window() == 500


async def test_a_blocked_broker_pauses_agents_and_keeps_their_sessions(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ACK with window 0 to agents; frames are read and pings answered meanwhile; then the window opens again."""
    async with gateway.agent() as socket:
        await hello(socket)
        await say(socket, type="RECORDS", records=[record(1, "BUILD_START")])
        await receive(socket, "ACK", confirmed=1)

        monkeypatch.setattr(type(gateway.bus), "blocked", True)
        await receive(socket, "ACK", windowBytes=0)
        await say(socket, type="RECORDS", records=[record(2)])
        await (await socket.ping())
        await say(socket, type="HEARTBEAT", builds=[BUILD])
        await receive(socket, "ACK", buildId=BUILD, windowBytes=0)
        monkeypatch.setattr(type(gateway.bus), "blocked", False)

        assert (await receive(socket, "ACK", buildId=BUILD, confirmed=2))["windowBytes"] >= 0
        deliveries = await gateway.published(2)
    assert [json.loads(delivery.body)["seq"] for delivery in deliveries] == [1, 2]


async def test_an_agent_that_ignores_the_window_is_closed(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory per agent is bounded: twice the window unconfirmed ends the session with 4429."""
    gate = asyncio.Event()
    publish = gateway.bus.publish

    async def wait_and_publish(messages: Sequence[Outgoing]) -> None:
        await gate.wait()
        await publish(messages)

    monkeypatch.setattr(gateway.bus, "publish", wait_and_publish)
    async with gateway.agent() as socket:
        await hello(socket)
        text = "x" * 20_000
        with suppress(ConnectionClosed):
            for first in range(1, 401, 10):
                records = [record(first + n, data={"firstLine": 1, "lines": [text]}) for n in range(10)]
                await say(socket, type="RECORDS", records=records)
        assert await closed_with(socket) == 4429
    gate.set()
