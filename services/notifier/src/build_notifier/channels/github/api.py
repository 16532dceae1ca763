"""GitHub's REST API, as far as the two channels need it."""

from collections.abc import Callable
from typing import Any

import httpx
from build_chassis import tls
from build_chassis.projects import Projects

from build_notifier.channels.contract import Audience, Channel, NotSent, Registration
from build_notifier.channels.retry_after import retry_after_seconds
from build_notifier.settings import Settings, credential

ANSWER_SECONDS = 20.0
SCHEME = "github"


class GitHub:
    """The API with one token."""

    def __init__(self, token: str, host: str = "https://api.github.com") -> None:
        self._client = httpx.AsyncClient(
            base_url=host,
            timeout=ANSWER_SECONDS,
            verify=tls.trusted(),
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
                "User-Agent": "build-dashboard",
            },
        )

    async def call(self, method: str, path: str, body: object = None, query: dict[str, int] | None = None) -> Any:
        """The parsed answer. Raises NotSent; never ambiguous, because both channels find what they did before."""
        try:
            answer = await self._client.request(method, path, json=body, params=query)
        except httpx.HTTPError as error:
            raise NotSent(f"GitHub did not answer: {type(error).__name__}") from error
        if answer.is_success:
            return answer.json()
        reason = f"GitHub answered {answer.status_code} to {method} {path}"
        is_limited = answer.status_code == 429 or answer.headers.get("x-ratelimit-remaining") == "0"
        if is_limited or "retry-after" in answer.headers:
            raise NotSent(reason, retry_after_seconds=retry_after_seconds(answer.headers, "x-ratelimit-reset"))
        raise NotSent(reason, permanent=answer.status_code < 500)

    async def close(self) -> None:
        """Close pooled connections."""
        await self._client.aclose()


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
        return channel(GitHub(token, settings.github_host)) if token else None

    return Registration(
        name=name,
        label=label,
        audience=audience,
        open=opens,
        lacking="set NOTIFIER_GITHUB_TOKEN",
        schemes=frozenset({SCHEME}),
        address=lambda url: f"{SCHEME}:{url.partition(':')[2].rstrip('/')}",
    )
