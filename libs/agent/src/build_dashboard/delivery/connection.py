"""The connection: one WebSocket to the gateway, kept up for as long as there is something to send.

The shell around `session`: it dials, sends what the session wants, hands it what comes in, and waits between tries.
"""

import asyncio
import contextlib
import json
import random
import shutil
import time
from collections.abc import Mapping
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from build_dashboard.delivery.backoff import Backoff
from build_dashboard.delivery.network import find_proxy, tls_context
from build_dashboard.delivery.obstacles import explain
from build_dashboard.delivery.session import Session, Want
from build_dashboard.endpoint import Endpoint
from build_dashboard.failpoints import fail_at
from build_dashboard.recording.clock import read_clock

SUBPROTOCOL = Subprotocol("build-dashboard.agent.v2")
OPEN_SECONDS = 10.0
WELCOME_SECONDS = 15.0
STALL_SECONDS = 60.0
"""Records sent and no word of them for so long: the connection is of no use, whatever it looks like."""

RESTART_SPREAD_SECONDS = 15.0
MAX_FRAME_BYTES = 4 * 1024 * 1024

RESTART, SUPERSEDED, TOO_OLD = 1012, 4409, 4426


class Listener(Protocol):
    """Who keeps the builds that the session reports."""

    def read(self, build_id: str, after_seq: int, limit_bytes: int, limit_records: int) -> list[bytes]:
        """The records to send."""

    def unreadable(self, build_id: str, problem: str) -> None:
        """What is to be sent of this build cannot be read."""

    def anchor(self, build_id: str) -> dict[str, Any] | None:
        """The server's time in the boot in which the build began, where that boot is not this one."""

    def welcomed(self, frame: Mapping[str, Any], clock: Mapping[str, Any]) -> None:
        """A WELCOME came when the clock stood so."""

    def stored(self, build_id: str) -> None:
        """The build's acknowledgement moved."""

    def refused(self, build_id: str, seq: int | None, problem: str) -> None:
        """The dashboard will not take this record, or this build."""

    def command(self, frame: Mapping[str, Any]) -> dict[str, Any] | None:
        """A COMMAND came; the COMMAND_ACK to send."""

    def changed(self) -> None:
        """Connected, disconnected, or failed to connect."""


class GatewaySilent(Exception):
    """The connection stands, and nothing comes of it."""


class Connection:
    """Dials and serves until `close`; all of it in one event loop."""

    def __init__(
        self, endpoint: Endpoint, session: Session, listener: Listener, backoff: Backoff, spool_path: str
    ) -> None:
        self.is_connected = False
        self.failures = 0
        self.problem = ""
        self.is_rejected = False  # wrong key, too old, superseded: trying again soon does not help
        self._endpoint = endpoint
        self._session = session
        self._listener = listener
        self._backoff = backoff
        self._spool_path = spool_path
        self._more = asyncio.Event()
        self._news = asyncio.Event()
        self._hurry = asyncio.Event()
        self._closing = asyncio.Event()
        self._spread_seconds: float | None = None
        self._acknowledged_at = 0.0
        self._outbox: list[dict[str, Any]] = []

    def wake(self) -> None:
        """There is more to send."""
        self._more.set()

    def beat(self) -> None:
        """Send a HEARTBEAT now: what it reports has changed."""
        self._news.set()

    def send(self, frame: dict[str, Any]) -> None:
        """Send this frame as soon as there is a connection."""
        self._outbox.append(frame)
        self._more.set()

    def hurry(self) -> None:
        """Try now rather than after the wait."""
        self._hurry.set()

    def close(self) -> None:
        """Stop, after the frame being sent."""
        self._closing.set()
        self._hurry.set()
        self._more.set()

    async def run(self) -> None:
        """Keep connected until closed."""
        while not self._closing.is_set():
            try:
                await self._serve_once()
            except ConnectionClosed as error:
                self._note_close(error)
            except GatewaySilent as error:
                self.problem = str(error)
            except (OSError, WebSocketException, ValueError) as error:
                self._note_obstacle(error)
            finally:
                self._session.is_welcome = False
                self.is_connected = False
            if self._closing.is_set():
                return
            self.failures += 1
            self._listener.changed()
            await self._wait_before_retry()

    async def _serve_once(self) -> None:
        async with self._dial() as socket:
            await socket.send(_encode(self._session.hello()))
            welcome, refusals = await _welcome(socket)
            self._session.welcome(welcome)
            self._listener.welcomed(welcome, read_clock())
            self.is_connected, self.problem, self.is_rejected = True, "", False
            self._acknowledged_at = time.monotonic()
            for build_id in list(self._session.builds):
                self._listener.stored(build_id)
            for refused in refusals:
                self._refuse(refused)
            self._outbox += self._session.questions()
            if self._session.unbuildable:
                self.beat()
            self._listener.changed()
            tasks = [
                asyncio.create_task(self._receive_all(socket)),
                asyncio.create_task(self._send_all(socket)),
                asyncio.create_task(self._beat(socket)),
                asyncio.create_task(self._closing.wait()),
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _dial(self) -> connect:
        # The interval keeps connections alive through proxies that cut what is silent for a minute.
        return dial(self._endpoint, OPEN_SECONDS, max_size=MAX_FRAME_BYTES, ping_interval=20, ping_timeout=20)

    # --- frames ---

    async def _receive_all(self, socket: ClientConnection) -> None:
        while True:
            frame = await _receive(socket)
            kind = frame.get("type")
            if kind == "ACK":
                self._acknowledged_at = time.monotonic()
                if self._session.acknowledge(frame):
                    self._backoff.reset()
                self._listener.stored(frame["buildId"])
            elif kind == "REFUSED":
                self._refuse(frame)
            elif kind == "COMMAND":
                answer = self._listener.command(frame)
                if answer is not None:
                    await socket.send(_encode(answer))
            elif kind == "LAST_GREEN":
                self._session.learn_green(frame)
                self._listener.changed()
            elif kind == "DRAIN":
                self._spread_seconds = float(frame.get("withinSeconds", RESTART_SPREAD_SECONDS))
                return
            # Other frames are a newer gateway's: not for us.
            self._more.set()

    def _refuse(self, frame: Mapping[str, Any]) -> None:
        given_up = self._session.refuse(frame)
        if given_up is not None:
            build, seq = given_up
            self._listener.refused(build.build_id, seq, f"{frame.get('code')}: {frame.get('detail', '')}")

    async def _send_all(self, socket: ClientConnection) -> None:
        while True:
            while self._outbox:
                await socket.send(_encode(self._outbox[0]))
                self._outbox.pop(0)
            want = self._session.want()
            if want is None:
                self._more.clear()
                await self._more.wait()
                continue
            records = self._read(want)
            if not records:
                continue
            self._session.sent(want.build_id, [len(record) + 1 for record in records])
            head = _encode({"type": "RECORDS", "clock": read_clock()} | self._anchor(want)).encode()
            await socket.send(head[:-1] + b',"records":[' + b",".join(records) + b"]}", text=True)
            fail_at("agent.sent")

    def _read(self, want: Want) -> list[bytes]:
        """The records; none where the disk does not give them, which keeps no other build from being sent."""
        problem = f"record {want.after_seq + 1} is damaged"
        try:
            records = self._listener.read(want.build_id, want.after_seq, want.limit_bytes, want.limit_records)
        except OSError as error:
            records, problem = [], str(error)
        if not records:
            self._session.set_aside(want.build_id, problem)
            self._listener.unreadable(want.build_id, problem)
        return records

    def _anchor(self, want: Want) -> dict[str, Any]:
        """What gives the age of a build that began in a boot which is over; only its first record is asked."""
        anchor = self._listener.anchor(want.build_id) if want.after_seq == 0 else None
        return {} if anchor is None else {"anchor": anchor}

    async def _beat(self, socket: ClientConnection) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._session.heartbeat_seconds):
                    await self._news.wait()
            self._news.clear()
            waiting = [build for build in self._session.builds.values() if build.in_flight]
            if waiting and time.monotonic() > self._acknowledged_at + STALL_SECONDS:
                raise GatewaySilent("the gateway acknowledges nothing")
            spool_bytes, oldest_ms = self._listener_backlog()
            free = None
            with contextlib.suppress(OSError):
                free = shutil.disk_usage(self._spool_path).free
            await socket.send(_encode(self._session.heartbeat(spool_bytes, oldest_ms, free)))

    def _listener_backlog(self) -> tuple[int, int | None]:
        backlog = getattr(self._listener, "backlog", None)
        return backlog() if backlog else (0, None)

    # --- between connections ---

    def _note_obstacle(self, error: Exception) -> None:
        self.problem = explain(error, self._endpoint.url).problem
        self.is_rejected = isinstance(error, InvalidStatus) and error.response.status_code in (401, 403, 426)

    def _note_close(self, error: ConnectionClosed) -> None:
        code = error.rcvd.code if error.rcvd else 1006
        self.problem = f"the connection was closed ({code} {error.rcvd.reason if error.rcvd else ''})".replace(
            " )", ")"
        )
        if code == RESTART:
            self._spread_seconds = RESTART_SPREAD_SECONDS
        if code in (SUPERSEDED, TOO_OLD):
            self.is_rejected = True
            self._closing.set()

    async def _wait_before_retry(self) -> None:
        if self._spread_seconds is not None:
            wait, self._spread_seconds = random.random() * self._spread_seconds, None  # noqa: S311  (spreads load)
        else:
            wait = self._backoff.next_wait(random.random())  # noqa: S311  (spreads load)
        self._hurry.clear()
        if self._closing.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._hurry.wait()


def dial(endpoint: Endpoint, open_seconds: float, **options: Any) -> connect:
    """A WebSocket to the gateway, by the network's proxy and certificates.

    Raises:
        NetworkSettingWrong: a variable about the network cannot be followed.
    """
    proxy = find_proxy(endpoint.url)
    if endpoint.url.startswith("wss:"):
        options["ssl"] = tls_context()
    if proxy and proxy.startswith("https:"):
        options["proxy_ssl"] = tls_context()
    return connect(
        endpoint.url,
        subprotocols=[SUBPROTOCOL],
        additional_headers={"Authorization": f"Bearer {endpoint.api_key}"},
        compression=None,
        open_timeout=open_seconds,
        close_timeout=1,
        proxy=proxy,
        **options,
    )


async def _welcome(socket: ClientConnection) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The WELCOME, and what was refused of the HELLO before it: a gateway says so once."""
    refusals: list[dict[str, Any]] = []
    async with asyncio.timeout(WELCOME_SECONDS):
        while (frame := await _receive(socket)).get("type") != "WELCOME":
            refusals += [frame] if frame.get("type") == "REFUSED" else []
        return frame, refusals


async def _receive(socket: ClientConnection) -> dict[str, Any]:
    frame = json.loads(await socket.recv())
    if not isinstance(frame, dict):
        raise ValueError("the server sent something that is no frame")
    return frame


def _encode(frame: Mapping[str, Any]) -> str:
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False)
