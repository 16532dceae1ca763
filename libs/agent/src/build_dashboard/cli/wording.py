"""Wording: how builds, errors, times and what logs have in them are put in a line. Pure."""

import time
from typing import Any

from build_protocol.ids import short_id


def titled(build: dict[str, Any]) -> str:
    """How a build is called in a sentence."""
    return f"{build['project']} {build['config']} {short_id(build['id'])}"


def first_error(build: dict[str, Any]) -> str:
    """What broke, in words, then where; empty where nothing is known to have."""
    failure = build.get("firstFailure")
    if not failure:
        return str(build.get("error") or "") if build["status"] not in ("succeeded", "running", "queued") else ""
    return " ".join(filter(None, (" ".join(failure["message"].split()), place_of(failure))))


def place_of(failure: dict[str, Any]) -> str:
    """`(file:line)`, or nothing where the log names none."""
    if not failure.get("file"):
        return ""
    line = failure.get("line")
    return f"({failure['file']}{f':{line}' if line is not None else ''})"


def duration(milliseconds: int | None) -> str:
    """As people say it: 1h02m, 3m05s, 4.2s."""
    if milliseconds is None:
        return ""
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes}m{seconds:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def moment(epoch_ms: int | None) -> str:
    """In the person's own time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch_ms / 1000)) if epoch_ms else ""


def age(epoch_ms: int | None, now_ms: int) -> str:
    """How long ago, in its largest unit: `12m ago`, `3h ago`, `5d ago`."""
    if not epoch_ms:
        return ""
    seconds = max(0, now_ms - epoch_ms) // 1000
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit} ago"
    return f"{seconds}s ago"


def printable(text: str) -> str:
    """Text that a build printed, without what a terminal would obey."""
    return "".join(character for character in text if character in "\n\t" or character.isprintable())
