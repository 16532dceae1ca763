"""The window: the last lines of a log, kept for looking back from a failure."""

from collections import deque
from collections.abc import Iterator, Sequence

from build_analysis.prefixes import clean

LOOK_BACK_LINES = 500


class Window:
    """The lines of the chunk that is being read, and the last ones before it; lines are counted from 1."""

    def __init__(self) -> None:
        self._recent: deque[tuple[int, str]] = deque(maxlen=LOOK_BACK_LINES)
        self._chunk: Sequence[str] = ()
        self._chunk_first = 1

    def open(self, first_line: int, lines: Sequence[str]) -> None:
        """These lines are read now; the first of them is number `first_line`."""
        self._chunk, self._chunk_first = lines, first_line

    def close(self) -> None:
        """The chunk is read: the next one may look back into its last lines."""
        count = len(self._chunk)
        for index in range(max(0, count - LOOK_BACK_LINES), count):
            self._recent.append((self._chunk_first + index, self._chunk[index]))
        self._chunk = ()

    def lines_before(self, number: int, reach: int = LOOK_BACK_LINES) -> Iterator[tuple[int, str]]:
        """The lines before line `number` as they came, nearest first, at most `reach` of them."""
        index = min(number - self._chunk_first, len(self._chunk)) - 1
        left = reach
        while index >= 0 and left > 0:
            yield self._chunk_first + index, self._chunk[index]
            index, left = index - 1, left - 1
        for earlier, raw in reversed(self._recent):
            if left <= 0:
                return
            yield earlier, raw
            left -= 1

    def lines_after(self, number: int, reach: int) -> Sequence[str]:
        """At most `reach` lines after line `number`, as far as the chunk that is being read has them."""
        index = number - self._chunk_first + 1
        return self._chunk[index : index + reach]

    def clean_lines_before(self, number: int, reach: int = LOOK_BACK_LINES) -> Iterator[tuple[int, str]]:
        """The lines before line `number` without prefixes, nearest first."""
        return ((earlier, clean(raw).text) for earlier, raw in self.lines_before(number, reach))
