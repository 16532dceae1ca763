"""Admit: 200,000 log lines of one agent through the gateway to the bus, as fast as the windows allow.

    uv run python -m bench.admit [--lines 200000]

Prints lines per second and the gateway's CPU seconds (validation, publishing and the embedded bus's commits), beside
the yardstick: the same messages published on the same bus without a gateway.
"""

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop
from build_chassis.bus import Outgoing
from build_chassis.bus.embedded import EmbeddedBus
from build_gateway.accounts.passwords import Passwords
from build_gateway.app import create_app
from build_gateway.settings import Settings
from build_protocol.limits import FRAME_BYTES, RECORD_BYTES
from build_protocol.topology import routing_key
from build_testkit.gateway import BUILD, KEY, IngestClient, hello, record, serving
from build_testkit.signing import SECRET
from websockets.asyncio.client import ClientConnection, connect

LINE = "[{}/200000] Building CXX object lib/Dialect/Tensor/CMakeFiles/obj.MLIRTensor.dir/TensorOps.cpp.o, and so on"
LINES_PER_RECORD = 200


def records(lines: int) -> Iterator[dict[str, Any]]:
    """BUILD_START and the log, in records of about 24 KiB."""
    yield record(1, "BUILD_START")
    for seq, first in enumerate(range(1, lines + 1, LINES_PER_RECORD), start=2):
        text = [LINE.format(number) for number in range(first, min(first + LINES_PER_RECORD, lines + 1))]
        yield record(seq, data={"firstLine": first, "lines": text, "timesMs": [1]})


def frames(bodies: list[str]) -> Iterator[tuple[str, int]]:
    """Frames of at most 256 KiB, and the last seq of each."""
    waiting: list[str] = []
    for seq, body in enumerate(bodies, start=1):
        if waiting and sum(map(len, waiting)) + len(body) + 100 + len(waiting) > FRAME_BYTES:
            yield f'{{"type":"RECORDS","records":[{",".join(waiting)}]}}', seq - 1
            waiting = []
        waiting.append(body)
    yield f'{{"type":"RECORDS","records":[{",".join(waiting)}]}}', len(bodies)


async def flood(socket: ClientConnection, sent: list[tuple[str, int]]) -> None:
    """Send the frames within the window and wait until all are confirmed."""
    welcome = await hello(socket)
    window, confirmed, last = welcome["windowBytes"], 0, sent[-1][1]
    waiting: list[tuple[int, int]] = []
    queue = list(reversed(sent))
    while confirmed < last:
        while queue and window - sum(size for size, _ in waiting) >= len(queue[-1][0]):
            text, upto = queue.pop()
            await socket.send(text)
            waiting.append((len(text), upto))
        ack = json.loads(await socket.recv())
        window, confirmed = ack["windowBytes"], ack["confirmed"]
        waiting = [(size, upto) for size, upto in waiting if upto > confirmed]


async def serve(folder: str) -> None:
    """The gateway's process: prints its URL and agent key; at the end its CPU seconds since."""
    bus = EmbeddedBus(Path(folder) / "bus.sqlite")
    await bus.open()
    settings = Settings(store_url=f"sqlite:///{folder}/gateway.sqlite", jwt_secret_key=SECRET, api_key=KEY)
    app = create_app(
        settings,
        bus,
        peers={"ingest": IngestClient()},
        passwords=Passwords(time_cost=1, memory_kib=64),
    )
    async with serving(app, settings) as url:
        print(url, KEY, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        before = cpu_seconds()
        await asyncio.to_thread(sys.stdin.readline)
        print(cpu_seconds() - before, flush=True)
    await bus.close()


async def publish_directly(folder: str, bodies: list[str]) -> tuple[float, float]:
    """The yardstick: wall and CPU seconds for the same messages without a gateway, in frames' batches."""
    bus = EmbeddedBus(Path(folder) / "bare.sqlite")
    await bus.open()
    key = routing_key("BUILD_LOG", BUILD, "torch-mlir")
    headers = {"agent": "default", "build_id": BUILD, "seq": "1", "key_id": "x"}
    messages = [Outgoing(key, body.encode(), headers) for body in bodies]
    batches = [messages[first : first + FRAME_BYTES // RECORD_BYTES] for first in range(0, len(messages), 10)]
    wall, cpu = time.monotonic(), cpu_seconds()
    await asyncio.gather(*(bus.publish(batch) for batch in batches))
    elapsed = time.monotonic() - wall, cpu_seconds() - cpu
    await bus.close()
    return elapsed


def cpu_seconds() -> float:
    """User and system seconds of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def compare(lines: int) -> None:
    """Measure both and print."""
    bodies = [json.dumps(each, separators=(",", ":")) for each in records(lines)]
    sent = list(frames(bodies))
    with tempfile.TemporaryDirectory() as folder:
        server = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.admit",
            "--serve",
            folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert server.stdin is not None
        assert server.stdout is not None
        url, key = (await server.stdout.readline()).decode().split()
        headers = {"Authorization": f"Bearer {key}"}
        async with connect(f"ws{url[4:]}/ws", additional_headers=headers, compression=None) as socket:
            server.stdin.write(b"begin\n")
            await asyncio.sleep(0.1)
            begun = time.monotonic()
            await flood(socket, sent)
            wall = time.monotonic() - begun
            server.stdin.write(b"end\n")
            cpu = float(await server.stdout.readline())
        await server.wait()
        bare_wall, bare_cpu = await publish_directly(folder, bodies)
    size = sum(len(text) for text, _ in sent) / 1e6
    print(f"{lines} lines, {len(bodies)} records, {len(sent)} frames, {size:.1f} MB")
    print(f"gateway    {lines / wall:9,.0f} lines/s, CPU {cpu:.2f} s")
    print(f"bus alone  {lines / bare_wall:9,.0f} lines/s, CPU {bare_cpu:.2f} s")
    print(f"ratio of wall time gateway / bus alone: {wall / bare_wall:.2f}; CPU: {cpu / bare_cpu:.2f}")


def main() -> None:
    """Run the comparison, or its server."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--serve", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    uvloop.run(serve(options.serve) if options.serve else compare(options.lines))


if __name__ == "__main__":
    main()
