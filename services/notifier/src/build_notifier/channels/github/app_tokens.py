"""A GitHub App's tokens: of each repository one that lives an hour, for a claim that the app's key signed."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, Protocol

import httpx
from jose import jwt
from jose.exceptions import JOSEError

from build_notifier.channels.contract import NotSent

CLAIM_SECONDS = 540
"""GitHub takes a claim of ten minutes at most, and its clock may be ahead of ours."""

SKEW_SECONDS = 60
RENEWED_BEFORE_SECONDS = 300
"""A token that ends within this is not used any more."""


class Credentials(Protocol):
    """What a request about a repository is authorized by."""

    async def of(self, client: httpx.AsyncClient, home: str) -> str:
        """The token for what is below `home`, a path `/repos/OWNER/NAME`. Raises NotSent."""
        ...

    def renew(self, home: str) -> bool:
        """GitHub refused the token of this repository; whether the next one will be another."""
        ...


class OneToken(Credentials):
    """The same token for every repository."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def of(self, client: httpx.AsyncClient, home: str) -> str:  # noqa: ARG002  it is the same for all
        """The token."""
        return self._token

    def renew(self, home: str) -> bool:  # noqa: ARG002  as above
        """There is no other."""
        return False


class _Kept(NamedTuple):
    token: str
    ends_at: float


class AppTokens(Credentials):
    """The tokens of an app's installations.

    Args:
        app_id: The app's id (or client id), as its settings page shows it.
        key: Its private key, PEM.
        clock: Seconds since the Unix epoch.
    """

    def __init__(self, app_id: str, key: str, clock: Callable[[], float] = time.time) -> None:
        self._app_id = app_id
        self._key = key
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    async def of(self, client: httpx.AsyncClient, home: str) -> str:
        """The installation's token. Raises NotSent: the key is none, or the app is not installed there."""
        kept = self._kept.get(home)
        if kept is not None and kept.ends_at - RENEWED_BEFORE_SECONDS > self._clock():
            return kept.token
        claim = self._claim()
        found = await _ask(client, "GET", f"{home}/installation", claim)
        made = await _ask(client, "POST", f"/app/installations/{found['id']}/access_tokens", claim)
        self._kept[home] = _Kept(str(made["token"]), datetime.fromisoformat(str(made["expires_at"])).timestamp())
        return self._kept[home].token

    def renew(self, home: str) -> bool:
        """A token that was taken back is made anew."""
        return self._kept.pop(home, None) is not None

    def _claim(self) -> str:
        now = int(self._clock())
        claims = {"iat": now - SKEW_SECONDS, "exp": now + CLAIM_SECONDS, "iss": self._app_id}
        try:
            return str(jwt.encode(claims, self._key, algorithm="RS256"))
        except (JOSEError, ValueError, TypeError) as error:
            raise NotSent("NOTIFIER_GITHUB_APP_KEY is no private key in PEM", permanent=True) from error


async def _ask(client: httpx.AsyncClient, method: str, path: str, claim: str) -> dict[str, object]:
    try:
        answer = await client.request(method, path, headers={"Authorization": f"Bearer {claim}"})
    except httpx.HTTPError as error:
        raise NotSent(f"GitHub did not answer: {type(error).__name__}") from error
    if answer.is_success:
        made: dict[str, object] = answer.json()
        return made
    hint = ": the app is not installed there" if answer.status_code == 404 else ""
    reason = f"GitHub answered {answer.status_code} to {method} {path}{hint}"
    raise NotSent(reason, permanent=answer.status_code < 500 and answer.status_code != 429)
