"""What CI systems, test drivers and build drivers put before a line, and how to take it off.

Two prefixes name a *channel*: `117: ` is the output of ctest's test 117, `913>` of Visual Studio's project 913. Lines
of several channels interleave, so what belongs together is told by the channel, not by the neighbourhood.
"""

import re
from dataclasses import dataclass

from build_analysis.text import last_overwrite, strip_ansi

MATCHED_CHARACTERS = 4000
"""Rules see no more of a line than this, which bounds the cost of any regular expression on a line of a megabyte."""

_STAMP = re.compile(
    r"\ufeff?\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)? ?(?:Z|UTC|[+-]\d\d:?\d\d)?\]?(?: \|)? ?"
    r"|\[\d\d:\d\d:\d\d(?:\.\d+)?\]:? ?"
    r"|\d\d:\d\d:\d\d(?:[.,]\d+)? +(?:\| )?"
    r"|\d+:\d\d\.\d\d (?:[A-Z]+: \| )?"
    r"|#\d+ \d+\.\d+ "  # docker buildx: step and seconds
    r"|\d+\.\d{3} (?=\[\d)"
    r"|##\[(?:error|warning|command|debug|group)\]|::(?:error|group)(?: [^:]{0,300})?::"
    r"|# [|] ?(?:\| )?"  # lit's internal shell
    # a build driver: [build], [iree-compile]
    r"|\[(?!gw\d)[a-z][\w+./:-]{0,30}(?: [\w+./:-]{1,20})?\] (?!\*)"
    r"|\d{1,6}(?=(?:FAIL|ERROR|FAILED|CMake Error|ninja|Traceback|ImportError|AssertionError)\b)"  # web line numbers
)
_STAMP_STARTS = frozenset("0123456789[#:\ufeff")
_DRIVER = re.compile(
    r"(?:C/C\+\+|stderr|stdout|err|out)(?: ?[:|] |> )"
    r"|[a-z@][\w@./-]{0,40} > (?=\S)"
    r"|[a-z][\w-]{0,30}[ _]?\d* +\| "  # docker compose, GNU parallel, foreman: "web_1  | "
)
_DRIVERS = ("C/C++", "std", "err", "out")
_CTEST_CHANNEL = re.compile(r"(\d{1,6}): ?(?=\D|$|\d+:)")
_VISUAL_STUDIO_CHANNEL = re.compile(r" *(\d{1,5})>")
_CHANNEL_STARTS = frozenset("0123456789 ")
_LEVEL = re.compile(r"\[(?:error|warning|info|fatal|debug|note)\]")


@dataclass(frozen=True, slots=True)
class CleanLine:
    """The tool's own text, and the channel it came by."""

    text: str
    channel: str | None


def clean(raw: str) -> CleanLine:
    """Take escapes, overwritten progress and prefixes off a line.

    Args:
        raw: one log line without its line end.
    """
    text = raw if len(raw) <= MATCHED_CHARACTERS else raw[:MATCHED_CHARACTERS]
    if "\x1b" in text or "\r" in text:
        text = last_overwrite(strip_ansi(text))
    text = text.rstrip()
    channel: str | None = None
    for _ in range(4):
        first = text[:1]
        if first in _STAMP_STARTS and (match := _STAMP.match(text)) and not _LEVEL.match(text):
            text = text[match.end() :]
        elif first in _CHANNEL_STARTS and (match := _CTEST_CHANNEL.match(text)):
            channel, text = f"ctest {match[1]}", text[match.end() :]
        elif first in _CHANNEL_STARTS and (match := _VISUAL_STUDIO_CHANNEL.match(text)):
            channel, text = f"project {match[1]}", text[match.end() :]
        elif (" | " in text[:48] or " > " in text[:48] or text.startswith(_DRIVERS)) and (match := _DRIVER.match(text)):
            text = text[match.end() :]
        else:
            break
    return CleanLine(text, channel)
