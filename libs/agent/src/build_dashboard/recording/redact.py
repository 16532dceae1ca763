"""Redaction: values of secrets are replaced before anything is spooled or sent.

Known values are searched as plain bytes, which costs next to nothing when none occurs. It is a net, not a promise:
a secret that the build prints in another form (base64, reversed, over two lines) passes.
"""

import os
import re
from collections.abc import Iterable, Mapping

MASK = b"[REDACTED]"
MIN_CHARACTERS = 8
"""Shorter values would mask ordinary words."""

_NAMES = re.compile(r"(?:^|_)(?:TOKEN|KEY|SECRET|CREDENTIALS?|PAT)$|PASSWORD|PASSWD|PASSPHRASE", re.IGNORECASE)


def secret_values(environment: Mapping[str, str]) -> list[str]:
    """The values of variables whose names look secret; paths of existing files are not secrets."""
    return [
        line
        for name, value in environment.items()
        if _NAMES.search(name) and not (value.startswith("/") and os.path.exists(value))  # noqa: PTH110  (no objects)
        for line in value.splitlines()
        if len(line.strip()) >= MIN_CHARACTERS
    ]


class Redactor:
    """Replaces secrets in bytes.

    `patterns` are regular expressions, searched within whole lines only.
    """

    def __init__(self, secrets: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        distinct = {secret.strip().encode("utf-8", "surrogateescape") for secret in secrets}
        # Longest first: a secret that contains another must go as a whole.
        self._secrets = sorted((s for s in distinct if len(s) >= MIN_CHARACTERS), key=lambda s: (-len(s), s))
        self._patterns = [re.compile(pattern.encode()) for pattern in patterns]

    def redact(self, data: bytes) -> bytes:
        """The bytes without secrets."""
        for secret in self._secrets:
            if secret in data:
                data = data.replace(secret, MASK)
        for pattern in self._patterns:
            data = pattern.sub(MASK, data)
        return data

    def hold(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a secret, and must wait for what follows."""
        longest = 0
        for secret in self._secrets:
            for length in range(min(len(secret) - 1, len(data)), longest, -1):
                if data.endswith(secret[:length]):
                    longest = length
                    break
        return longest
