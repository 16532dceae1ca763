"""An app behind a real server, and requests that no client has tidied: for tests only."""

import asyncio
import re
import socket
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """The app behind a real server on a free port, without its lifespan; gives its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:  # noqa: ASYNC110  the server offers nothing to wait on
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


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
