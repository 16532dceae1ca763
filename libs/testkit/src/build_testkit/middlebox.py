"""A front or proxy that passes HTTP and no WebSocket: a real TCP server, for tests only.

Each request goes to the next of its targets, so that nothing sticks to one; answers are read whole before they go on.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import Literal

Upgrades = Literal["400", "403", "426", "501", "page", "strip", "swallow", "reset", "cut", "mute", "pass"]
"""What becomes of `Upgrade`: refused by a status, answered by a page, taken out, never answered, reset; or let through
and cut at once, let through with nothing passed on behind it; or passed.
"""

REFUSALS = {"400": "Bad Request", "403": "Forbidden", "426": "Upgrade Required", "501": "Not Implemented"}
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 20\r\n\r\n<html>Welcome</html>"
ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\n"


class Middlebox:
    """One port of 127.0.0.1 in front of others."""

    def __init__(self, targets: Sequence[int], upgrades: Upgrades, body_bytes: int | None = None) -> None:
        self.upgrades: Upgrades = upgrades
        """May be changed while it runs."""

        self.targets = list(targets)
        self.port = 0
        self.upgrades_seen = 0
        self.requests: Counter[int] = Counter()
        """Requests that each target answered."""

        self._body_bytes = body_bytes
        self._turns = count()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="middlebox", daemon=True)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        if not self._ready.wait(10):
            raise TimeoutError("the middlebox did not start")

    def stop(self) -> None:
        """Close everything."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._main())

    async def _main(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1024 * 1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._request(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # somebody went away, or the test is over
        finally:
            writer.transport.abort() if self.upgrades == "reset" else writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; whether another may follow on the connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        if _field(head, b"upgrade").lower() == b"websocket":
            self.upgrades_seen += 1
            if self.upgrades != "strip":
                await self._upgrade(head, reader, writer)
                return False
            head = _without(head, b"upgrade")
        size = int(_field(head, b"content-length") or 0)
        body = await reader.readexactly(size)
        if self._body_bytes is not None and size > self._body_bytes:
            writer.write(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n")
            return True
        answer = await self._answer(_without(head, b"connection")[:-2] + b"Connection: close\r\n\r\n" + body)
        end = answer.find(b"\r\n\r\n") + 4
        writer.write(_without(answer[:end], b"connection") + answer[end:])
        await writer.drain()
        return bool(_field(answer[:end], b"content-length"))

    async def _answer(self, request: bytes) -> bytes:
        """The whole answer of the next target that is there."""
        for _ in self.targets:
            target = self.targets[next(self._turns) % len(self.targets)]
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", target)
            except OSError:
                continue
            try:
                writer.write(request)
                answer = await reader.read(-1)
            except OSError:
                answer = b""
            finally:
                writer.close()
            if answer:
                self.requests[target] += 1
                return answer
            break  # it died over it: whether it did what was asked nobody knows
        return b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"

    async def _upgrade(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        how = self.upgrades
        if how in REFUSALS:
            writer.write(f"HTTP/1.1 {how} {REFUSALS[how]}\r\nContent-Length: 0\r\n\r\n".encode())
        elif how == "page":
            writer.write(PAGE)
        elif how == "swallow":
            await reader.read(-1)
        elif how in ("cut", "mute", "pass"):
            upstream = await asyncio.open_connection("127.0.0.1", self.targets[next(self._turns) % len(self.targets)])
            upstream[1].write(head)
            writer.write(await upstream[0].readuntil(b"\r\n\r\n"))
            await writer.drain()
            if how == "mute":
                await reader.read(-1)
            elif how == "pass":
                await _join((reader, writer), upstream)
            upstream[1].close()


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _join(one: Streams, other: Streams) -> None:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    pumps = [asyncio.create_task(pump(one[0], other[1])), asyncio.create_task(pump(other[0], one[1]))]
    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    for each in pumps:
        each.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)


def _field(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        field, _, value = line.partition(b":")
        if field.strip().lower() == name:
            return value.strip()
    return b""


def _without(head: bytes, name: bytes) -> bytes:
    first, *fields = head[:-4].split(b"\r\n")
    kept = [field for field in fields if field.partition(b":")[0].strip().lower() != name]
    return b"\r\n".join([first, *kept]) + b"\r\n\r\n"


@contextmanager
def middlebox(targets: Sequence[int], upgrades: Upgrades = "403", body_bytes: int | None = None) -> Iterator[Middlebox]:
    """A middlebox in front of these ports; `body_bytes`: larger bodies are answered with 413."""
    box = Middlebox(targets, upgrades, body_bytes)
    box.start()
    try:
        yield box
    finally:
        box.stop()
