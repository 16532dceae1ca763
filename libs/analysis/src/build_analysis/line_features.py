"""What a line near a failure shows, as names: its words, its form, its colour, its neighbours, its place in the output.

`line_weights.json` has a number for each name that helps to tell the line that says what failed from all others; the
numbers were learned offline (`libs/analysis/train.py`), so nothing here says which line it is.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from build_analysis.prefixes import clean

READ_CHARACTERS = 300
NEAR_LINES = 12
"""So far before a line it is looked for others of its kind: the first of a block says what failed."""

_WORD = re.compile(r"[A-Za-z][a-z]{1,19}|[A-Z]{2,20}")
_NUMBER = re.compile(r"\d+")
_TRAVIS = re.compile(r"travis_(?:fold|time):\w+:[\w.:=,-]*")
_BEGINS_COMMAND = re.compile(
    r"travis_(?:fold:start|time:start)|\$ \S|##\[group\]|::group::|#\d+ \[[^\]]+\] [A-Z]+ |Step \d+/\d+ : "
    r"|\+ \S|> \S+@\S+ \S+ /|\[Pipeline\] "
)
_COLOURS = {
    "red": re.compile(r"\x1b\[(?:\d+;)*(?:31|91|38;5;(?:1|9|196))(?:;\d+)*m"),
    "green": re.compile(r"\x1b\[(?:\d+;)*(?:32|92)(?:;\d+)*m"),
    "yellow": re.compile(r"\x1b\[(?:\d+;)*(?:33|93)(?:;\d+)*m"),
    "bold": re.compile(r"\x1b\[1(?:;\d+)*m"),
    "grey": re.compile(r"\x1b\[(?:90|2)m"),
}
_PLACE = r"(?:[A-Za-z]:)?[\w./\\@+-]*\.\w{1,10}(?::\d+|\(\d+|, line \d+|\[\d+)"
_FORMS = {
    name: re.compile(pattern)
    for name, pattern in {
        "mark": r"^\W{0,10}[\u2717\u2718\u00d7\u2716\u274c\u2a2f\u25cf\u2022]",
        "numbered": r"^\s{0,12}\d{1,3}\) ",
        "listed": r"^\s{0,8}\d{1,4}\. ",
        "tap": r"^\s{0,40}not ok\b",
        "rule": r"^\s{0,40}[-=_*#~]{3,}",
        "pytest": r"^E   ",
        "signed": r"^[+-](?![-+ ]{2})",
        "frame": r"^\s{1,40}at \S{1,200}[(:]|^\s{1,40}from \S{1,200}:\d|^\s{0,40}File \"",
        "hash": r"^\s{0,40}#",
        "prompt": r"^\s{0,40}\$ ",
        "travis": r"^travis_",
        "quoted": r"^\s{0,40}>",
        "bar": r"^\s{0,40}\|",
        "bracket": r"^\s{0,40}\[",
        "place": r"(?:^|[\s\"'(\[])" + _PLACE,
        "place first": r"^\W{0,4}" + _PLACE,
        "path": r"(?:^|\s)[\w.~-]{0,60}/[\w./@-]+",
        "line n": r"\bline \d",
        ": error": r": (?:fatal |internal )?(?:error|ERROR|Error)\b",
        "error first": r"^\W{0,6}(?:\w{1,30} )?(?:[Ee]rror|ERROR)\b",
        "exception": r"\b[A-Z]\w{0,80}(?:Error|Exception|Failure|Fault)\b",
        "exception:": r"\b[A-Z]\w{0,80}(?:Error|Exception|Failure): ",
        "code": r"\b(?:error|Error|err)\W{0,2}[A-Z]{0,4}\d{1,5}\b|\b[A-Z]{1,3}\d{3,4}\b",
        "FAIL": r"\bFAIL(?:ED|URE|URES|S)?\b",
        "ERROR": r"\bERROR\b",
        "passed": r"\b(?:ok|OK|PASS|PASSED|passed|SUCCESS)\b",
        "none failed": r"\b(?:0|no|zero) (?:errors?|failures?|failed|warnings?|offenses|problems)",
        "some failed": r"\b[1-9]\d{0,6} (?:\w{1,20} )?"
        r"(?:errors?|failures?|failed|failing|problems?|warnings?|offenses?)\b",
        "n of n": r"\b\d+\s?/\s?\d",
        "percent": r"\d%",
        "url": r"https?://",
        "status": r"\b[45]\d\d\b",
        "colon last": r":\s{0,9}$",
        "dots": r"\.\.\.",
        "expected": r"(?i)\bexpected\b.{0,200}\b(?:got|but|actual|found|received|was)\b",
        "exit": r"(?i)\bexit(?:ed|s)?\b.{0,80}\d|returned? \d|non-?zero|status \d",
        "warning": r"(?i)\bwarn(?:ing)?\b",
        "note": r"\bnote:|\bhint:|\binfo:",
        "deprecated": r"(?i)deprecat",
        "command": r"^\s{0,40}(?:[+$#] "
        r"|(?:cd|sudo|export|gcc|g\+\+|cc|clang|npm|pip|python|make|cmake|bundle|docker|git) )",
        "flags": r" --?[a-z][\w-]{1,40}.{0,200} --?[a-z]",
        "assigned": r"^\s{0,40}[\w.]{1,60} ?[=:] ?\S{1,200}$",
        "source": r"[;{}]\s{0,9}$|^\s{0,40}(?:def|class|return|if|for|function|var|let|const|import|from) ",
        "caret": r"^[\s|]{0,80}\^[~^ ]{0,200}$",
        "json": r"^\s{0,40}[\[{\"]",
        "capital": r"^[A-Z][a-z]",
        "lower": r"^[a-z]",
        "duration": r"\b\d+(?:\.\d+)?\s?m?s(?:ec|econds)?\b",
        "parenthesis": r"\([\w./:, ]{1,200}\)\s{0,9}$",
        "signal": r"(?i)\bkilled|signal|core dumped|segmentation|abort|panick?",
        "cannot": r"(?i)\b(?:cannot|can't|can not|could not|couldn't|unable to|failed to)\b",
        "not found": r"(?i)not (?:found|defined|exist|installed|available|recogni[sz]ed|in scope)"
        r"|no such|undefined|unknown|missing|unresolved",
        "bad": r"(?i)invalid|illegal|unexpected|unsupported|mismatch|conflict|denied|refused|timed? ?out",
        "must": r"(?i)\b(?:must|should|required|requires|expected|does not|doesn't|is not|isn't)\b",
        "diff": r"^(?:diff --git|@@ |--- |\+\+\+ )",
        "summary": r"(?i)\b(?:summary|failures|errors|failed tests|failing)\b:?\s{0,9}$"
        r"|^failures?:|^\d{1,6} (?:tests?|examples?|specs?|passing|failing)",
    }.items()
}


@dataclass(slots=True)
class _Line:
    """One line as its neighbours see it."""

    text: str = ""
    names: list[str] = field(default_factory=list)
    forms: list[str] = field(default_factory=list)
    is_blank: bool = True
    alarm: str = "blank"
    is_red: bool = False
    is_command: bool = False


def features(
    raws: Sequence[str], *, grade: Callable[[str], int | None], at_end: bool = False
) -> Iterator[tuple[str, ...]]:
    """What each line shows, for every line but blank ones an own tuple, for these an empty one.

    Args:
        raws: the lines before a wrapper's word as they came, in order; the last is the nearest to it.
        grade: how strong a word of alarm a line has.
        at_end: whether the log ends there, and no wrapper's word follows.
    """
    count = len(raws)
    lines = [_line(raw, grade) for raw in raws]
    seen = Counter(line.text for line in lines)
    commands = [at for at, line in enumerate(lines) if line.is_command]
    last_command = commands[-1] if commands else -1
    edge = _Line(forms=["edge"], alarm="edge")
    for at, line in enumerate(lines):
        if line.is_blank:
            yield ()
            continue
        near = lines[max(0, at - NEAR_LINES) : at]
        strong = min(3, sum(one.alarm == "2" for one in near))
        red = min(3, sum(one.is_red for one in near))
        command = max((one for one in commands if one <= at), default=None)
        distance = _bucket(count - at)
        names = [
            *line.names,
            f"end {at_end} {distance}",
            f"strong before {strong}",
            f"red before {red}",
            f"repeated {min(3, _bucket(seen[line.text] - 1))}",
            f"since command {None if command is None else _bucket(at - command)}",
            f"in last command {at >= last_command}",
            f"alarm {line.alarm} in last command {at >= last_command}",
            f"alarm {line.alarm} distance {distance}",
        ]
        if line.is_red:
            names.append(f"first red {red == 0}")
        if line.alarm == "2":
            names.append(f"first strong {strong == 0}")
        for offset in (-1, 1, 2):
            other = lines[at + offset] if 0 <= at + offset < count else edge
            names.append(f"{offset}: alarm {other.alarm}")
            names.extend(f"{offset}: {form}" for form in other.forms)
        yield tuple(names)


def _line(raw: str, grade: Callable[[str], int | None]) -> _Line:
    text = clean(raw).text
    is_command = "travis_time:start" in raw[:60] or _BEGINS_COMMAND.match(text.lstrip()) is not None
    text = (_TRAVIS.sub("", text) if "travis_" in text else text)[:READ_CHARACTERS]
    stripped = text.strip()
    if not stripped:
        return _Line(is_command=is_command)
    words = _WORD.findall(stripped)
    forms = [name for name, pattern in _FORMS.items() if pattern.search(text)]
    colours = [name for name, pattern in _COLOURS.items() if pattern.search(raw)] if "\x1b" in raw else []
    alarm = str(grade(text))
    names = [f"word {word}" for word in sorted({word.lower() for word in words})]
    names += [f"first {words[0].lower()}"] if words else []
    names += [f"form {name}" for name in forms] + [f"colour {name}" for name in colours]
    names += [
        f"alarm {alarm}",
        f"indent {_bucket(len(text) - len(text.lstrip()))}",
        f"length {min(8, _bucket(len(stripped)))}",
    ]
    template = _NUMBER.sub("0", stripped)
    return _Line(template, names, [*forms, *colours], False, alarm, "red" in colours, is_command)


def _bucket(number: int) -> int:
    """A number's size: 0, 1, 2 (for 3 to 6), 3 (for 7 to 14), ..."""
    return (number + 1).bit_length() - 1
