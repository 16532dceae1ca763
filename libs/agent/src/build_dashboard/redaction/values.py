"""Values of secrets that this machine knows: which they are, and every form in which they may be printed."""

import base64
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, quote_plus

from build_dashboard.redaction.names import is_secret_name
from build_dashboard.redaction.shapes import LEAST_CHARACTERS

WRAPPED_CHARACTERS = (64, 76)
"""Where tools that print base64 begin a new line."""

_ORDINARY = re.compile(r"(?:true|false|yes|no|on|off|none|null|default|enabled|disabled|\w+://[^\s@?]*)", re.IGNORECASE)
_LOGIN = re.compile(r"://[^\s/:@\"']*:([^\s/\"']+)@")

Spans = Callable[[bytes], Sequence[tuple[int, int]]]


def environment_secrets(environment: Mapping[str, str], spans: Spans) -> Iterator[str]:
    """The secrets among the variables: by their names, and by the looks of their values."""
    for name, value in environment.items():
        if is_secret_name(name) and not _is_ordinary(value):
            yield from _parts(value)
        data = value.encode("utf-8", "surrogateescape")
        for line in data.splitlines():
            yield from (line[start:end].decode("utf-8", "surrogateescape") for start, end in spans(line))
        yield from _LOGIN.findall(value)


def _is_ordinary(value: str) -> bool:
    # Paths are where secrets are kept, not secrets.
    return bool(_ORDINARY.fullmatch(value)) or (value.startswith(("/", "~/")) and os.path.exists(value))  # noqa: PTH110  (no objects)


def _parts(value: str) -> Iterator[str]:
    """The value, and what in it is one of its own: the lines of a key, the fields of a JSON document."""
    yield value
    try:
        document = json.loads(value) if value.lstrip()[:1] in ("{", "[") else None
    except ValueError:
        document = None
    if document is not None:
        for text in _leaves(document, is_secret=False):
            yield from text.splitlines()
    else:
        yield from value.splitlines()


def _leaves(document: Any, *, is_secret: bool) -> Iterator[str]:
    if isinstance(document, str) and is_secret:
        yield document
    elif isinstance(document, list):
        for item in document:
            yield from _leaves(item, is_secret=is_secret)
    elif isinstance(document, dict):
        for name, item in document.items():
            yield from _leaves(item, is_secret=is_secret or is_secret_name(str(name)) or name == "private_key_id")


def forms(secrets: Iterable[str]) -> dict[bytes, bool]:
    """Every form of these secrets, the longest first; and whether it stands for itself only between other characters.

    Values with a line feed are found by their lines, and encoded as a whole.
    """
    found: dict[bytes, bool] = {}
    for secret in secrets:
        value = secret.strip()
        if len(value) < LEAST_CHARACTERS:
            continue
        is_word = len(value) < 8 and value.isalpha()
        data = value.encode("utf-8", "surrogateescape")
        spelled = {quote(data, safe=""), quote_plus(data), quote(data), re.sub("%..", _lower, quote(data, safe=""))}
        if not any("\ud800" <= character <= "\udfff" for character in value):
            spelled |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], _markup(value)}
            spelled |= {json.dumps(json.dumps(value)[1:-1])[1:-1]}
        for text in (data, *(text.encode("utf-8", "surrogateescape") for text in spelled)):
            if b"\n" not in text:
                found[text] = is_word
        encoded = _encoded(data)
        if "\n" in secret.rstrip("\n") or not value.isascii():
            encoded |= _encoded(secret.encode("utf-8", "surrogateescape"))
        found |= dict.fromkeys(encoded, False)
    return dict(sorted(found.items(), key=lambda item: (-len(item[0]), item[0])))


def _lower(match: re.Match[str]) -> str:
    return match[0].lower()


def _markup(value: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#x27;")):
        value = value.replace(character, entity)
    return value


def _encoded(data: bytes) -> set[bytes]:
    """In hexadecimal, and in base64 however many bytes stand before it (`user:` of a basic header), wrapped or not."""
    found = {data.hex().encode(), data.hex().upper().encode()}
    for before in range(3):
        text = base64.b64encode(bytes(before) + data)
        # The first and last characters also hold bits of what stands around.
        whole = text[(0, 2, 3)[before] : (before + len(data)) * 8 // 6]
        for characters in (whole, whole.translate(_URL_SAFE)):
            found.add(characters)
            if before == 0:
                for width in WRAPPED_CHARACTERS:
                    found |= {characters[at : at + width] for at in range(0, len(characters), width)}
    return {text for text in found if len(text) >= LEAST_CHARACTERS + 1}


_URL_SAFE = bytes.maketrans(b"+/", b"-_")
