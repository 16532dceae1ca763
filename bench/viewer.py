"""A viewer that costs next to nothing: it reads bytes off the socket and looks for the stamps of lines in them.

A WebSocket library in the measuring process would take more CPU than the gateway it measures: 200 viewers at 50 lines a
second are 10,000 frames a second, which in life are decoded by 200 browsers on other machines.
"""

import asyncio
import base64
import json
import os
import re
import time
from functools import partial
from urllib.parse import urlsplit

from build_protocol.frames import VIEWER_SUBPROTOCOL

STAMP = re.compile(rb"stamp (\d{19})")
STAMP_BYTES = 25
PING = re.compile(rb"\x89\x04(.{4})", re.DOTALL)
"""As the server sends them every 20 s: bytes that no JSON of ours holds, and who does not answer is given up."""

TEXT, PONG = 0x81, 0x8A
MASKED = 0x80


class Viewer(asyncio.Protocol):
    """Logs in over `/ws`, follows one build, and keeps the age in milliseconds of each line it is pushed."""

    def __init__(self, url: str, token: str, build_id: str, warm_at: float) -> None:
        self._host = urlsplit(url).netloc
        self._frames = [
            {"type": "AUTH", "token": token},
            {"type": "SUBSCRIBE", "projects": [], "buildIds": [build_id]},
        ]
        self._warm_at = warm_at
        self._tail = b""
        self.ages: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /ws HTTP/1.1\r\nHost: {self._host}\r\nOrigin: http://{self._host}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {VIEWER_SUBPROTOCOL}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """After the upgrade's answer, log in and subscribe; then look for stamps and pings, which reads may cut."""
        now = time.time_ns()
        while self._frames and b"\r\n\r\n" in data:
            self._transport.write(text_frame(json.dumps(self._frames.pop(0))))
        seen = self._tail + data
        stamps = list(STAMP.finditer(seen))
        self._tail = seen[stamps[-1].end() :][-STAMP_BYTES:] if stamps else seen[-STAMP_BYTES:]
        for ping in PING.finditer(seen):
            self._transport.write(bytes([PONG, MASKED | 4]) + b"\0\0\0\0" + ping[1])
        if now / 1e9 > self._warm_at:
            self.ages.extend((now - int(stamp[1])) / 1e6 for stamp in stamps)


def text_frame(text: str) -> bytes:
    """One masked text frame of less than 64 KiB, as a client must send it."""
    payload, mask = text.encode(), b"\0\0\0\0"  # a mask of zeros leaves the bytes as they are
    if len(payload) < 126:
        return bytes([TEXT, MASKED | len(payload)]) + mask + payload
    return bytes([TEXT, MASKED | 126]) + len(payload).to_bytes(2, "big") + mask + payload


async def follow(everyone: list[Viewer], url: str, until: float) -> list[list[float]]:
    """Connect the viewers to `url`, let them read until that moment (seconds since the epoch); their lines' ages."""
    loop = asyncio.get_running_loop()
    address = urlsplit(url)
    transports = []
    for viewer in everyone:
        transport, _ = await loop.create_connection(
            partial(_itself, viewer), address.hostname or "127.0.0.1", address.port or 80
        )
        transports.append(transport)
    await asyncio.sleep(max(0.0, until - time.time()))
    for transport in transports:
        transport.close()
    return [viewer.ages for viewer in everyone]


def _itself(viewer: Viewer) -> Viewer:
    return viewer
