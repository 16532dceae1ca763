"""One viewer's session: the shell around its socket, from AUTH to the last frame."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from build_chassis.auth import Principal
from build_chassis.errors import StoreUnavailable
from build_chassis.projects import Projects
from build_protocol import clock, limits
from build_protocol.frames import Auth, Close, Ping, Pong, Ready, Subscribe, Subscribed

from build_gateway.accounts.directory import Directory
from build_gateway.accounts.tokens import Claims, TokenInvalid
from build_gateway.metrics import Metrics
from build_gateway.public_view import public_projects, visitor_of
from build_gateway.rate import Rate
from build_gateway.socket import SocketGone
from build_gateway.viewers.audience import Audience
from build_gateway.viewers.decode import Decoded, decode
from build_gateway.viewers.events import BuildEvent, LogEvent, public
from build_gateway.viewers.outbox import Outbox
from build_gateway.viewers.subscription import Subscription

logger = logging.getLogger("gateway")
FRAMES_PER_SECOND = 20
VISIT_SECONDS = 3600
"""A visitor has nothing that ends; after this the page says again that it has no token."""


@dataclass(frozen=True, slots=True)
class ViewerEdges:
    """What every viewer session of this gateway shares."""

    directory: Directory
    audience: Audience
    metrics: Metrics
    projects: Projects

    def visitor(self) -> Principal:
        """Who comes without a login. Raises TokenInvalid where no project is public."""
        public = public_projects(self.projects.current())
        if not public:
            raise TokenInvalid
        return visitor_of(public)


class ViewerSocket(Protocol):
    """What carries frames both ways; `build_gateway.socket.Socket` has the meanings."""

    @property
    def is_stuck(self) -> bool:
        """Whether a `push` has been waiting for the peer to read for too long."""
        ...

    async def receive(self) -> str | bytes:
        """The next frame. Raises SocketGone at the end."""
        ...

    def push(self, text: str) -> Awaitable[None] | None:
        """Send one frame at once (None), or return what to await. Raises SocketGone."""
        ...

    async def close(self, code: Close, reason: str) -> None:
        """Say why this ends."""
        ...


class ViewerSession:
    """The session of one page."""

    def __init__(self, socket: ViewerSocket, edges: ViewerEdges, authenticated: Callable[[], None]) -> None:
        self._socket = socket
        self._edges = edges
        self._authenticated = authenticated
        self._outbox = Outbox()
        self._wake = asyncio.Event()
        self._ended = asyncio.Event()
        self._is_idle = False
        """Nothing waits and the peer reads: a frame may go straight to the socket."""
        self._rest: Awaitable[None] | None = None
        """What is left of the last push."""
        self._subscription: Subscription | None = None
        self._principal: Principal
        self._claims: Claims | None = None
        """None: a visitor's session."""
        self._ending: tuple[Close, str] | None = None
        self.user = ""

    async def run(self) -> None:
        """Serve the viewer until either side ends the session."""
        if not await self._authenticate():
            return
        if self._claims is not None:
            # A visitor's socket stays among those that an address may have so many of.
            self._authenticated()
        self._edges.audience.join(self)
        tasks = [asyncio.create_task(step) for step in (self._send(), self._read(), self._ended.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._edges.audience.leave(self, self._followed())
            self._edges.metrics.resyncs.inc(self._outbox.resyncs)
            if self._ending is not None:
                await self._socket.close(*self._ending)

    # --- called by others

    def offer_build(self, event: BuildEvent) -> None:
        """Show a changed row, if it is wanted."""
        if self._subscription is None or not self._subscription.wants_build(event):
            return
        if self._claims is None:
            event = public(event)
        if self._is_idle:
            self._push(event.text)
        else:
            self._outbox.offer_build(event)

    def offer_log(self, event: LogEvent) -> None:
        """Show log lines, if they are wanted."""
        if self._subscription is None or not self._subscription.wants_log(event):
            return
        if self._is_idle:
            self._push(event.text)
        else:
            self._outbox.offer_log(event)

    def resync(self, build_id: str | None, reason: str) -> None:
        """Ask the page to read again."""
        self._outbox.resync(build_id, reason)
        self._send_waiting()

    async def look(self) -> None:
        """End the session when the page reads nothing or the person's rights ended; else apply them as they are now."""
        if self._socket.is_stuck:
            self._end(Close.TRY_LATER, "you read too slowly")
        try:
            if self._claims is None:
                self._principal = self._edges.visitor()
            else:
                self._principal = await self._edges.directory.still(self._claims)
        except TokenInvalid as error:
            self._end(Close.BAD_TOKEN, str(error))
        except StoreUnavailable:
            # No rights are known to have ended; the next look decides.
            return
        else:
            if self._subscription is not None:
                self._subscription.seen_by(self._principal)

    # --- reading

    async def _authenticate(self) -> bool:
        try:
            async with asyncio.timeout(limits.HELLO_SECONDS):
                decoded = decode(await self._socket.receive())
        except TimeoutError:
            await self._socket.close(Close.HELLO_LATE, f"send AUTH within {limits.HELLO_SECONDS:g} s")
            return False
        except SocketGone:
            return False
        if not isinstance(decoded.frame, Auth):
            await self._socket.close(Close.BAD_FRAME, "the first frame is AUTH")
            return False
        if not await self._accept(decoded.frame):
            assert self._ending is not None  # noqa: S101  a token that is not accepted ends the session
            await self._socket.close(*self._ending)
            return False
        self._warn(decoded)
        return True

    async def _accept(self, auth: Auth) -> bool:
        try:
            if auth.token:
                principal, claims = await self._edges.directory.principal(auth.token)
            else:
                principal, claims = self._edges.visitor(), None
        except TokenInvalid as error:
            self._end(Close.BAD_TOKEN, str(error))
            return False
        except StoreUnavailable:
            self._end(Close.TRY_LATER, "accounts cannot be read now")
            return False
        if self.user not in ("", principal.name):
            self._end(Close.BAD_TOKEN, "this token is another person's")
            return False
        self.user = principal.name
        self._principal, self._claims = principal, claims
        now_ms = clock.now_ms()
        expires_at = now_ms + VISIT_SECONDS * 1000 if claims is None else claims.expires_at * 1000
        ready = Ready(user=principal.name, server_at=now_ms, expires_at=expires_at)
        self._reply(ready.to_json())
        return True

    async def _read(self) -> None:
        rate = Rate(FRAMES_PER_SECOND)
        try:
            while True:
                message = await self._socket.receive()
                if not rate.take(time.monotonic()):
                    self._end(Close.RATE_LIMITED, f"at most {FRAMES_PER_SECOND} frames a second")
                    return
                await self._take(decode(message))
        except SocketGone:
            return

    async def _take(self, decoded: Decoded) -> None:
        frame = decoded.frame
        if decoded.fault is not None:
            self._end(Close.BAD_FRAME, decoded.fault)
        elif isinstance(frame, Auth):
            await self._accept(frame)
        elif isinstance(frame, Subscribe):
            before = self._followed()
            self._subscription = Subscription(self._principal, frame)
            await self._edges.audience.follow(self, before=before, after=self._subscription.followed)
            self._reply(Subscribed().to_json())
        elif isinstance(frame, Ping):
            self._reply(Pong(server_at=clock.now_ms()).to_json())
        else:
            self._edges.metrics.unknown_frames.inc()
        self._warn(decoded)

    def _warn(self, decoded: Decoded) -> None:
        """After the frame's own answer: whoever waits for that one reads it first."""
        for warning in decoded.warnings:
            self._reply(warning.to_json())

    def _followed(self) -> frozenset[str]:
        return self._subscription.followed if self._subscription is not None else frozenset()

    # --- writing

    def _reply(self, text: str) -> None:
        self._outbox.reply(text)
        self._send_waiting()

    def _send_waiting(self) -> None:
        # From here on nothing overtakes what waits.
        self._is_idle = False
        self._wake.set()

    def _push(self, text: str) -> None:
        """Send at once; a peer that does not read as fast from here on has its frames wait in the outbox."""
        try:
            self._rest = self._socket.push(text)
        except SocketGone:
            self._ended.set()
        if self._rest is not None:
            self._send_waiting()

    def _end(self, code: Close, reason: str) -> None:
        if self._ending is None:
            self._ending = (code, reason)
            self._ended.set()

    async def _send(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._is_idle = False
                await self._finish()
                while self._outbox:
                    self._rest = self._socket.push(self._outbox.take())
                    await self._finish()
                self._is_idle = True
        except SocketGone:
            return

    async def _finish(self) -> None:
        rest, self._rest = self._rest, None
        if rest is not None:
            await rest
