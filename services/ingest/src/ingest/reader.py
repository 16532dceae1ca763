"""The reader: a log's bytes in, as they lie in the store, the analyser's failures out. Pure.

Memory does not grow with the log: of a line only as much is kept as rules may look at.
"""

from collections.abc import Sequence

from build_analysis.analyzer import LogAnalyzer
from build_analysis.failure import Failure, Report

from ingest.chunk import Chunk
from ingest.log import text_between

LINE_CHARACTERS = 8192
"""Rules look at less of a line than this, colours and stamps included."""


class LogReader:
    """Reads one build's log from its first byte on, in pieces of any size that end between two characters."""

    def __init__(self) -> None:
        self._analyzer = LogAnalyzer()
        self._lines = 0
        self._newest = ""
        self.text_bytes = 0
        """How much of the log is read."""
        self.failures: list[Failure] = []
        """What became certain so far, in the order in which it did."""

    def read(self, text: bytes) -> None:
        """Read the next bytes. The newest line waits: the next piece may go on with it."""
        lines = (self._newest + text.decode()).split("\n")
        self.text_bytes += len(text)
        self._newest = lines.pop()[:LINE_CHARACTERS]
        if lines:
            self._feed(lines)

    def read_chunks(self, chunks: Sequence[Chunk], end: int) -> None:
        """Read what these chunks, which follow each other, hold of the log up to byte `end`."""
        for chunk in chunks:
            self.read(text_between([chunk], self.text_bytes, end))

    def finish(self, exit_code: int | None) -> Report:
        """Read the last line and rank all failures; afterwards this reader is used up."""
        self._feed([self._newest])
        return self._analyzer.finish(exit_code)

    def _feed(self, lines: Sequence[str]) -> None:
        self.failures += self._analyzer.feed(self._lines + 1, [line[:LINE_CHARACTERS] for line in lines])
        self._lines += len(lines)
