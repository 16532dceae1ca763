"""The client: asks the dashboard's REST interface for the commands of the command line."""

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from build_dashboard.endpoint import find_endpoint

if TYPE_CHECKING:
    import httpx

PAGE_LINES = 5000
PAGE_BUILDS = 200
UNAUTHORIZED = 401


class DashboardError(RuntimeError):
    """The dashboard did not do what was asked; reads as a sentence."""

    def __init__(self, message: str, status: int | None = None, remedy: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.remedy = remedy

    @property
    def lines(self) -> str:
        """What is printed: what was wrong, and what to do about it where the dashboard named it."""
        return f"build-dashboard: {self}" + (f"\n{self.remedy}" if self.remedy else "")


class Client:
    """A person's session; logs in on the first request.

    Reads BUILD_DASHBOARD_URL, and BUILD_DASHBOARD_TOKEN or BUILD_DASHBOARD_USER (`admin`) with
    BUILD_DASHBOARD_PASSWORD or BUILD_DASHBOARD_ADMIN_PASSWORD.
    """

    def __init__(
        self,
        url: str | None = None,
        environment: Mapping[str, str] = os.environ,
        transport: "httpx.BaseTransport | None" = None,
    ) -> None:
        import httpx  # noqa: PLC0415  (half a second that `--help` need not wait for)

        from build_dashboard.delivery.transport import RoutedTransport  # noqa: PLC0415  (as above)

        self.url = (url or environment.get("BUILD_DASHBOARD_URL") or find_endpoint().dashboard_url).rstrip("/")
        self._environment = environment
        self._http = httpx.Client(base_url=self.url, timeout=30, transport=transport or RoutedTransport())
        self._token = environment.get("BUILD_DASHBOARD_TOKEN")

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

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer's JSON."""
        return self._ask("PATCH", path, json=dict(body)).json()

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

    def _ask(self, method: str, path: str, **options: Any) -> "httpx.Response":
        if self._token is None:
            self._token = self._login()
        return self._request(method, path, headers={"Authorization": f"Bearer {self._token}"}, **options)

    def _login(self) -> str:
        environment = self._environment
        password = environment.get("BUILD_DASHBOARD_PASSWORD") or environment.get("BUILD_DASHBOARD_ADMIN_PASSWORD")
        if not password:
            raise DashboardError(
                "who are you? set BUILD_DASHBOARD_ADMIN_PASSWORD, or BUILD_DASHBOARD_USER and _PASSWORD"
            )
        credentials = {"username": environment.get("BUILD_DASHBOARD_USER", "admin"), "password": password}
        try:
            return str(self._request("POST", "/api/auth/login", json=credentials).json()["accessToken"])
        except DashboardError as error:
            if error.status != UNAUTHORIZED:
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
            raise DashboardError(f"no dashboard answers at {self.url}: {error}") from error
        if response.is_success:
            return response
        raise _refusal(response)


def _refusal(response: "httpx.Response") -> DashboardError:
    try:
        problem = response.json()
        what = str(problem.get("detail") or problem.get("title") or response.text)
        return DashboardError(what, response.status_code, problem.get("remedy"))
    except (ValueError, AttributeError):
        return DashboardError(f"the server answered HTTP {response.status_code}", response.status_code)
