"""Reading a system by its REST interface, with the standard library alone."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

PAGE_LINES = 500
PATIENCE_SECONDS = 45.0
"""A service that is away for longer is a fault of its own."""


class Rest:
    """One account at one gateway. Waits out restarts: an answer 5xx, or none, is asked for again."""

    def __init__(self, url: str, password: str, username: str = "admin", patience: float = PATIENCE_SECONDS) -> None:
        self.url = url
        self._account = {"username": username, "password": password}
        self._patience = patience
        self._token = ""
        self._fresh_until = 0.0

    def token(self) -> str:
        """An access token, good for a while yet."""
        if time.monotonic() > self._fresh_until:
            body = json.dumps(self._account).encode()
            answer = self._ask("/api/auth/login", body, {"Content-Type": "application/json"})
            token = json.loads(answer)
            self._token, self._fresh_until = token["accessToken"], time.monotonic() + token["expiresIn"] / 2
        return self._token

    def read(self, path: str) -> bytes:
        """The body of a GET."""
        return self._ask(path, None, {"Authorization": f"Bearer {self.token()}"})

    def get(self, path: str) -> Any:
        """The JSON of a GET."""
        return json.loads(self.read(path))

    def post(self, path: str, body: Any) -> None:
        """POST once; an answer that refuses is as good as any. Raises OSError without one."""
        headers = {"Authorization": f"Bearer {self.token()}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        with suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()

    def items(self, path: str) -> Iterator[Any]:
        """All items of a list, page by page."""
        joint = "&" if "?" in path else "?"
        cursor = None
        while True:
            page = self.get(path if cursor is None else f"{path}{joint}cursor={cursor}")
            yield from page["items"]
            cursor = page.get("nextCursor")
            if cursor is None:
                return

    def lines(self, build_id: str, first: int = 1) -> tuple[list[str], int]:
        """Lines of a log from `first` on, and the record up to which they hold."""
        lines: list[str] = []
        while True:
            page = self.get(f"/api/builds/{build_id}/logs?first={first + len(lines)}&count={PAGE_LINES}")
            lines += page["lines"]
            if not page["lines"] or first + len(lines) > page["total"]:
                return lines, page["asOfSeq"]

    def _ask(self, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        limit = time.monotonic() + self._patience
        while True:
            try:
                request = urllib.request.Request(self.url + path, body, headers)
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return bytes(answer.read())
            except urllib.error.HTTPError as error:
                if error.code < 500 or time.monotonic() > limit:
                    raise
            except (OSError, EOFError):
                if time.monotonic() > limit:
                    raise
            except Exception as error:
                # A body cut short by a kill.
                if type(error).__name__ != "IncompleteRead" or time.monotonic() > limit:
                    raise
            time.sleep(0.1)
