"""The indent: white space that pip and others put before all of a build's output."""

import re

from build_analysis.prefixes import CleanLine

# What tools print at the beginning of a line only: white space before it is someone else's.
_INDENTED = re.compile(
    r"\s{1,24}(?=FAILED: |\[\d+/\d+\] |ninja: |CMake (?:Error|Warning)|-- [A-Z]|Traceback \(most|g?make(?:\[\d+\])?: "
    r"|\*{10}|={20}|_{10}|\[ (?:RUN|  FAILED)  |FAIL: |In file included from |ERROR: |FAILED )"
)


class Indent:
    """How far the output that is being read is indented; a line that begins further left ends it."""

    def __init__(self) -> None:
        self._width = ""

    def taken_off(self, line: CleanLine) -> CleanLine:
        """The line as the tool printed it."""
        text = line.text
        if text[:1] not in " \t":
            if text:
                self._width = ""
            return line
        if self._width and text.startswith(self._width):
            return line._replace(text=text[len(self._width) :])
        if match := _INDENTED.match(text):
            self._width = match[0]
            return line._replace(text=text[match.end() :])
        return line
