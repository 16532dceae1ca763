"""Fan-out: what 200 viewers of one build cost the gateway, and how late it reaches them.

    uv run python -m bench.fanout [--viewers 200] [--rate 50] [--seconds 10]

A gateway process announces log lines (every viewer follows the build) and rows; this process holds the viewers.
Prints the gateway's CPU as a share of one core, latency from announcement to receipt, and the ratio to the yardstick:
the same frames sent by the bare server (an ASGI app that sends to every socket in a loop).
"""

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import uvloop
from build_chassis.bus.embedded import EmbeddedBus
from build_gateway.accounts.passwords import Passwords
from build_gateway.app import create_app
from build_gateway.settings import Settings
from build_testkit.gateway import BUILD, KEY, PASSWORD, Gateway, IngestClient, log_in, serving
from build_testkit.signing import SECRET

SENT_AT = re.compile(rb"T=(\d+)=")


async def announce(gateway: Gateway, rate: float, seconds: float) -> float:
    """Announce at a steady rate; the CPU seconds this process used meanwhile."""
    before, start = time.process_time(), time.monotonic()
    for number in range(1, int(rate * seconds) + 1):
        await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
        await gateway.announce_log(number, f"T={time.monotonic_ns()}= a line of a build, of about the usual length")
        if number % 10 == 0:
            await gateway.announce_build(number, step=f"T={time.monotonic_ns()}=")
    await asyncio.sleep(0.5)
    return time.process_time() - before


async def serve_gateway(rate: float, seconds: float) -> None:
    """The gateway's process: prints its URL and a token, waits for a line, announces, prints its CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        bus = EmbeddedBus(Path(folder) / "bus.sqlite")
        await bus.open()
        settings = Settings(
            store_url=f"sqlite:///{folder}/gateway.sqlite", jwt_secret_key=SECRET, admin_password=PASSWORD, api_key=KEY
        )
        ingest = IngestClient()
        app = create_app(settings, bus, peers={"ingest": ingest}, passwords=Passwords())
        async with serving(app, settings) as url:
            gateway = Gateway(app, bus, ingest, url)
            print(url, flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            print(await announce(gateway, rate, seconds), flush=True)
            await asyncio.to_thread(sys.stdin.readline)
        await bus.close()


async def serve_bare(rate: float, seconds: float) -> None:
    """The yardstick's process: the same server, an app that sends each text to every socket."""
    sends: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        await receive()
        await send({"type": "websocket.accept"})
        sends.append(send)
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async with serving(app, Settings(jwt_secret_key=SECRET)) as url:  # type: ignore[arg-type]  # any ASGI app
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        before, start = time.process_time(), time.monotonic()
        for number in range(1, int(rate * seconds) + 1):
            await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
            for _ in range(2 if number % 10 == 0 else 1):
                text = f'{{"type":"LOG","lines":["T={time.monotonic_ns()}= a line"],"padding":"{"x" * 180}"}}'
                for send in sends:
                    await send({"type": "websocket.send", "text": text})
        await asyncio.sleep(0.5)
        print(time.process_time() - before, flush=True)
        await asyncio.to_thread(sys.stdin.readline)


async def listen(socket: Any, latencies: list[float]) -> None:
    """Note how late each frame is, until the socket closes."""
    async for message in socket:
        match = SENT_AT.search(message.encode() if isinstance(message, str) else message)
        if match:
            latencies.append((time.monotonic_ns() - int(match[1])) / 1e6)


@asynccontextmanager
async def server(kind: str, options: argparse.Namespace) -> AsyncIterator[tuple[str, Any]]:
    """A serving process: its URL and a way to run it."""
    command = [
        sys.executable,
        "-m",
        "bench.fanout",
        f"--serve={kind}",
        f"--rate={options.rate}",
        f"--seconds={options.seconds}",
    ]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "LOG_LEVEL": "ERROR"}
    )
    assert process.stdin is not None
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()

    async def run() -> float:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"go\n")
        return float(await process.stdout.readline())

    try:
        yield url, run
    finally:
        process.stdin.write(b"end\n")
        await process.wait()


async def measure(kind: str, options: argparse.Namespace) -> tuple[float, list[float]]:
    """CPU share of one core, and latencies in milliseconds."""
    latencies: list[float] = []
    async with server(kind, options) as (url, run), AsyncExitStack() as stack:
        gateway = Gateway(None, None, IngestClient(), url)  # type: ignore[arg-type]  # only its URL is used here
        token = await gateway.login() if kind == "gateway" else ""
        listeners = []
        for _ in range(options.viewers):
            socket = await stack.enter_async_context(gateway.viewer())
            if token:
                await log_in(gateway, socket, token=token, buildIds=[BUILD])
            listeners.append(asyncio.create_task(listen(socket, latencies)))
        cpu_seconds = await run()
        for listener in listeners:
            listener.cancel()
    return cpu_seconds / options.seconds, latencies


async def compare(options: argparse.Namespace) -> None:
    """Measure both and print."""
    shares = {}
    for kind in ("bare", "gateway"):
        share, latencies = await measure(kind, options)
        shares[kind] = share
        expected = options.viewers * options.rate * options.seconds
        print(
            f"{kind:8} {options.viewers} viewers x {options.rate:g}/s: {share:.1%} of one core, "
            f"{len(latencies) / expected:.2f} frames per line, "
            f"median {median(latencies):.2f} ms, p99 {quantiles(latencies, n=100)[98]:.2f} ms"
        )
    print(f"ratio gateway / bare server: {shares['gateway'] / shares['bare']:.2f}")


def main() -> None:
    """Run the comparison, or one of its servers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--rate", type=float, default=50.0, help="log lines per second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--serve", choices=("gateway", "bare"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve == "gateway":
        uvloop.run(serve_gateway(options.rate, options.seconds))
    elif options.serve == "bare":
        uvloop.run(serve_bare(options.rate, options.seconds))
    else:
        uvloop.run(compare(options))


if __name__ == "__main__":
    main()
