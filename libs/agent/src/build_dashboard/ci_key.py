"""The key of a CI's job: got for the CI's own token, kept in memory, and got anew before it expires.

So no job needs a secret of the dashboard's. What the CI offers is seen by its variables:

- GitHub Actions: `ACTIONS_ID_TOKEN_REQUEST_URL` and `_TOKEN`, of a job with `permissions: {id-token: write}`
- GitLab, and any other: the token itself in `BUILD_DASHBOARD_ID_TOKEN` (GitLab: `id_tokens:`)
- Buildkite: `BUILDKITE_AGENT_ACCESS_TOKEN`, with the program `buildkite-agent`
"""

import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from build_dashboard.programs import ProgramFailed, run_program

ID_TOKEN = "BUILD_DASHBOARD_ID_TOKEN"  # noqa: S105  the variable's name
AUDIENCE = "BUILD_DASHBOARD_AUDIENCE"
LIMIT_SECONDS = 10.0
MARGIN_SECONDS = 60.0
"""A key is replaced so long before its end: a frame that is on its way must still arrive with it."""


class CiKeyFailed(OSError):
    """The job has no token, or none that the dashboard trusts; `status` is the dashboard's, where it answered."""

    def __init__(self, words: str, status: int | None = None) -> None:
        super().__init__(words)
        self.status = status


class CiKey:
    """The key of this job, by the way of its CI. Safe to use from several threads.

    Args:
        find_token: gives the CI's token for an audience. Raises CiKeyFailed.
        audience: whom the CI's token is for; None: the dashboard's address.
    """

    def __init__(
        self, find_token: Callable[[str], str], audience: str | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._find_token = find_token
        self._audience = audience
        self._clock = clock
        self._lock = threading.Lock()
        self._value: str | None = None
        self._ends_at = 0.0

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> "CiKey | None":
        """The key of the job that this environment is of; None where its CI offers no token."""
        find_token = _way(environment)
        return None if find_token is None else cls(find_token, environment.get(AUDIENCE) or None)

    def current(self, dashboard_url: str) -> str:
        """A key that is good for a minute at least; asked for where there is none. Raises CiKeyFailed."""
        with self._lock:
            if self._value is None or self._clock() >= self._ends_at:
                token = self._find_token(self._audience or dashboard_url)
                began = self._clock()
                lent = _exchange(dashboard_url, token)
                self._value, seconds = str(lent["accessToken"]), float(lent["expiresIn"])
                self._ends_at = began + max(seconds - MARGIN_SECONDS, seconds / 2)
            return self._value

    def forget(self) -> bool:
        """The dashboard does not take the key any more: the next one is another. Whether there was one."""
        with self._lock:
            was_known, self._value = self._value is not None, None
            return was_known


def _way(environment: Mapping[str, str]) -> Callable[[str], str] | None:
    if token := environment.get(ID_TOKEN, "").strip():
        return lambda _: token
    url, request_token = (environment.get(f"ACTIONS_ID_TOKEN_REQUEST_{name}") for name in ("URL", "TOKEN"))
    if url and request_token:
        return lambda audience: _of_github(url, request_token, audience)
    if environment.get("BUILDKITE_AGENT_ACCESS_TOKEN"):
        program = shutil.which("buildkite-agent", path=environment.get("PATH"))
        if program is not None:
            return lambda audience: _of_buildkite(program, audience, environment)
    return None


def _of_github(url: str, request_token: str, audience: str) -> str:
    address = f"{url}{'&' if '?' in url else '?'}audience={quote(audience, safe='')}"
    answer = _ask("GET", address, headers={"Authorization": f"bearer {request_token}"})
    if answer.is_success:
        return str(_read(answer).get("value", ""))
    raise CiKeyFailed(f"GitHub gives this job no token (HTTP {answer.status_code})")


def _of_buildkite(program: str, audience: str, environment: Mapping[str, str]) -> str:
    command = [program, "oidc", "request-token", "--audience", audience]
    try:
        return run_program(command, cwd=None, environment=environment, limit_seconds=LIMIT_SECONDS).strip()
    except ProgramFailed as error:
        raise CiKeyFailed(f"buildkite-agent gives this job no token: {error}") from error


def _exchange(dashboard_url: str, token: str) -> Mapping[str, Any]:
    answer = _ask("POST", f"{dashboard_url}/api/auth/ci-token", json={"token": token})
    read = _read(answer)
    if answer.is_success and "accessToken" in read and "expiresIn" in read:
        return read
    raise CiKeyFailed(
        str(read.get("detail") or f"HTTP {answer.status_code} answers the job's token"), answer.status_code
    )


def _ask(method: str, address: str, **options: Any) -> Any:
    import httpx  # noqa: PLC0415  (half a second that a build with a key need not wait for)

    from build_dashboard.delivery.transport import RoutedTransport  # noqa: PLC0415  (as above)

    try:
        with httpx.Client(transport=RoutedTransport(), timeout=LIMIT_SECONDS) as http:
            return http.request(method, address, **options)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CiKeyFailed(f"no key for this job: {error or type(error).__name__}") from error


def _read(answer: Any) -> Mapping[str, Any]:
    try:
        read = answer.json()
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
