"""What CI systems, test drivers and build drivers put before a line, and how to take it off.

Two prefixes name a *channel*: `117: ` is the output of ctest's test 117, `913>` of Visual Studio's project 913. Lines
of several channels interleave, so the channel decides what belongs together, not the lines next to it.
"""

import re
from typing import NamedTuple

from build_analysis.text import last_overwrite, strip_ansi

MATCHED_CHARACTERS = 4000
"""Rules see no more of a line than this, which bounds the cost of any regular expression on a line of a megabyte."""

_STAMP = re.compile(
    r"(?:[^\t]{1,120}\t[^\t]{1,120}\t(?=\ufeff?\d{4}-\d\d-\d\dT))?"  # gh run view: job, step
    r"\ufeff?\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)? ?(?:Z|UTC|[+-]\d\d:?\d\d)?\]?(?: \|)? ?"
    r"(?:\d\d[OE](?: |\+|$))?"  # gitlab: stream and kind
    r"|\[\d\d:\d\d:\d\d(?:\.\d+)?\]:? ?"
    # One space or two end this stamp; tools indent by twos, which shows whose a third one is.
    r"|\d\d:\d\d:\d\d(?:[.,]\d+)?(?: (?=(?:  )*(?! ))|  |$)(?:\| )?"
    r"|\d+:\d\d\.\d\d (?:[A-Z]+: \| )?"
    r"|#\d+ \d+\.\d+(?: |$)"  # docker buildx: step and seconds
    r"|\d{1,5}\.\d{1,3} (?=[\[/A-Za-z-])"  # docker buildx's last words: seconds
    r"|##\[(?:error|warning|command|debug|group(?!\](?:Run|Attempt) ))\]|::(?:error|group)(?: [^:]{0,300})?::"
    r"|\[[!*+xX-]\](?: |$)"
    r"|\[pipenv\.exceptions\.\w{1,40}\]:(?: (?:  )?(?! )| {1,3}|$)"
    r"|# [|] ?(?:\| )?"  # lit's internal shell
    # a build driver: [build], [iree-compile]
    r"|\[(?!gw\d)[a-z][\w+./:-]{0,30}(?: [\w+./:-]{1,20})?\](?: (?!\*{1,3}(?!\*))|$)"
    r"|\d{1,6}(?=(?:FAIL|ERROR|FAILED|CMake Error|ninja|Traceback|ImportError|AssertionError)\b)"  # web line numbers
)
_MARKS = ("##[error]", "::error")
"""How GitHub and Azure mark what an action, or a problem matcher, calls an error."""
_STAMP_STARTS = frozenset("0123456789[#:\ufeff")
_DRIVER = re.compile(
    r"(?:C/C\+\+|stderr|stdout|err|out)(?: ?[:|] |> )"
    r"|cargo:warning=|npm (?:ERR!|error) "
    r"|[a-z@][\w@./-]{0,40} > (?=\S)"
    r"|\|(?: |$)"  # bitbake
    r"|[a-z][\w.+-]{1,40}>(?: |$)"  # nix build -L: the package
    r"| {2,12}>(?: |$)"  # nix: the last lines of a builder's log
    r"|  \| (?=\S)"  # buildkite's blocks, when copied
    r"|[a-z][\w-]{0,30}[ _]?\d* +\|(?: |$)"  # docker compose, GNU parallel, foreman: "web_1  | "
)
_SYSLOG = re.compile(r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d(?: |$)")
_MONTH_STARTS = frozenset("JFMASOND")
_COPIED_MARK = re.compile(
    r"\s{0,12}Error: (?=CMake Error\b|fatal: "
    r"|(?:(?:[A-Za-z]:)?[^\s:()]+(?:(?::\d+){1,2}|\(\d+(?:,\d+)?\) ?)?: )?(?:fatal )?error(?: [A-Z]+\d+)?: )"
)
"""What GitHub's pages show instead of `##[error]`, before a line of a tool's own form."""
_STEP_LINK = re.compile(r"\[([^\]\s]{1,40})\]\(https?://[^)\s]{1,300}#step:\d+:\d+\)")
"""What a page makes of a number when a job's log is copied from it."""
_EMPHASIS = re.compile(
    r"> (?=[A-Za-z/\[$+-])(?!Task |Run |There were )"
    r"|(?:\*\*|[\"'`*])(?=CMake Error\b|(?:[A-Za-z]:)?[\w./\\+-]+(?::\d+){1,2}: (?:fatal )?error: )"
)
"""How a person who copies a log quotes a line, or sets it off."""
_EMPHASIS_STARTS = frozenset("*\"'`>")
_DRIVERS = ("C/C++", "std", "err", "out", "cargo:warning=", "npm ")
_DRIVER_STARTS = frozenset("abcdefghijklmnopqrstuvwxyz@C| ")
_CTEST_CHANNEL = re.compile(r"(\d{1,6}): ?(?=\D|$|\d+:)")
_VISUAL_STUDIO_CHANNEL = re.compile(r" *(\d{1,5})>")
_CHANNEL_STARTS = frozenset("0123456789 ")
_LEVEL = re.compile(r"\[(?:error|warning|info|fatal|debug|note)\]")


class CleanLine(NamedTuple):
    """The tool's own text, the channel it came by, and whether a CI system marked it as an error."""

    text: str
    channel: str | None
    is_marked: bool = False


def clean(raw: str) -> CleanLine:
    """Take escapes, overwritten progress and prefixes off a line.

    Args:
        raw: one log line without its line end.
    """
    text = raw if len(raw) <= MATCHED_CHARACTERS else raw[:MATCHED_CHARACTERS]
    if "\x1b" in text or "\r" in text:
        text = last_overwrite(strip_ansi(text))
    text = text.rstrip()
    if "#step:" in text:
        text = _STEP_LINK.sub(r"\1", text)
    channel: str | None = None
    is_marked = False
    for _ in range(4):
        first = text[:1]
        if (
            (first in _STAMP_STARTS or "\t20" in text[:240])
            and (match := _STAMP.match(text))
            and not _LEVEL.match(text)
        ):
            is_marked = is_marked or text.startswith(_MARKS)
            text = text[match.end() :]
        elif first in _CHANNEL_STARTS and (match := _CTEST_CHANNEL.match(text)):
            channel, text = f"ctest {match[1]}", text[match.end() :]
        elif first in _CHANNEL_STARTS and (match := _VISUAL_STUDIO_CHANNEL.match(text)):
            channel, text = f"project {match[1]}", text[match.end() :]
        elif match := _before_words(first, text):
            text = text[match.end() :]
        else:
            break
    return CleanLine(text, channel, is_marked)


def _before_words(first: str, text: str) -> re.Match[str] | None:
    """What a log daemon, a CI system's page or a driver put before a tool's words."""
    if first in _EMPHASIS_STARTS:
        return _EMPHASIS.match(text)
    if first in _MONTH_STARTS and (match := _SYSLOG.match(text)):
        return match
    if "Error: " in text[:20] and (match := _COPIED_MARK.match(text)):
        return match
    return _DRIVER.match(text) if first in _DRIVER_STARTS and _may_be_driven(first, text) else None


def _may_be_driven(first: str, text: str) -> bool:
    head = text[:48]
    return first == "|" or " |" in head or "> " in head or text[-1:] == ">" or text.startswith(_DRIVERS)
