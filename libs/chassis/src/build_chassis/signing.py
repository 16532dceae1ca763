"""Signing: the one place that knows the library of JSON web tokens, and keys that are being replaced.

`JWT_SECRET_KEY` is a line, or several: the first signs, all are believed. A token says by its `kid` which of them it
was signed with, so keys can be replaced while tokens live: add the new one as a second line everywhere, then make it
the first, then take the old one out. Nobody is logged out, and services may restart in any order.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from jose import JWTError, jwt

__all__ = ["JWTError", "decode", "encode", "key_id", "keys_of"]


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
