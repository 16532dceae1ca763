"""Signing: the one place that knows the library of JSON web tokens, and keys that are being replaced.

`JWT_SECRET_KEY` is a line, or several: the first signs, all are believed. A token says by its `kid` which of them it
was signed with, so keys can be replaced while tokens live: add the new one as a second line everywhere, then make it
the first, then take the old one out. Nobody is logged out, and services may restart in any order.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jose import JOSEError, JWTError, jwt
from jose.exceptions import JWTClaimsError

__all__ = [
    "JWTError",
    "decode",
    "decode_of_issuer",
    "encode",
    "is_other_audience",
    "key_id",
    "keys_of",
    "unverified",
]

ISSUERS_ALGORITHMS = {"RSA": ("RS256", "RS384", "RS512"), "EC": ("ES256", "ES384", "ES512")}
"""With which an issuer elsewhere may sign, by the type of its key: never a shared secret, and never none."""

LEEWAY_SECONDS = 30
"""How far the issuer's clock may be off."""


def keys_of(secret: str) -> list[str]:
    """The keys of `JWT_SECRET_KEY`; the first is the one to sign with."""
    return [line.strip() for line in secret.splitlines() if line.strip()] or [""]


def key_id(key: str) -> str:
    """The `kid` of a key; it tells nobody the key."""
    return hashlib.sha256(b"build-dashboard kid\0" + key.encode()).hexdigest()[:12]


def encode(claims: Mapping[str, Any], secret: str, algorithm: str = "HS256") -> str:
    """A token with these claims, signed with the first key."""
    key = keys_of(secret)[0]
    return str(jwt.encode(dict(claims), key, algorithm=algorithm, headers={"kid": key_id(key)}))


def decode(
    token: str, secret: str, *, algorithm: str = "HS256", audience: str, issuer: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The claims of a token that one of the keys signed.

    A `kid` is looked up among those keys and nowhere else; headers that name keys or addresses are not read.

    Raises:
        JWTError: it is no token, of another key, algorithm, audience or issuer, or expired.
    """
    keys = keys_of(secret)
    kid = jwt.get_unverified_header(token).get("kid")
    key = keys[0] if kid is None else {key_id(key): key for key in keys}.get(str(kid))
    if key is None:
        raise JWTError("signed with a key that is not one of ours")
    claims = jwt.decode(token, key, algorithms=[algorithm], audience=audience, issuer=issuer, options=dict(options))
    return dict(claims)


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a token says of itself before its signature is checked: good to choose whom to ask, and for nothing else."""

    issuer: str
    kid: str


def unverified(token: str) -> Unverified:
    """Who signed a token by its own words, and with which key. Raises JWTError."""
    try:
        issuer, kid = jwt.get_unverified_claims(token).get("iss"), jwt.get_unverified_header(token).get("kid")
    except (JOSEError, ValueError, RecursionError, AttributeError, TypeError) as error:
        raise JWTError("no token") from error
    if not isinstance(issuer, str) or not isinstance(kid, str):
        raise JWTError("no issuer or key is named")
    return Unverified(issuer, kid)


def decode_of_issuer(token: str, key: Mapping[str, Any], *, audience: str, issuer: str) -> dict[str, Any]:
    """The claims of a token that somebody else signed with the private half of this key (a JWK).

    Raises:
        JWTError: it is of another key, audience or issuer, has expired, or lacks `exp`, `iat` or `sub`.
    """
    required = {f"require_{claim}": True for claim in ("aud", "exp", "iat", "iss", "sub")}
    try:
        return dict(
            jwt.decode(
                token,
                dict(key),
                algorithms=list(ISSUERS_ALGORITHMS.get(str(key.get("kty")), ())),
                audience=audience,
                issuer=issuer,
                options={"leeway": LEEWAY_SECONDS, **required},
            )
        )
    except JWTError:
        raise
    except (JOSEError, ValueError, RecursionError, AttributeError, TypeError) as error:
        raise JWTError("the signature cannot be checked") from error


def is_other_audience(error: JWTError) -> bool:
    """Whether all that is wrong with a token is that it is for somebody else."""
    return isinstance(error, JWTClaimsError) and "audience" in str(error).lower()
