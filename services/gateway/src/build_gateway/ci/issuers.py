"""Issuers of CI tokens: their signing keys, as they publish them, kept for a while and read anew when they rotate.

Only issuers that config.yaml names are asked, at addresses on their own origin, and no redirect is followed: no token
can make the gateway ask anybody else.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from build_chassis.errors import Unavailable
from build_chassis.tls import trusted

logger = logging.getLogger("gateway")
FRESH_SECONDS = 600.0
STALE_SECONDS = 3600.0
"""An issuer that does not answer is believed by its last keys for so long."""

PAUSE_SECONDS = 5.0
"""Tokens of unknown keys make the gateway ask no more often: anybody can send them."""

ANSWER_SECONDS = 5.0
ANSWER_BYTES = 256 * 1024


class IssuerAway(Unavailable):
    """The issuer did not publish its keys when it was asked."""

    def __init__(self, issuer: str) -> None:
        super().__init__(f"{issuer} does not publish its keys now: try again")


class _Odd(ValueError):
    """What the issuer answered is no answer."""


@dataclass(slots=True)
class _Published:
    """What is known of one issuer; times by the monotonic clock, in seconds."""

    keys: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    read_at: float | None = None
    asked_at: float | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def find(self, kid: str, now: float, seconds: float) -> Mapping[str, Any] | None:
        """The key, if the keys are not older than that."""
        return self.keys.get(kid) if self._is_within(now, seconds) else None

    def is_due(self, now: float) -> bool:
        """Whether the issuer may be asked again."""
        return self.asked_at is None or now - self.asked_at >= PAUSE_SECONDS

    def is_known(self, now: float) -> bool:
        """Whether what the issuer publishes is known, by its answer to the last question."""
        return self._is_within(now, FRESH_SECONDS) and self.read_at == self.asked_at

    def _is_within(self, now: float, seconds: float) -> bool:
        return self.read_at is not None and now - self.read_at < seconds


class Issuers:
    """The keys of issuers, by their `kid`."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._clock = clock
        self._transport = transport
        self._published: dict[str, _Published] = {}

    async def find_key(self, issuer: str, kid: str) -> Mapping[str, Any] | None:
        """The key (JWK) that the issuer publishes under this id; None when it publishes none.

        Args:
            issuer: One that config.yaml names.
            kid: As the token says it.

        Raises:
            IssuerAway: It does not answer, and what is known of it is too old.
        """
        published = self._published.setdefault(issuer, _Published())
        if (key := published.find(kid, self._clock(), FRESH_SECONDS)) is not None:
            return key
        async with published.lock:
            if published.is_due(self._clock()):
                await self._read(issuer, published)
            now = self._clock()
            key = published.find(kid, now, STALE_SECONDS)
            if key is None and not published.is_known(now):
                raise IssuerAway(issuer)
            return key

    async def _read(self, issuer: str, published: _Published) -> None:
        published.asked_at = asked_at = self._clock()
        try:
            async with (
                httpx.AsyncClient(
                    verify=trusted(), transport=self._transport, timeout=ANSWER_SECONDS, follow_redirects=False
                ) as http,
                asyncio.timeout(2 * ANSWER_SECONDS),
            ):
                described = await _json(http, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                if described.get("issuer") != issuer:
                    raise _Odd(f"it calls itself {described.get('issuer')!r:.200}")
                address = described.get("jwks_uri")
                if not isinstance(address, str) or _origin(address) != _origin(issuer):
                    raise _Odd(f"its keys are elsewhere: {address!r:.200}")
                answer = await _json(http, address)
                published.keys = {key["kid"]: key for key in answer["keys"] if _is_signing(key)}
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, KeyError, TypeError) as error:
            logger.warning("fail to read keys of %s: %s: %s", issuer, type(error).__name__, error)
            return
        published.read_at = asked_at
        logger.info("read %d keys of %s", len(published.keys), issuer)


def _is_signing(key: Any) -> bool:
    return (
        isinstance(key, dict)
        and isinstance(key.get("kid"), str)
        and key.get("kty") in ("RSA", "EC")
        and key.get("use", "sig") == "sig"
    )


async def _json(http: httpx.AsyncClient, address: str) -> dict[str, Any]:
    async with http.stream(
        "GET", address, headers={"Accept": "application/json", "Accept-Encoding": "identity"}
    ) as answer:
        if answer.status_code != httpx.codes.OK:
            raise _Odd(f"HTTP {answer.status_code}")
        body = bytearray()
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > ANSWER_BYTES:
                raise _Odd(f"more than {ANSWER_BYTES} bytes")
    read = json.loads(body)
    if not isinstance(read, dict):
        raise _Odd("no JSON object")
    return read


def _origin(address: str) -> tuple[str, str | None, int]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
