"""How large a request's body may be, and how long it may take: the same at the front door and at every service.

Bytes are counted as they stream, so a body without a length is bounded like one with a length; nothing is kept here.
"""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import problems

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
    # An artifact's bytes go straight to where they are kept; their ticket says how many they are.
    ("PUT", re.compile(r"/api/artifacts/objects/[^/]+"), None),
)


class Limit(NamedTuple):
    """What a body may be: `size` None where the route itself bounds it."""

    size: int | None
    seconds: float


def limit_of(method: str, path: str) -> Limit:
    """The limit of the bodies of one route; every method has one, also those whose bodies nobody reads."""
    for larger, pattern, size in _LARGER:
        if larger == method and pattern.fullmatch(path):
            return Limit(size, GAP_SECONDS if size is None else BODY_SECONDS)
    return Limit(BODY_BYTES, BODY_SECONDS)


class BodyLimit:
    """Middleware: answers 413 to a body over its limit, by its length at once and else as soon as it is over it.

    408 answers one that does not arrive in time. Either way, and where an endless body is left unread, the connection
    is closed behind the answer: nobody can send for ever.
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
        limit = self._limits(scope["method"], scope["path"])
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        body = _Body(limit, receive, send, self._linger_seconds)
        body.has_end = "transfer-encoding" not in headers
        if not (length.isascii() and length.isdecimal()):
            await problems.problem(400, "Content-Length: a number of bytes", scope["path"])(scope, receive, send)
        elif limit.size is not None and (len(length) > 18 or int(length) > limit.size):
            body.has_end = False
            await problems.problem(413, _too_large(limit.size), scope["path"])(scope, receive, body.answer)
        else:
            await self._app(scope, body.receive, body.answer)


class _Body:
    """The body of one request, counted and timed, and the answer to it."""

    def __init__(self, limit: Limit, receive: Receive, send: Send, linger_seconds: float) -> None:
        self.has_end = True
        """Whether what nobody reads of it is little enough to be thrown away as it comes."""
        self._limit = limit
        self._receive = receive
        self._send = send
        self._linger_seconds = linger_seconds
        self._size = 0
        self._ends = _now() + limit.seconds
        self._is_whole = False
        self._is_answered = False
        self._is_last = False

    async def receive(self) -> Message:
        """The next message. Raises HTTPException 413 or 408."""
        if self._is_whole:  # what comes now is the end of the connection, whenever it comes
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._ends):
                message = await self._receive()
        except TimeoutError:
            return self._refuse(408, f"the body did not arrive within {self._limit.seconds:g} s")
        self._size += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._limit.size is None:
            self._ends = _now() + self._limit.seconds
        elif self._size > self._limit.size:
            return self._refuse(413, _too_large(self._limit.size))
        return message

    async def answer(self, message: Message) -> None:
        """Pass the answer on; behind the last one of a connection some of the body is still taken."""
        if message["type"] == "http.response.start":
            self._is_answered = True
            self._is_last = not self._is_whole and not self.has_end
            if self._is_last:
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        elif self._is_last and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body"}
        await self._send(message)

    def _refuse(self, status: int, detail: str) -> Message:
        self.has_end = False
        self._is_whole = False
        if self._is_answered:  # too late to say it: whoever still reads takes the client for gone
            return {"type": "http.disconnect"}
        raise HTTPException(status, detail)

    async def _linger(self) -> None:
        with suppress(TimeoutError, HTTPException):
            async with asyncio.timeout(self._linger_seconds):
                while (await self._receive()).get("more_body", False):
                    pass


def _now() -> float:
    return asyncio.get_running_loop().time()


def _too_large(size: int) -> str:
    return f"the body: at most {size // KIB} KiB here"
