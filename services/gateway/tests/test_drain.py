"""Draining: agents are notified before their sockets close."""

import asyncio
import os
import signal

from build_gateway.drain import drain_first
from build_testkit.gateway import Gateway, closed_with, hello, receive, serving


async def test_agents_are_sent_drain_to_reconnect_elsewhere(gateway: Gateway) -> None:
    """DRAIN reaches every agent with the span over which they spread."""
    async with gateway.agent() as socket:
        await hello(socket)
        gateway.app.state.dependencies.roster.drain()
        assert (await receive(socket, "DRAIN"))["withinSeconds"] == 15.0


async def test_a_gateway_that_stops_closes_with_restart(gateway: Gateway) -> None:
    """1012, upon which agents and pages reconnect with jitter."""
    async with serving(gateway.app, gateway.app.state.dependencies.settings) as url:
        gateway.url = url
        socket = await gateway.agent()
        await hello(socket)
    assert await closed_with(socket) == 1012


async def test_the_signal_drains_first_and_then_stops() -> None:
    """The server's own handler runs after the draining, at once on a second signal, and is back at the end."""
    calls: list[str] = []
    stopped = asyncio.Event()

    def stop(number: int, frame: object) -> None:
        calls.append("stop")
        asyncio.get_running_loop().call_soon_threadsafe(stopped.set)

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with drain_first(lambda: calls.append("drain"), signum=signal.SIGUSR1, seconds=0.01):
            os.kill(os.getpid(), signal.SIGUSR1)
            async with asyncio.timeout(5):
                await stopped.wait()
            assert calls == ["drain", "stop"]
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.sleep(0)
            assert calls == ["drain", "stop", "stop"]
        assert signal.getsignal(signal.SIGUSR1) is stop
    finally:
        signal.signal(signal.SIGUSR1, before)
