"""Last words: the line that most probably says why a run failed, where only a wrapper says that it did.

No rule knows every tool. Before a wrapper's word (`make: *** [x] Error 1`, a CI step's exit code) stands what the tool
printed last. Each line there is weighed by what it shows (`line_features.py`) and by what was learned offline of such
lines (`line_weights.json`); the heaviest is the message, and its category stays unknown.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

from build_analysis.gate import is_green_step
from build_analysis.line_features import features
from build_analysis.prefixes import clean

REACH_LINES = 300
"""So far before the wrapper's word its cause is looked for."""

READ_CHARACTERS = 400

WHY_LIMIT = 5

_OF_THE_LINE = ("word ", "first ", "form ", "colour ")
"""What a line shows by itself; its place among others is no reason that helps a reader."""

_BEGINS = re.compile(
    r"\W{0,6}(?:\S{1,80}: )?(?:(?:fatal|internal|unexpected|uncaught|runtime|syntax) )?"
    r"(?:\w{0,40}error|fatal|fail(?:ed|ure|s|ing)?|panic|abort(?:ed|ing)?|\w{0,60}exception|E\d{3,4}|ERR!)\b(?!-)"
    r"[\s:!\])(*]"
    r"|\s{0,8}(?:--- FAIL: |not ok \d|\*\* \(|\d{1,3}\) \S|[\u2717\u2718\u00d7\u2716\u274c\u2a2f] ?\S"
    r"|F\s{1,3}\S|\[-\] )",
    re.IGNORECASE,
)
"""How a line begins that says what failed; so do the marks of test reporters."""
_PLACED = re.compile(
    r"\s{0,4}(?:\w{3,20} in )?(?P<file>(?:[A-Za-z]:)?(?:\.{0,2}[/\\])?[\w@+-][\w./\\@+-]{0,200}\.[A-Za-z]\w{0,9})"
    r"(?::(?P<line>\d{1,7})(?::(?P<col>\d{1,6}))?:? |\((?P<row>\d{1,7})(?:,(?P<column>\d{1,6}))?\) ?: )(?=\S)"
)
_ALARM = re.compile(
    r"""\b(?:errors?|errored|fatal|fail(?:ed|ure|ures|s)?|panic(?:ked)?|exception|traceback|crash(?:ed)?|killed
    |denied|refus(?:ed|ing)|not\ found|no\ such|cannot|can't|can\ not|could\ ?n[o']t|couldn't|unable\ to
    |undefined|unresolved|unexpected|invalid|missing|mismatch(?:ed|es)?|unsupported|not\ supported|illegal|wrong|bad
    |exceed(?:s|ed)|too\ (?:many|long|large|big|old|new)|(?:more|less)\ than\ the|out\ of\ (?:date|sync|memory|range)
    |violat(?:es|ed|ion|ions)|conflicts?|must\ (?:be|have|not)|does(?:\ not|n't)|timed\ out|would\ reformat
    |not\ (?:installed|available|allowed|defined|specified|provided|set|permitted|equal|match)|is\ required
    |dirty|regression|expected)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_HARMLESS = re.compile(
    r"""\bwarn(?:ing)?\b|\bnote:\ |\bdeprecat|\bignor|\bskipp|\bretry|\bpass(?:ed)?\b|\bok\b|\bSUCCESS\b
    |\b(?:0|no|zero|without)\ (?:\w+\ )?(?:errors?|failures?|failed|problems?)\b
    |\b(?:debug|trace|info)\b[\]:\ ]|^--\ |--[\w-]*(?:error|fail)|-[WfD][\w=-]*error
    |^\s*(?:\+{1,4}\ ?\S|\$\ |\#|at\ \S|\.\.\.\ \d+\ more|from\ |[\w$.]+\(|\[\w+\]\ (?:info|debug))""",
    re.IGNORECASE | re.VERBOSE,
)
"""A warning, a green result, a command, a frame of a stack."""
_WENT_WELL = re.compile(
    r"""\s{0,8}(?:(?:PASS|XFAIL|UNSUPPORTED|SKIPPED|EXCLUDED):\ \S.{0,300}\(\d+\ of\ \d+\)$
    |Start\ {1,4}\d+:\ \S|\d+/\d+\ Test\ {1,5}\#\d+:\ .{0,300}\ Passed\ |\[(?:\ {7}OK|\ RUN\ {6}|\ {2}SKIPPED)\ \]
    |\S{1,300}:\d+:\ warning:\ .{0,600}\[-W[\w+=-]{1,60}\]$
    |test\ \S{1,300}\ \.\.\.\ (?:ok|ignored)$|\S{1,300}::\S{1,300}\ (?:PASSED|XFAIL|SKIPPED)\b)""",
    re.VERBOSE,
)
"""A test that began or went well, as lit, ctest, googletest, cargo and pytest print it, whatever its name; and what a
compiler warns of, which is an error by its own word where warnings are."""
_SAYS_NOTHING = re.compile(
    r"""\bexit(?:ed)?\b.{0,24}\b(?:code|status|value|with)\b|\bError\ \d{1,3}\b|returned\ (?:non-?zero|\d|error\ code)
    |\bBUILD\ FAIL|[Bb]uild\ (?:failed|did\ NOT)|[Cc]ommand\ failed|aborting\ due\ to|[Cc]ould\ not\ compile
    |one\ or\ more|[Ff]ailed\ after\ \d|^\W{0,8}[Ff]ail(?:ed|ures?)\W*$|^\W*$|COMPILATION\ ERROR\ ?:|went\ wrong:
    |[Ss]ee\ (?:above|also|the|https?:)|more\ (?:information|details|help)|full\ log|(?:complete|debug)\ log
    |[Tt]o\ see\ the\ full|[Rr]e-run|https?://\S+$|\[Help\ 1\]|^\s*\[(?:ERROR|INFO)\]\s*$
    |ELIFECYCLE|npm\ ERR!\ (?:code|errno|A\ complete)|[Tt]ell\ the\ author|most\ likely|report\ this
    |(?:Leaving|Entering)\ directory|[Cc]leaning\ up""",
    re.VERBOSE,
)
"""That something failed, or where more is written."""


@dataclass(frozen=True, slots=True)
class Words:
    """A line that may say why a run failed, the place that it names, and why it was taken."""

    number: int
    text: str
    file: str | None = None
    line: str | None = None
    col: str | None = None
    why: tuple[str, ...] = ()
    """What spoke most for this line, the strongest first."""


def last_words(
    lines: Iterable[tuple[int, str]],
    *,
    is_green: Callable[[str], bool] = lambda _: False,
    alarms_only: bool = False,
    at_end: bool = False,
) -> Words | None:
    """The line that most probably says why the run that ended here failed.

    Args:
        lines: the lines before the wrapper's word as they came, each with its number, nearest first.
        is_green: whether a green build printed this line, too; such a line says nothing.
        alarms_only: whether a line without a word of alarm is none.
        at_end: whether the log ends here, without a wrapper's word.
    """
    window = list(lines)[::-1]
    weights = _weights()
    best: tuple[float, int, tuple[str, ...]] | None = None
    for at, names in enumerate(features([raw for _, raw in window], grade=grade, at_end=at_end)):
        score = sum(weights.get(name, 0.0) for name in names)
        if not names or (best is not None and score <= best[0]):
            continue
        text = clean(window[at][1]).text
        if not any(character.isalpha() for character in text):
            continue
        if _WENT_WELL.match(text) or is_green(text):
            continue
        if (alarms_only or is_green_step(window[at][1])) and not grade(text[:READ_CHARACTERS]):
            continue
        best = score, at, names
    if best is None:
        return None
    number, raw = window[best[1]]
    spoken = (name for name in best[2] if name.startswith(_OF_THE_LINE) and weights.get(name, 0.0) > 0)
    why = sorted(spoken, key=lambda name: -weights[name])
    return _words(number, clean(raw).text, tuple(why[:WHY_LIMIT]))


@cache
def _weights() -> dict[str, float]:
    """What was learned; read once."""
    text = (resources.files("build_analysis") / "line_weights.json").read_text("ascii")
    weights: dict[str, float] = json.loads(text)
    return weights


_STRONG, _WEAK, _PLAIN = 2, 1, 0


def grade(text: str) -> int | None:
    """How probably a line says why: None says nothing at all."""
    if _SAYS_NOTHING.search(text):
        return None
    placed = _PLACED.match(text)
    if _HARMLESS.search(text):
        return None if placed is None else _PLAIN
    if placed is not None or _BEGINS.match(text):
        return _STRONG
    return _WEAK if _ALARM.search(text) else _PLAIN


def _words(number: int, text: str, why: tuple[str, ...]) -> Words:
    match = _PLACED.match(text[:READ_CHARACTERS])
    if match is None:
        return Words(number, text.strip(), why=why)
    return Words(
        number, text.strip(), match["file"], match["line"] or match["row"], match["col"] or match["column"], why
    )
