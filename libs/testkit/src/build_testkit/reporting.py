"""Reporting: finished builds sent to a running system over one agent's socket, as if they had taken their time."""

import asyncio
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from websockets.asyncio.client import connect

from build_testkit.apart import run_apart
from build_testkit.stack import Stack

BUILDS_PER_FRAME = 60
WINDOW_FRAMES = 4
ANSWER_SECONDS = 600

Records = Sequence[dict[str, Any]]
"""Those of one build, in order, the first of them BUILD_START."""


def totals_of(lines: Sequence[str]) -> dict[str, Any]:
    """What BUILD_COMPLETE carries of a log of these lines."""
    text = "\n".join(lines).encode()
    return {"lines": len(lines), "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}


def report(stack: Stack, builds: Iterable[Records], clock: dict[str, Any] | None = None) -> None:
    """Have these builds stored, and those that end verified; `clock` is what the agent's machine shows now.

    Raises RuntimeError where the gateway refuses one, TimeoutError where it does not answer.
    """
    run_apart(_report(stack, builds, clock))


async def _report(stack: Stack, builds: Iterable[Records], clock: dict[str, Any] | None) -> None:
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    endpoint = f"{stack.url.replace('http', 'ws', 1)}/ws"
    now = {} if clock is None else {"clock": clock}
    async with connect(endpoint, additional_headers=headers, compression=None, max_size=None) as socket:
        await socket.send(json.dumps({"type": "HELLO", "agentVersion": "1.0", "instance": "many", **now}))
        awaited: dict[str, int | None] = {}
        frame: list[dict[str, Any]] = []
        left = BUILDS_PER_FRAME
        for records in builds:
            ends = records[-1]["type"] == "BUILD_COMPLETE"
            awaited[records[0]["buildId"]] = None if ends else records[-1]["seq"]
            frame += records
            left -= 1
            if left:
                continue
            await socket.send(json.dumps({"type": "RECORDS", "records": frame, **now}))
            frame, left = [], BUILDS_PER_FRAME
            while len(awaited) > WINDOW_FRAMES * BUILDS_PER_FRAME:
                await _settle(socket, awaited)
        if frame:
            await socket.send(json.dumps({"type": "RECORDS", "records": frame, **now}))
        while awaited:
            await _settle(socket, awaited)


async def _settle(socket: Any, awaited: dict[str, int | None]) -> None:
    """Take one answer; a build that ended is done when verified, another when its last record is stored."""
    async with asyncio.timeout(ANSWER_SECONDS):
        frame = json.loads(await socket.recv())
    if frame["type"] == "REFUSED":
        raise RuntimeError(f"refused: {frame}")
    if frame["type"] != "ACK" or frame["buildId"] not in awaited:
        return
    last = awaited[frame["buildId"]]
    if frame.get("verified") if last is None else (frame.get("stored") or 0) >= last:
        del awaited[frame["buildId"]]
