"""Text that builds printed, made fit for a message: no escapes, no control characters, bounded."""

import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
# Besides the controls: marks that reorder what stands beside them, so that a line would read as what it is not.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")

_MARKUP = re.compile(r"[\\`*_\[\](){}<>#!|~]")


def clean(text: str, limit: int) -> str:
    """The text without terminal escapes and control characters, at most `limit` characters long."""
    plain = _UNPRINTABLE.sub("", _ESCAPES.sub("", text).replace("\t", "    ")).rstrip()
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def one_line(text: str, limit: int) -> str:
    """The text in one line."""
    return clean(" ".join(text.split()), limit)


def duration(milliseconds: int) -> str:
    """`42 s`, `31 min 5 s`, `2 h 14 min`, `3 d 4 h`: the two largest units."""
    rest = milliseconds // 1000
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def inert(text: str) -> str:
    """The text so that Markdown shows it as it is: no markup, no link, nobody mentioned."""
    return _MARKUP.sub(r"\\\g<0>", text).replace("@", "@\u200b")


def counted(number: int, noun: str) -> str:
    """`1 commit`, `3 commits`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
