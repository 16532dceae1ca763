"""The cost of rules: whether the time that a rule's patterns take grows faster than the line they are asked about.

Each pattern is asked about lines made to be slow: the beginnings of the rule's examples, its literals, and then one short
text over and over. What a pattern cannot answer in linear time shows there, as it shows on a log's strangest line.
"""

import re
import time
from collections.abc import Iterator

from build_analysis.prefixes import MATCHED_CHARACTERS
from build_analysis.rule import Rule

PUMPS = (
    *(
        " ",
        "\t",
        "a",
        "A",
        "0",
        "/",
        "\\",
        ":",
        "::",
        ".",
        "-",
        "_",
        "'",
        '"',
        "`",
        "(",
        ")",
        "[",
        "]",
        "<",
        "*",
        ",",
        "|",
    ),
    *(
        "a ",
        " a",
        "a:",
        "a::",
        "a/",
        "/a",
        "a.",
        "a: ",
        ": ",
        "a, ",
        "1:",
        ":1",
        "a-",
        "error: ",
        "0x0 ",
        "''",
        "()",
        "=a",
    ),
)
LIMIT_SECONDS_A_CHARACTER = 2e-6
"""Well above what a linear pattern takes for one character, on a busy machine; well below what the analyser promises."""
ATTEMPTS = 3


def slow_lines(rule: Rule) -> Iterator[tuple[str, str]]:
    """The patterns of a rule that are too slow, each with a line that shows it."""
    for pattern in _patterns(rule):
        for line in _hard_lines(rule):
            if _seconds(pattern, line) > LIMIT_SECONDS_A_CHARACTER * MATCHED_CHARACTERS:
                yield pattern.pattern, line
                break


def _patterns(rule: Rule) -> Iterator[re.Pattern[str]]:
    lookups = (*rule.before, *rule.after)
    yield rule.pattern
    for other in (rule.unless_pattern, rule.item_pattern, rule.strips_pattern):
        if other is not None:
            yield other
    for lookup in lookups:
        yield lookup.pattern
        for other in (lookup.unless_pattern, lookup.until_pattern):
            if other is not None:
                yield other


def _hard_lines(rule: Rule) -> Iterator[str]:
    texts = [line for example in rule.examples[:2] for line in example.text.split("\n") if _has(rule, line)]
    starts = {""}
    for text in texts[:2]:
        words = re.split(r"(?<=[\s:(\['\"])", text)
        starts |= {"".join(words[:count]) for count in range(1, min(len(words), 8))}
    for start in sorted(starts):
        for pump in PUMPS:
            line = (start + pump * MATCHED_CHARACTERS)[: MATCHED_CHARACTERS - 40]
            yield line + "\0"
            if not start:
                yield line + (rule.has[0] if rule.has else "")[:39] + "\0"


def _has(rule: Rule, line: str) -> bool:
    return any(literal in line for literal in rule.has)


def _seconds(pattern: re.Pattern[str], line: str) -> float:
    """The least time that the pattern takes for the line; asked again only where it was slow."""
    least = float("inf")
    for _ in range(ATTEMPTS):
        before = time.process_time()
        pattern.search(line)
        least = min(least, time.process_time() - before)
        if least <= LIMIT_SECONDS_A_CHARACTER * MATCHED_CHARACTERS:
            break
    return least
