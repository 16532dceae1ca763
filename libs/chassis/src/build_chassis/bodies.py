"""How large a request's body may be, and how long it may take: the same at the front door and at every service.

Bytes are counted as they stream, so a body without a length is bounded like one with a length; nothing is kept here.
"""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from build_chassis import problems
from build_chassis.errors import Malformed, ServiceError, TimedOut, TooLarge

KIB = 1024
BODY_BYTES = 64 * KIB
"""What every route reads at most, unless it stands in `_LARGER`."""

BODY_SECONDS = 30.0
"""A bounded body has arrived by then."""

GAP_SECONDS = 60.0
"""The next piece of an unbounded body has arrived by then."""

LINGER_SECONDS = 5.0
"""How long the rest of a refused body is still taken, and thrown away, before its connection is closed: clients that
read nothing before they have sent everything may then read the answer, too.
"""

_LARGER: tuple[tuple[str, re.Pattern[str], int | None], ...] = (
    # An offer names the hashes of up to 1000 parts.
    ("POST", re.compile(r"/api/artifacts"), 128 * KIB),
    # The provider gathers up to 768 KiB of events.
    ("POST", re.compile(r"/api/notifications/webhooks/sendgrid"), 1024 * KIB),
    # Agents' frames, where no WebSocket passes: each is bounded by the gateway as it comes.
    ("POST", re.compile(r"/ws"), None),
    # An artifact's bytes go straight to where they are kept; their ticket says how many they are.
    ("PUT", re.compile(r"/api/artifacts/objects/[^/]+"), None),
)


class Limit(NamedTuple):
    """What a body may be: `size` None where the route itself bounds it."""

    size: int | None
    seconds: float


def limit_of(method: str, path: str) -> Limit:
    """The limit of the bodies of one route; every method has one, also those whose bodies nobody reads.

    Args:
        method: The HTTP method.
        path: The path, without its query.
    """
    for larger, pattern, size in _LARGER:
        if larger == method and pattern.fullmatch(path):
            return Limit(size, GAP_SECONDS if size is None else BODY_SECONDS)
    return Limit(BODY_BYTES, BODY_SECONDS)


class BodyLimit:
    """Middleware: answers 413 to a body over its limit, by its length at once and else as soon as it is over it.

    408 answers one that does not arrive in time. To the app its client is then gone, and what it answers goes nowhere.
    Behind a refusal, and where a body without a length is left unread, the connection is closed: nobody sends for ever.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Callable[[str, str], Limit] = limit_of,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        self._app = app
        self._limits = limits
        self._linger_seconds = linger_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(self._limits(scope["method"], scope["path"]), scope, receive, send)
        try:
            if not await body.is_refused_by_length():
                await self._app(scope, body.receive, body.answer)
        finally:
            await body.end(self._linger_seconds)


class _Body:
    """The body of one request, counted and timed, and the answer to it."""

    def __init__(self, limit: Limit, scope: Scope, receive: Receive, send: Send) -> None:
        self._limit = limit
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers = Headers(scope=scope)
        self._size = 0
        self._ends = _now() + limit.seconds
        self._is_whole = False
        self._is_thrown_away = False
        self._is_answered = False
        self._is_refused = False
        self._is_last = False
        self._lacks_end = False
        self._refusal: asyncio.Task[None] | None = None

    async def is_refused_by_length(self) -> bool:
        """Whether the length that the request names was reason enough to refuse it."""
        length = self._headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal()):
            await self._refuse(Malformed("Content-Length: a number of bytes"))
        elif self._limit.size is not None and (len(length) > 18 or int(length) > self._limit.size):
            await self._refuse(TooLarge(_too_large(self._limit.size)))
        return self._is_refused

    async def receive(self) -> Message:
        """The next message for the app; of a body that goes too far there is none."""
        while not (self._is_whole or self._is_thrown_away):
            try:
                async with asyncio.timeout_at(None if self._is_answered else self._ends):
                    message = await self._receive()
            except TimeoutError:
                await self._refuse(TimedOut(f"the body did not arrive within {self._limit.seconds:g} s"))
                continue
            self._is_whole = not message.get("more_body", False)
            self._size += len(message.get("body", b""))
            if self._limit.size is None:
                self._ends = _now() + self._limit.seconds
            elif self._size > self._limit.size:
                self._is_thrown_away = True
                await self._refuse(TooLarge(_too_large(self._limit.size)))
                continue
            return message
        if self._is_refused:
            return {"type": "http.disconnect"}
        await self._throw_away()
        return await self._receive()  # the end of the connection, whenever it comes

    async def answer(self, message: Message) -> None:
        """Pass the app's answer on, unless its request is refused."""
        if not self._is_refused:
            await self._pass_on(message)

    async def end(self, linger_seconds: float) -> None:
        """Close the connection behind its last answer, when its client had the time to read it."""
        if self._refusal is not None:
            await self._refusal
        if self._lacks_end:
            with suppress(TimeoutError):
                async with asyncio.timeout(linger_seconds):
                    await self._throw_away()
            await self._send({"type": "http.response.body"})

    async def _refuse(self, error: ServiceError) -> None:
        if not self._is_answered:  # else it is too late for a 413: the answer goes on without the body
            self._is_thrown_away = self._is_refused = True
            answer = problems.problem(error, self._scope["path"])
            # Whoever asked for the message may be cancelled meanwhile, as an answer's watch for its client is.
            self._refusal = asyncio.create_task(answer(self._scope, self._receive, self._pass_on))
            await asyncio.shield(self._refusal)

    async def _pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._is_answered = True
            # The rest of a body with a length is little enough to be thrown away as it comes.
            is_endless = self._is_refused or "transfer-encoding" in self._headers
            self._is_last = is_endless and not self._is_whole
            if self._is_last:
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        elif self._is_last and not message.get("more_body", False):
            message, self._lacks_end = {**message, "more_body": True}, True
        await self._send(message)

    async def _throw_away(self) -> None:
        while not self._is_whole:
            message = await self._receive()
            self._is_whole = not message.get("more_body", False)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _too_large(size: int) -> str:
    return f"the body: at most {size // KIB} KiB here"
