"""A GitHub App: claims, signed by its key, for which GitHub gives a token of an hour."""

import base64
import json
from datetime import datetime
from typing import Any

from build_dashboard.config_error import ConfigError

CLAIM_SECONDS = 540
"""GitHub takes a claim of ten minutes at most, and its clock may be ahead of ours."""

SKEW_SECONDS = 60
RENEWED_BEFORE_SECONDS = 300


class App:
    """An app as which a repository is read.

    Args:
        app_id: Its id (or client id), as its settings page shows it.
        key: Its private key, PEM.

    Raises:
        ConfigError: The key is none, or there is nothing here to sign with.
    """

    def __init__(self, app_id: str, key: str) -> None:
        try:
            from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415  (most have no app)
            from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415  (as above)
        except ImportError as error:
            raise ConfigError("a GitHub App's key needs the package cryptography: pip install cryptography") from error
        try:
            loaded = load_pem_private_key(key.encode(), None)
        except (ValueError, TypeError) as error:
            raise ConfigError("GITHUB_APP_KEY is no private key in PEM") from error
        if not isinstance(loaded, RSAPrivateKey):
            raise ConfigError("GITHUB_APP_KEY is no RSA key: GitHub gives apps no others")
        self._id = app_id
        self._key = loaded

    def claim(self, now_seconds: float) -> str:
        """A JSON Web Token that says which app asks, good for some minutes."""
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415  (as above)
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415  (as above)

        now = int(now_seconds)
        claims = {"iat": now - SKEW_SECONDS, "exp": now + CLAIM_SECONDS, "iss": self._id}
        signed = b".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
        return (signed + b"." + _encoded(self._key.sign(signed, PKCS1v15(), SHA256()))).decode()


class AppToken:
    """The token that GitHub gave for a claim."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.value = str(answer["token"])
        self._ends_at = datetime.fromisoformat(str(answer["expires_at"]).replace("Z", "+00:00")).timestamp()

    def is_good(self, now_seconds: float) -> bool:
        """Whether it lasts long enough for what is asked now."""
        return self._ends_at - RENEWED_BEFORE_SECONDS > now_seconds


def _encoded(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
