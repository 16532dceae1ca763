"""Access tokens: JWTs valid for minutes, checked against the user as stored now."""

import hmac
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from build_chassis import signing
from build_chassis.signing import JWTError

from build_gateway.store.rows import TokenLevel

ISSUER = "build-dashboard"
AUDIENCE = "build-dashboard-people"
TOKEN_CHARACTERS = 4096
TOKENS_KEPT = 1024
_REQUIRED = {f"require_{claim}": True for claim in ("exp", "aud", "iss", "sub", "jti")}


class TokenInvalid(ValueError):
    """Not signed here, not for this audience, or expired. Which of them is not disclosed."""

    def __init__(self) -> None:
        super().__init__("the access token is missing, invalid or expired: log in again")


@dataclass(frozen=True, slots=True)
class Claims:
    """Who a token is for; `version` ends it when the user changes, `session` when they log out.

    `rights` ends it when a group of theirs, or config.yaml, gives other rights. `expires_at` in seconds since the Unix
    epoch. `level`: of a personal token, what it may; None: a log-in's.
    """

    user: str
    version: int
    session: str
    expires_at: int
    rights: str | None = None
    level: TokenLevel | None = None
    only: frozenset[str] | None = None
    """Of a personal token: the projects that it is limited to; None: all of its person's."""


class Tokens:
    """Mints and reads access tokens with one algorithm, pinned."""

    def __init__(self, secret: str, algorithm: str, seconds: int, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._algorithm = algorithm
        self._clock = clock
        self.seconds = seconds

    def mint(self, user: str, version: int, session: str, seconds: int, rights: str) -> str:
        """A token for this user, session and fingerprint of rights, valid for that many seconds."""
        now = int(self._clock())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user,
            "ver": version,
            "sid": session,
            "rights": rights,
            "jti": secrets.token_hex(16),
            "iat": now,
            "exp": now + seconds,
        }
        return signing.encode(claims, self._secret, self._algorithm)

    def read(self, token: str) -> Claims:
        """The claims of a token. Raises TokenInvalid."""
        if len(token) > TOKEN_CHARACTERS:
            raise TokenInvalid
        try:
            read = _read(token, self._secret, self._algorithm)
        except (JWTError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise TokenInvalid from error
        if self._clock() >= read.expires_at:
            raise TokenInvalid
        return read

    def successor(self, refresh_token: str) -> str:
        """The refresh token that follows this one; always the same, and for nobody else to compute."""
        key = signing.keys_of(self._secret)[0]
        digest = hmac.digest(key.encode(), f"refresh:{refresh_token}".encode(), "sha256")
        return urlsafe_b64encode(digest).decode().rstrip("=")


@lru_cache(TOKENS_KEPT)
def _read(token: str, secret: str, algorithm: str) -> Claims:
    """What a token says that was signed here; kept, as a page asks with the same one for minutes. Errors are not."""
    claims = signing.decode(token, secret, algorithm=algorithm, audience=AUDIENCE, issuer=ISSUER, options=_REQUIRED)
    return Claims(
        user=claims["sub"],
        version=int(claims["ver"]),
        session=str(claims["sid"]),
        expires_at=int(claims["exp"]),
        rights=claims.get("rights"),
    )
