"""Sealing: what the store keeps of another system's secrets is of no use without ours."""

import base64
import hashlib

from build_chassis.signing import keys_of
from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Sealing:
    """Seals with the first key of `JWT_SECRET_KEY`, opens with each."""

    def __init__(self, secret: str) -> None:
        digests = (hashlib.sha256(b"build-dashboard sealing\0" + key.encode()).digest() for key in keys_of(secret))
        self._keys = MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])

    def seal(self, text: str) -> str:
        """The text, sealed."""
        return self._keys.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str | None:
        """The text; None where none of the keys sealed it."""
        try:
            return self._keys.decrypt(sealed.encode()).decode()
        except InvalidToken:
            return None
