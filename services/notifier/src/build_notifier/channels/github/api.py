"""GitHub's REST API, as far as the channels need it."""

from collections.abc import Callable
from typing import Any

import httpx
from build_chassis import tls
from build_chassis.projects import Projects

from build_notifier.channels.contract import Audience, Channel, NotSent, Registration
from build_notifier.channels.github.app_tokens import AppTokens, Credentials, OneToken
from build_notifier.channels.retry_after import retry_after_seconds
from build_notifier.settings import Settings, credential

ANSWER_SECONDS = 20.0
SCHEME = "github"
CHECKS_SCHEME = "github-checks"


class GitHub:
    """The API as whoever these credentials are of."""

    def __init__(self, credentials: Credentials, host: str = "https://api.github.com") -> None:
        self._credentials = credentials
        self._client = httpx.AsyncClient(
            base_url=host,
            timeout=ANSWER_SECONDS,
            verify=tls.trusted(),
            headers={
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
                "User-Agent": "build-dashboard",
            },
        )

    async def call(self, method: str, path: str, body: object = None, query: dict[str, str] | None = None) -> Any:
        """The parsed answer. Raises NotSent; never ambiguous, because every channel finds what it did before."""
        answer = await self._send(method, path, body, query)
        if answer.is_success:
            return answer.json()
        raise _refusal(answer, f"{method} {path}")

    async def find_text(self, path: str, query: dict[str, str]) -> str | None:
        """The text of a file of the repository; None where there is none, or it may not be read. Raises NotSent."""
        answer = await self._send("GET", path, None, query, {"Accept": "application/vnd.github.raw+json"})
        if answer.status_code in (403, 404) and not _is_limited(answer):
            return None
        if answer.is_success:
            return answer.text
        raise _refusal(answer, f"GET {path}")

    async def close(self) -> None:
        """Close pooled connections."""
        await self._client.aclose()

    async def _send(
        self,
        method: str,
        path: str,
        body: object,
        query: dict[str, str] | None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        home = "/".join(path.split("/")[:4])
        token = await self._credentials.of(self._client, home)
        shown = {"Authorization": f"Bearer {token}", **(headers or {})}
        try:
            answer = await self._client.request(method, path, json=body, params=query, headers=shown)
        except httpx.HTTPError as error:
            raise NotSent(f"GitHub did not answer: {type(error).__name__}") from error
        if answer.status_code == 401 and self._credentials.renew(home):
            raise NotSent("GitHub takes the app's token no more: another one is asked for")
        return answer


def repository(recipient: str) -> str:
    """`owner/name` of a channel `github://owner/name`; raises NotSent for anything else."""
    owner, _, name = recipient.removeprefix(f"{SCHEME}://").partition("/")
    if not owner or not name or "/" in name:
        raise NotSent(f"{recipient} does not name a repository: write {SCHEME}://owner/repository", permanent=True)
    return f"{owner}/{name}"


def registration(name: str, label: str, audience: Audience, channel: Callable[[GitHub], Channel]) -> Registration:
    """The registration of one of the channels to the repositories of a project."""

    def opens(settings: Settings, _: Projects) -> Channel | None:
        token = credential(settings.github_token)
        known = OneToken(token) if token else app_of(settings)
        return channel(GitHub(known, settings.github_host)) if known else None

    return Registration(
        name=name,
        label=label,
        audience=audience,
        open=opens,
        lacking="set NOTIFIER_GITHUB_TOKEN, or NOTIFIER_GITHUB_APP_ID and NOTIFIER_GITHUB_APP_KEY",
        schemes=frozenset({SCHEME}),
        address=address,
    )


def app_of(settings: Settings) -> Credentials | None:
    """The app of the settings; None where they name none."""
    key = credential(settings.github_app_key)
    return AppTokens(settings.github_app_id, key) if settings.github_app_id and key else None


def address(url: str) -> str:
    """The repository as a recipient's address, whatever the scheme is spelled like."""
    return f"{SCHEME}:{url.partition(':')[2].rstrip('/')}"


def _is_limited(answer: httpx.Response) -> bool:
    is_spent = answer.headers.get("x-ratelimit-remaining") == "0"
    return answer.status_code == 429 or is_spent or "retry-after" in answer.headers


def _refusal(answer: httpx.Response, what: str) -> NotSent:
    reason = f"GitHub answered {answer.status_code} to {what}"
    if _is_limited(answer):
        return NotSent(reason, retry_after_seconds=retry_after_seconds(answer.headers, "x-ratelimit-reset"))
    return NotSent(reason, permanent=answer.status_code < 500)
