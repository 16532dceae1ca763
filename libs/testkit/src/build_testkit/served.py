"""An app behind a real server, and requests that no client has tidied: for tests only."""

import asyncio
import re
import socket
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp


class _PromptServer(uvicorn.Server):
    """uvicorn looks up every 0.1 s, twice or more in each stop; this one is woken, and waits for connections by ms."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._is_ending = asyncio.Event()

    def end(self) -> None:
        self.should_exit = True
        self._is_ending.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):  # each tick brings the Date header up to date
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._is_ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        state = self.server_state
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        for connection in list(state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while state.connections or state.tasks:  # noqa: ASYNC110  uvicorn keeps sets, and no event
                    await asyncio.sleep(0.002)
                for server in self.servers:
                    await server.wait_closed()
        except TimeoutError:
            for task in state.tasks:
                task.cancel("the server has waited long enough")
        await self.lifespan.shutdown()


@asynccontextmanager
async def served_as(config: uvicorn.Config) -> AsyncIterator[str]:
    """The configured app behind a real server on a free port; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = _PromptServer(config)
        serving = asyncio.create_task(server.serve([listening]))
        try:
            async with asyncio.timeout(10):
                while not server.started:  # noqa: ASYNC110  the server offers nothing to wait on
                    await asyncio.sleep(0.002)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.end()
            await serving


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """The app behind a real server on a free port, without its lifespan; gives its URL."""
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    async with served_as(config) as url:
        yield url


async def send_raw(
    url: str,
    target: str,
    *,
    method: str = "GET",
    headers: Iterable[str] = (),
    body: AsyncIterable[bytes] | None = None,
    seconds: float = 10,
    until_closed: bool = False,
) -> tuple[int, str]:
    """Status and text of the answer to exactly this request; `body` is sent as it is, while somebody reads it.

    The answer ends where its length says, or where the server closes the connection. Status 0: closed unanswered.
    """
    parts = urlsplit(url)
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        sending = asyncio.create_task(_send(writer, target, method, [f"Host: {parts.netloc}", *headers], body))
        try:
            answer = bytearray()
            with suppress(ConnectionError):  # closed while we were still sending: what came until then counts
                while (until_closed or not _is_whole(answer)) and (piece := await reader.read(65536)):
                    answer += piece
        finally:
            sending.cancel()
            writer.close()
    head, _, text = bytes(answer).partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, text.decode()


def _is_whole(answer: bytearray) -> bool:
    head, end, text = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: (\d+)\s*$", head)
    return bool(end) and length is not None and len(text) >= int(length[1])


async def chunked(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """A body in chunks, as HTTP writes them."""
    for piece in pieces:
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    yield b"0\r\n\r\n"


async def _send(
    writer: asyncio.StreamWriter, target: str, method: str, headers: Iterable[str], body: AsyncIterable[bytes] | None
) -> None:
    lines = [f"{method} {target} HTTP/1.1", "Connection: close", *headers, "", ""]
    writer.write("\r\n".join(lines).encode("latin-1"))
    with suppress(ConnectionError):
        if body is not None:
            async for piece in body:
                writer.write(piece)
                await writer.drain()
