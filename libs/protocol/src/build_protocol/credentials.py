"""The form of generated credentials: `<prefix>_<id>_<secret>_<checksum>`, so that scanners and people find them.

The checksum guards nothing: it tells a mistyped or cut credential from one that is wrong, without asking anybody.
"""

import secrets
import string
import zlib

KEY_PREFIX = "bmk"
"""Of an agent's API key."""

TOKEN_PREFIX = "bmp"  # noqa: S105  the prefix, no token
"""Of a person's token."""

_BASE62 = string.digits + string.ascii_lowercase + string.ascii_uppercase
_ID_CHARACTERS, _SECRET_BYTES, _SECRET_CHARACTERS, _CHECKSUM_CHARACTERS = 8, 32, 43, 6


def new_id() -> str:
    """A fresh id of a credential; it is no secret."""
    return "".join(secrets.choice(_BASE62) for _ in range(_ID_CHARACTERS))


def new_value(prefix: str, credential_id: str) -> str:
    """A fresh credential of that id: 32 random bytes, and the checksum over all that stands before it."""
    secret = _base62(int.from_bytes(secrets.token_bytes(_SECRET_BYTES), "big"), _SECRET_CHARACTERS)
    stem = f"{prefix}_{credential_id}_{secret}"
    return f"{stem}_{_checksum(stem)}"


def is_mistyped(value: str) -> bool:
    """Whether this begins as a generated credential does, and is none: a character differs, is missing or too many."""
    if not value.startswith((f"{KEY_PREFIX}_", f"{TOKEN_PREFIX}_")):
        return False
    stem, _, checksum = value.rpartition("_")
    return checksum != _checksum(stem)


def _checksum(stem: str) -> str:
    return _base62(zlib.crc32(stem.encode(errors="replace")), _CHECKSUM_CHARACTERS)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
