"""How a download is named: a header that no name can break out of, and a file name that is no path."""

import re
from urllib.parse import quote

NAME_LIMIT = 150
"""Characters; file systems take 255 bytes."""

_UNSAFE_ASCII = re.compile(r"[^A-Za-z0-9._+ -]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def file_name(name: str) -> str:
    """The last element of a name, without control and direction characters; `artifact` when nothing is left."""
    last = re.split(r"[/\\]", _CONTROL.sub("", name))[-1].replace(":", "_").strip(" .")
    if len(last) > NAME_LIMIT:  # the end is kept: it has the suffix
        last = last[: NAME_LIMIT // 2] + last[-NAME_LIMIT // 2 :]
    return last or "artifact"


def attachment(name: str) -> str:
    """A `Content-Disposition` that saves and never shows."""
    safe = file_name(name)
    return f"attachment; filename=\"{_UNSAFE_ASCII.sub('_', safe)}\"; filename*=UTF-8''{quote(safe, safe='')}"
