"""A TCP proxy that can be cut, held, slowed or made deaf in one direction; and a tap that reads WebSocket frames.

It runs in a thread of its own, so that what it carries does not depend on the test's loop.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

PIECE_BYTES = 64 * 1024
SLOW_BYTES = 2048
SLOW_SECONDS = 0.02
"""Slow: about 100 KB/s, in small pieces."""

State = Literal["open", "cut", "held", "slow", "deaf_up", "deaf_down"]
Tap = Callable[[bool, bytes], None]
"""Called with each piece: whether it goes up (to the server), and its bytes."""


class Proxy:
    """One port of 127.0.0.1 in front of another."""

    def __init__(self, target_port: int, new_tap: Callable[[], Tap] | None = None) -> None:
        self.target_port = target_port
        self.port = 0
        self._new_tap = new_tap
        self._state: State = "open"
        self._changed = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def start(self) -> "Proxy":
        """Listen; returns itself."""
        self._thread.start()
        if not self._ready.wait(10):
            raise TimeoutError("the proxy did not start")
        return self

    def stop(self) -> None:
        """Close everything."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def become(self, state: State) -> None:
        """`cut` resets what there is and refuses what comes; `held` swallows nothing, it only stops forwarding.

        `deaf_up` loses what goes to the server, `deaf_down` what comes from it: such a connection is of no use
        afterwards, so leaving either state cuts it.
        """

        def change() -> None:
            was, self._state = self._state, state
            if state == "cut" or was.startswith("deaf"):
                for writer in list(self._writers):
                    writer.transport.abort()
            self._changed.set()
            self._changed = asyncio.Event()

        self._loop.call_soon_threadsafe(change)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._state == "cut":
            writer.transport.abort()
            return
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, up_writer}
        tap = self._new_tap() if self._new_tap else _nothing
        try:
            await asyncio.wait(
                [
                    asyncio.create_task(self._carry(reader, up_writer, tap, goes_up=True)),
                    asyncio.create_task(self._carry(up_reader, writer, tap, goes_up=False)),
                ]
            )
        finally:
            self._writers -= {writer, up_writer}
            for each in (writer, up_writer):
                each.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tap: Tap, *, goes_up: bool
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while data := await reader.read(SLOW_BYTES if self._state == "slow" else PIECE_BYTES):
                while self._state == "held":
                    await self._changed.wait()
                if self._state == "slow":
                    await asyncio.sleep(SLOW_SECONDS)
                if self._state == ("deaf_up" if goes_up else "deaf_down"):
                    continue
                tap(goes_up, data)
                writer.write(data)
                await writer.drain()
        with suppress(OSError, RuntimeError):
            writer.write_eof()


def _nothing(goes_up: bool, data: bytes) -> None:
    """No tap."""


class FrameTap:
    """Reads the text frames of one WebSocket connection in both directions, as they pass."""

    def __init__(self, on_frame: Callable[[bool, dict[str, object]], None]) -> None:
        self._on_frame = on_frame
        self._buffers = {True: bytearray(), False: bytearray()}
        self._texts = {True: bytearray(), False: bytearray()}
        self._is_upgraded = {True: False, False: False}

    def __call__(self, goes_up: bool, data: bytes) -> None:
        """Take a piece."""
        buffer = self._buffers[goes_up]
        buffer += data
        if not self._is_upgraded[goes_up]:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            del buffer[: end + 4]
            self._is_upgraded[goes_up] = True
        while self._take(goes_up, buffer):
            continue

    def _take(self, goes_up: bool, buffer: bytearray) -> bool:
        if len(buffer) < 2:
            return False
        size, at = buffer[1] & 0x7F, 2
        if size in (126, 127):
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(buffer[2 : 2 + width], "big"), 2 + width
        has_mask = bool(buffer[1] & 0x80)
        end = at + (4 if has_mask else 0) + size
        if len(buffer) < end:
            return False
        payload = bytes(buffer[end - size : end])
        if has_mask:
            mask = bytes(buffer[at : at + 4]) * (size // 4 + 1)
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(mask[:size], "big")).to_bytes(size, "big")
        opcode, is_last = buffer[0] & 0x0F, bool(buffer[0] & 0x80)
        del buffer[:end]
        if opcode in (0, 1):
            self._texts[goes_up] += payload
            if is_last:
                text = bytes(self._texts[goes_up])
                self._texts[goes_up].clear()
                with suppress(ValueError):
                    frame = json.loads(text)
                    if isinstance(frame, dict):
                        self._on_frame(goes_up, frame)
        return True
