"""A harsh agent: speaks the agents' protocol, and forgets every record the moment it is reported stored.

The product's own agent keeps records until its build is verified, and so would heal a `stored` that was reported too
early. This one cannot: whatever was reported stored and is lost is lost for good, and the checker sees it.
"""

import asyncio
import hashlib
import json
import random
import time
import uuid
from contextlib import suppress
from typing import Any

from delivery.evidence import AgentState
from delivery.workload import Build
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

RECORD_BYTES = 20 * 1024
FRAME_RECORDS = 20
PIECE_CHARACTERS = 8 * 1024
STALL_SECONDS = 20.0
BEAT_SECONDS = 5.0


class HarshAgent:
    """Sends one build, record by record at a pace, to one of several gateways, until it is verified."""

    def __init__(
        self, urls: list[str], *, key: str, build_id: str, project: str, build: Build, seconds: float = 0
    ) -> None:
        self.state = AgentState(build_id)
        self._urls = urls
        self._key = key
        self._project = project
        self._build = build
        self._seconds = seconds
        self._instance = uuid.uuid4().hex
        self._records = _records(build_id, project, build)
        self.state.last = max(self._records)
        self._made = 0
        self._sent = 0
        self._window = 0
        self._unconfirmed: dict[int, int] = {}
        self._more = asyncio.Event()

    @property
    def is_done(self) -> bool:
        """Whether everything is reported stored and verified."""
        return self.state.is_verified and self.state.stored >= self.state.last

    async def run(self) -> None:
        """Deliver; comes back whenever a connection goes."""
        making = asyncio.create_task(self._make())
        try:
            while not self.is_done:
                with suppress(OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
                    await self._deliver()
                await asyncio.sleep(random.uniform(0.05, 0.4))
        finally:
            making.cancel()

    async def _make(self) -> None:
        for seq in sorted(self._records):
            self._made = seq
            self._more.set()
            await asyncio.sleep(self._seconds / self.state.last)

    async def _deliver(self) -> None:
        url = random.choice(self._urls)
        headers = {"Authorization": f"Bearer {self._key}"}
        async with connect(
            f"{url}/ws", additional_headers=headers, compression=None, open_timeout=5, close_timeout=0.2
        ) as socket:
            hello = {
                "type": "HELLO",
                "agentVersion": "harsh",
                "instance": self._instance,
                "builds": [
                    {
                        "buildId": self.state.build_id,
                        "project": self._project,
                        "firstUnacked": self.state.stored + 1,
                        "lastSpooled": self._made,
                    }
                ],
            }
            await socket.send(json.dumps(hello))
            sending: asyncio.Future[Any] | None = None
            try:
                while not self.is_done:
                    async with asyncio.timeout(STALL_SECONDS):
                        frame = json.loads(await socket.recv())
                    self._receive(frame)
                    if frame["type"] == "WELCOME":
                        sending = asyncio.gather(self._send(socket), self._beat(socket))
                    elif frame["type"] == "DRAIN":
                        return
            finally:
                if sending is not None:
                    sending.cancel()
                    await asyncio.gather(sending, return_exceptions=True)

    async def _beat(self, socket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            await socket.send(json.dumps({"type": "HEARTBEAT", "builds": [self.state.build_id]}))

    async def _send(self, socket: ClientConnection) -> None:
        while True:
            batch = [
                seq
                for seq in range(self._sent + 1, min(self._made, self._sent + FRAME_RECORDS) + 1)
                if seq in self._records
            ]
            if not batch or sum(self._unconfirmed.values()) >= self._window:
                self._more.clear()
                await self._more.wait()
                continue
            text = ",".join(self._records[seq] for seq in batch)
            self._sent = batch[-1]
            self._unconfirmed |= {seq: len(self._records[seq]) for seq in batch}
            await socket.send(f'{{"type":"RECORDS","records":[{text}]}}')

    def _receive(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "WELCOME":
            self._window = frame["windowBytes"]
            self._unconfirmed.clear()
            known = (frame.get("stored") or {}).get(self.state.build_id)
            if known is not None:
                if known < self.state.stored:
                    self.state.asked_again.append(known + 1)
                self._forget(known)
            self._sent = self.state.stored
        elif frame["type"] == "ACK" and frame["buildId"] == self.state.build_id:
            self._window = frame["windowBytes"]
            confirmed = max(frame["confirmed"], frame["stored"])
            self._unconfirmed = {seq: size for seq, size in self._unconfirmed.items() if seq > confirmed}
            self._forget(frame["stored"])
            if frame.get("verified"):
                self.state.is_verified = True
            again = frame.get("resendFrom")
            if again is not None:
                if again <= self.state.stored:
                    self.state.asked_again.append(again)
                self._sent = min(self._sent, max(again - 1, self.state.stored))
                self._unconfirmed = {seq: size for seq, size in self._unconfirmed.items() if seq <= self._sent}
        elif frame["type"] == "REFUSED":
            if frame["code"] == "sequence_gap":
                self._sent = self.state.stored
                self._unconfirmed.clear()
            else:
                self.state.refused.append(f"{frame['code']}: {frame['detail']}")
        self._more.set()

    def _forget(self, upto: int) -> None:
        for seq in range(self.state.stored + 1, upto + 1):
            self._records.pop(seq, None)
        self.state.stored = max(self.state.stored, upto)


def _records(build_id: str, project: str, build: Build) -> dict[int, str]:
    """All records of a build, encoded, by sequence number."""

    records: dict[int, str] = {}
    at = int(time.time() * 1000)

    def add(kind: str, data: dict[str, Any]) -> None:
        seq = len(records) + 1
        record = {"type": kind, "buildId": build_id, "project": project, "seq": seq}
        records[seq] = json.dumps({**record, "timestamp": at + seq, "data": data}, ensure_ascii=False)

    add("BUILD_START", {"status": "running", "branch": "main", "config": "harsh", "command": ["harsh"]})
    texts = build.texts
    lines: list[str] = []

    def flush(number: int) -> None:
        if lines:
            first = number - len(lines) + 1
            add("BUILD_LOG", {"firstLine": first, "lines": list(lines), "stream": "out", "timesMs": [at]})
            lines.clear()

    for number, text in enumerate(texts, 1):
        if len(text) > PIECE_CHARACTERS:
            flush(number - 1)
            for place in range(0, len(text), PIECE_CHARACTERS):
                piece = {"firstLine": number, "lines": [text[place : place + PIECE_CHARACTERS]], "stream": "out"}
                goes_on = {"continues": True} if place else {}
                add("BUILD_LOG", {**piece, "timesMs": [at], **goes_on})
            continue
        lines.append(text)
        if len(lines) >= 3 or sum(map(len, lines)) > RECORD_BYTES // 2:
            flush(number)
    flush(len(texts))
    if build.is_red:
        add("BUILD_UPDATE", {"status": "running", "progress": 99.0})
    whole = "\n".join(texts).encode()
    totals = {"lines": len(texts), "bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}
    exit_code = 1 if build.is_red else 0
    add("BUILD_COMPLETE", {"status": build.status, "exitCode": exit_code, "totals": totals})
    return records


def new_build_id(now_ms: int) -> str:
    """A UUID of version 7 for this time."""
    bits = (now_ms << 80) | (7 << 76) | (random.getrandbits(12) << 64) | (2 << 62) | random.getrandbits(62)
    return str(uuid.UUID(int=bits))
