"""Access tokens: JWTs valid for minutes, checked against the user as stored now."""

import hmac
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass

from build_chassis import signing
from build_chassis.signing import JWTError

ISSUER = "build-dashboard"
AUDIENCE = "build-dashboard-people"
TOKEN_CHARACTERS = 4096
_REQUIRED = {f"require_{claim}": True for claim in ("exp", "aud", "iss", "sub", "jti")}


class TokenInvalid(ValueError):
    """Not signed here, not for this audience, or expired. Which of them is not disclosed."""

    def __init__(self) -> None:
        super().__init__("the access token is missing, invalid or expired: log in again")


@dataclass(frozen=True, slots=True)
class Claims:
    """Who a token is for; `version` ends it when the user changes, `session` when they log out.

    `expires_at` in seconds since the Unix epoch.
    """

    user: str
    version: int
    session: str
    expires_at: int


class Tokens:
    """Mints and reads access tokens with one algorithm, pinned."""

    def __init__(self, secret: str, algorithm: str, seconds: int, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._algorithm = algorithm
        self._clock = clock
        self.seconds = seconds

    def mint(self, user: str, version: int, session: str, seconds: int) -> str:
        """A token for this user and session, valid for that many seconds."""
        now = int(self._clock())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user,
            "ver": version,
            "sid": session,
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
            claims = signing.decode(
                token, self._secret, algorithm=self._algorithm, audience=AUDIENCE, issuer=ISSUER, options=_REQUIRED
            )
            read = Claims(
                user=claims["sub"],
                version=int(claims["ver"]),
                session=str(claims["sid"]),
                expires_at=int(claims["exp"]),
            )
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
