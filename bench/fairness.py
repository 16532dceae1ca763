"""How long a quiet agent waits for `stored` beside one that floods the same shard: `python -m bench.fairness`."""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from build_protocol.clock import now_ms
from build_protocol.ids import new_build_id, shard_of
from build_testkit.rabbitmq import private_rabbitmq
from build_testkit.stack import Stack, embedded_stack, separate_stack
from websockets.asyncio.client import ClientConnection, connect

LINES = ["x" * 119] * 150
"""Of one record of the flood."""
RECORDS = 10
QUIET_SECONDS = 0.2


def record(build_id: str, seq: int, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """A record of project `bench`."""
    return {"type": kind, "buildId": build_id, "project": "bench", "seq": seq, "timestamp": 1, "data": data}


class Agent:
    """One agent's socket: what it sent, and what was acknowledged as stored."""

    def __init__(self, socket: ClientConnection, build_id: str) -> None:
        self.socket = socket
        self.build_id = build_id
        self.seq = self.lines = 0
        self.stored = self.confirmed = 0
        self.window_bytes = 0
        self.changed = asyncio.Event()

    async def greet(self) -> None:
        """HELLO, and the build's first record."""
        await self.send({"type": "HELLO", "agentVersion": "1.0", "instance": self.build_id})
        welcome = json.loads(await self.socket.recv())
        self.window_bytes = welcome["windowBytes"]
        self.seq = 1
        await self.records([record(self.build_id, 1, "BUILD_START", {"status": "running"})])

    async def send(self, frame: dict[str, Any]) -> None:
        """One frame."""
        await self.socket.send(json.dumps(frame))

    async def records(self, records: list[dict[str, Any]]) -> None:
        """One frame of records."""
        await self.send({"type": "RECORDS", "records": records})

    def log(self, lines: list[str]) -> dict[str, Any]:
        """The next record of its log."""
        self.seq += 1
        first, self.lines = self.lines + 1, self.lines + len(lines)
        return record(self.build_id, self.seq, "BUILD_LOG", {"firstLine": first, "lines": lines})

    async def listen(self) -> None:
        """Take acknowledgements until the socket closes."""
        async for text in self.socket:
            frame = json.loads(text)
            if frame["type"] == "ACK":
                self.stored, self.confirmed = frame["stored"], frame["confirmed"]
                self.window_bytes = frame["windowBytes"]
                self.changed.set()

    async def until(self, is_done: Any) -> None:
        """Wait for an acknowledgement after which this holds."""
        while not is_done():
            self.changed.clear()
            await self.changed.wait()


async def flood(agent: Agent) -> None:
    """As much as the window lets pass."""
    size_bytes = len(json.dumps(record(agent.build_id, 1, "BUILD_LOG", {"firstLine": 1, "lines": LINES})))
    while True:
        await agent.until(lambda: (agent.seq - agent.confirmed) * size_bytes < agent.window_bytes)
        await agent.records([agent.log(LINES) for _ in range(RECORDS)])


async def latencies(agent: Agent, seconds: float) -> list[float]:
    """How long each of its lines took until it was stored, in seconds."""
    taken = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        await agent.records([agent.log(["quiet"])])
        last = agent.seq
        await agent.until(lambda last=last: agent.stored >= last)
        taken.append(time.monotonic() - began)
        await asyncio.sleep(QUIET_SECONDS)
    return taken


async def measure(stack: Stack, seconds: float) -> dict[str, Any]:
    """The quiet agent alone, then beside the flood."""
    ids = (new_build_id(now_ms()) for _ in range(1000))
    quiet_id = next(ids)
    loud_id = next(each for each in ids if shard_of(each) == shard_of(quiet_id))
    url = stack.url.replace("http", "ws", 1) + "/ws"
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    async with connect(url, additional_headers=headers, max_size=None) as one:
        quiet = Agent(one, quiet_id)
        await quiet.greet()
        listening = [asyncio.create_task(quiet.listen())]
        alone = await latencies(quiet, min(5.0, seconds))
        async with connect(url, additional_headers=headers, max_size=None) as other:
            loud = Agent(other, loud_id)
            await loud.greet()
            listening.append(asyncio.create_task(loud.listen()))
            flooding = asyncio.create_task(flood(loud))
            beside = await latencies(quiet, seconds)
            flooding.cancel()
            lines = loud.lines
            with suppress(asyncio.CancelledError):
                await flooding
    for task in listening:
        task.cancel()
    return {"alone_s": _figures(alone), "beside_a_flood_s": _figures(beside), "flood_lines_per_second": lines / seconds}


def _figures(taken: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(taken), 3), "worst": round(max(taken), 3), "count": len(taken)}


def main() -> None:
    """Measure on a fresh system; print JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rabbitmq", action="store_true", help="separate services, not the embedded system")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, ExitStack() as running:
        place = Path(directory)
        if options.rabbitmq:
            system = separate_stack(place, running.enter_context(private_rabbitmq()).url)
        else:
            system = embedded_stack(place)
        stack = running.enter_context(system)
        print(json.dumps(asyncio.run(measure(stack, options.seconds)), indent=2))


if __name__ == "__main__":
    main()
