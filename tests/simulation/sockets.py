"""WebSockets between an agent and a gateway's app: one end as `websockets` has it, the other as ASGI has it."""

import asyncio
from typing import Any, Self

from build_dashboard.endpoint import Endpoint
from simulation.machine import Process
from simulation.network import Network, Wire, here
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus
from websockets.frames import Close
from websockets.http11 import Response

SUBPROTOCOL = "build-dashboard.agent.v2"


class Connection:
    """Both directions, and both ends."""

    def __init__(self, network: Network, client: Process, server: Process) -> None:
        self.network = network
        self.client, self.server = client, server
        self.up = Wire(network, client.machine.name, server.machine.name)
        self.down = Wire(network, server.machine.name, client.machine.name)
        self.up.on_silence = self.down.on_silence = self.break_off
        self._on_end = [(client, self._client_gone), (server, self._server_gone)]
        for process, gone in self._on_end:
            process.on_end.append(gone)

    def break_off(self) -> None:
        """Both ends notice."""
        self.up.break_off()
        self.down.break_off()
        for process, gone in self._on_end:
            if gone in process.on_end:
                process.on_end.remove(gone)

    def _client_gone(self) -> None:
        self.up.put(("gone",), 0)

    def _server_gone(self) -> None:
        self.down.put(("gone",), 0)


class ClientSocket:
    """What `websockets.connect` gives, as far as the agent uses it."""

    def __init__(self, network: Network, find_gateway: Any, endpoint: Endpoint, open_seconds: float) -> None:
        self._network = network
        self._find_gateway = find_gateway
        self._key = endpoint.api_key
        self._open_seconds = open_seconds
        self._connection: Connection | None = None
        self._end: Exception | None = None

    async def __aenter__(self) -> Self:
        client, server = here(), self._find_gateway()
        if server is None:
            await asyncio.sleep(0.001)
            raise ConnectionRefusedError("connection refused")
        names = client.machine.name, server.machine.name
        await asyncio.sleep(self._network.delay(*names) * 3)
        if not (self._network.passes(*names) and self._network.passes(*reversed(names))):
            await asyncio.sleep(self._open_seconds)
            raise TimeoutError("timed out during opening handshake")
        if not server.is_alive:
            raise ConnectionRefusedError("connection refused")
        self._connection = Connection(self._network, client, server)
        server.spawn(_serve(server.app, self._connection, self._key))
        try:
            async with asyncio.timeout(self._open_seconds):
                kind, *rest = await self._connection.down.get()
        except (EOFError, TimeoutError):
            self._connection.break_off()
            raise TimeoutError("timed out during opening handshake") from None
        if kind == "denied":
            self._connection.break_off()
            raise InvalidStatus(Response(rest[0], "", Headers(), b""))
        if kind == "gone":
            self._connection.break_off()
            raise ConnectionResetError("connection reset")
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._connection is not None
        self._connection.up.put(("close", 1000), 0)
        self._network.loop.call_later(1.0, self._connection.break_off)

    async def send(self, message: str | bytes, text: bool | None = None) -> None:
        """Send a text frame."""
        connection = self._open()
        data = message.decode() if isinstance(message, bytes) else message
        connection.up.put(("text", data), len(data))
        await connection.up.has_room()

    async def recv(self) -> str:
        """The next text frame."""
        connection = self._open()
        try:
            kind, *rest = await connection.down.get()
        except EOFError:
            self._end = ConnectionClosedError(None, None)
            raise self._end from None
        if kind == "text":
            return str(rest[0])
        connection.break_off()
        if kind == "close":
            closed = ConnectionClosedOK if rest[0] in (1000, 1001) else ConnectionClosedError
            self._end = closed(Close(rest[0], rest[1]), None)
        else:
            self._end = ConnectionClosedError(None, None)
        raise self._end

    def _open(self) -> Connection:
        if self._end is not None:
            raise self._end
        assert self._connection is not None
        if self._connection.up.is_broken:
            raise ConnectionClosedError(None, None)
        return self._connection


def _scope(key: str) -> dict[str, Any]:
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/ws",
        "raw_path": b"/ws",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {key}".encode())],
        "client": ("127.0.0.1", 40_000),
        "server": ("localhost", 80),
        "subprotocols": [SUBPROTOCOL],
        "extensions": {"websocket.http.response": {}},
        "state": {},
    }


async def _serve(app: Any, connection: Connection, key: str) -> None:
    """The server's end: what uvicorn does."""
    is_connected = False

    async def receive() -> dict[str, Any]:
        nonlocal is_connected
        if not is_connected:
            is_connected = True
            return {"type": "websocket.connect"}
        return await _received(connection)

    async def send(message: dict[str, Any]) -> None:
        if connection.down.is_broken:
            raise OSError("the connection is closed")
        if sent := _frame(message):
            connection.down.put(sent, len(message.get("text") or ""))
        if connection.down.is_full:
            await connection.down.has_room()

    await app(_scope(key), receive, send)
    connection.down.put(("close", 1006, ""), 0)


async def _received(connection: Connection) -> dict[str, Any]:
    try:
        kind, *rest = await connection.up.get()
    except EOFError:
        return {"type": "websocket.disconnect", "code": 1006}
    if kind == "text":
        return {"type": "websocket.receive", "text": rest[0]}
    connection.break_off()
    return {"type": "websocket.disconnect", "code": rest[0] if rest else 1006}


def _frame(message: dict[str, Any]) -> tuple[Any, ...] | None:
    kind = message["type"]
    if kind == "websocket.send":
        return ("text", message["text"])
    if kind == "websocket.accept":
        return ("accepted", message.get("subprotocol"))
    if kind == "websocket.close":
        return ("close", message.get("code", 1000), message.get("reason") or "")
    return ("denied", message["status"]) if kind == "websocket.http.response.start" else None
