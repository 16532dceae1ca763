"""Private keys over several lines: from the line that begins one, what follows is masked until the one that ends it."""

import re
from dataclasses import dataclass

from build_dashboard.redaction.literals import Span

LITERALS = (b"-----BEGIN", b"---- BEGIN", b"Private-Lines:", b"LS0tLS1CRUdJTi", b"0tLS0tQkVHSU4", b"tLS0tLUJFR0lO")
"""The last three: the first, in base64."""

LINES_MAX = 400
"""An RSA key of 16,384 bits has 200."""

OTHER_LINES = 3
"""So many lines that look like nothing of a key, and it is over: perhaps only its first line was printed."""

_BEGIN = re.compile(rb"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)? ?-{4,5}|Private-Lines:\s*\d+")
_END = re.compile(rb"-{4,5} ?END [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)? ?-{4,5}|Private-MAC:")
_BODY = re.compile(rb"(?:[A-Za-z0-9+/=]|\\+[nr]|\s)*")
_HEADER = re.compile(rb"\W*(?:Proc-Type|DEK-Info|Comment|Version|Hash|Subject|x-\w+):|\W*$", re.IGNORECASE)
_LINE = re.compile(rb"(?:^|[\s|>\"'+#:\]])([A-Za-z0-9+/=]{16,}|[A-Za-z0-9+/=]+)[\"',\\nr\s]*$")
_ESCAPED = re.compile(rb"(?:[A-Za-z0-9+/=]|\\+[nr]){16,}")
"""A part of a key on one line, as JSON has it."""


@dataclass(slots=True)
class KeyBlock:
    """Where one stream is: `left` lines of a key may still come, `others` were none; 0 outside of one."""

    left: int = 0
    others: int = 0

    def spans(self, line: bytes) -> list[Span]:
        """What of this line is a key; called with every line of a stream while `left`, else with those of interest."""
        found: list[Span] = []
        at = 0
        if self.left:
            at = self._go_on(line, found)
        while not self.left and (begin := _BEGIN.search(line, at)):
            body = _BODY.match(line, begin.end())
            assert body is not None  # noqa: S101  (it may be empty)
            end = _END.search(line, body.end())
            if end is not None and end.start() == body.end():
                found.append((begin.start(), end.end()))
                at = end.end()
            else:
                found.append((begin.start(), body.end()))
                self.left, self.others = LINES_MAX, 0
        return found

    def _go_on(self, line: bytes, found: list[Span]) -> int:
        self.left -= 1
        if end := _END.search(line):
            self.left = 0
            body = _LINE.search(line[: end.start()])
            found.append((body.start(1) if body else end.start(), end.end()))
            return end.end()
        if b"\\n" in line and (runs := [match.span() for match in _ESCAPED.finditer(line)]):
            found += runs
            self.others = 0
            return len(line)
        if body := _LINE.search(line):
            is_long = len(body[1]) >= 16
            if is_long or not line[: body.start(1)].strip():
                found.append(body.span(1))
                self.others = 0
                return len(line)
        if not _HEADER.match(line):
            self.others += 1
            if self.others >= OTHER_LINES:
                self.left = 0
        return len(line)
