"""Texts made fit to be handed on: no secret, no mail address, no address with a password. Pure."""

import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from build_dashboard.redaction.redactor import MASK_TEXT, Redactor

SHORTEST = 6
"""A shorter value stands in too many words for its absence to be asked for."""

_ADDRESS = re.compile(r"[\w.+-]+@(?=[\w-]+(?:\.[\w-]+)+)")
_PASSWORD = re.compile(r"(?<=://)[^\s/@'\"]*:[^\s/@'\"]*(?=@)")
_CHAT = re.compile(r"\b(?!https?\b|wss?\b|sqlite\b|amqps?\b|mongodb\b|mysql\b)([a-z][a-z0-9+.-]*)://[^\s'\"]+")


class Leak(Exception):
    """A text has a known secret after all; the message names the text."""


def masked(texts: dict[str, str], secrets: Iterable[str]) -> dict[str, str]:
    """The texts by name, without what is known to be secret or looks so.

    Raises:
        Leak: one has a known secret nevertheless; then none may be handed on.
    """
    known = sorted({each for secret in secrets for each in _forms(secret)}, key=len, reverse=True)
    redactor = Redactor(known)
    done = {name: _masked(text, known, redactor) for name, text in texts.items()}
    for name, text in done.items():
        if any(secret in text for secret in known):
            raise Leak(name)
    return done


def passwords_of(url: str) -> list[str]:
    """The password in an address, as it stands there and decoded; none where there is none, or it is no address."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return []
    return [password, unquote(password)] if password else []


def _forms(secret: str) -> list[str]:
    lines = [line.strip() for line in secret.splitlines()]
    found = [each for line in lines for each in (line, *passwords_of(line))]
    return [each for each in found if len(each) >= SHORTEST]


def _masked(text: str, known: Iterable[str], redactor: Redactor) -> str:
    for secret in known:
        text = text.replace(secret, MASK_TEXT)
    text = _PASSWORD.sub(MASK_TEXT, text)
    text = _CHAT.sub(rf"\1://{MASK_TEXT}", text)
    text = redactor.redact(text.encode()).decode()
    return _ADDRESS.sub("someone@", text)
