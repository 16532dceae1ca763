"""The reader: a log's bytes in, as they lie in the store, failures and test results out. Pure.

Memory does not grow with the log: of a line only as much is kept as rules may look at.
"""

from collections.abc import Sequence

from build_analysis.analyzer import LogAnalyzer
from build_analysis.failure import Failure, Report
from build_analysis.green_lines import GreenLines
from build_analysis.test_results import MARKERS, TestResult, TestResultReader, markers_in

from build_ingest.logs.pages import text_between
from build_ingest.records.chunk import Chunk

LINE_CHARACTERS = 8192
"""Rules look at less of a line than this, colours and stamps included."""


class LogReader:
    """Reads one build's log from its first byte on, in pieces of any size that end between two characters."""

    def __init__(self) -> None:
        self._analyzer = LogAnalyzer()
        self._result_reader = TestResultReader()
        self._lines = 0
        self._newest = ""
        self._results: list[TestResult] = []
        self.is_green = False
        """Set for a build that succeeded: it has no failures, whatever the rest of its log says."""
        self.text_bytes = 0
        """How much of the log is read."""
        self.failures: list[Failure] = []
        """What became certain so far, in the order in which it did."""

    def compare_with(self, green: GreenLines) -> None:
        """Take what green builds printed as evidence; call it before anything is read."""
        self._analyzer = LogAnalyzer(green=green)

    def read(self, text: bytes) -> None:
        """Read the next bytes. The newest line waits: the next piece may go on with it."""
        read = self._newest + text.decode()
        markers = markers_in(read)
        lines = read.split("\n")
        self.text_bytes += len(text)
        self._newest = lines.pop()[:LINE_CHARACTERS]
        if lines:
            self._feed(lines, markers)

    def read_chunks(self, chunks: Sequence[Chunk], end: int) -> None:
        """Read what these chunks, which follow each other, hold of the log up to byte `end`."""
        for chunk in chunks:
            self.read(text_between([chunk], self.text_bytes, end))

    def read_last(self) -> None:
        """Read the last line: nothing follows it."""
        self._feed([self._newest], MARKERS)
        self._newest = ""

    def finish(self, exit_code: int | None) -> Report:
        """Rank all failures; afterwards this reader is used up."""
        return self._analyzer.finish(exit_code)

    def take_results(self) -> list[TestResult]:
        """The test results read since the last call, in order."""
        results, self._results = self._results, []
        return results

    def _feed(self, lines: Sequence[str], markers: Sequence[str]) -> None:
        cut = [line[:LINE_CHARACTERS] for line in lines]
        if not self.is_green:
            self.failures += self._analyzer.feed(self._lines + 1, cut)
        if markers:
            self._results += self._result_reader.read(self._lines + 1, cut, markers)
        self._lines += len(lines)
