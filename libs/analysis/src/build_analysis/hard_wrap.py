"""Hard wrap: text that was cut at a terminal's width, in mid-word, when someone copied it or a tool printed it so.

A line of exactly that width goes on in the next one. Only a log whose lines are nowhere longer is taken for wrapped.
"""

import re
from collections.abc import Sequence

NARROWEST, WIDEST = 72, 250
"""Widths of terminals; a log with a longer line is not wrapped."""
USUAL = frozenset({80, 100, 120, 132, 160})
ENOUGH_LINES = {True: 2, False: 3}
"""So many lines must have exactly the width, a usual one or another: the longest line of any log has some length."""
PARTS = 12
"""No text is joined from more lines than this."""

# A line that begins like this is no continuation, however long the one before it is.
_BEGINS = re.compile(
    r"\s{2}|\s*(?:\[\s*\d+|\d{4}-\d\d-|\d\d:\d\d:\d\d[ .,]|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:|#\d+ |-- |FAILED|CMake "
    r"|g?make[\[:]|ninja: |Traceback|\*{3}|={3}|E  "
    r"|\S+:\d+(?::\d+)?: |[A-Z]{4,}: |In file included|\S*(?:error|warning|note): )"
)


class HardWrap:
    """The width at which a log is wrapped, as far as it was read."""

    def __init__(self) -> None:
        self._longest = 0
        self._count = 0

    @property
    def width(self) -> int:
        """The width, 0 when the log is not wrapped."""
        enough = ENOUGH_LINES[self._longest in USUAL]
        return self._longest if self._count >= enough and NARROWEST <= self._longest <= WIDEST else 0

    def look(self, lines: Sequence[str]) -> None:
        """Take note of how long the next lines are."""
        if self._longest > WIDEST:
            return
        longest = max(map(len, lines), default=0)
        if longest > self._longest:
            self._longest, self._count = longest, 0
        if longest == self._longest and longest >= NARROWEST:
            self._count += sum(1 for line in lines if len(line) == longest)

    def goes_on(self, line: str, following: str) -> bool:
        """Whether the following line belongs to this one."""
        return len(line) == self.width and _BEGINS.match(following) is None and following != ""
