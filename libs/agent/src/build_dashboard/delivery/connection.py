"""The connection to the gateway, kept up while there is something to send: a WebSocket, or posts where none passes.

It dials, chooses the transport, serves it by the exchange's frames, and waits between tries.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidProxyStatus,
    InvalidStatus,
    WebSocketException,
)
from websockets.typing import Subprotocol

from build_dashboard.delivery import transport_choice
from build_dashboard.delivery.backoff import Backoff
from build_dashboard.delivery.exchange import (
    RESTART_SPREAD_SECONDS,
    SUPERSEDED,
    Draining,
    Exchange,
    GatewaySilent,
    Listener,
    PostClosed,
    PostFailed,
    beside_each_other,
    decode,
    encode,
)
from build_dashboard.delivery.network import NetworkSettingWrong, find_proxy, tls_context, without_password
from build_dashboard.delivery.obstacles import explain, is_ours
from build_dashboard.delivery.session import Session
from build_dashboard.delivery.transport_choice import TransportChoice
from build_dashboard.endpoint import Endpoint
from build_dashboard.failpoints import fail_at

SUBPROTOCOL = Subprotocol("build-dashboard.agent.v2")
OPEN_SECONDS = 10.0
WELCOME_SECONDS = 15.0
HEDGE_SECONDS = 1.5
"""A WebSocket that does not open by then may never: a post is tried beside it."""

MAX_FRAME_BYTES = 4 * 1024 * 1024

RESTART, TOO_OLD = 1012, 4426
_WRONG_KEY, _PROXY_WANTS_PASSWORD = 401, 407
ABNORMAL = 1006
"""The close code of a connection that was cut without one."""


class Link(Protocol):
    """A way to the gateway, which has answered with WELCOME."""

    is_posting: bool

    async def open(self) -> None:
        """Greet the gateway and wait for WELCOME."""

    def begin(self) -> None:
        """This way is taken: its WELCOME holds from here on."""

    async def serve(self) -> None:
        """Send and receive until it ends or fails."""

    async def close(self) -> None:
        """Let go of it."""


OpenPosts = Callable[[Endpoint, Exchange], Link]


class Connection:
    """Dials and serves until `close`; all of it in one event loop. `open_posts`: how to post; None: never."""

    def __init__(
        self,
        endpoint: Endpoint,
        session: Session,
        listener: Listener,
        backoff: Backoff,
        spool_path: str,
        *,
        open_posts: OpenPosts | None = None,
        choice: TransportChoice | None = None,
    ) -> None:
        self.is_connected = False
        self.failures = 0
        self.problem = ""
        self.is_rejected = False  # wrong key, too old, superseded: trying again soon does not help
        self.socket_problem = ""
        """Where frames are posted: why no WebSocket passes."""

        self._endpoint = endpoint
        self._session = session
        self._listener = listener
        self._backoff = backoff
        self._spool_path = spool_path
        self._open_posts = open_posts
        self._exchange = Exchange(session, listener, backoff, spool_path)
        self._hurry = asyncio.Event()
        self._closing = asyncio.Event()
        self._spread_seconds: float | None = None
        self._probe: asyncio.Task[Link] | None = None
        """A WebSocket that is being opened while frames are posted."""

        self._route = _route(endpoint)
        is_posted = open_posts is not None and transport_choice.is_posted(Path(spool_path), self._route)
        self._choice = choice or TransportChoice(is_posted)

    def wake(self) -> None:
        """There is more to send."""
        self._exchange.more.set()

    def beat(self) -> None:
        """Send a HEARTBEAT now: what it reports has changed."""
        self._exchange.news.set()
        self._exchange.more.set()

    def send(self, frame: dict[str, Any]) -> None:
        """Send this frame as soon as there is a connection."""
        self._exchange.send(frame)

    def hurry(self) -> None:
        """Try now rather than after the wait."""
        self._hurry.set()

    def close(self) -> None:
        """Stop, after the frame being sent."""
        self._closing.set()
        self._hurry.set()
        self._exchange.more.set()

    async def run(self) -> None:
        """Keep connected until closed."""
        try:
            while not self._closing.is_set():
                if await self._serve_once():
                    continue  # by the other transport
                if self._closing.is_set():
                    return
                self.failures += 1
                self._listener.changed()
                await self._wait_before_retry()
        finally:
            await self._end_probe()

    async def _serve_once(self) -> bool:
        """Serve one connection to its end; whether the next one is open already."""
        try:
            link = await self._open()
            try:
                return await self._serve(link)
            finally:
                await link.close()
        except (ConnectionClosed, PostClosed) as error:
            self._note_close(error)
        except Draining as draining:
            self._spread_seconds = draining.within_seconds
        except GatewaySilent as error:
            self.problem = str(error)
        except (OSError, WebSocketException, ValueError, PostFailed) as error:
            self._note_obstacle(error)
        finally:
            self._session.is_welcome = False
            self.is_connected = False
        return False

    async def _serve(self, link: Link) -> bool:
        link.begin()
        self._note_transport(is_posting=link.is_posting)
        self.is_connected, self.problem, self.is_rejected = True, "", False
        self._listener.changed()
        serving, closing = asyncio.create_task(link.serve()), asyncio.create_task(self._closing.wait())
        probing = asyncio.create_task(self._probe_socket()) if link.is_posting else None
        tasks = [task for task in (serving, closing, probing) if task is not None]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
            return probing is not None and probing.done()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # --- which transport ---

    async def _open(self) -> Link:
        """A link past its WELCOME, by the WebSocket if it passes, else by posts."""
        if self._probe is not None and self._probe.done():
            probe, self._probe = self._probe, None
            return probe.result()
        if self._open_posts is not None and self._choice.is_post_first:
            try:
                return await self._open_post()
            except BaseException:
                self._choice.posts_fail()
                raise
        socket = asyncio.create_task(self._open_socket())
        try:
            await asyncio.wait([socket], timeout=HEDGE_SECONDS if self._open_posts else None)
            if socket.done() and not may_be_posted(socket.exception()):
                return socket.result()
            if self._open_posts is None:
                return await socket
            if socket.done():
                self._note_socket_problem(socket.exception())
            return await self._open_either(socket)
        except asyncio.CancelledError:
            socket.cancel()
            raise

    async def _open_either(self, socket: "asyncio.Task[Link]") -> Link:
        """The first to open of a WebSocket and posts; a WebSocket that comes late takes over from posts."""
        post = asyncio.create_task(self._open_post())
        while not post.done():
            waiting = [task for task in (socket, post) if not task.done()]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if socket.done() and socket.exception() is None:
                post.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await (await post).close()
                return socket.result()
        failure = post.exception()
        if failure is None:
            self._probe = socket
            return post.result()
        try:
            return await socket
        except Exception as error:
            # What the gateway itself says comes before what a proxy says of the WebSocket.
            if isinstance(failure, PostClosed) or (isinstance(failure, PostFailed) and failure.code is not None):
                raise failure from error
            raise

    async def _open_post(self) -> Link:
        assert self._open_posts is not None  # noqa: S101  asked before
        await _prepared(self._endpoint)
        posts = self._open_posts(self._endpoint, self._exchange)
        try:
            await posts.open()
        except BaseException:
            await posts.close()
            raise
        return posts

    async def _probe_socket(self) -> None:
        """Return once a WebSocket stands: now and then it is tried whether one passes after all."""
        while True:
            if self._probe is None:
                await asyncio.sleep(self._choice.probe_seconds)
                self._probe = asyncio.create_task(self._open_socket())
            await asyncio.wait([self._probe])
            problem = self._probe.exception()
            if not isinstance(problem, Exception):
                return
            self._probe = None
            self._choice.probe_fails()
            self.socket_problem = explain(problem, self._endpoint).problem
            self._note_transport(is_posting=True)
            self._listener.changed()

    def _note_transport(self, *, is_posting: bool) -> None:
        if not is_posting:
            self.socket_problem = ""
            self._choice.socket_works()
        else:
            self._choice.posts_work()
            self.socket_problem = self.socket_problem or "it does not open"
            if self._probe is not None and not self._probe.done():
                return  # slow, perhaps, and not refused
        transport_choice.remember(Path(self._spool_path), self._route, is_posted=is_posting)

    def _note_socket_problem(self, error: BaseException | None) -> None:
        """Whoever asks meanwhile need not wait for a post, which may fail too."""
        if isinstance(error, Exception):
            self.socket_problem = self.problem = explain(error, self._endpoint).problem
            self._listener.changed()

    async def _end_probe(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.gather(self._probe, return_exceptions=True)
            self._probe = None

    async def _open_socket(self) -> Link:
        await _prepared(self._endpoint)
        # The interval keeps connections alive through proxies that cut what is silent for a minute.
        dialled = dial(self._endpoint, OPEN_SECONDS, max_size=MAX_FRAME_BYTES, ping_interval=20, ping_timeout=20)
        socket = _Socket(dialled, self._exchange)
        await socket.open()
        return socket

    # --- between connections ---

    def _note_obstacle(self, error: Exception) -> None:
        self.problem = explain(error, self._endpoint).problem
        status = error.response.status_code if isinstance(error, InvalidStatus) else getattr(error, "status", None)
        if status == _WRONG_KEY and self._endpoint.job is not None and self._endpoint.job.forget():
            return  # a job's key has expired, or was revoked: the next try brings another, or says why there is none
        self.is_rejected = status in (401, 403, 426)

    def _note_close(self, error: ConnectionClosed | PostClosed) -> None:
        if isinstance(error, PostClosed):
            code, self.problem = error.code, str(error)
        else:
            code = error.rcvd.code if error.rcvd else ABNORMAL
            reason = error.rcvd.reason if error.rcvd else ""
            self.problem = f"the connection was closed ({code} {reason})".replace(" )", ")")
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


class _Socket:
    """A WebSocket to the gateway, and the frames on it."""

    is_posting = False

    def __init__(self, dialled: Any, exchange: Exchange) -> None:
        self._dialled = dialled
        self._exchange = exchange
        self._socket: ClientConnection
        self._welcome: tuple[dict[str, Any], list[dict[str, Any]]]

    async def open(self) -> None:
        """Dial, greet, and wait for WELCOME."""
        self._socket = await self._dialled.__aenter__()
        try:
            await self._send(self._exchange.hello())
            refusals: list[dict[str, Any]] = []
            async with asyncio.timeout(WELCOME_SECONDS):
                while (frame := decode(await self._socket.recv())).get("type") != "WELCOME":
                    if frame.get("type") == "CLOSE":
                        raise PostClosed(int(frame.get("code", 0)), str(frame.get("reason", "")))
                    refusals += [frame] if frame.get("type") == "REFUSED" else []
        except BaseException:
            await self.close()
            raise
        self._welcome = frame, refusals

    def begin(self) -> None:
        """This way is taken: its WELCOME holds from here on."""
        self._exchange.welcome(*self._welcome)

    async def serve(self) -> None:
        """Send and receive until it ends or fails."""
        await beside_each_other(self._receive_all(), self._send_all(), self._beat())

    async def close(self) -> None:
        """Say goodbye."""
        await self._dialled.__aexit__(None, None, None)

    async def _receive_all(self) -> None:
        while True:
            frame = decode(await self._socket.recv())
            if frame.get("type") == "CLOSE":  # of a front that closes with codes of its own
                raise PostClosed(int(frame.get("code", 0)), str(frame.get("reason", "")))
            self._exchange.take(frame)

    async def _send_all(self) -> None:
        while True:
            while self._exchange.outbox:
                await self._send(encode(self._exchange.outbox[0]))
                self._exchange.outbox.pop(0)
            records = self._exchange.next_records()
            if records is None:
                self._exchange.more.clear()
                await self._exchange.more.wait()
                continue
            await self._send(records)
            fail_at("agent.sent")

    async def _beat(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._exchange.heartbeat_seconds):
                    await self._exchange.news.wait()
            await self._send(self._exchange.heartbeat())

    async def _send(self, frame: bytes) -> None:
        await self._socket.send(frame, text=True)


async def _prepared(endpoint: Endpoint) -> None:
    """A job's key is got beside the event loop. Raises CiKeyFailed."""
    if endpoint.job is not None:
        await asyncio.to_thread(endpoint.credential)


def dial(endpoint: Endpoint, open_seconds: float, **options: Any) -> connect:
    """A WebSocket to the gateway, by the network's proxy and certificates.

    Raises:
        NetworkSettingWrong: a variable about the network cannot be followed.
        CiKeyFailed: the CI's job gets no key.
    """
    proxy = find_proxy(endpoint.url)
    if endpoint.url.startswith("wss:"):
        options["ssl"] = tls_context()
    if proxy and proxy.startswith("https:"):
        options["proxy_ssl"] = tls_context()
    return connect(
        endpoint.url,
        subprotocols=[SUBPROTOCOL],
        additional_headers={"Authorization": f"Bearer {endpoint.credential()}"},
        compression=None,
        open_timeout=open_seconds,
        close_timeout=1,
        proxy=proxy,
        **options,
    )


def may_be_posted(error: BaseException | None) -> bool:
    """Whether a WebSocket that failed so may be all that does not pass, and HTTP may."""
    if isinstance(error, InvalidStatus):  # but for what the gateway itself answers
        return error.response.status_code != _WRONG_KEY and not is_ours(error)
    if isinstance(error, InvalidProxyStatus):
        return error.response.status_code != _PROXY_WANTS_PASSWORD
    if isinstance(error, ConnectionClosed):
        return error.rcvd is None
    if isinstance(error, NetworkSettingWrong):
        return False
    cut = (InvalidHandshake, InvalidMessage, TimeoutError, ConnectionResetError, BrokenPipeError, ValueError)
    return isinstance(error, cut)


def _route(endpoint: Endpoint) -> str:
    """The way to the gateway, as what was found of it is remembered."""
    with contextlib.suppress(NetworkSettingWrong):
        if proxy := find_proxy(endpoint.url):
            return f"{endpoint.url} by {without_password(proxy)}"
    return endpoint.url
