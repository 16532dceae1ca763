"""Request paths: one that two programs could read as two different paths is refused before anything else looks at it.

Servers, clients and proxies decode and tidy a path each in their own way. So a path may name its segments in one way
only, whoever decodes it and how often, and a path that goes on to another service is built anew from its segments.
"""

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote, unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from build_chassis import problems
from build_chassis.errors import Malformed

_DECODINGS = 4
"""Whatever is encoded more often than this is no name, and is not unfolded to its end."""

_UP = re.compile(r"[. ]*(;.*)?|[. ]+[?#].*", re.DOTALL)
"""Nothing or dots, also for who ends a name where parameters, a query or a fragment would begin."""

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
"""One name whoever decodes or tidies it: nearly every segment, known at a glance."""

_HEX = frozenset(b"0123456789abcdefABCDEF")


class BadPath(ValueError):
    """Not plainly one path; the text says why."""


class PlainPaths:
    """Middleware: answers 400 to every path that `read` refuses, and closes such a WebSocket before it opens."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            read(scope.get("raw_path") or quote(scope["path"]).encode())
            if not scope["query_string"].isascii():
                raise BadPath("the query: bytes beyond ASCII are sent percent-encoded")
        except BadPath as error:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": str(error)})
            else:
                await problems.problem(Malformed(str(error)), scope["path"][:200])(scope, receive, send)
            return
        await self._app(scope, receive, send)


def read(raw: bytes) -> list[str]:
    """The decoded segments of a path as it was sent.

    Args:
        raw: The path, percent-encoded, without its query.

    Returns:
        The segments; the last is empty where the path ends in `/`.

    Raises:
        BadPath: It is not plainly one path.
    """
    if not raw.startswith(b"/"):
        raise BadPath("the request's target: send a path that begins with `/`, not a whole address")
    if b"#" in raw:
        raise BadPath("the path: a `#` in a name is sent as %23")
    *before, last = [_decode(segment) for segment in raw[1:].split(b"/")]
    for segment in [*before, last] if last else before:
        check(segment)
    return [*before, last]


def build(segments: Iterable[str]) -> str:
    """The path of these decoded segments, in which only their names can be read.

    Raises:
        BadPath: A segment would not stay one name.
    """
    built = ""
    for segment in segments:
        check(segment)
        built += "/" + quote(segment, safe="")
    return built


def check(segment: str) -> None:
    """Raise BadPath unless a decoded segment stays one name when it is decoded or tidied again."""
    if _PLAIN.fullmatch(segment):
        return
    form = segment
    for _ in range(_DECODINGS):
        plain = unicodedata.normalize("NFKC", form)  # a full-width dot becomes a dot, as some file systems have it
        if any(character in "/\\" or unicodedata.category(character) == "Cc" for character in plain):
            raise BadPath("the path: a name has no slash, backslash or control character, encoded or not")
        if _UP.fullmatch(plain):
            raise BadPath("the path: a name between two slashes is neither empty nor made of dots, encoded or not")
        encoded, form = form, _as_text(unquote_to_bytes(form))
        if form == encoded:
            return
    raise BadPath("the path: a name is percent-encoded once")


def _decode(segment: bytes) -> str:
    _, *escapes = segment.split(b"%")
    if any(len(escape) < 2 or not _HEX.issuperset(escape[:2]) for escape in escapes):
        raise BadPath("the path: a `%` in a name is sent as %25")
    return _as_text(unquote_to_bytes(segment))


def _as_text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise BadPath("the path: names are UTF-8, in its shortest form") from error
