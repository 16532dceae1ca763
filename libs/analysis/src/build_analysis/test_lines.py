"""How test drivers show that they began, how far they are, and that they are done; one line each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["opens", "advances", "closes"]


@dataclass(frozen=True, slots=True)
class TestLine:
    """What a test driver's line says. `done` is absent where it reports one more result without a count."""

    __test__ = False  # pytest collects classes named Test*

    kind: Kind
    tool: str
    done: int | None = None
    total: int | None = None
    percent: float | None = None
    name: str | None = None


_Rule = tuple[Kind, str, re.Pattern[str]]

_DIGITS = "0123456789"
_RULES_BY_FIRST: dict[str, list[_Rule]] = {}
"""By what a line begins with, so that a line is matched against a few of them."""


def _rule(kind: Kind, tool: str, firsts: str, *parts: str) -> None:
    for first in firsts:
        _RULES_BY_FIRST.setdefault(first, []).append((kind, tool, re.compile("".join(parts))))


_rule("opens", "ctest", "T", r"Test project \S")
_rule(
    "advances",
    "ctest",
    f" {_DIGITS}",
    r" {0,6}(?P<done>\d+)/(?P<total>\d+) (?:Test|MemCheck):? +#\d+: (?P<name>\S.*?)(?: \.{2,}.*)?$",
)
_rule("closes", "ctest", "T", r"Total Test time \(real\) =")

_rule(
    "opens",
    "lit",
    "-",
    r"-- Testing: (?P<total>\d+)(?: of \d+)? tests, \d+ (?:workers|threads|single process)",
)
_rule(
    "advances",
    "lit",
    "PFXUTSE",
    r"(?:X?PASS|X?FAIL|UN(?:SUPPORTED|RESOLVED)|TIMEOUT|SKIPPED|FLAKYPASS|EXCLUDED): (?P<name>.{1,1500}) ",
    r"\((?P<done>\d+) of (?P<total>\d+)\)\s*$",
)
_rule("advances", "lit", f" {_DIGITS}", r" {0,2}(?P<percent>\d{1,3})% \[=*-*\]")
_rule("advances", "lit", "T", r"Testing: (?:[ \d.]*?)(?P<percent>\d{1,3})[ .]*$")
_rule("closes", "lit", "T", r"Testing Time: ")

_rule("opens", "pytest", "=", r"={3,} test session starts ={3,}")
_rule(
    "advances",
    "pytest",
    "[",
    r"\[gw\d+\] \[ {0,2}(?P<percent>\d{1,3})%\] ",
    r"(?:PASSED|FAILED|SKIPPED|ERROR|XFAIL|XPASS|RERUN) (?P<name>\S.*)",
)
_rule(
    "closes",
    "pytest",
    f"=n{_DIGITS}",
    r"(?:={3,} )?(?:(?:\d+ [a-z]+(?: passed| failed)?(?:, )?){1,9}|no tests ran) in [\d.]+s",
)

_rule("opens", "gtest", "[", r"\[={10}\] Running (?P<total>\d+) tests? from \d+ test")
_rule("advances", "gtest", "[", r"\[ +(?:OK|FAILED|SKIPPED) +\] (?P<name>\S+?)(?:, where .*)? \(\d+ ms\)$")
_rule("closes", "gtest", "[", r"\[={10}\] \d+ tests? from \d+ test \w+ ran\.")

_rule("opens", "cargo", "r", r"running (?P<total>\d+) tests?$")
_rule("advances", "cargo", "t", r"test (?P<name>\S.*?) \.\.\. (?:ok|FAILED|ignored|bench)")
_rule("closes", "cargo", "t", r"test result: ")

_rule("opens", "nextest", " ", r" {4}Starting (?P<total>\d+) tests? across ")
_rule(
    "advances",
    "nextest",
    " ",
    r" +(?:PASS|FAIL|SIG\w+|ABRT|TIMEOUT|FLAKY \d+/\d+|TRY \d+ \w+|LEAK|TERMINATING) \[[^\]]{1,12}\]",
    r" \( *(?P<done>\d+)/(?P<total>\d+)\) (?P<name>\S.*)",
)
_rule("closes", "nextest", " ", r" {5}Summary \[")

_rule("advances", "go", "=-", r"=== RUN   (?P<name>\S+)|--- (?:PASS|FAIL|SKIP): (?P<ended>\S+) \(")
_rule("closes", "go", "oF", r"(?:ok  |FAIL)\t\S")

_rule(
    "advances",
    "meson",
    f" {_DIGITS}",
    r" *(?P<done>\d+)/(?P<total>\d+) (?P<name>\S.{0,300}?) +",
    r"(?:OK|FAIL|SKIP|TIMEOUT|ERROR|EXPECTEDFAIL|UNEXPECTEDPASS|INTERRUPT) +\d+\.\d+s",
)
_rule("closes", "meson", "O", r"Ok: +\d+ *$")

_PYTEST_PERCENT = re.compile(r" \[ {0,2}(\d{1,3})%\] *$")
_PYTEST_OUTCOMES = re.compile(
    r"(?P<name>\S+\.py(?:::.*?)?)? ?(?:[.FEsxXR]+|(?:PASSED|FAILED|SKIPPED|ERROR|XFAIL|XPASS|RERUN)\b.*) *$"
)


def read_test_line(text: str) -> TestLine | None:
    """What this line says, without colours and stamps; None when it is no test driver's."""
    for kind, tool, pattern in _RULES_BY_FIRST.get(text[:1], ()):
        if match := pattern.match(text):
            return _line(kind, tool, match.groupdict())
    match = _PYTEST_PERCENT.search(text, max(0, len(text) - 12))
    if match and (outcome := _PYTEST_OUTCOMES.match(text[: match.start()])):
        return TestLine("advances", "pytest", percent=float(match[1]), name=outcome["name"])
    return None


def _line(kind: Kind, tool: str, fields: dict[str, str | None]) -> TestLine | None:
    done, total, percent = fields.get("done"), fields.get("total"), fields.get("percent")
    if done and total and int(done) > int(total):
        return None
    return TestLine(
        kind,
        tool,
        int(done) if done else None,
        int(total) if total else None,
        float(percent) if percent else None,
        fields.get("ended") or fields.get("name"),
    )


_RUNNERS = {"pytest": "pytest", "py.test": "pytest", "ctest": "ctest", "lit": "lit", "llvm-lit": "lit", "lit.py": "lit"}
_SUBCOMMANDS = {
    ("cargo", "test"): "cargo",
    ("cargo", "nextest"): "nextest",
    ("go", "test"): "go",
    ("meson", "test"): "meson",
}


def test_tool_of(command: Sequence[str]) -> str | None:
    """The test driver that this command is; None where it is another program, or a script that may run anything."""
    words = list(command)
    while words and (words[0].rpartition("/")[2] == "env" or "=" in words[0].partition("/")[0]):
        words.pop(0)
    names = [word.rpartition("/")[2] for word in words[:3]]
    if names[:1] and names[0].startswith("python") and names[1:2] == ["-m"]:
        names = names[2:]
    if not names:
        return None
    return _RUNNERS.get(names[0]) or _SUBCOMMANDS.get((names[0], names[1] if len(names) > 1 else ""))


test_tool_of.__test__ = False  # type: ignore[attr-defined]  # pytest collects functions named test*
