"""GitHub's REST API, as far as the two channels need it."""

from typing import Any

import httpx

from build_notifier.channels.contract import NotSent
from build_notifier.channels.retry_after import retry_after_seconds
from build_notifier.planning.recipients import GITHUB

ANSWER_SECONDS = 20.0


class GitHub:
    """The API with one token."""

    def __init__(self, token: str, host: str = "https://api.github.com") -> None:
        self._client = httpx.AsyncClient(
            base_url=host,
            timeout=ANSWER_SECONDS,
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
    owner, _, name = recipient.removeprefix(GITHUB).partition("/")
    if not owner or not name or "/" in name:
        raise NotSent(f"{recipient} does not name a repository: write {GITHUB}owner/repository", permanent=True)
    return f"{owner}/{name}"
