"""The cost of rules: whether the time that a rule's patterns take grows faster than the line they are asked about.

Each pattern is asked about lines made to be slow: how the rule's examples begin, and then one short text over and over.
What a pattern cannot answer in linear time shows there, as it shows on a log's strangest line.
"""

import re
import time
from collections.abc import Iterator

from build_analysis.prefixes import MATCHED_CHARACTERS
from build_analysis.rule import Rule

PUMPS = (" ", "a", "0", "/", ".", "-", ":", "'", "a::", " a", "a/", "error: ", "ld-")
LENGTHS = (16, 24, 60, 250, 1_000, MATCHED_CHARACTERS - 100)
"""Asked from short to long: what is slow for a short line would never end for a long one."""
LIMIT_SECONDS = 8e-3
"""So long no pattern may take for the longest line, which is two microseconds a character; some 0.1 ms are usual."""
NOISE_SECONDS = 1.5e-3
"""So long a linear pattern never takes for a shorter line."""


def slow_patterns(rule: Rule) -> Iterator[str]:
    """What is too slow in a rule, each as a sentence that names the pattern and the line that shows it."""
    for pattern in _patterns(rule):
        for start, pump in _hard_lines(rule):
            if (slow := _first_slow(pattern, start, pump)) is not None:
                length, seconds = slow
                yield (
                    f"takes {seconds * 1000:.0f} ms for a line of {length} characters: {start!r} and then {pump!r}"
                    f" over and over, for {pattern.pattern!r}. Bound its repeats, or make them possessive (`\\s*+`)"
                )
                break


def _first_slow(pattern: re.Pattern[str], start: str, pump: str) -> tuple[int, float] | None:
    """The shortest line that takes the pattern too long, and how long; lines far below any limit end the search."""
    for length in LENGTHS:
        seconds = _seconds(pattern, (start + pump * length)[:length])
        if seconds > (LIMIT_SECONDS if length == LENGTHS[-1] else NOISE_SECONDS):
            return length, seconds
        if length == LENGTHS[-2] and seconds < NOISE_SECONDS / 4:
            return None  # even if time grows by the square, the longest line stays below the limit
    return None


def _patterns(rule: Rule) -> Iterator[re.Pattern[str]]:
    yield rule.pattern
    for other in (rule.unless_pattern, rule.item_pattern, rule.strips_pattern):
        if other is not None:
            yield other
    for lookup in (*rule.before, *rule.after):
        yield lookup.pattern
        for other in (lookup.unless_pattern, lookup.until_pattern):
            if other is not None:
                yield other


def _hard_lines(rule: Rule) -> Iterator[tuple[str, str]]:
    """How a line begins, and what it repeats after that."""
    starts = {"", *rule.has[:2]}
    texts = (line for example in rule.examples for line in example.text.split("\n"))
    if own := next((line for line in texts if any(literal in line for literal in rule.has)), None):
        words = re.split(r"(?<=[\s:(\['\"])", own)
        starts |= {"".join(words[:count]) for count in range(1, min(len(words), 5))}
    return ((start, pump) for start in sorted(starts) for pump in PUMPS)


def _seconds(pattern: re.Pattern[str], line: str) -> float:
    """The least CPU time that the pattern takes for a line that it does not match in the end."""
    least = float("inf")
    for _ in range(6):
        before = time.thread_time()
        pattern.search(f"{line}\0")
        least = min(least, time.thread_time() - before)
        if least <= NOISE_SECONDS:
            break
    return least
