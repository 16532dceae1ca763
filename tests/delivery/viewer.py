"""A viewer as docs/protocol.md describes it: a cursor, lines put where their numbers say, the range read on a gap."""

import asyncio
import json
import random
from contextlib import suppress
from typing import Any

from delivery.evidence import Shown, Transcript
from delivery.rest import Rest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Origin

PROBE_EVERY = 5
"""Of every so many frames the newest line is asked for by REST at once: what is shown must be stored."""

ROW_PATIENCE_SECONDS = 1.0
"""A row that promises more lines than were shown is given this long before the range is read."""


class Viewer:
    """Follows one build over `/ws` until cancelled; comes back whenever its connection goes."""

    def __init__(self, rest: Rest, url: str, build_id: str, name: str, leaves_after: int | None = None) -> None:
        self.transcript = Transcript(build_id, name)
        self._rest = rest
        self._url = url
        self._build_id = build_id
        self._leaves_after = leaves_after
        self._cursor = 0
        self._subscription = 0
        self._frames = 0
        self._probes = 0

    @property
    def is_done(self) -> bool:
        """Whether the last row shown is final and all its lines are there."""
        row = self.transcript.last_row
        return row is not None and row.get("endedAt") is not None and len(self.transcript.lines) >= row["logLines"]

    async def follow(self) -> None:
        """Watch until cancelled."""
        while True:
            with suppress(OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
                await self._watch()
            await asyncio.sleep(random.uniform(0.05, 0.3))

    async def _watch(self) -> None:
        origin = Origin(self._url.replace("ws", "http", 1))
        async with connect(
            f"{self._url}/ws", origin=origin, compression=None, max_size=2**24, open_timeout=5
        ) as socket:
            await self._say(socket, type="AUTH", token=await asyncio.to_thread(self._rest.token))
            await self._receive(socket, "READY")
            self._subscription += 1
            after = {self._build_id: self._cursor}
            await self._say(
                socket, type="SUBSCRIBE", projects=["*"], events=["*"], buildIds=[self._build_id], afterSeq=after
            )
            await self._receive(socket, "SUBSCRIBED")
            await self._read_range()
            while True:
                try:
                    async with asyncio.timeout(ROW_PATIENCE_SECONDS):
                        frame = json.loads(await socket.recv())
                except TimeoutError:
                    if self._is_short():
                        await self._read_range()
                    continue
                await self._take(frame)
                self._frames += 1
                if self._leaves_after is not None and self._frames % self._leaves_after == 0:
                    return

    async def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "LOG" if frame["buildId"] == self._build_id:
                await self._show(frame)
            case "BUILD" if frame["build"]["id"] == self._build_id:
                self._note_row(frame["build"])
                if self._is_short() and frame["build"].get("endedAt") is not None:
                    await self._read_range()
            case "RESYNC":
                await self._read_range()

    async def _show(self, frame: dict[str, Any]) -> None:
        goes_on = bool(frame.get("continues"))
        shown = Shown(self._subscription, frame["afterSeq"], frame["seq"], frame["firstLine"], frame["lines"], goes_on)
        self.transcript.shown.append(shown)
        await self._probe(shown)
        if shown.seq <= self._cursor:
            return
        is_overlap = shown.after_seq < self._cursor
        if shown.after_seq > self._cursor or (is_overlap and goes_on):
            # Of a line in pieces nobody can tell which of them a range already had.
            await self._read_range()
            return
        self._put(shown)
        self._cursor = shown.seq

    def _put(self, shown: Shown) -> None:
        """Put lines where their numbers say: a frame may begin before the cursor and end behind it."""
        lines = self.transcript.lines
        for place, line in enumerate(shown.lines, shown.first_line - 1):
            if shown.goes_on and place == shown.first_line - 1:
                lines[place] += line
            elif place < len(lines):
                if line.startswith(lines[place]):
                    lines[place] = line
            elif place == len(lines):
                lines.append(line)
            else:
                self.transcript.problems.append(f"line {place + 1} came after line {len(lines)}")

    async def _read_range(self) -> None:
        """Read from the last line known on (it may have grown)."""
        lines = self.transcript.lines
        first = max(1, len(lines))
        read, as_of_seq = await asyncio.to_thread(self._rest.lines, self._build_id, first)
        self.transcript.lines[first - 1 :] = read
        self._cursor = max(self._cursor, as_of_seq)
        self._note_row(await asyncio.to_thread(self._rest.get, f"/api/builds/{self._build_id}"))

    async def _probe(self, shown: Shown) -> None:
        self._probes += 1
        if self._probes % PROBE_EVERY != 1 or not shown.lines:
            return
        last = shown.first_line + len(shown.lines) - 1
        page = await asyncio.to_thread(self._rest.get, f"/api/builds/{self._build_id}/logs?first={last}&count=1")
        if page["total"] < last:
            self.transcript.unstored.append(last)

    def _note_row(self, row: dict[str, Any]) -> None:
        known = self.transcript.last_row
        if known is None or row["revision"] >= known["revision"]:
            self.transcript.last_row = row

    def _is_short(self) -> bool:
        row = self.transcript.last_row
        return row is not None and row["logLines"] > len(self.transcript.lines)

    async def _say(self, socket: ClientConnection, **frame: Any) -> None:
        await socket.send(json.dumps(frame))

    async def _receive(self, socket: ClientConnection, kind: str) -> None:
        async with asyncio.timeout(10):
            while True:
                frame = json.loads(await socket.recv())
                if frame["type"] == kind:
                    return
                await self._take(frame)
