"""A master's REST API: one kept-alive connection, one request at a time, each read to its end."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from build_dashboard.delivery.network import tls_context
from build_dashboard.mirror.pace import Pace
from build_dashboard.mirror.source import SourceState, SourceUnavailable

REQUESTS_PER_SECOND = 9.0
TIMEOUT = httpx.Timeout(60.0, connect=10.0)

Parameters = Sequence[tuple[str, str | int]]


class Rest:
    """Asks a master; it never tells it to do anything."""

    def __init__(self, base: str, state: SourceState, login: tuple[str, str] | None) -> None:
        self.base = base.rstrip("/")
        self._state = state
        self._login = login
        self._pace = Pace(REQUESTS_PER_SECOND)
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        headers = {"Accept": "application/json"}
        # A context holds megabytes of certificates: none is made for a master that is asked by plain HTTP.
        verify = tls_context() if urlsplit(base).scheme == "https" else False
        self._http = httpx.AsyncClient(timeout=TIMEOUT, limits=limits, headers=headers, verify=verify)

    @property
    def cookies(self) -> str:
        """The session's, as a header; empty where nobody is logged in."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._http.cookies.jar)

    async def get(self, path: str, parameters: Parameters = ()) -> dict[str, Any] | None:
        """The answer; None where the master has no such thing.

        Raises:
            SourceUnavailable: it does not answer, or refuses.
        """
        answer = await self._send(f"{self.base}/api/v2/{path}", parameters)
        if answer.status_code in (401, 403) and self._login is not None:
            await self._log_in(self._login)
            answer = await self._send(f"{self.base}/api/v2/{path}", parameters)
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise _refusal(answer)
        try:
            found: dict[str, Any] = answer.json()
        except ValueError as error:
            raise SourceUnavailable(f"{self.base} answered with what is no JSON: is it a Buildbot?") from error
        return found

    async def rows(self, kind: str, path: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """The rows of a collection, none where there is no such thing."""
        answer = await self.get(path, parameters)
        return [] if answer is None else list(answer.get(kind, ()))

    async def close(self) -> None:
        """End the connection."""
        await self._http.aclose()

    async def _send(self, url: str, parameters: Parameters, headers: Mapping[str, str] | None = None) -> httpx.Response:
        async with self._pace:
            self._state.count_request()
            try:
                return await self._http.get(url, params=list(parameters), headers=headers)
            except (httpx.HTTPError, OSError) as error:
                words = str(error) or type(error).__name__
                raise SourceUnavailable(f"{self.base} cannot be reached: {words}") from error

    async def _log_in(self, login: tuple[str, str]) -> None:
        credentials = base64.b64encode(":".join(login).encode()).decode()
        answer = await self._send(f"{self.base}/auth/login", (), {"Authorization": f"Basic {credentials}"})
        if answer.status_code not in (200, 302):
            raise SourceUnavailable(
                f"{self.base} refuses the login of {login[0]} ({answer.status_code})", is_refusal=True
            )


def _refusal(answer: httpx.Response) -> SourceUnavailable:
    try:
        words = str(answer.json().get("error", ""))[:200]
    except (ValueError, AttributeError, json.JSONDecodeError):
        words = ""
    status, path = answer.status_code, answer.request.url.path
    hint = "; set BUILDBOT_USER and BUILDBOT_PASSWORD" if status in (401, 403) else ""
    retry_after = answer.headers.get("Retry-After", "")
    return SourceUnavailable(
        f"the master answers {status} to {path}: {words}{hint}",
        retry_seconds=float(retry_after) if retry_after.isdecimal() else None,
        is_refusal=status in (401, 403, 429),
    )
