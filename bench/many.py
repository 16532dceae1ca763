"""Many builds: reported to a running system over one agent's socket, as if a busy year had passed."""

import asyncio
import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any

from build_protocol.ids import new_build_id
from build_testkit.stack import Stack
from websockets.asyncio.client import connect

BUILDS_PER_FRAME = 60
WINDOW_FRAMES = 4
CONFIGS = ("release", "asan", "windows-gcc", "debug")
LINES = ["[1/2] Building CXX object lib/a.o", "[2/2] Linking CXX executable bin/opt"]
ERROR = ["FAILED: lib/a.o", "lib/a.cpp:7:12: error: no member named 'find' in 'Scope'", "1 error generated."]


def report_builds(stack: Stack, count: int, projects: int = 10) -> None:
    """Have `count` finished builds of `projects` projects stored and verified; every twentieth is red."""
    asyncio.run(_report_builds(stack, count, projects))


async def _report_builds(stack: Stack, count: int, projects: int) -> None:
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    endpoint = f"{stack.url.replace('http', 'ws', 1)}/ws"
    async with connect(endpoint, additional_headers=headers, compression=None, max_size=None) as socket:
        await socket.send(json.dumps({"type": "HELLO", "agentVersion": "1.0", "instance": "many"}))
        open_builds: set[str] = set()
        for frame, ids in _frames(count, projects):
            await socket.send(frame)
            open_builds |= ids
            while len(open_builds) > WINDOW_FRAMES * BUILDS_PER_FRAME:
                open_builds -= await _verified(socket)
        while open_builds:
            open_builds -= await _verified(socket)


async def _verified(socket: Any) -> set[str]:
    async with asyncio.timeout(60):
        frame = json.loads(await socket.recv())
    if frame["type"] == "REFUSED":
        raise RuntimeError(f"refused: {frame}")
    return {frame["buildId"]} if frame["type"] == "ACK" and frame.get("verified") else set()


def _frames(count: int, projects: int) -> Iterator[tuple[str, set[str]]]:
    now = int(time.time() * 1000)
    for first in range(0, count, BUILDS_PER_FRAME):
        numbers = range(first, min(first + BUILDS_PER_FRAME, count))
        builds = {new_build_id(now - (count - number) * 1000): number for number in numbers}
        records = [
            record
            for build_id, number in builds.items()
            for record in _records(build_id, number, projects, now - (count - number) * 1000)
        ]
        yield json.dumps({"type": "RECORDS", "records": records}), set(builds)


def _records(build_id: str, number: int, projects: int, begin_at: int) -> Iterator[dict[str, Any]]:
    is_red = number % 20 == 19
    lines = [*LINES[:1], *ERROR] if is_red else LINES
    text = "\n".join(lines).encode()
    head = {"buildId": build_id, "project": f"project-{number % projects}"}
    commit = hashlib.sha1(str(number // (projects * len(CONFIGS))).encode()).hexdigest()
    start = {
        "branch": "main",
        "config": CONFIGS[number // projects % len(CONFIGS)],
        "commit": commit,
        "commitSubject": f"Change number {number}",
    }
    totals = {"lines": len(lines), "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    end = {"status": "failed" if is_red else "succeeded", "exitCode": int(is_red), "totals": totals}
    yield {**head, "seq": 1, "type": "BUILD_START", "timestamp": begin_at, "data": start}
    yield {**head, "seq": 2, "type": "BUILD_LOG", "timestamp": begin_at, "data": {"firstLine": 1, "lines": lines}}
    yield {**head, "seq": 3, "type": "BUILD_COMPLETE", "timestamp": begin_at + 900, "data": end}
