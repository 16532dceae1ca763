"""A ticket: a signed path element that lets its bearer do one thing with one object until it expires."""

import base64
import hashlib
import hmac
import time
from typing import Any, Literal

from build_chassis.signing import keys_of
from build_protocol.model import Count, Sha256, WireModel
from pydantic import Field, ValidationError

from build_artifacts.artifact import Content, Part

Verb = Literal["put", "get", "relay"]


class BadTicket(Exception):
    """Not signed by us, or expired."""


class Ticket(WireModel):
    """What the bearer may do, as its signer decided."""

    verb: Verb
    key: str
    expires_s: int = Field(description="Seconds since the Unix epoch.")
    size_bytes: Count
    sha256: Sha256
    upload_id: str | None = None
    part: int | None = None
    name: str = ""
    url: str = ""
    headers: dict[str, str] = Field(default_factory=dict)


class Tickets:
    """Signs tickets with a key derived from the system's secret, and reads those of keys it is replacing."""

    def __init__(self, secret: str) -> None:
        self._keys = [
            hmac.digest(key.encode(), b"build-dashboard artifacts ticket", "sha256") for key in keys_of(secret)
        ]

    def issue(self, verb: Verb, key: str, piece: Content | Part, seconds: int, **beside: Any) -> str:
        """A ticket for these bytes of an object, good for so many seconds, as one path element."""
        expires_s = int(time.time()) + seconds
        return self.sign(
            Ticket(verb=verb, key=key, expires_s=expires_s, size_bytes=piece.size_bytes, sha256=piece.sha256, **beside)
        )

    def sign(self, ticket: Ticket) -> str:
        """The ticket as one path element."""
        payload = base64.urlsafe_b64encode(ticket.to_json().encode()).decode().rstrip("=")
        return f"{payload}.{self._signature(payload, self._keys[0])}"

    def read(self, text: str, verb: Verb) -> Ticket:
        """The ticket for this verb; raises BadTicket."""
        payload, _, signature = text.partition(".")
        expected = [self._signature(payload, key) for key in self._keys]
        if not any(hmac.compare_digest(signature.encode(), one.encode()) for one in expected):
            raise BadTicket("this link was not made by us")
        try:
            ticket = Ticket.model_validate_json(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (ValueError, ValidationError) as error:
            raise BadTicket("this link was made by another version") from error
        if ticket.verb != verb or ticket.expires_s < time.time():
            raise BadTicket("this link has expired, or is for something else")
        return ticket

    def _signature(self, payload: str, key: bytes) -> str:
        return hmac.new(key, payload.encode(), hashlib.sha256).hexdigest()
