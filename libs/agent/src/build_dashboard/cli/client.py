"""The client: asks the dashboard's REST interface for the commands of the command line."""

import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from build_dashboard.cli.saved_tokens import SavedTokens, SavedTokensUnusable
from build_dashboard.delivery.backoff import Backoff
from build_dashboard.endpoint import find_endpoint

if TYPE_CHECKING:
    import httpx

PAGE_LINES = 5000
PAGE_BUILDS = 200
SEARCHED_BUILDS = 10
UNAUTHORIZED = 401
SECOND_FACTOR = "Totp"
AWAY = frozenset({429, 502, 503, 504})
"""What is answered while the dashboard, or what it needs, is away or asks for patience."""

FIRST_WAIT_SECONDS = 0.5
REPORTED_AGAIN_SECONDS = 60.0


class DashboardError(RuntimeError):
    """The dashboard did not do what was asked; reads as a sentence."""

    def __init__(self, message: str, status: int | None = None, remedy: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.remedy = remedy
        self.challenge: str | None = None
        """What the dashboard asks for beside, where it refuses who has not enough."""

    @property
    def lines(self) -> str:
        """What is printed: what was wrong, and what to do about it where the dashboard named it."""
        return f"build-dashboard: {self}" + (f"\n{self.remedy}" if self.remedy else "")


class DashboardAway(DashboardError):
    """Nobody answered, or only somebody before it: asking again later may help."""


Patience = Callable[[DashboardAway, float], None]
"""Waits for a dashboard that is away: why it is, and for how many seconds."""


class Client:
    """A person's session; logs in on the first request, and again when that has run out.

    Reads BUILD_DASHBOARD_URL, and BUILD_DASHBOARD_TOKEN, or BUILD_DASHBOARD_USER (`admin`) with
    BUILD_DASHBOARD_PASSWORD or BUILD_DASHBOARD_ADMIN_PASSWORD, or else what `build-dashboard login` left. With
    `patience` a dashboard that is away is asked again until it is back.
    """

    def __init__(
        self,
        url: str | None = None,
        environment: Mapping[str, str] = os.environ,
        transport: "httpx.BaseTransport | None" = None,
        patience: Patience | None = None,
    ) -> None:
        import httpx  # noqa: PLC0415  (half a second that `--help` need not wait for)

        from build_dashboard.delivery.transport import RoutedTransport  # noqa: PLC0415  (as above)

        self._environment = environment
        self._saved = SavedTokens(environment)
        self.url = (url or environment.get("BUILD_DASHBOARD_URL") or self._usual_url()).rstrip("/")
        self._http = httpx.Client(base_url=self.url, timeout=30, transport=transport or RoutedTransport())
        self._token = environment.get("BUILD_DASHBOARD_TOKEN")
        self._may_log_in = self._token is None
        self._patience = patience

    def get(self, path: str, **parameters: Any) -> Any:
        """The answer's JSON.

        Raises:
            DashboardError: with the server's own words.
        """
        present = {name: value for name, value in parameters.items() if value is not None}
        return self._ask("GET", path, params=present).json()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer's JSON."""
        return self._ask("POST", path, json=dict(body)).json()

    def post_openly(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer's JSON, asked as nobody."""
        answer = self._request("POST", path, json=dict(body))
        return answer.json() if answer.content else None

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer's JSON."""
        return self._ask("PATCH", path, json=dict(body)).json()

    def put(self, path: str, body: Mapping[str, Any]) -> None:
        """Put in place."""
        self._ask("PUT", path, json=dict(body))

    def delete(self, path: str) -> None:
        """Delete or revoke."""
        self._ask("DELETE", path)

    def builds(self, limit: int | None = None, **filters: Any) -> list[dict[str, Any]]:
        """The newest builds, at most this many; all of them without a limit."""
        found: list[dict[str, Any]] = []
        cursor = None
        while limit is None or len(found) < limit:
            some = PAGE_BUILDS if limit is None else min(limit - len(found), PAGE_BUILDS)
            page = self.get("/api/builds", limit=some, cursor=cursor, **filters)
            found += page["items"]
            cursor = page.get("nextCursor")
            if not cursor:
                break
        return found

    def log_lines(self, build_id: str, first: int = 1) -> Iterator[str]:
        """The stored log lines from line `first` on, as far as there are any."""
        while True:
            page = self.get(f"/api/builds/{build_id}/logs", first=first, count=PAGE_LINES, format="json")
            yield from page["lines"]
            first += len(page["lines"])
            if not page["lines"] or first > page["total"]:
                return

    def search_logs(self, q: str, **filters: Any) -> Iterator[dict[str, Any]]:
        """Each build whose log was searched, with its hits; a few are asked for at a time, so that the first come soon.

        Raises:
            DashboardError: with the server's own words, or because not every log can be read now.
        """
        cursor = None
        while True:
            wanted = {"q": q, "limit": SEARCHED_BUILDS, "cursor": cursor, **filters}
            present = {name: value for name, value in wanted.items() if value is not None}
            *found, end = self._ask("GET", "/api/builds/logs/search", params=present).text.splitlines()
            yield from map(json.loads, found)
            ended = json.loads(end)
            if ended.get("end") == "unavailable":
                raise DashboardAway("not every log can be read now: the search is not whole")
            cursor = ended.get("nextCursor")
            if not cursor:
                return

    def _ask(self, method: str, path: str, **options: Any) -> "httpx.Response":
        backoff = Backoff(FIRST_WAIT_SECONDS)
        while True:
            try:
                return self._ask_once(method, path, **options)
            except DashboardAway as error:
                if self._patience is None:
                    raise
                self._patience(error, backoff.next_wait(random.random()))  # noqa: S311  (no secret)

    def _ask_once(self, method: str, path: str, **options: Any) -> "httpx.Response":
        had_token = self._token is not None
        if self._token is None:
            self._token = self._login()
        try:
            return self._request(method, path, headers={"Authorization": f"Bearer {self._token}"}, **options)
        except DashboardError as error:
            if error.status != UNAUTHORIZED:
                raise
            if not (had_token and self._may_log_in):
                error.remedy = "the token has expired or was revoked: build-dashboard login"
                raise
        # A token lives for minutes, `logs -f` for hours.
        self._token = None
        return self._ask_once(method, path, **options)

    def _usual_url(self) -> str:
        """Where agents report to, if that is set; else the dashboard that was logged in to last."""
        if not self._environment.get("WS_ENDPOINT"):
            with suppress(SavedTokensUnusable):
                if newest := self._saved.newest_url:
                    return newest
        return find_endpoint(environment=self._environment).dashboard_url

    def _login(self) -> str:
        environment = self._environment
        password = environment.get("BUILD_DASHBOARD_PASSWORD") or environment.get("BUILD_DASHBOARD_ADMIN_PASSWORD")
        if not password:
            try:
                saved = self._saved.find(self.url)
            except SavedTokensUnusable as error:
                raise DashboardError(str(error)) from error
            if saved is not None:
                return saved
            raise DashboardError(
                f"who are you? `build-dashboard login {self.url}`, or set BUILD_DASHBOARD_ADMIN_PASSWORD, "
                "or BUILD_DASHBOARD_USER and _PASSWORD"
            )
        credentials = {"username": environment.get("BUILD_DASHBOARD_USER", "admin"), "password": password}
        try:
            return str(self._request("POST", "/api/auth/login", json=credentials).json()["accessToken"])
        except DashboardError as error:
            if error.status != UNAUTHORIZED or error.challenge == SECOND_FACTOR:
                raise
            raise DashboardError(
                f"{error} for user {credentials['username']} at {self.url}: BUILD_DASHBOARD_ADMIN_PASSWORD is that of "
                "the first start only; set the one in force as BUILD_DASHBOARD_PASSWORD, or have it reset on the "
                "server by `build-dashboard reset-admin`",
                error.status,
            ) from error

    def _request(self, method: str, path: str, **options: Any) -> "httpx.Response":
        import httpx  # noqa: PLC0415  (as above)

        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise DashboardAway(f"no dashboard answers at {self.url}: {error}") from error
        if response.is_success:
            return response
        refusal = _refusal(response)
        refusal.challenge = response.headers.get("WWW-Authenticate")
        raise refusal


def patiently(say: Callable[[str], None]) -> Patience:
    """Waits as long as it takes, and says so once each time the dashboard goes away."""
    reported_at = -REPORTED_AGAIN_SECONDS

    def wait(error: DashboardAway, seconds: float) -> None:
        nonlocal reported_at
        if time.monotonic() - reported_at > REPORTED_AGAIN_SECONDS:
            reported_at = time.monotonic()
            say(f"build-dashboard: {error}; trying again")
        time.sleep(seconds)

    return wait


def _refusal(response: "httpx.Response") -> DashboardError:
    refused = DashboardAway if response.status_code in AWAY else DashboardError
    try:
        problem = response.json()
        what = str(problem.get("detail") or problem.get("title") or response.text)
        return refused(what, response.status_code, problem.get("remedy"))
    except (ValueError, AttributeError):
        return refused(f"the server answered HTTP {response.status_code}", response.status_code)
