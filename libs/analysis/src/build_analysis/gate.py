"""The gate: which lines of a green log deserve a look at all.

Nearly all lines of a build say that it goes well. The gate drops what ninja and make print for each step and
searches the rest for fragments, one of which every line that a rule could call a failure contains. It costs a few
nanoseconds a byte; the rules cost microseconds a line.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from build_analysis.automaton import literal_search, row_search
from build_analysis.fragments import FRAGMENTS
from build_analysis.text import strip_ansi

QUIET_START = 48
"""A passed test says so at the beginning of its line, behind a stamp at most."""

SAMPLE_LINES = 16
"""So many lines of a chunk are asked first: where most of them pass, each line is asked on its own."""

_COUNTS = re.compile(r"\[ *(?:(\d+)/(\d+)|(\d+)%)")
_STEP = re.compile(r"(?:\d{4}-\d\d-\d\dT[\d:.]+Z )?\[ *\d+(?:/\d+[^\]]{0,20}|%)\] ")


@dataclass(frozen=True, slots=True)
class Hits:
    """What the gate saw in some lines, by index: the `lines` worth a look, ascending, and the last green step."""

    lines: list[int]
    last_step: int | None


class Gate:
    """Finds the lines that contain a fragment.

    Args:
        literals: what the rules look for; a literal that contains none of FRAGMENTS becomes a fragment of its own.
    """

    def __init__(self, literals: Iterable[str] = ()) -> None:
        own = {literal for literal in literals if literal and not any(fragment in literal for fragment in FRAGMENTS)}
        ordered = sorted({*FRAGMENTS, *own}, key=lambda fragment: (len(fragment), fragment))
        # A fragment that contains another one finds nothing new.
        self.fragments = tuple(
            fragment for i, fragment in enumerate(ordered) if not any(shorter in fragment for shorter in ordered[:i])
        )

        self._lines_with_fragment = row_search(self.fragments)
        self._fragments_of = literal_search(self.fragments)

    def may_pass(self, text: str) -> bool:
        """Whether this text contains a fragment."""
        return any(fragment in text for fragment in self.fragments)

    def hits(self, lines: Sequence[str]) -> Hits:
        """Which lines are worth a look, and where the last step was reported."""
        kept = [i for i, line in enumerate(lines) if not is_green_step(line)]
        last_step = len(lines) - 1
        for index in reversed(kept):
            if index != last_step:
                break
            last_step -= 1
        kept = [i for i in kept if not is_quiet(lines[i])]
        return Hits(self._search(kept, lines) if kept else [], last_step if last_step >= 0 else None)

    def _search(self, kept: list[int], lines: Sequence[str]) -> list[int]:
        rest = [lines[i] for i in kept]
        text = "\n".join(rest)
        if "\x1b" in text:
            rest = [strip_ansi(line) for line in rest]
            text = "\n".join(rest)
        if self._lines_with_fragment is not None and self._fragments_of is not None:
            passes = self._fragments_of
            sample = rest[:: max(1, len(rest) // SAMPLE_LINES)]
            if sum(1 for line in sample if passes(line)) * 3 > len(sample):
                return [at for at, line in zip(kept, rest, strict=True) if passes(line)]
            return [kept[row] for row in self._lines_with_fragment(text)]
        starts: list[int] = []
        found: set[int] = set()
        for fragment in self.fragments:
            at = text.find(fragment)
            if at >= 0 and not starts:
                starts = list(accumulate((len(line) + 1 for line in rest), initial=0))
            while at >= 0:
                row = bisect_right(starts, at) - 1
                found.add(kept[row])
                at = text.find(fragment, starts[row + 1])
        return sorted(found)


def is_last_step(step: str) -> bool:
    """Whether a step is the last one of its run: `[300/300]`, `[100%]`."""
    match = _COUNTS.search(step)
    return match is not None and (match[3] == "100" or (match[1] is not None and match[1] == match[2]))


def is_green_step(line: str) -> bool:
    """Whether this is the line that ninja or make prints for a step: a status and what the step does, nothing more."""
    return line[:1] in "[2" and line[:1] != "" and _STEP.match(line) is not None and "\r" not in line


def is_quiet(line: str) -> bool:
    """Whether this is a warning, a note or a test that passed: whatever its words, it reports no failure."""
    return (
        ": warning: " in line
        or ": note: " in line
        or (line[-1:] == ")" and "PASS: " in line[:QUIET_START] and "XPASS: " not in line[:QUIET_START])
        or (" PASSED" in line and "::" in line)
    ) and "\r" not in line
