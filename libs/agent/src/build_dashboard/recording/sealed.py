"""Sealed notes: what the next agent must know of a build's secrets, unreadable away from this machine.

Who adopts a build has another environment, and must mask the same values. The key is made of what only this machine
and user have: a build's directory that is searched, copied or sent to somebody gives nothing away.
"""

import contextlib
import hashlib
import hmac
import json
import os
import platform
import secrets
from pathlib import Path
from typing import Any

_NONCE_BYTES = 16
_NAME = "sealed"


def seal(build: Path, note: Any) -> None:
    """Keep this for the one who adopts the build.

    Raises:
        OSError: the spool cannot be written.
    """
    key, nonce = _key(), secrets.token_bytes(_NONCE_BYTES)
    hidden = _mix(json.dumps(note).encode("utf-8", "surrogateescape"), key, nonce)
    new = build / f"{_NAME}.new"
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(nonce + hmac.digest(key, nonce + hidden, "sha256") + hidden)
    new.replace(build / _NAME)


def unseal(build: Path) -> Any:
    """What was kept; None where nothing was, or on another machine."""
    with contextlib.suppress(OSError, ValueError):
        data = (build / _NAME).read_bytes()
        key, nonce = _key(), data[:_NONCE_BYTES]
        tag, hidden = data[_NONCE_BYTES : _NONCE_BYTES + 32], data[_NONCE_BYTES + 32 :]
        if hmac.compare_digest(tag, hmac.digest(key, nonce + hidden, "sha256")):
            return json.loads(_mix(hidden, key, nonce))
    return None


def _key() -> bytes:
    # Not `machine_id`, which stands in the facts beside.
    machine = Path("/etc/machine-id")
    known_here = machine.read_text() if machine.exists() else ""
    return hmac.digest(f"{known_here}{platform.node()}\0{os.getuid()}".encode(), b"sealed notes", hashlib.sha256)


def _mix(data: bytes, key: bytes, nonce: bytes) -> bytes:
    """Encrypt, or decrypt: HMAC-SHA256 of a counter as key stream."""
    stream = b"".join(
        hmac.digest(key, nonce + block.to_bytes(8, "big"), hashlib.sha256) for block in range(-(-len(data) // 32))
    )
    return bytes(one ^ other for one, other in zip(data, stream, strict=False))
