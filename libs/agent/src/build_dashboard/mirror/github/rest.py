"""GitHub's REST API: conditional requests inside its rate limit, one at a time."""

import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from build_dashboard.delivery.network import tls_context
from build_dashboard.mirror.github.app import App, AppToken
from build_dashboard.mirror.pace import Pace
from build_dashboard.mirror.source import SourceState, SourceUnavailable

REQUESTS_PER_SECOND = 5.0
KEPT_ANSWERS = 500
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
RESERVE = 50
"""Requests of a limit that are left to whoever else has the token."""

_REPOSITORY = re.compile(r"^(?P<base>https?://[^/]+)/(?P<name>[^/]+/[^/]+?)(?:\.git)?/?$")


class Rest:
    """Asks about one repository; it never tells GitHub to do anything."""

    def __init__(self, url: str, state: SourceState, token: str | None, app: App | None = None) -> None:
        match = _REPOSITORY.match(url)
        if match is None:
            raise ValueError(f"{url!r} is no repository: write https://github.com/OWNER/NAME")
        self.repository = match["name"]
        base = match["base"]
        host = urlsplit(base).hostname
        # GitHub's own API has a host of its own, an Enterprise server's has not.
        api = "https://api.github.com" if host == "github.com" else f"{base}/api/v3"
        self._api = api
        self._base = f"{api}/repos/{self.repository}"
        self._app = app
        self._app_token: AppToken | None = None
        self._state = state
        self._pace = Pace(REQUESTS_PER_SECOND)
        self._answers: OrderedDict[str, tuple[str, Any]] = OrderedDict()
        # Without a token 60 an hour are all there are.
        self._reserve = RESERVE if token or app else 2
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        verify = tls_context() if urlsplit(api).scheme == "https" else False
        self._http = httpx.AsyncClient(timeout=TIMEOUT, headers=headers, verify=verify)

    async def get(self, path: str, parameters: Mapping[str, str | int] | None = None) -> Any:
        """The answer's JSON; None where there is no such thing.

        Raises:
            SourceUnavailable: GitHub does not answer, or refuses.
        """
        url = str(httpx.URL(f"{self._base}/{path}", params=parameters))
        known = self._answers.get(url)
        answer = await self._send(url, {"If-None-Match": known[0]} if known else {})
        if answer.status_code == httpx.codes.NOT_MODIFIED and known:
            self._answers.move_to_end(url)
            return known[1]
        if answer.status_code in (404, 410):
            return None
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._app_token = None  # it may have been taken back: the next try asks for another
        if answer.status_code != httpx.codes.OK:
            raise self._refusal(answer)
        found = answer.json()
        if etag := answer.headers.get("ETag"):
            self._answers[url] = (etag, found)
            if len(self._answers) > KEPT_ANSWERS:
                self._answers.popitem(last=False)
        return found

    async def log(self, job_id: str) -> tuple[int, str]:
        """A job's log: the status of the answer, and its text where that is 200.

        Raises:
            SourceUnavailable: as `get`.
        """
        answer = await self._send(f"{self._base}/actions/jobs/{job_id}/logs", {})
        if answer.is_redirect:
            # The link is signed, and lives a minute; the token is not for whoever serves it.
            answer = await self._send(answer.headers["Location"], {"Authorization": "", "Accept": "*/*"})
        if answer.status_code in (200, 404, 410) or (answer.status_code == 403 and not _is_limit(answer)):
            return answer.status_code, answer.text if answer.status_code == 200 else ""
        raise self._refusal(answer)

    async def close(self) -> None:
        """End the connections."""
        await self._http.aclose()

    async def _send(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        self._check_budget()
        if self._app is not None and "Authorization" not in headers:
            headers = {**headers, "Authorization": f"Bearer {await self._token_of(self._app)}"}
        answer = await self._ask("GET", url, headers)
        left, renewed = answer.headers.get("X-RateLimit-Remaining"), answer.headers.get("X-RateLimit-Reset")
        if left is not None and renewed is not None:
            self._state.requests_left, self._state.requests_renewed_at = int(left), int(renewed) * 1000
        return answer

    async def _token_of(self, app: App) -> str:
        """The app's token of this repository."""
        now = time.time()
        if self._app_token is None or not self._app_token.is_good(now):
            claim = {"Authorization": f"Bearer {app.claim(now)}"}
            found = await self._ask("GET", f"{self._base}/installation", claim)
            if found.status_code == httpx.codes.NOT_FOUND:
                problem = f"the GitHub App is not installed on {self.repository}"
                raise SourceUnavailable(problem, is_refusal=True)
            if not found.is_success:
                raise self._refusal(found)
            url = f"{self._api}/app/installations/{found.json()['id']}/access_tokens"
            made = await self._ask("POST", url, claim)
            if not made.is_success:
                raise self._refusal(made)
            self._app_token = AppToken(made.json())
        return self._app_token.value

    async def _ask(self, method: str, url: str, headers: Mapping[str, str]) -> httpx.Response:
        async with self._pace:
            self._state.count_request()
            request = self._http.build_request(method, url, headers=headers)
            if headers.get("Authorization") == "":
                del request.headers["Authorization"]
            try:
                return await self._http.send(request)
            except (httpx.HTTPError, OSError) as error:
                words = str(error) or type(error).__name__
                raise SourceUnavailable(f"GitHub cannot be reached: {words}") from error

    def _check_budget(self) -> None:
        left, renewed_at = self._state.requests_left, self._state.requests_renewed_at
        if left is not None and renewed_at is not None and left <= self._reserve:
            wait = renewed_at / 1000 - time.time()
            if wait > 0:
                raise SourceUnavailable("the rate limit is nearly spent", retry_seconds=wait + 1)

    def _refusal(self, answer: httpx.Response) -> SourceUnavailable:
        try:
            words = str(answer.json().get("message", ""))[:200]
        except (ValueError, AttributeError):
            words = ""
        status = answer.status_code
        problem = f"GitHub answers {status} to {answer.request.url.path}: {words}".rstrip(": ")
        if status in (401, 403) and not _is_limit(answer):
            problem += "; set GITHUB_TOKEN to one that may read this repository's Actions"
        return SourceUnavailable(problem, retry_seconds=_retry_seconds(answer), is_refusal=status in (401, 403, 429))


def _is_limit(answer: httpx.Response) -> bool:
    return answer.headers.get("X-RateLimit-Remaining") == "0" or "Retry-After" in answer.headers


def _retry_seconds(answer: httpx.Response) -> float | None:
    if (after := answer.headers.get("Retry-After", "")).isdecimal():
        return float(after)
    if answer.headers.get("X-RateLimit-Remaining") == "0":
        return max(1.0, float(answer.headers.get("X-RateLimit-Reset", "0")) - time.time() + 1)
    return None
